"""What a study would do, without doing it: its space, configurations as it may draw them, and their cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.constraints import words
from analysis.layout import study_paths
from search_spaces.space import TRAINABLE, Part, SearchSpace
from search_spaces.work import total_on
from study.choosing.plan import NOTHING
from study.config import Budget, StudyConfig
from study.config.listed import Listed
from study.preflight import allot, check_data, idle
from study.resources.needs import machine
from study.resources.packing import most_in_memory
from study.resources.probe import heaviest, on_auto, shares
from study.search import start
from study.search.foreknown import Foreknown, known_before
from study.search.warm_start import Gathered, gather
from study.strategy import ended_early, foretold, proposed
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig, UserError
from trainables.data import in_blank, load
from trainables.footprint import measure
from trainables.trial import downloads

SAMPLES = 200
SHOWN = 5
RARE = 0.05
"""A trainable of whose draws fewer keep the bounds is as good as excluded."""
_NO_MINUTES = "Minutes depend on the hardware, and can be measured once the images are there."


@dataclass(frozen=True)
class Estimate:
    """Pre-training work of a trial, in forward-equivalents: over random configurations, or over all that are listed."""

    lowest: int
    median: int
    highest: int
    draws: int
    total: int

    def words(self, budget: Budget, begun: int) -> str:
        """``begun``: so many of the budget's trials are paid for."""
        line = self._each(f"{self.draws} random draws")
        if budget.trials is None:
            return f"{line}; the number of trials is what the time allows."
        if (left := budget.trials - begun) <= 0:
            return f"{line}; all {labels.counted(budget.trials, 'trial')} of the budget were begun."
        return f"{line}; about {labels.cost(self.median * left)} for {labels.counted(left, 'trial')}."

    def words_of_all(self) -> str:
        return f"{self._each('its trials')}; {labels.cost(self.total)} for all {self.draws}."

    def _each(self, of: str) -> str:
        each = f"{labels.cost(self.lowest)} / {labels.cost(self.median)} / {labels.cost(self.highest)}"
        return f"Pre-training a trial: {each} forward-equivalents (least / median / most of {of})"


def plan(config: StudyConfig, *, here: bool = True, begun: int = 0, learned: Gathered | None = None) -> Group:
    """The study in words and tables. Reads its data, and downloads none, of which it knows the numbers.

    ``here``: it would run on this machine, so what that lacks is told. ``begun``: trials that it has already.
    ``learned``: of other studies, where it has been launched; else they are asked.
    Raises ``UserError`` for what a launch would refuse anywhere.
    """
    space = config.search_space()
    lacking: list[str] = []
    config.check()
    samples = _listed(space) or [space.sample(config.seed + index) for index in range(SAMPLES)]
    folders = [folder for part in space.parts for folder in downloads(part.base)]
    with in_blank():
        refused = refused_here(config, space) if here else []
        data = check_data(space, progress=sys.stderr.isatty(), warn=lacking.append)
        samples, bounded = kept(config, space, samples)
        begins = start.gather(config, space) if learned is None else start.Starts()
        learned = gather(config, space, data) if learned is None else learned
        pretraining = _pretraining(config, samples, begun)
    return Group(
        *_tables(config, space, samples),
        *_strategy(config, space, learned),
        *map(Text, (f"Data: {data}", *_to_download(folders), *lacking, *bounded)),
        pretraining,
        *map(Text, (*learned.lines(), *begins.lines(space), *idle(config, learned.reported))),
        *([_NO_MINUTES] if folders else on_this_machine(config, space, samples)),
        *map(Text, refused),
        NOTHING,
    )


def _pretraining(config: StudyConfig, samples: list[TrialConfig], begun: int) -> str:
    if config.measures is not None:
        return "Pre-training: none, for the networks are trained; `study measure` tells what evaluating them costs."
    found = estimate(samples)
    return found.words(config.budget, begun) if config.listed is None else found.words_of_all()


def _listed(space: SearchSpace) -> list[TrialConfig]:
    """Every configuration, where the space lists them."""
    return [space.config(point) for point in space.points]


def kept(config: StudyConfig, space: SearchSpace, samples: list[TrialConfig]) -> tuple[list[TrialConfig], list[str]]:
    """Those of ``samples`` that keep the bounds known before training, and how many do, in words."""
    bounds = known_before(config.constraints)
    if not bounds:
        return samples, []
    foreknown = Foreknown(bounds, total_on(space))
    one = space.config(foreknown.within(space, config.seed))
    within = [sample for sample in samples if not foreknown.violation(sample)]
    share = f"{len(within)} of {len(samples)} random draws keep {words(bounds)}; no other is trained."
    return within or [one], [f"Bounds: {share}", *_hardly_drawn(foreknown, space, samples)]


def _hardly_drawn(foreknown: Foreknown, space: SearchSpace, samples: list[TrialConfig]) -> Iterator[str]:
    """The trainables of which the bounds leave next to nothing."""
    for trainable in space.trainables:
        drawn = [sample for sample in samples if sample.trainable == trainable]
        count = sum(not foreknown.violation(sample) for sample in drawn)
        if drawn and count < RARE * len(drawn):
            share = f"{count or 'none'} of its {len(drawn)} draws {'keep' if count > 1 else 'keeps'}"
            yield f"warning: {trainable}: {share} {words(foreknown.bounds)}; {foreknown.cheapest(drawn)}"


