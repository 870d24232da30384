"""Which networks are measured next: those that are named, or all that may stand on the frontier as far as is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.frontier import settled
from analysis.frontier.confirmed import confirms
from analysis.frontier.pareto import frontier
from analysis.labels import counted, trial_number
from analysis.layout import study_paths
from analysis.reading.runs import Study, read_study
from analysis.reading.written import config_of
from study.choosing.choice import choose, doubts
from study.config import StudyConfig
from study.config.measurement import BestCase, Lost
from study.measuring.best_cases import Network, UnknownError, best_cases
from study.measuring.request import Request
from trainables.config import TrialConfig, UserError
from trainables.metrics import Direction, direction


@dataclass(frozen=True)
class Round:
    """What is measured now."""

    numbers: list[int]
    remarks: list[str]
    """What was decided for the user, a line each."""
    best_cases: Sequence[BestCase] = ()
    """Where the frontier is to be settled."""
    lost: Sequence[Lost] = ()
    """Those that would be measured, too, if their networks could be read."""
    following: dict[int, TrialConfig] = field(default_factory=dict)
    """What later rounds may add, as it would be measured."""


Read = Callable[[int], object]
"""Reads the network of a trial of that number; raises ``UserError`` where it cannot be."""


def next_round(parent: Study, searched: StudyConfig, request: Request, begun: StudyConfig | None, read: Read) -> Round:
    """Of the trials of ``parent``; ``begun``: the study that has measured some. Raises ``ChoiceError``."""
    unknown: list[str] = []
    if request.settles and not confirms(parent) and len(frontier(parent)):
        try:
            return _settling(parent, request, request.objectives(searched, parent), begun, read)
        except UnknownError as why:
            unknown = [f"the search's frontier alone is measured, for what others come to at best is not known: {why}"]
    numbers, remarks = choose(parent, _best(parent), request)
    return Round(numbers, [*unknown, *remarks])


def _best(parent: Study) -> pd.DataFrame:
    """The frontier; of a confirmation, whose trials are single seeds, all that are trusted."""
    return parent.credible if confirms(parent) else frontier(parent)


def _settling(parent: Study, request: Request, objectives: list[str], begun: StudyConfig | None, read: Read) -> Round:
    networks = _networks(parent, request)
    cases = best_cases(parent, objectives, networks)
    best = {case.trial: [case.values[name] for name in objectives] for case in cases}
    found = {} if begun is None else settled.found(read_study(study_paths(begun.name)))
    directions = [direction(name) for name in objectives]
    numbers, lost = _readable(best, found, directions, read)
    left = [number for number in networks if number not in {*found, *numbers, *lost}]
    following = {number: networks[number].measured for number in settled.undominated(left, best, found, directions)}
    trials = counted(len(best), "trusted trial")
    remark = f"of {trials} all are measured that may stand on the frontier under AutoAttack, round by round"
    remarks = [
        remark,
        *doubts(parent),
        *(f"trial {trial_number(one)} is not measured: {why}" for one, why in lost.items()),
    ]
    return Round(numbers, remarks, cases, [Lost(trial=one, reason=why) for one, why in lost.items()], following)


def _readable(
    best: settled.BestCases, found: settled.Found, directions: Sequence[Direction], read: Read
) -> tuple[list[int], dict[int, str]]:
    """The contenders, and those that would be and cannot be read, with why: they keep no other from its turn."""
    lost: dict[int, str] = {}
    while True:
        numbers = settled.contenders(best, {**dict.fromkeys(lost), **found}, directions)
        unread = dict(_unread(numbers, read))
        if not unread:
            return numbers, lost
        lost |= unread


def _unread(numbers: Iterable[int], read: Read) -> Iterator[tuple[int, str]]:
    for number in numbers:
        try:
            read(number)
        except UserError as error:
            yield number, str(error)


def _networks(parent: Study, request: Request) -> dict[int, Network]:
    """Those of the trusted trials of ``parent`` that have all figures."""
    trials = parent.credible
    whole = np.isfinite(trials[list(parent.objectives)].to_numpy(dtype=float)).all(axis=1)
    paths = study_paths(parent.name)
    configs = {int(number): config_of(paths.trial(int(number))) for number in trials.loc[whole, "number"]}
    return {number: Network(config, request.measured(config, parent.objectives)) for number, config in configs.items()}
