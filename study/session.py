"""One driver's run of a study: what both backends do between two trials."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console

from analysis.layout import StudyPaths
from study.allotment import Allotment
from study.config import StudyConfig
from study.progress import Progress
from study.resources import MINIMUM_FREE_GIB, disk_is_low
from study.scheduler import Scheduler
from study.search import Assignment, Search
from study.tracking import Tracker

SIGNALLED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class Session:
    """Search, tracking and progress of a running study, and whether it should go on."""

    paths: StudyPaths
    config: StudyConfig
    allotment: Allotment
    search: Search
    tracker: Tracker
    progress: Progress
    console: Console
    scheduler: Scheduler | None = None
    """Ends trials early; ``None``: every trial runs to its end."""
    _interruptions: list[str] = field(default_factory=list)

    def next(self) -> Assignment | None:
        """The next trial to run, ``None`` when there will be no more."""
        if self.over():
            return None
        assignment = self.search.ask()
        if assignment is not None:
            self._show(assignment.number)
        return assignment

    def reported(self, number: int) -> None:
        """A trial has a new epoch on disk; it goes on when this returns, or ends if its folder then says so."""
        if self.scheduler is not None:
            self.scheduler.reported(number)
        self._show(number)

    def ended(self, number: int, *, lost: str | None = None) -> None:
        """A trial has ended, or is ``lost`` for good; a loss while the study stops leaves it to be resumed."""
        if self.search.settle(number, lost=None if self.over() else lost):
            self.progress.ended(self.search, number)
        self._show(number)

    def interrupt(self, reason: str = SIGNALLED) -> None:
        """End the study in order; trials that run are resumed by the next driver."""
        self._interruptions.append(reason)

    @property
    def interrupted(self) -> str | None:
        return self._interruptions[0] if self._interruptions else None

    def out_of_time(self) -> str | None:
        return self.search.out_of_time()

    def over(self) -> bool:
        """Whether even the running trials must stop now."""
        if disk_is_low(self.paths.root):
            self.interrupt(f"less than {MINIMUM_FREE_GIB:g} GiB is free on the disk of {self.paths.root}")
        return self.interrupted is not None or self.out_of_time() is not None

    def close(self) -> None:
        """Settle every trial: nothing stays running after a study that was not interrupted."""
        over = self.out_of_time() or "the study ended before the trial did"
        self.search.close(ended=None if self.interrupted else over)

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)

    def _show(self, number: int) -> None:
        self.tracker.notify(number)
        self.progress.update(self.search)
