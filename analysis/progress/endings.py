"""Why trials ended without having finished: the same word stands for a hand, a clock and a rule."""

from __future__ import annotations

from typing import NamedTuple

from analysis import labels
from analysis.reading.runs import Study
from analysis.schema import TrialStatus
from trainables.wording import more

_NAMED = 12
_RULES = ("halving", "asha")


class Ending(NamedTuple):
    """Trials that ended alike without having finished."""

    status: str
    reason: str
    """Of a rule only its name; "" where none is recorded."""
    trials: list[int]

    def line(self, letters: int | None = None) -> str:
        """``stopped, by hand: 0003, 0007``; of many trials the first, of the reason so many ``letters``, ``None``:
        all."""
        why = self.reason or "no reason recorded"
        if letters is not None and len(why) > letters:
            why = f"{why[:letters].rstrip()} ..."
        return f"{self.status}, {why}: {_numbers(self.trials)}"


def endings(study: Study) -> list[Ending]:
    """By reason, in the order in which these first occurred."""
    gone = study.trials[study.trials["status"].isin([TrialStatus.STOPPED, TrialStatus.FAILED])]
    reasons = gone["reason"].map(_kind)
    groups = gone.groupby([gone["status"], reasons], sort=False)["number"]
    return [Ending(str(status), str(why), found.tolist()) for (status, why), found in groups]


def tried_again(study: Study) -> dict[int, int]:
    """Attempts by trial, of those that have had more than one: their process died, or they rested with their study."""
    again = study.trials[study.trials["attempts"] > 1]
    return dict(zip(again["number"].tolist(), again["attempts"].tolist(), strict=True))


def _kind(reason: str) -> str:
    return next((rule for rule in _RULES if reason.startswith(f"{rule}: ")), reason)


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(labels.trial_number, numbers[:_NAMED])) + more(numbers, _NAMED)
