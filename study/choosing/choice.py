"""The trials that a request means: those it names, else the best of the study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.frontier.absent import why_no_frontier
from analysis.frontier.choice import SPREAD, flagged_on_frontier, spread
from analysis.labels import counted, excluded, trial_number
from analysis.layout import TrialPaths
from analysis.reading.runs import Study
from analysis.reading.written import config_of, written
from analysis.schema import TrialStatus
from search_spaces.listed import CONFIGURATION, SEED
from search_spaces.space import TRAINABLE
from study.choosing.request import ChoiceError, Request
from trainables.config import TrialConfig

_CHOICES = (TRAINABLE, CONFIGURATION, SEED)
"""Parameters that choose among configurations, of which they are no part."""


def choose(parent: Study, best: pd.DataFrame, request: Request) -> tuple[list[int], list[str]]:
    """Numbers of the trials, and a line for each thing that was decided for the user.

    ``best``: of the trials of ``parent`` those that are taken where none are named. Raises ``ChoiceError``.
    """
    if request.trials:
        return _named(parent, request.trials), []
    out = dict(_excluded(parent))
    remarks = [
        f"trial {trial_number(number)} is left out, excluded: {out[number]}"
        for number in map(int, best["number"])
        if number in out
    ]
    best = best[~best["number"].isin(out)]
    if best.empty:
        raise ChoiceError(f"{parent.name} has nothing to {request.VERB}. {why_no_frontier(parent)}")
    objectives = parent.objectives
    kept = spread(best, list(objectives), list(objectives.values()), request.limit or len(best))
    return list(map(int, kept["number"])), [*remarks, *doubts(parent), *_left_out(best, kept, request)]


def read_trial(trial: TrialPaths) -> tuple[dict[str, object], TrialConfig]:
    """What was searched of a trial, as it was found, and its configuration."""
    params = {name: value for name, value in written(trial.config)["params"].items() if name not in _CHOICES}
    return params, config_of(trial)


def doubts(parent: Study) -> list[str]:
    """What may change the frontier of ``parent``, a line each."""
    running = int((parent.trials["status"] == TrialStatus.RUNNING).sum())
    lines = [f"trial {trial_number(number)} is left out: {verdict}" for number, verdict in flagged_on_frontier(parent)]
    if running:
        have = "has" if running == 1 else "have"
        lines.append(f"{counted(running, 'trial')} of {parent.name} {have} not ended: its frontier may still change")
    return lines


def _named(parent: Study, numbers: Sequence[int]) -> list[int]:
    finished, out = set(parent.finished["number"]), dict(_excluded(parent))
    for number in numbers:
        if number in out:
            raise ChoiceError(excluded(f"{parent.name}/{number}", out[number]))
        if number not in finished:
            raise ChoiceError(f"{parent.name} has no finished trial {number}; `study status {parent.name}` lists them")
    return list(dict.fromkeys(numbers))


def _excluded(parent: Study) -> Iterator[tuple[int, str]]:
    """Numbers of the trials that somebody took out, and why."""
    trials = parent.trials[parent.trials["excluded"] != ""]
    return zip(map(int, trials["number"]), map(str, trials["excluded"]), strict=True)


def _left_out(best: pd.DataFrame, kept: pd.DataFrame, request: Request) -> list[str]:
    rest = [trial_number(number) for number in best["number"] if number not in set(kept["number"])]
    are = "is" if len(kept) == 1 else "are"
    done = f"{len(kept)} of {len(best)} configurations {are} {request.DONE}: {SPREAD}"
    return [f"{done}; not {', '.join(rest)}"] if rest else []