def _tables(config: StudyConfig, space: SearchSpace, samples: list[TrialConfig]) -> tuple[Table, ...]:
    if config.listed is not None:
        return (listed_table(config.name, config.listed),)
    return space_table(config.name, space), sample_table(space, samples[:SHOWN])


def _strategy(config: StudyConfig, space: SearchSpace, learned: Gathered) -> list[str]:
    """Where the trials are listed nothing proposes them."""
    if config.listed is not None:
        return []
    known = [one.config.trainable for one in learned.accepted]
    return [proposed(config, space, known), ended_early(config.scheduler, learned.reported), *foretold(config)]


def _to_download(folders: list[Path]) -> list[str]:
    return [f"Data: a launch would download them to {folder}" for folder in dict.fromkeys(folders)]


def refused_here(config: StudyConfig, space: SearchSpace) -> list[str]:
    """Why a launch on this machine would be refused; an ``auto`` that is not measured asks for a whole GPU at most."""
    available = machine()
    try:
        measured = shares(study_paths(config.name), config, space, available, None)
        allot(config, space, available, measured, side_by_side=False)
    except UserError as error:
        return [f"warning: a launch on this machine would be refused: {error}"]
    return []


def on_this_machine(config: StudyConfig, space: SearchSpace, samples: list[TrialConfig]) -> list[str]:
    """What ``auto`` would do here, memory and minutes, a line each trainable on it; each is measured in a process."""
    parts = on_auto(config, space)
    if not parts:
        return ["Minutes depend on the hardware: with resources.gpus_per_trial auto, a dry run measures them."]
    context = get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, max_tasks_per_child=1, mp_context=context) as alone:
        return [_measured(part, alone, samples) for part in parts]


def _measured(part: Part, alone: ProcessPoolExecutor, samples: list[TrialConfig]) -> str:
    try:
        found = alone.submit(measure, heaviest(part)).result()
    except torch.OutOfMemoryError:
        return f"{part.trainable}: its most demanding configuration does not fit this GPU; auto gives it a whole one"
    drawn = [sample for sample in samples if sample.trainable == part.trainable]
    speed = found.forward_equivalents_per_second
    trial = labels.duration(estimate(drawn).median / speed) if drawn else ""
    took = f", about {trial} a trial without heads and attacks" if drawn else ""
    known = found.memory_gib is not None
    need = f"at most {found.memory_gib:.2f} GiB of GPU memory" if known else "memory unknown on the CPU"
    most = most_in_memory(found.memory_gib, found.device_memory_gib)
    plan = "auto gives it no GPU" if most is None else f"auto would measure up to {most} side by side on a GPU"
    rate = f"{labels.cost(round(speed))} forward-equivalents/s"
    return f"{part.trainable} on {found.device}: {need}, {rate}{took}; {plan}"


def space_table(name: str, space: SearchSpace) -> Table:
    table = Table(title=f"Search space of {name}", title_justify="left")
    for heading in ("Dimension", "Range", "Parameter", "Trainables", "Meaning"):
        table.add_column(heading)
    for row in space.describe():
        everywhere = len(row.trainables) == len(space.trainables)
        trainables = "all" if everywhere else ", ".join(row.trainables)
        table.add_row(row.dimension, row.range, row.parameter or "fixed", trainables, row.summary)
    return table


def sample_table(space: SearchSpace, samples: list[TrialConfig]) -> Table:
    """Some configurations, a row each; a dash for a dimension that one lacks."""
    names = [name for name in space.distributions if name != TRAINABLE]
    table = Table(title="Configurations it may draw", title_justify="left")
    for heading in (TRAINABLE, *names):
        table.add_column(heading)
    for config in samples:
        params = space.params(config)
        cells = [labels.param(name, labels.choice(params[name]) if name in params else None) for name in names]
        table.add_row(config.trainable, *cells)
    return table


def listed_table(name: str, listed: Listed[Any]) -> Table:
    """The chosen trials, a row each, with what was searched of them."""
    seeds = listed.space().seeds
    each = f", each with {labels.listed('seed', seeds)}" if seeds else ""
    names = list(dict.fromkeys(name for chosen in listed.configurations for name in chosen.params))
    title = f"{name}: {labels.counted(len(listed.configurations), 'trial')} of {listed.study}{each}"
    table = Table(title=title, title_justify="left")
    for heading in ("trial", TRAINABLE, *names):
        table.add_column(heading)
    for chosen, config in zip(listed.configurations, listed.configs(), strict=True):
        params = {name: labels.choice(value) for name, value in chosen.params.items()}
        cells = [labels.param(name, params.get(name)) for name in names]
        table.add_row(labels.trial_number(chosen.trial), config.trainable, *cells)
    return table


def estimate(samples: list[TrialConfig]) -> Estimate:
    images = {data: len(load(data).train) for data in {config.data for config in samples}}
    able = [config for config in samples if config.optimiser.batch_size <= images[config.data]]
    work = [pretrain_forward_equivalents(config, images[config.data]) for config in able or samples]
    return Estimate(min(work), round(median(work)), max(work), len(work), sum(work))
