"""Who stands on no frontier, and why: trials that somebody excluded, and all of a study that has none."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from analysis import constraints, labels
from analysis.reading.runs import Study
from analysis.schema import TrialStatus
from trainables.harmless import harmless
from trainables.wording import more

_MOST = 6
"""Reasons that a line tells, and trials of each."""
_LETTERS = 100
"""Of a reason."""


def excluded_sentence(study: Study) -> str:
    """``Excluded: 0003, 0007 (a broken node); 0005 (wrong images)``, in the order of trials; "" where none is."""
    taken_out = study.trials[study.trials["excluded"] != ""]
    each = [
        f"{_first_of(group['number'].map(labels.trial_number).tolist(), ', ')} ({_shortened(harmless(str(reason)))})"
        for reason, group in taken_out.groupby("excluded", sort=False)
    ]
    return f"Excluded: {_first_of(each, '; ')}" if each else ""


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LETTERS else f"{reason[:_LETTERS].rstrip()} ..."


def _first_of(found: list[str], between: str) -> str:
    return between.join(found[:_MOST]) + more(found, _MOST)


def why_no_frontier(study: Study) -> str:
    """Of a study without a frontier, in a sentence."""
    feasible, credible = len(study.feasible), len(study.credible)
    finished = int((study.trials["status"] == TrialStatus.FINISHED).sum())
    excluded = finished - len(study.finished)
    if finished == credible:
        return "No trial has finished with all objectives measured, so there is no frontier yet."
    causes = {
        "excluded": excluded,
        f"beyond the study's bounds ({_nearest_violation(study)})": finished - excluded - feasible,
        "flagged": feasible - credible,
        "without all objectives measured": credible,
    }
    counted = ", ".join(f"{count} {cause}" for cause, count in causes.items() if count)
    return f"There is no frontier: of {labels.counted(finished, 'finished trial')} {counted}."


def _nearest_violation(study: Study) -> str:
    """``the nearest, trial 1: gpu_minutes is 9, above 5``, by the sum of what is missed, as shares of the bounds; a
    lone one is not called the nearest. "" where every trial keeps the study's bounds."""
    bounds = constraints.readable(study.manifest.get("constraints"))
    beyond = study.finished[study.finished["violation"] != ""].to_dict("records")
    if not beyond:
        return ""
    nearest = min(
        beyond, key=lambda trial: sum(max(by, 0.0) for by in constraints.excess(bounds, _named(trial)).values())
    )
    which = "the nearest, " if len(beyond) > 1 else ""
    return f"{which}trial {nearest['number']}: {nearest['violation']}"


def _named(record: dict[Hashable, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in record.items()}
