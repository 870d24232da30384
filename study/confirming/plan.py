"""What training again would cost, without doing it: trainings, forward-equivalents, minutes at the search's speed."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.reading.runs import Study
from study.choosing.child import Prepared
from study.choosing.plan import MINUTES, NOTHING, WORK, checked, done, evaluation, images, speed, uncounted
from study.config.confirmation import Confirmation
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig


@dataclass(frozen=True, kw_only=True)
class Training:
    """One configuration's work with one seed, in forward-equivalents, and its minutes where the search tells."""

    trial: int
    trainable: str
    pretraining: int
    evaluation: int
    minutes: float
    """At the speed of the chosen trial, as the search counted them; NaN if it is not known."""


def plan(prepared: Prepared) -> Group:
    """What would be trained in words and a table; raises ``UserError`` for what a launch would refuse."""
    confirmation = prepared.config.confirms
    assert confirmation is not None
    data, lacking = checked(prepared)
    trainings = [
        training(prepared.parent, *pair) for pair in zip(confirmation.trials, confirmation.configs(), strict=True)
    ]
    return Group(
        *map(Text, prepared.remarks),
        _table(prepared.config.name, confirmation, trainings),
        Text(f"Data: {data}; {_images(confirmation)}"),
        *map(Text, lacking),
        _sum(prepared, confirmation, trainings),
        *uncounted(confirmation.configs()),
        NOTHING,
    )


def _images(confirmation: Confirmation) -> str:
    if not confirmation.on_test_images:
        return "trained and measured on the images of the search"
    images = confirmation.settings["data.train_images"]
    trained = "all" if images is None else f"{images:,}"
    return f"trained on {trained} training images, measured once on test images"


def training(parent: Study, number: int, config: TrialConfig) -> Training:
    """What training and measuring ``config``, trial ``number`` of ``parent``, costs once."""
    counted = images(config)
    pretraining = pretrain_forward_equivalents(config, counted.pretraining)
    measured = evaluation(parent, number, config, counted)
    return Training(
        trial=number,
        trainable=config.trainable,
        pretraining=pretraining,
        evaluation=measured,
        minutes=(pretraining + measured) / speed(parent, number),
    )


def _table(name: str, confirmation: Confirmation, trainings: list[Training]) -> Table:
    seeds = labels.listed("seed", confirmation.seeds)
    table = Table(title=f"{name}: trials of {confirmation.study}, each with {seeds}", title_justify="left")
    for heading in ("Trial", "Trainable"):
        table.add_column(heading)
    for heading in (f"Pre-training, {WORK}", f"Evaluation, {WORK}", MINUTES):
        table.add_column(heading, justify="right")
    for one in trainings:
        figures = (labels.cost(one.pretraining), labels.cost(one.evaluation), labels.cost(one.minutes))
        table.add_row(labels.trial_number(one.trial), one.trainable, *figures)
    return table


def _sum(prepared: Prepared, confirmation: Confirmation, trainings: list[Training]) -> str:
    seeds = len(confirmation.seeds)
    work = seeds * sum(one.pretraining + one.evaluation for one in trainings)
    minutes = seeds * sum(one.minutes for one in trainings)
    product = f"{labels.counted(len(trainings), 'configuration')} x {labels.counted(seeds, 'seed')}"
    counted = f"{labels.counted(confirmation.runs, 'training')} ({product}), {done(prepared)} of them done"
    spent = f"{labels.cost(work)} {WORK}, {labels.cost(minutes)} {MINUTES} at the search's speed"
    return f"{counted}; altogether about {spent} (on a CPU, minutes of one trial at a time)."
