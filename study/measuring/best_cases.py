"""What the trials of a search can at most come to under AutoAttack, as far as its own attacks tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.frontier.same_images import SOURCES, Seen, seen
from analysis.labels import trial_number
from analysis.reading.runs import Study
from study.config.measurement import BestCase
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import AttackName, DataConfig, EvaluationConfig, TrialConfig, flatten
from trainables.data import draw_rows, identity
from trainables.evaluation.assess import VERSIONS
from trainables.metrics import AUTO_ATTACK_ACCURACY, GPU_MINUTES, PGD_ACCURACY, is_of_auto_attack
from trainables.trial import evaluation_images, load_all

_NO_OTHER_PGD = (
    *("evaluation.attacks", "evaluation.attack_epsilons", "evaluation.check_images"),
    *("evaluation.auto_attack_images", "evaluation.auto_attack_batch_size", "evaluation.auto_attack_precision"),
    *FREE_TO_CHANGE,
)
"""Settings under which PGD at the headline radius leaves the same images."""


class UnknownError(Exception):
    """Why best cases are not known, in a few words."""


class Network(NamedTuple):
    """A trial's configuration as it was trained, and as it is measured now."""

    trained: TrialConfig
    measured: TrialConfig


class _Attacked(NamedTuple):
    """The evaluated images, and which of them AutoAttack is run on; bool (n,)."""

    identity: str
    rows: NDArray[np.bool_]


def best_cases(parent: Study, objectives: Sequence[str], networks: Mapping[int, Network]) -> list[BestCase]:
    """Of the finished trials of ``parent`` that ``networks`` are of, in their order.

    AutoAttack's accuracy counts what PGD left, too, so it is at most PGD's on the same images; all else is as the
    search measured it. Raises ``UnknownError``; ``DataError`` if the images cannot be read.
    """
    for why in _why_unknown(parent, objectives, networks):
        raise UnknownError(why)
    known = [name for name in objectives if name != AUTO_ATTACK_ACCURACY]
    trials, attacked = parent.finished[["number", *SOURCES, PGD_ACCURACY, *known]], _attacked(networks.values())
    cases = []
    for number, (_, config) in networks.items():
        trial = trials[trials["number"] == number]
        found = seen(parent, trial, [PGD_ACCURACY])
        share = _withstood(found, attacked[config.data, config.evaluation], trial_number(number))
        values = {name: float(trial[name].iloc[0]) for name in known} | {AUTO_ATTACK_ACCURACY: share}
        cases.append(BestCase(trial=number, values=values))
    return cases


def _why_unknown(parent: Study, objectives: Sequence[str], networks: Mapping[int, Network]) -> Iterator[str]:
    if PGD_ACCURACY not in parent.objectives or AUTO_ATTACK_ACCURACY not in objectives:
        yield f"{PGD_ACCURACY} is no objective of {parent.name}"
    if own := [name for name in objectives if is_of_auto_attack(name) and name != AUTO_ATTACK_ACCURACY]:
        yield f"{', '.join(own)} may be of other images"
    if GPU_MINUTES in objectives:
        yield f"{GPU_MINUTES} hold those of this evaluation, too"
    for trained, measured in networks.values():
        before, now = flatten(trained), flatten(measured)
        if other := [path for path in now if before[path] != now[path] and path not in _NO_OTHER_PGD]:
            yield f"{', '.join(other)} differ{'s' if len(other) == 1 else ''} from {parent.name}"
        asked, gradient = measured.evaluation.attacks, set(get_args(AttackName)) - VERSIONS.keys()
        if missing := sorted(gradient & set(trained.evaluation.attacks) - set(asked)):
            whole = ",".join([*asked, *missing])
            yield f"{parent.name} ran {', '.join(missing)}, too; --set 'evaluation.attacks=[{whole}]' does"


def _attacked(networks: Iterable[Network]) -> dict[tuple[DataConfig, EvaluationConfig], _Attacked]:
    """By settings of data and evaluation."""
    configs = {(config.data, config.evaluation): config for _, config in networks}
    return {settings: _images(config) for settings, config in configs.items()}


def _images(config: TrialConfig) -> _Attacked:
    _, measured_on = load_all(config)
    images = evaluation_images(measured_on, config.evaluation)
    rows = np.zeros(len(images), dtype=bool)
    rows[draw_rows(images.labels, config.evaluation.auto_attack_images).numpy()] = True
    return _Attacked(identity(images), rows)


def _withstood(found: Seen | None, attacked: _Attacked, trial: str) -> float:
    """The share of the ``attacked`` images that a trial classifies right under PGD."""
    if found is None:
        raise UnknownError(f"trial {trial} has not recorded which images withstood PGD")
    if (found.identity, found.images) != (attacked.identity, len(attacked.rows)):
        raise UnknownError(f"trial {trial} was evaluated on other images than there are now")
    right = np.unpackbits(found.right[0, 0], count=found.images).astype(bool)
    return int((right & attacked.rows).sum()) / int(attacked.rows.sum())
