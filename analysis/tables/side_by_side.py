"""Studies side by side as tables, a column a study: what each found, and in which settings they differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis import labels
from analysis.comparing.comparability import TOLD, distinct
from analysis.comparing.side_by_side import Standing
from analysis.frontier.confirmed import confirms
from analysis.frontier.history import HYPERVOLUME
from analysis.frontier.measured import searches
from analysis.frontier.pareto import REFERENCE
from analysis.frontier.resampling import DRAWS
from analysis.reading.drawn import drawn_by_all
from analysis.reading.runs import CONFIG, Study
from analysis.searched.dimensions import (
    TRAINABLE,
    dimension_of,
    parameters,
    parameters_of,
    searched_names,
    searched_words,
)
from analysis.tables.table import Column, Table
from trainables.metrics import ENDS, FORWARD_EQUIVALENTS, GPU_MINUTES

CHANCE = "greatest_chance_on_other_images"
_NO_MATTER = ("trainable", "seed", "device", "data.root", "data.download", "data.placement", "compute.compile")
"""Settings that are told of elsewhere, or that change nothing that is measured."""
_OWN: dict[str, Callable[[Standing], str]] = {
    "Trials finished": lambda one: str(one.finished),
    "Trials or configurations unflagged, within bounds": lambda one: str(one.counted),
    "On its own frontier": lambda one: str(one.frontier),
    "GPU-minutes": lambda one: labels.cost(one.gpu_minutes),
    "Forward-equivalents": lambda one: labels.cost(one.forward_equivalents),
    "Hypervolume, %": lambda one: labels.percent_interval(one.hypervolume, one.low, one.high),
}
_AGAINST_EACH_OTHER: dict[str, Callable[[Standing], str]] = {
    "  chance that it is the greatest on other images, %": lambda one: labels.percent(one.chance),
    "On the joint frontier": lambda one: str(one.joint),
    "  share of it, %": lambda one: labels.percent(one.share),
}


def standings_table(
    standings: Sequence[Standing], titles: Mapping[str, str], *, ranked: bool, drawn: str = ""
) -> Table:
    """A row a figure; ``titles``: by name, of the accuracies among others. ``values`` has a row a study, unrounded.

    ``ranked``: with what sets the studies against each other, which says nothing of studies that were not measured
    alike. ``drawn``: how the images were, as ``resampling.sharing`` tells.
    """
    at_equal = {f"  at equal {labels.COSTS[standings[0].cost]}, %": lambda one: labels.percent(one.equal)}
    figures = _OWN | (at_equal | _AGAINST_EACH_OTHER if ranked else {})
    rows = [(title, *map(figure, standings)) for title, figure in figures.items()]
    rows += [
        (f"Best {titles[name]}, %", *(labels.percent_interval(*one.best[name]) for one in standings))
        for name in standings[0].best
    ]
    return Table(
        caption=_caption([titles[name] for name in standings[0].best], drawn),
        columns=_columns("", [one.name for one in standings]),
        rows=tuple(rows),
        values=pd.DataFrame([_record(one, ranked=ranked) for one in standings]),
    )


def of_what(studies: Sequence[Study]) -> str:
    """What the chance that a hypervolume is the greatest is of, and what it is not."""
    confirmed = all(map(confirms, studies))
    networks = "chosen configurations on other images and seeds" if confirmed else "trained networks on other images"
    return (
        f"The chance is of these {networks} and says nothing of the searches, of which another run finds others; costs "
        "do not enter it. To compare searches, run each with several seeds and join its runs by commas: "
        "study compare a-0,a-1,a-2 b-0,b-1,b-2."
    )


def why_minutes(cost: str) -> list[str]:
    """Why the studies are not compared in forward-equivalents, in a sentence; empty where they are."""
    if cost == FORWARD_EQUIVALENTS:
        return []
    return [
        "Their networks differ, and a forward-equivalent is a pass of each one's own: they are compared at equal "
        "GPU-minutes, which depend on the machine."
    ]


def _caption(accuracies: Sequence[str], drawn: str) -> str:
    return (
        f"Side by side. Hypervolume and frontiers of {', '.join(accuracies)}; hypervolume from accuracy "
        f"{REFERENCE.accuracy:g}; [95 % intervals], of hypervolumes over {DRAWS:,} redraws of the images{drawn}, "
        "less what the best of many owe to luck; of these networks, not of other runs of their searches"
    )


def _record(one: Standing, *, ranked: bool) -> dict[str, Any]:
    """JSON-ready, under the names of ``Study.trials`` where it has them."""
    against = {
        f"{HYPERVOLUME}_at_equal_{one.cost}": one.equal,
        CHANCE: one.chance,
        "joint_frontier": one.joint,
        "joint_frontier_share": one.share,
    }
    best = {f"{name}{end}": value for name, found in one.best.items() for end, value in zip(ENDS, found, strict=True)}
    return {
        "study": one.name,
        "finished": one.finished,
        "counted": one.counted,
        "frontier": one.frontier,
        GPU_MINUTES: one.gpu_minutes,
        FORWARD_EQUIVALENTS: one.forward_equivalents,
        HYPERVOLUME: one.hypervolume,
        f"{HYPERVOLUME}_low": one.low,
        f"{HYPERVOLUME}_high": one.high,
        **(against if ranked else {}),
        **best,
    }


def settings_table(studies: Sequence[Study], paths: Mapping[str, str]) -> Table | None:
    """A row a setting or a searched range that is not the same in all; ``None`` where there is none.

    ``paths``: by a searched dimension's name the setting that it decides, where that is called otherwise. What the
    sentences of ``comparability`` tell is left out, what changes no figure, and what only the draws differ in.
    """
    ranges = _ranges(studies, paths)
    told = {paths.get(name, name) for study in studies for name in searched_names(study)}
    return _settings(
        "Settings and searched ranges that differ", studies, [*_unlike(ranges), *_held(drawn_by_all(studies), told)]
    )


def values_table(trials: Sequence[Study]) -> Table | None:
    """As ``settings_table``, of studies of one trial each: the values that it had, searched or not."""
    return _settings("Settings that differ", trials, _held(trials, told=()))


def _settings(caption: str, studies: Sequence[Study], rows: Sequence[tuple[str, ...]]) -> Table | None:
    if not rows:
        return None
    names = [study.name for study in studies]
    return Table(
        caption=caption,
        columns=_columns("Setting", names),
        rows=tuple(rows),
        values=pd.DataFrame(rows, columns=["setting", *names]),
    )


def _columns(first: str, names: Sequence[str]) -> tuple[Column, ...]:
    return (Column(first, False, ()), *(Column(name, False, ()) for name in names))


def _ranges(studies: Sequence[Study], paths: Mapping[str, str]) -> dict[str, list[str]]:
    """By what some study searches. Chosen trials and seeds, which a study may draw, too, are no search."""
    found = {
        name: dimension_of(study, name)
        for study in filter(searches, studies)
        for name in parameters(study)
        if name != TRAINABLE
    }
    return {name: [_range(study, name, of, paths) for study in studies] for name, of in found.items()}


def _range(study: Study, parameter: str, dimension: str, paths: Mapping[str, str]) -> str:
    """The range, or what a study holds that does not search the setting: under that one's name, where the dimension has
    another, for the two need not be of one unit."""
    space = study.manifest.get("space") if searches(study) else None
    if parameter in parameters_of(space) or dimension in searched_names(study):
        return searched_words(space, parameter)
    path = paths.get(dimension, dimension)
    value = _values(_owned(study, parameter, dimension), path)
    return value if path == dimension or value == labels.ABSENT else f"{path} {value}"


def _owned(study: Study, parameter: str, dimension: str) -> pd.DataFrame:
    """The trials of the trainable whose own range ``parameter`` is; of all where they share one."""
    owner = parameter.removesuffix(dimension).removesuffix(".")
    return study.trials[study.trials["trainable"] == owner] if owner else study.trials


def _held(studies: Sequence[Study], told: Collection[str]) -> list[tuple[str, ...]]:
    """Of settings that some study does not search; the ranges of the others are told already."""
    paths = dict.fromkeys(
        path
        for study in studies
        for name in map(str, study.trials)
        if name.startswith(CONFIG) and (path := name.removeprefix(CONFIG)) not in {*TOLD, *_NO_MATTER, *told}
    )
    known = [study for study in studies if len(study.trials)]
    found = {path: [_values(study.trials, path) for study in studies] for path in paths}
    return _unlike(found) if len(known) > 1 else []


def _unlike(found: Mapping[str, list[str]]) -> list[tuple[str, ...]]:
    return [(name, *texts) for name, texts in found.items() if len(set(texts)) > 1]


def _values(trials: pd.DataFrame, path: str) -> str:
    """Those that ``trials`` have of a setting, in whatever order drawn."""
    return ", ".join(sorted(_short(path, value) for value in distinct(trials, path))) or labels.ABSENT


def _short(path: str, value: object) -> str:
    return (
        ", ".join(labels.param(path, one) for one in value) if isinstance(value, tuple) else labels.param(path, value)
    )
