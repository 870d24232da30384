"""How a study stands, for whoever looks at it while it runs and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from analysis import labels
from analysis.frontier.absent import excluded_sentence
from analysis.frontier.confirmed import confirms
from analysis.frontier.measured import searches
from analysis.frontier.pareto import frontier
from analysis.layout import StudyPaths, finite
from analysis.progress.endings import Ending, endings, tried_again
from analysis.progress.running import Running, running
from analysis.reading.manifest import is_replay
from analysis.reading.runs import PARAM, Study
from analysis.schema import TrialStatus
from study.files import stop
from study.files.added import damaged, waiting
from study.files.lock import is_running
from study.outlook import INTERRUPTED, Outlook, outlook
from study.search.budget import about, left
from trainables.wording import more

_SHOWN = 10
"""Lines of what runs, and of why trials ended; the rest is counted."""
_LETTERS = 100
"""Of a reason; the rest is cut."""


class State(StrEnum):
    """Whether anybody spends the study's budget."""

    RUNNING = "running"
    DRAINING = "draining"
    """Trials that run end as they would, no other begins."""
    STOPPING = "stopping"
    """Trials that run are interrupted."""
    COMPLETE = "complete"
    IDLE = "idle"
    """Nobody runs it, though something is left to do."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One reading of a study, for all that is said of it at a time."""

    study: Study
    state: State
    outlook: Outlook
    running: list[Running]
    endings: list[Ending]
    tried_again: dict[int, int]
    waiting: int
    """Configurations that were added by hand and nobody has taken yet."""
    damaged: list[str]
    """Files of such ones that cannot be read."""
    now: float
    """Unix seconds."""

    def lines(self, *, whole: bool = False) -> Iterator[str]:
        """From what is asked first; ``whole``: every run and every reason, to its last letter."""
        most, letters = (None, None) if whole else (_SHOWN, _LETTERS)
        yield f"{self.study.name}: {self.stands()}"
        yield f"Trials: {self.counts()}"
        yield from self._spent()
        yield from _listed("Running:", [one.line(self.now) for one in self.running], most)
        yield from _listed("Did not finish:", [one.line(letters) for one in self.endings], most)
        if excluded := excluded_sentence(self.study):
            yield excluded
        if self.tried_again:
            numbers = [f"{labels.trial_number(number)} ({count})" for number, count in self.tried_again.items()]
            yield f"Begun more than once: {', '.join(numbers[:most])}{more(numbers, most)}"
        if self.waiting:
            verb = "waits" if self.waiting == 1 else "wait"
            yield f"{labels.counted(self.waiting, 'configuration')} added by hand {verb}"
        for file in self.damaged:
            yield f"{file} is damaged; delete it and add again"

    def line(self) -> str:
        """All of it that changes while the study runs, but for the time."""
        best = [] if confirms(self.study) else sorted(frontier(self.study)["number"].tolist())
        on = ", ".join(map(labels.trial_number, best[:_SHOWN])) + more(best, _SHOWN)
        return f"{self.stands()}; {self.counts()}" + (f"; on the frontier: {on}" if best else "")

    def stands(self) -> str:
        """Whether the study goes on, and what makes it."""
        name = self.study.name
        return {
            State.RUNNING: "running",
            State.DRAINING: "it ends as asked: no other trial begins",
            State.STOPPING: f"it ends at once, as asked; go on with its trials: study resume {name}",
            State.COMPLETE: f"complete: {self.outlook.exhausted}",
            State.IDLE: f"nobody runs it; go on with: study resume {name}",
        }[self.state]

    def counts(self) -> str:
        """``15 of 40 ended (13 finished, 2 failed), 2 running``."""
        found = self.by_status
        unended = ", ".join(f"{found.pop(status)} {status}" for status in _OPEN if status in found)
        budget, ended = self.outlook.limits, self.outlook.spent.ended
        of = f" of {budget.trials}" if budget is not None and budget.trials else ""
        how = ", ".join(f"{count} {status}" for status, count in found.items())
        return f"{ended}{of} ended" + (f" ({how})" if how else "") + (f", {unended}" if unended else "")

    @property
    def by_status(self) -> dict[str, int]:
        """Trials."""
        return {str(status): int(count) for status, count in self.study.standings.value_counts().items()}

    def _spent(self) -> Iterator[str]:
        spent, limits, minutes = self.outlook.spent, self.outlook.limits, self.outlook.minutes_left
        took = labels.duration(self.outlook.wall_minutes * 60)
        yield f"Used: {labels.amount(spent.gpu_hours)} GPU-hours; {took} of wall time without pauses"
        if limits is None:
            yield "Budget: unknown"
        elif self.state is not State.COMPLETE and (why := self.outlook.levelled or self.outlook.covered):
            yield f"No other trial begins: {why}"
        elif self.state is not State.COMPLETE:
            pace = f"; {about(minutes)} at its pace so far" if minutes is not None and minutes > 0 else ""
            yield f"Left: {left(limits, spent, self.outlook.wall_minutes)}{pace}"

    def json(self) -> str:
        """All of it unrounded."""
        best = frontier(self.study)
        told: dict[str, Any] = {
            "name": self.study.name,
            "state": str(self.state),
            "trials": self.by_status,
            "budget": None if self.outlook.limits is None else asdict(self.outlook.limits),
            "spent": {
                "trials": self.outlook.spent.trials,
                "gpu_hours": self.outlook.spent.gpu_hours,
                "wall_minutes": self.outlook.wall_minutes,
            },
            "minutes_left": self.outlook.minutes_left,
            "running": [asdict(one) for one in self.running],
            "ended_early": [one._asdict() for one in self.endings],
            "attempts": self.tried_again,
            "waiting": self.waiting,
            "frontier": [
                {"number": int(row["number"]), "trainable": row["trainable"]}
                | {name: row[name] for name in self.study.objectives}
                | {name: None if pd.isna(found := row[PARAM + name]) else found for name in self.study.params}
                for row in best.to_dict("records")
            ],
        }
        return json.dumps(finite(told), indent=2)

    def next_steps(self) -> Iterator[tuple[str, str]]:
        """What can be done with the study, and the command for it."""
        study, name = self.study, self.study.name
        if self.state is State.RUNNING:
            yield "Look on", f"status {name} --watch"
            yield "End it in order", f"stop {name}"
        elif self.state is State.COMPLETE and searches(study) and not is_replay(study.manifest):
            further = "--set space.DIM=VALUES" if self.outlook.covered else "--trials 20"
            yield "Go further", f"extend {name} {further} --dry-run"
        if not study.finished.empty:
            yield "How sure the frontier is", f"front {name}"
            yield "All in one file", f"report {name}"


_OPEN = (TrialStatus.RUNNING.value, INTERRUPTED)


def summary(study: Study, paths: StudyPaths, now: float) -> Summary:
    """Of ``study``, just read as it stands from ``paths``; ``now`` in unix seconds."""
    found = outlook(study, paths, now)
    return Summary(
        study=study,
        state=_state(study, paths, found),
        outlook=found,
        running=running(study, paths),
        endings=endings(study),
        tried_again=tried_again(study),
        waiting=len(waiting(paths)),
        damaged=[str(file) for file in damaged(paths)],
        now=now,
    )


def _state(study: Study, paths: StudyPaths, found: Outlook) -> State:
    if is_running(paths):
        asked = {None: State.RUNNING, stop.Request.DRAIN: State.DRAINING, stop.Request.NOW: State.STOPPING}
        return asked[stop.asked(paths)]
    done = found.exhausted is not None and INTERRUPTED not in set(study.trials["status"])
    return State.COMPLETE if done else State.IDLE


def _listed(heading: str, lines: list[str], most: int | None) -> Iterator[str]:
    if lines:
        yield heading
        yield from (f"  {line}" for line in lines[:most])
        if rest := more(lines, most):
            yield f"  {rest.strip()}"
