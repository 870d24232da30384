"""What a study would do, without doing it: its space, configurations as it may draw them, and their cost."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import median

from rich.console import Group
from rich.table import Table
from rich.text import Text

from analysis import labels
from search_spaces.space import TRAINABLE, SearchSpace
from study.config import Budget, StudyConfig
from study.preflight import check_data, check_evaluation, check_objectives, check_search
from study.warm_start import gather
from trainables.catalogue import pretrain_forward_equivalents
from trainables.config import TrialConfig
from trainables.data import load

SAMPLES = 200
SHOWN = 5


@dataclass(frozen=True)
class Estimate:
    """Pre-training work of a trial over random configurations, in forward-equivalents."""

    lowest: int
    median: int
    highest: int

    def words(self, budget: Budget) -> str:
        each = f"{labels.cost(self.lowest)} / {labels.cost(self.median)} / {labels.cost(self.highest)}"
        line = f"Pre-training a trial: {each} forward-equivalents (least / median / most of {SAMPLES} random draws)"
        if budget.trials is None:
            return f"{line}; the number of trials is what the time allows."
        return f"{line}; about {labels.cost(self.median * budget.trials)} for {budget.trials} trials."


def plan(config: StudyConfig) -> Group:
    """The study in words and tables. Reads its data; raises ``UserError`` for what a launch would refuse."""
    space = config.search_space()
    check_search(config, space)
    check_evaluation(space)
    check_objectives(config, space)
    data = check_data(space, progress=sys.stderr.isatty())
    samples = [space.sample(config.seed + index) for index in range(SAMPLES)]
    learned = gather(config, space, data)
    return Group(
        space_table(config.name, space),
        sample_table(space, samples[:SHOWN]),
        f"Data: {data}",
        estimate(samples).words(config.budget),
        *map(Text, learned.lines()),
        "Minutes depend on the hardware: time one trial with `study train`. Nothing was written.",
    )


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
    """Some configurations, a row each; a dimension that a trainable lacks is left blank."""
    names = [name for name in space.distributions if name != TRAINABLE]
    table = Table(title="Configurations it may draw", title_justify="left")
    for heading in (TRAINABLE, *names):
        table.add_column(heading)
    for config in samples:
        params = space.params(config)
        cells = [labels.param(name, params[name]) if name in params else "" for name in names]
        table.add_row(config.trainable, *cells)
    return table


def estimate(samples: list[TrialConfig]) -> Estimate:
    images = {data: len(load(data).train) for data in {config.data for config in samples}}
    able = [config for config in samples if config.optimiser.batch_size <= images[config.data]]
    work = [pretrain_forward_equivalents(config, images[config.data]) for config in able or samples]
    return Estimate(min(work), round(median(work)), max(work))
