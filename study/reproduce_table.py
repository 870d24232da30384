"""Our figures beside the published ones, and what keeps the two from being compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.frontier.uncertainty import over_seeds
from analysis.papers import published
from analysis.papers.published import DataSet, PublishedPoint
from study.reproduce import Reproduced, Reproduction
from trainables.config import flatten, to_dict
from trainables.recipes import SCALES, Recipe

CLEAN, MINUTES = "Clean", "Minutes"
_COLUMNS: Mapping[str, DataSet] = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
Json = Mapping[str, Any]


class Line(NamedTuple):
    """One line of the table: figures in words by the column they stand under."""

    row: str
    head: str
    whose: str
    figures: Mapping[str, str]


def render(reproduction: Reproduction, found: Sequence[Reproduced]) -> Table:
    """Two lines a head: ours with 95 % intervals, and the published figures, blank where there are none."""
    lines = [line for row in found for line in _lines(reproduction, row)]
    columns = _in_order({name for line in lines for name in line.figures})
    table = Table(title=_title(reproduction), title_justify="left")
    for name in ("Row", "Head", ""):
        table.add_column(name, no_wrap=True)
    for name in columns:
        table.add_column(name if name == MINUTES else f"{name}, %", justify="right")
    for line in lines:
        cells = [line.row, line.head, line.whose, *(line.figures.get(name, labels.ABSENT) for name in columns)]
        table.add_row(*map(Text, cells), end_section=line.whose == "published")
    return table


def notes(reproduction: Reproduction, found: Sequence[Reproduced]) -> tuple[str, ...]:
    """Everything that a reader must know before comparing the two lines of a row."""
    return tuple(dict.fromkeys(_notes(reproduction, found)))


def to_json(reproduction: Reproduction, found: Sequence[Reproduced]) -> dict[str, Any]:
    """Both sides unrounded, with configs, notes and what is assumed."""
    return {
        "table": reproduction.table.name,
        "data": reproduction.data,
        "scale": reproduction.scale,
        "faithful_to": reproduction.faithful_to,
        "seeds": reproduction.seeds,
        "settings": dict(reproduction.settings),
        "notes": list(notes(reproduction, found)),
        "rows": [
            {
                "recipe": row.recipe.name,
                "summary": row.recipe.summary,
                "assumptions": list(_assumed(reproduction, row.recipe)),
                "config": to_dict(reproduction.config(row.recipe, seed=0)),
                "results": list(row.results),
                "published": _points(reproduction, row),
            }
            for row in found
        ],
    }


def _lines(reproduction: Reproduction, row: Reproduced) -> Iterator[Line]:
    for place, head in enumerate(row.results[0]["heads"]):
        heads = [result["heads"][place] for result in row.results]
        minutes = statistics.mean(result["cost"]["pretrain_minutes"] for result in row.results)
        ours = {**_figures(heads, row.results[0]["epsilon"]), MINUTES: f"{minutes:.3g}"}
        name = row.recipe.row + (" (flagged)" if any(map(_flags, heads)) else "")
        yield Line(name, head["name"], "ours", ours)
        point = _beside(reproduction, row.recipe, head["name"])
        yield Line("", "", "published", {} if point is None else _published_figures(point))


def _figures(heads: Sequence[Json], epsilon: float) -> dict[str, str]:
    """A head's figures by column, over its seeds."""
    measured = [_accuracies(head, epsilon) for head in heads]
    return {name: _interval([accuracies[name] for accuracies in measured]) for name in measured[0]}


def _accuracies(head: Json, epsilon: float) -> dict[str, Json]:
    """PGD from a zero start, as published; of n-crops heads in crop space, as published; the worst case beside it."""
    found = {CLEAN: head["clean"]}
    for attack in head["crop_space_attacks"] or head["attacks"]:
        found[_pgd(attack["epsilon"])] = attack["zero_start"]
    for attack in head["attacks"]:
        if math.isclose(attack["epsilon"], epsilon):
            found[f"Worst PGD on the image {labels.epsilon(epsilon)}"] = attack["worst"]
    for attack in head["auto_attack"]:
        found[_auto_attack(attack["version"], attack["epsilon"])] = attack["accuracy"]
    return found


def _pgd(epsilon: float) -> str:
    return f"PGD {labels.epsilon(epsilon)}"


def _auto_attack(version: str, epsilon: float) -> str:
    kind = "AutoAttack" if version == "standard" else "10-step AutoAttack"
    return f"{kind} {labels.epsilon(epsilon)}"


def _interval(accuracies: Sequence[Json]) -> str:
    return labels.percent_interval(*over_seeds([one["value"] for one in accuracies], accuracies[0]["images"]))


