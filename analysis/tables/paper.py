"""The table of a study beside the published figures, with marks and notes, before it is Markdown, CSV or LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from analysis import labels
from analysis.frontier.absent import excluded_sentence, why_no_frontier
from analysis.frontier.confirmed import confirms
from analysis.frontier.differences import PAIRED, between
from analysis.frontier.measured import measures
from analysis.frontier.uncertainty import SEEDS_INTERVAL
from analysis.papers.beside import Beside, metric
from analysis.papers.rows import CLEAN, WORST, Figure, Row
from analysis.reading.titles import auto_attack_images_of, images_of, protocol, short_title
from analysis.tables.marking import Mark, marked
from trainables.metrics import is_accuracy


class Cell(NamedTuple):
    """``text`` carries the mark; ``interval`` stands behind it."""

    text: str
    interval: str = ""
    mark: Mark = Mark.NONE


class Heading(NamedTuple):
    title: str
    numeric: bool


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """Cells by row, and what a reader must know before comparing them. ``sections``: each row's."""

    caption: str
    headings: tuple[Heading, ...]
    cells: tuple[tuple[Cell, ...], ...]
    sections: tuple[str, ...]
    notes: tuple[str, ...]


def paper_table(found: Beside) -> PaperTable:
    """Columns that no row fills are left out."""
    columns = [column for column in _columns(found) if any(cell.text != labels.ABSENT for cell in column[1])]
    return PaperTable(
        caption=f"{found.study.name} beside published figures" if found.theirs else found.study.name,
        headings=tuple(heading for heading, _ in columns),
        cells=tuple(zip(*(cells for _, cells in columns), strict=True)) if found.rows else (),
        sections=tuple(row.section for row in found.rows),
        notes=tuple(notes(found)),
    )


def accuracies(found: Beside) -> list[str]:
    """The accuracies that any row has: clean, PGD by radius, the worst of all PGD, AutoAttack by radius, and what else
    a study optimised."""
    kinds = (CLEAN, "pgd", WORST, "auto_attack")

    def order(name: str) -> tuple[int, float]:
        if is_accuracy(name):
            return len(kinds), 0.0
        kind, _, radius = name.rpartition("_")
        return (kinds.index(name), 0.0) if name in kinds else (kinds.index(kind), float(radius))

    return sorted(dict.fromkeys(name for row in found.rows for name in row.figures), key=order)


def accuracy_marks(found: Beside, name: str) -> list[Mark]:
    """Of each row; the flagged have none. Those of ours are best that are not told apart from the best of ours."""

    def alike(*places: int) -> bool:
        if max(places) >= len(found.ours):
            return False
        one, other = (found.ours[place].source for place in places)
        gain = between((found.study, one), (found.study, other), metric(found.study, name))
        return gain is not None and gain.low <= 0 <= gain.high

    absent = Figure(math.nan)
    values = [math.nan if row.flagged else row.figures.get(name, absent).shown for row in found.rows]
    return marked(values, _groups(found), "maximize", alike)


def minutes_marks(found: Beside) -> list[Mark]:
    """Among rows of one protocol on one machine."""
    groups = [(group, row.hardware) for group, row in zip(_groups(found), found.rows, strict=True)]
    return marked([math.nan if row.flagged else row.minutes for row in found.rows], groups, "minimize")


def title(name: str, found: Beside) -> str:
    """Of an accuracy's column."""
    if name == CLEAN:
        return "Clean"
    if is_accuracy(name):
        return short_title(name, found.study)
    if name == WORST:
        radius = found.study.evaluation.get("epsilon")
        return f"Worst PGD {labels.epsilon(radius)}" if isinstance(radius, int | float) else "Worst PGD"
    kind, _, radius = name.rpartition("_")
    return f"{'PGD' if kind == 'pgd' else 'AutoAttack'} {radius}/255"


def _groups(found: Beside) -> list[Hashable]:
    return [row.protocol for row in found.rows]


