"""One driver's run of a study: what both backends do between two trials."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from optuna.trial import TrialState
from rich.console import Console

from analysis import labels
from analysis.layout import StudyPaths
from analysis.schema import TrialFault
from study.config import StudyConfig
from study.early_stopping.scheduler import Scheduler
from study.execution.progress import Progress
from study.files import stop
from study.files.disk import full_disk, is_low
from study.files.storage import EVENTS, Storage
from study.resources.allotment import Allotment
from study.say import say
from study.search.folders import record_pause
from study.search.losses import judge, record_loss
from study.search.searcher import Assignment, Later, Search
from study.tracking.tracker import Tracker

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
    storage: Storage | None = None
    """Where trials on other machines leave their files; ``None``: they share this one's disk."""
    _interruptions: list[str] = field(default_factory=list)
    _unsaid: dict[stop.Request, bool] = field(default_factory=lambda: dict.fromkeys(stop.Request, True))
    """Which ways to end are yet to be announced; popped, for Tune's loop and the books may notice one at once."""
    _ended: list[int] = field(default_factory=list)

    def next(self) -> Assignment | Later | None:
        """The next trial to run, ``None`` when there will be no more, ``LATER`` until one that runs has ended."""
        if self.over() or self.draining():
            return None
        assignment = self.search.ask()
        if isinstance(assignment, Assignment):
            self._hand_out(assignment.number)
            self._show(assignment.number)
        return assignment

    @property
    def ends(self) -> int:
        """How many trials have ended under this driver."""
        return len(self._ended)

    def reported(self, number: int) -> None:
        """A trial has a new epoch on disk; it goes on when this returns, or ends if its folder then says so."""
        self._fetch(number)
        if self.scheduler is not None:
            self.scheduler.reported(number)
            self._publish(number, "stop.json")
        self._show(number)

    def ended(self, number: int, *, lost: str | None = None, fault: TrialFault = TrialFault.LOST) -> None:
        """A trial has ended, or is ``lost`` for good; a loss while the study stops leaves it to be resumed."""
        self._fetch(number)
        if self.search.settle(number, lost=None if self.over() else lost, fault=fault):
            self._publish(number, EVENTS)
            self.progress.ended(self.search, number)
            if self.scheduler is not None:
                self.scheduler.catch_up()
            self._ended.append(number)
        self._show(number)

    def reconcile(self) -> None:
        """After the executor fell over: what has ended is settled, what has not is handed out again."""
        self.search.reconcile()
        if self.scheduler is not None:
            self.scheduler.catch_up()

    def lost(self, number: int, cause: str, *, excuse: str | None = None) -> bool:
        """An attempt died with its process; whether the trial is given up. With an ``excuse`` the loss is not its own.

        While the study stops nothing is held against a trial.
        """
        if self.over():
            return False
        self._fetch(number)
        trial = self.paths.trial(number)
        record_loss(trial, cause, excuse)
        self._publish(number, EVENTS)
        verdict = judge(trial, self.config.resources.max_failures)
        if verdict:
            self.ended(number, lost=verdict.reason, fault=verdict.fault)
        return verdict is not None

    def interrupt(self, reason: str = SIGNALLED) -> None:
        """End the study in order; trials that run are resumed by the next driver."""
        self._interruptions.append(reason)

    def no_room(self, words: str) -> None:
        """Pause the study: a disk is full, here or under a trial, as its ``words`` say."""
        self.interrupt(f"a disk is full ({words})")

    @property
    def interrupted(self) -> str | None:
        return self._interruptions[0] if self._interruptions else None

    def out_of_time(self) -> str | None:
        return self.search.out_of_time()

    def draining(self) -> bool:
        """Whether it was asked that no further trial begins."""
        return stop.asked(self.paths) is stop.Request.DRAIN

    def over(self) -> bool:
        """Whether even the running trials must stop now."""
        asked = None if self.interrupted else stop.asked(self.paths)
        if asked is stop.Request.NOW:
            self.interrupt()
        minimum = self.config.resources.minimum_free_gib
        if self.interrupted is None and is_low(self.paths.root, minimum):
            self.interrupt(f"less than {minimum:g} GiB is free on the disk of {self.paths.root}")
        self._announce(asked)
        self.search.keep_time()
        self.progress.still(self.search)
        return self.interrupted is not None or self.out_of_time() is not None

    def close(self) -> None:
        """Settle every trial: nothing stays running after a study that nobody interrupted or stopped."""
        over = self.out_of_time() or "the study ended before the trial did"
        try:
            self._announce()
            self._close(None if self.interrupted or self.draining() else over)
        except Exception as error:
            if (full := full_disk(error)) is None:
                raise
            self.no_room(full)  # the next driver settles what is on disk

    def _close(self, ended: str | None) -> None:
        running = [trial.number for trial in self.search.trials() if trial.state is TrialState.RUNNING and ended]
        try:
            for number in running:
                self._fetch(number)
            if ended is None:
                self._pause()
        except BaseException:
            self.search.close()  # what has ended elsewhere cannot be told from what has not
            raise
        self.search.close(ended=ended)
        for number in running:
            self._publish(number, EVENTS)

    def _pause(self) -> None:
        """The trials that a later driver goes on with have run until now."""
        began = time.time() - 60 * self.search.own_minutes()
        for number in [trial.number for trial in self.search.running()]:
            self._fetch(number)
            record_pause(self.paths.trial(number), began)
            self._publish(number, EVENTS)

    def say(self, line: str) -> None:
        say(self.console, line)

    def _announce(self, asked: stop.Request | None = None) -> None:
        """Say once how the study ends; not from within a signal, which may have come in the middle of a line."""
        kind = stop.Request.NOW if self.interrupted else asked
        if kind is None or not self._unsaid.pop(kind, False):
            return
        outlook = None if self.interrupted else self.config.budget.model_copy(update={"trials": 0})
        with suppress(OSError):  # the signal may be that the terminal has gone
            if asked is stop.Request.NOW:
                self.say("stop asked for: ending in order")
            elif asked is stop.Request.DRAIN and not self.interrupted:
                running = labels.counted(count := len(self.search.running()), "trial")
                self.say(f"stop asked for: {running} still {'runs' if count == 1 else 'run'}, no others begin")
            elif self.interrupted == SIGNALLED:
                self.say("ending in order; once more ends at once")
            self.progress.expect(self.search, outlook)

    def _fetch(self, number: int) -> None:
        """What a trial on another machine has written, where no disk is shared."""
        if self.storage is not None:
            self.storage.fetch(self.paths.trial(number), whole=False)

    def _hand_out(self, number: int) -> None:
        """All that the driver has put into a trial's folder, until an attempt has written there, too."""
        if self.storage is not None:
            trial = self.paths.trial(number)
            self.storage.push(trial, [trial.config.name] if trial.events.exists() else None)

    def _publish(self, number: int, name: str) -> None:
        """What the driver has written into a trial's folder, for the machine that runs it."""
        if self.storage is not None:
            self.storage.push(self.paths.trial(number), [name])

    def _show(self, number: int) -> None:
        self.tracker.notify(number)
        self.progress.update(self.search)
