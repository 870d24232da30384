"""Why trials ended without having finished: the same word stands for a hand, a clock and a rule."""

from __future__ import annotations

from analysis import labels
from analysis.reading.runs import Study
from analysis.schema import TrialStatus

_NAMED = 12
_RULES = ("halving", "asha")


def ending_lines(study: Study) -> list[str]:
    """``stopped, by hand: 0003, 0007``, a line a reason, the trials in order; of a rule's reasons only its name."""
    gone = study.trials[study.trials["status"].isin([TrialStatus.STOPPED, TrialStatus.FAILED])]
    reasons = gone["reason"].map(_kind)
    groups = gone.groupby([gone["status"], reasons], sort=False)["number"]
    return [f"{status}, {why or 'no reason recorded'}: {_numbers(found.tolist())}" for (status, why), found in groups]


def _kind(reason: str) -> str:
    return next((rule for rule in _RULES if reason.startswith(f"{rule}: ")), reason)


def _numbers(numbers: list[int]) -> str:
    named = ", ".join(map(labels.trial_number, numbers[:_NAMED]))
    return f"{named} and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else named