def _published_figures(point: PublishedPoint) -> dict[str, str]:
    attack = _pgd if point.attack.startswith("PGD") else lambda epsilon: _auto_attack("standard", epsilon)
    figures = {CLEAN: f"{point.clean:g}"} | {attack(e / 255): f"{value:g}" for e, value in point.robust.items()}
    return figures | ({MINUTES: f"{point.minutes:g}"} if point.minutes else {})


def _beside(reproduction: Reproduction, recipe: Recipe, head: str) -> PublishedPoint | None:
    """The published twin of one of our heads, whose name the scale may have changed; none on a data set of ours."""
    config = recipe.config()
    scaled = SCALES[reproduction.scale](config).evaluation.heads
    name = dict(zip(scaled, config.evaluation.heads, strict=True)).get(head)
    data = _COLUMNS.get(reproduction.data)
    return None if data is None or name is None else published.find(recipe.name, data, name)


def _points(reproduction: Reproduction, row: Reproduced) -> list[dict[str, Any]]:
    """The published twins of the row's heads, in their order."""
    found = (_beside(reproduction, row.recipe, head["name"]) for head in row.results[0]["heads"])
    return [_point(point) for point in found if point is not None]


def _point(point: PublishedPoint) -> dict[str, Any]:
    return {
        "head": point.head_name,
        "data": point.data,
        "clean": point.clean,
        "robust": {f"{radius:g}/255": value for radius, value in point.robust.items()},
        "minutes": point.minutes,
        "source": f"{point.source}, {point.table}",
        "protocol": point.protocol,
    }


def _title(reproduction: Reproduction) -> str:
    column = _COLUMNS.get(reproduction.data, reproduction.data)
    if reproduction.scale == "full":
        return f"{reproduction.table.title}, on {column}"
    ours = reproduction.config(reproduction.rows[0], seed=0).data.source
    return f"{reproduction.table.title}, at {reproduction.scale} scale on {ours}, beside figures on {column}"


def _in_order(columns: set[str]) -> list[str]:
    """Clean, PGD by radius, worst case, AutoAttack, minutes."""
    kinds = (CLEAN, "PGD", "Worst", "AutoAttack", "10-step", MINUTES)

    def key(name: str) -> tuple[int, float]:
        radius = name.rpartition(" ")[2].partition("/")[0]
        return kinds.index(name.split()[0]), float(radius) if radius.replace(".", "").isdigit() else 0.0

    return sorted(columns, key=key)


def _flags(head: Json) -> Sequence[str]:
    return head["verdict"]["flags"] if head["verdict"] else ()


def _notes(reproduction: Reproduction, found: Sequence[Reproduced]) -> Iterator[str]:
    result = found[0].results[0]
    yield from _incomparable(reproduction)
    yield "Published figures are of test images, single runs with settings chosen by hand, without intervals."
    images = result["heads"][0]["clean"]["images"]
    over = f"Wilson's over {images:,} images"
    if reproduction.seeds > 1:
        over = f"the wider of Student's t over {reproduction.seeds} seeds and {over}"
    yield f"Intervals: 95 %, {over}. Measured on {result['data']}."
    yield f"Minutes are of pre-training alone: ours on {result['device']}, published ones on one A6000."
    yield from reproduction.table.notes
    for row in found:
        yield from _assumed(reproduction, row.recipe)
        for head in (head for result in row.results for head in result["heads"]):
            yield from (f"Flagged: {row.recipe.row}, {head['name']} head: {flag}." for flag in _flags(head))


def _assumed(reproduction: Reproduction, recipe: Recipe) -> Iterator[str]:
    """Assumptions that the runs rest on: neither the scale nor ``--set`` put other values in their places."""
    meant, run = flatten(recipe.config()), flatten(reproduction.config(recipe, seed=0))
    for path, constant in recipe.assumptions.items():
        if meant[path] == run[path]:
            yield f"Assumed: {path} = {constant.value}: {constant.where}."


def _incomparable(reproduction: Reproduction) -> Iterator[str]:
    if reproduction.scale != "full":
        yield f"Not comparable: {reproduction.scale} scale trains small networks for a few epochs on the digits."
    elif reproduction.data not in _COLUMNS:
        yield f"Not comparable: nothing is published on {reproduction.data}."
    if reproduction.settings:
        changed = ", ".join(f"{path}={value}" for path, value in reproduction.settings.items())
        yield f"Not the row as published: --set {changed}."
    if reproduction.faithful_to == "paper":
        yield "Trained as the paper's text has it; the released code departs from it (--faithful-to released_code)."