def _columns(found: Beside) -> Iterator[tuple[Heading, list[Cell]]]:
    words: dict[str, Callable[[Row], str]] = {
        "Method": lambda row: f"{row.method} (flagged)" if row.flagged else row.method,
        "Trial or table" if found.theirs else "Trial": lambda row: row.origin or row.source,
        "Data": lambda row: row.data,
        "Head": lambda row: row.head,
        "Network": lambda row: row.network,
    }
    for name, word in words.items():
        yield Heading(name, False), [Cell(word(row) or labels.ABSENT) for row in found.rows]
    yield Heading("Epochs", True), [_count(row.epochs) for row in found.rows]
    for name in accuracies(found):
        yield Heading(f"{title(name, found)}, %", True), _figures(found, name)
    yield Heading("Seeds", True), [_count(row.seeds) for row in found.rows]
    yield Heading("Evaluated images", True), [_count(row.images) for row in found.rows]
    yield Heading("Minutes", True), _minutes(found)
    yield Heading("Hardware", False), [Cell(row.hardware or labels.ABSENT) for row in found.rows]


def _count(value: int | None) -> Cell:
    return Cell(labels.ABSENT if value is None else f"{value:,}")


def _figures(found: Beside, name: str) -> list[Cell]:
    marks = accuracy_marks(found, name)
    return [_figure(row.figures.get(name), mark) for row, mark in zip(found.rows, marks, strict=True)]


def _figure(figure: Figure | None, mark: Mark) -> Cell:
    return Cell(labels.ABSENT) if figure is None else Cell(figure.text, figure.interval, mark)


def _minutes(found: Beside) -> list[Cell]:
    marks = minutes_marks(found)
    texts = [labels.cost(row.minutes) for row in found.rows]
    return [Cell(text, mark=mark) for text, mark in zip(texts, marks, strict=True)]


def notes(found: Beside) -> Iterator[str]:
    """What is and is not comparable, in plain sentences."""
    yield from _missing(found)
    if found.ours:
        yield f"Ours: {_measured(found)}; intervals {SEEDS_INTERVAL}."
    if (fewer := auto_attack_images_of(found.study)) and fewer != images_of(found.study):
        yield f"AutoAttack attacked fewer of them: {fewer}. So it may leave a greater share than PGD, of other images."
    if found.theirs:
        yield (
            "Published: test figures of single runs whose settings their authors chose by hand, without intervals; "
            "minutes are of pre-training on one A6000."
        )
    if found.ours and found.theirs:
        yield _comparison(found)
    if found.ours and found.apart:
        yield _apart(found)
    if any(row.minutes == row.minutes for row in found.ours):
        yield "Minutes of ours are of pre-training alone, as published ones are, and compare only on the same hardware."
    if found.rows:
        yield (
            "Bold: best, underlined: second best, among the rows that compare; no mark: flagged rows, and columns in "
            "which all would be best."
        )
    if len(found.ours) > 1 and found.study.outcomes:
        yield f"Bold, too: ours that a comparison with the best on the same images does not tell from it ({PAIRED})."
    if any(name == WORST for row in found.ours for name in row.figures):
        yield labels.PGD_STARTS


def _missing(found: Beside) -> Iterator[str]:
    if not found.ours:
        nothing = "No configuration has finished." if confirms(found.study) else why_no_frontier(found.study)
        yield f"No row is ours. {nothing}"
    elif found.left_out:
        yield f"Left out: {found.left_out} flagged by the sanity checks, whose robustness cannot be believed."
    if excluded := excluded_sentence(found.study):
        yield f"{excluded}."


def _measured(found: Beside) -> str:
    others = "networks that are measured again" if measures(found.study) else "single trials of a search"
    kind = "means over seeds" if confirms(found.study) else others
    return "; ".join(part for part in (kind, protocol(found.study)) if part)


def _comparison(found: Beside) -> str:
    if len(found.comparable) == len(found.ours):
        return "Ours were measured as the published rows of the same data, head and network, and are ranked with them."
    apart = [row for row in found.ours if row not in found.comparable]
    which = "Ours" if len(apart) == len(found.ours) else f"{len(apart)} of ours"
    are = "is" if which == "1 of ours" else "are"
    reasons = _departures(apart) or "another table"
    return f"{which} cannot be compared with the published rows ({reasons}) and {are} ranked apart from them."


def _apart(found: Beside) -> str:
    rows = labels.counted(found.apart, "published row")
    reasons = "another head, network or attack" if found.theirs else _departures(found.ours)
    return f"Left out: {rows} that ours cannot be compared with ({reasons})."


def _departures(rows: Iterable[Row]) -> str:
    return ", ".join(dict.fromkeys(words for row in rows for words in row.departures))
