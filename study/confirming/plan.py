"""What a confirmation would cost, without doing it: trainings, forward-equivalents, minutes at the search's speed."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.layout import study_paths
from analysis.runs import Study, number_or_nan, read_study
from study.config.confirmation import Confirmation
from study.confirming.confirm import Prepared
from study.preflight import check_data, check_evaluation, check_objectives
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig
from trainables.data import draw
from trainables.evaluation.work import planned_forward_equivalents
from trainables.metrics import EVALUATION_FORWARD_EQUIVALENTS, FORWARD_EQUIVALENTS, GPU_MINUTES, PGD_ACCURACY
from trainables.trial import evaluation_images, load_all


@dataclass(frozen=True, kw_only=True)
class Training:
    """One configuration's work with one seed, in forward-equivalents, and its minutes where the search tells."""

    trial: int
    trainable: str
    pretraining: int
    evaluation: int
    """AutoAttack included: images that withstood PGD in the search withstand it here, the others cost it nothing."""
    minutes: float
    """At the speed of the confirmed trial, as the search counted them; NaN if it is not known."""


def plan(prepared: Prepared) -> Group:
    """The confirmation in words and a table; raises ``UserError`` for what a launch would refuse."""
    config, confirmation = prepared.config, prepared.config.confirms
    assert confirmation is not None
    space = config.search_space()
    check_evaluation(space)
    check_objectives(config, space)
    lacking: list[str] = []
    data = check_data(space, progress=sys.stderr.isatty(), warn=lacking.append)
    trainings = [
        training(prepared.parent, *pair) for pair in zip(confirmation.trials, confirmation.configs(), strict=True)
    ]
    return Group(
        *map(Text, prepared.remarks),
        _table(config.name, confirmation, trainings),
        f"Data: {data}; trained on {_trained_on(confirmation)} training images, measured once on test images",
        *map(Text, lacking),
        _sum(prepared, confirmation, trainings),
        "Nothing was written.",
    )


def _trained_on(confirmation: Confirmation) -> str:
    images = confirmation.settings["data.train_images"]
    return "all" if images is None else f"{images:,}"


def training(parent: Study, number: int, config: TrialConfig) -> Training:
    """What training and measuring ``config``, trial ``number`` of ``parent``, costs once."""
    splits, measured_on = load_all(config)
    images = len(evaluation_images(measured_on, config.evaluation))
    searched = _figures(parent, number)
    pretraining = pretrain_forward_equivalents(config, len(splits.train))
    evaluation = planned_forward_equivalents(
        config,
        len(draw(measured_on.train, config.evaluation.head_images)),
        images,
        len(measured_on.classes),
        searched[PGD_ACCURACY],
    )
    speed = (searched[FORWARD_EQUIVALENTS] + searched[EVALUATION_FORWARD_EQUIVALENTS]) / searched[GPU_MINUTES]
    return Training(
        trial=number,
        trainable=config.trainable,
        pretraining=pretraining,
        evaluation=evaluation,
        minutes=(pretraining + evaluation) / speed,
    )


def _figures(parent: Study, number: int) -> dict[str, float]:
    row = parent.trials[parent.trials["number"] == number].iloc[0]
    names = (PGD_ACCURACY, FORWARD_EQUIVALENTS, EVALUATION_FORWARD_EQUIVALENTS, GPU_MINUTES)
    return {name: number_or_nan(row.get(name)) for name in names}


def _table(name: str, confirmation: Confirmation, trainings: list[Training]) -> Table:
    seeds = labels.listed("seed", confirmation.seeds)
    table = Table(title=f"{name}: trials of {confirmation.study}, each with {seeds}", title_justify="left")
    for heading in ("Trial", "Trainable"):
        table.add_column(heading)
    for heading in ("Pre-training", "Evaluation", "Minutes"):
        table.add_column(heading, justify="right")
    for one in trainings:
        figures = (labels.cost(one.pretraining), labels.cost(one.evaluation), labels.cost(one.minutes))
        table.add_row(labels.trial_number(one.trial), one.trainable, *figures)
    return table


def _sum(prepared: Prepared, confirmation: Confirmation, trainings: list[Training]) -> str:
    seeds = len(confirmation.seeds)
    work = seeds * sum(one.pretraining + one.evaluation for one in trainings)
    minutes = seeds * sum(one.minutes for one in trainings)
    done = len(read_study(study_paths(prepared.config.name)).finished) if prepared.begun else 0
    product = f"{labels.counted(len(trainings), 'configuration')} x {labels.counted(seeds, 'seed')}"
    counted = f"{labels.counted(confirmation.trainings, 'training')} ({product}), {done} of them done"
    spent = f"{labels.cost(work)} forward-equivalents, {labels.cost(minutes)} GPU-minutes at the search's speed"
    return f"{counted}; altogether about {spent} (on a CPU, minutes of one trial at a time)."
