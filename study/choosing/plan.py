"""What is known of a study of chosen trials before it is begun: its data, and how fast the other study was."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from analysis.layout import study_paths
from analysis.reading.runs import Study, number_or_nan, read_study
from study.choosing.child import Prepared
from study.preflight import check_data
from trainables.config import TrialConfig
from trainables.data import draw
from trainables.evaluation.work import planned_forward_equivalents
from trainables.metrics import EVALUATION_FORWARD_EQUIVALENTS, FORWARD_EQUIVALENTS, GPU_MINUTES, PGD_ACCURACY
from trainables.trial import evaluation_images, load_all

NOTHING = "Nothing was written."
WORK, MINUTES = "forward-equivalents", "GPU-minutes"
"""What work and time are counted in."""


class Images(NamedTuple):
    """How many there are."""

    pretraining: int
    heads: int
    """That train a head."""
    evaluated: int
    classes: int


def checked(prepared: Prepared) -> tuple[str, list[str]]:
    """The data in words, and what they lack, a line each; raises ``UserError`` for what a launch would refuse."""
    space = prepared.config.search_space()
    prepared.config.check()
    lacking: list[str] = []
    return check_data(space, progress=sys.stderr.isatty(), warn=lacking.append), lacking


def images(config: TrialConfig) -> Images:
    """Those of ``config``."""
    splits, measured_on = load_all(config)
    heads = len(draw(measured_on.train, config.evaluation.head_images))
    evaluated = len(evaluation_images(measured_on, config.evaluation))
    return Images(len(splits.train), heads, evaluated, len(measured_on.classes))


def evaluation(parent: Study, number: int, config: TrialConfig, counted: Images) -> int:
    """Forward-equivalents of evaluating ``config``, which is trial ``number`` of ``parent`` or comes of it.

    AutoAttack included: images that withstood PGD in the other study withstand it here, the others cost it nothing.
    """
    withstood = _figure(parent, number, PGD_ACCURACY)
    return planned_forward_equivalents(config, counted.heads, counted.evaluated, counted.classes, withstood)


def uncounted(configs: Iterable[TrialConfig]) -> list[str]:
    """A line where attacks are run whose work is known only afterwards."""
    own = dict.fromkeys(attack for config in configs for attack in config.evaluation.own_attacks)
    return [f"Not counted is what {', '.join(own)} will ask of the networks."] if own else []


def speed(parent: Study, number: int) -> float:
    """Forward-equivalents a GPU-minute of a trial of ``parent``; NaN if that is not known."""
    work = _figure(parent, number, FORWARD_EQUIVALENTS) + _figure(parent, number, EVALUATION_FORWARD_EQUIVALENTS)
    return work / _figure(parent, number, GPU_MINUTES)


def done(prepared: Prepared) -> int:
    """Trials of the study that have finished."""
    return len(read_study(study_paths(prepared.config.name)).finished) if prepared.begun else 0


def _figure(parent: Study, number: int, name: str) -> float:
    row = parent.trials[parent.trials["number"] == number].iloc[0]
    return number_or_nan(row.get(name))
