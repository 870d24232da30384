"""What measuring again would cost, without doing it: heads to train, attacks, minutes at the search's speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.layout import study_paths
from analysis.reading.runs import Study
from analysis.reading.written import config_of
from study.choosing.child import Prepared
from study.choosing.plan import MINUTES, NOTHING, WORK, Images, checked, done, evaluation, images, speed, uncounted
from study.config.measurement import Measurement
from study.measuring.measure import in_words
from trainables.config import TrialConfig
from trainables.evaluation.assess import heads_settings
from trainables.evaluation.work import head_forward_equivalents


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """One network's work, in forward-equivalents, and its minutes where the search tells."""

    trial: int
    trainable: str
    trained: tuple[str, ...]
    """Heads that are to be trained; the others are taken from the trial."""
    evaluation: int
    """Without the training of those that are taken."""
    minutes: float
    """At the speed of the measured trial, as the search counted them; NaN if it is not known."""


def plan(prepared: Prepared) -> Group:
    """The measurement in words and a table; raises ``UserError`` for what a launch would refuse."""
    measurement = prepared.config.measures
    assert measurement is not None
    data, lacking = checked(prepared)
    each = _each(prepared.parent, zip(measurement.trials, measurement.configs(), strict=True))
    return Group(
        *map(Text, prepared.remarks),
        _table(prepared.config.name, measurement, each),
        Text(f"Data: {data}; measured on {_splits(measurement)} images"),
        *map(Text, lacking),
        _sum(prepared, measurement, each),
        *uncounted(measurement.configs()),
        *_following(_each(prepared.parent, prepared.following.items())),
        NOTHING,
    )


def measuring(parent: Study, number: int, config: TrialConfig, counted: Images) -> Measuring:
    """What measuring the network of trial ``number`` of ``parent`` by ``config`` on its ``counted`` images costs."""
    before = config_of(study_paths(parent.name).trial(number))
    holds = heads_settings(before) == heads_settings(config)
    kept = [name for name in config.evaluation.heads if holds and name in before.evaluation.heads]
    spared = sum(head_forward_equivalents(config.evaluation, name, counted.heads) for name in kept)
    work = evaluation(parent, number, config, counted) - spared
    return Measuring(
        trial=number,
        trainable=config.trainable,
        trained=tuple(name for name in config.evaluation.heads if name not in kept),
        evaluation=work,
        minutes=work / speed(parent, number),
    )


def _each(parent: Study, networks: Iterable[tuple[int, TrialConfig]]) -> list[Measuring]:
    """Images that several are measured on are loaded once."""
    pairs = list(networks)
    configs = {(config.data, config.evaluation): config for _, config in pairs}
    counted = {settings: images(config) for settings, config in configs.items()}
    return [measuring(parent, number, config, counted[config.data, config.evaluation]) for number, config in pairs]


def _splits(measurement: Measurement) -> str:
    return " and ".join(dict.fromkeys(config.evaluation.split for config in measurement.configs()))


def _table(name: str, measurement: Measurement, each: list[Measuring]) -> Table:
    table = Table(title=f"{name}: {in_words(measurement)}", title_justify="left")
    for heading in ("Trial", "Trainable", "Heads to train"):
        table.add_column(heading)
    for heading in (f"Evaluation, {WORK}", MINUTES):
        table.add_column(heading, justify="right")
    for one in each:
        heads = ", ".join(one.trained) or "none"
        figures = (labels.cost(one.evaluation), labels.cost(one.minutes))
        table.add_row(labels.trial_number(one.trial), one.trainable, heads, *figures)
    return table


def _sum(prepared: Prepared, measurement: Measurement, each: list[Measuring]) -> str:
    counted = f"{labels.counted(measurement.runs, 'network')}, {done(prepared)} of them measured"
    return (
        f"{counted}; altogether about {_spent(each)} at the search's speed (on a CPU, minutes of one trial at a time). "
        "Nothing is trained but heads."
    )


def _following(each: list[Measuring]) -> Iterator[str]:
    if each:
        at_most = f"at most {labels.counted(len(each), 'network')} more"
        yield f"What AutoAttack takes off these decides which others follow: {at_most}, up to {_spent(each)}."


def _spent(each: list[Measuring]) -> str:
    work, minutes = sum(one.evaluation for one in each), sum(one.minutes for one in each)
    return f"{labels.cost(work)} {WORK}, {labels.cost(minutes)} {MINUTES}"
