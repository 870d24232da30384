"""The command that says how a study stands, once or as long as it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.labels import ABSENT, counted
from study.commands.app import command
from study.commands.options import Studies
from study.commands.show import all_studies, counts, paths_of, print_rich, screen, standing
from trainables.config import UserError
from trainables.harmless import harmless

if TYPE_CHECKING:
    from analysis.reading.runs import Study
    from analysis.tables.table import Table
    from study.commands.fitting import Part
    from study.commands.summary import Summary

NEWEST = 8
"""Trials that stand in the table."""
FRONTIER = 5
"""Rows of the frontier."""


@command("Example: study status demo\nEverything about one trial: study status demo/3")
def status(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME[/N]", help="The study's name, or NAME/N, demo/3 say; all studies without."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every trial, reason and trainable.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Anew every few seconds, until the study has ended.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """How a study stands, or which studies there are; of one trial everything that is known of it.

    Whether it runs, how its trials ended, what is left of the budget and for how long it will do, what each running
    trial does, the frontier so far, and the newest trials. Into a pipe --watch writes a line when something changes.

    A trial's page has its figures with intervals, its verdict, the settings that are not its trainable's defaults,
    its newest epoch, its attempts and how each ended, where its files are, and what can be done with it.
    """
    if watch and json:
        raise UserError("--watch and --json exclude each other; choose one")
    if name is None or "/" in name:
        if watch or everything:
            raise UserError(f"{'--watch' if watch else '--all'} is of a study; name it: study status demo")
        _other(name, json=json)
        return
    from study.commands.summary import summary

    paths = paths_of(name)
    if watch:
        from study.commands.watching import watched

        watched(paths, lambda found, width: list(view(found, width, everything=everything)))
        return
    found = summary(standing(name), paths, time.time())
    if json:
        typer.echo(found.json())
        return
    for part in view(found, screen().width, everything=everything):
        if isinstance(part, str):
            typer.echo(part)
        else:
            print_rich(part)


def _other(name: str | None, *, json: bool) -> None:
    """A trial's page; without a name a line a study."""
    if name is not None:
        from study.commands.trial import show_trial

        show_trial(name, json=json)
    elif json:
        import json as as_json

        told = [
            {"name": paths.name, "trials": standing(paths.name).standings.value_counts().to_dict()}
            for paths in all_studies()
        ]
        typer.echo(as_json.dumps(told, indent=2))
    else:
        for paths in all_studies():
            typer.echo(f"{harmless(paths.name)}  {counts(standing(paths.name))}")


def view(found: Summary, width: int, *, everything: bool = False) -> Iterator[Part]:
    """What is shown in a window of that many columns; ``everything``: every trial and reason, and each trainable."""
    from analysis.tables.shares import shares_table

    study = found.study
    yield from found.lines(whole=everything)
    yield from _headline(study, width)
    yield from _trials(study, width, None if everything else NEWEST)
    if everything and (shares := shares_table(study)) is not None:
        yield shares.rich()
    for what, advised in found.next_steps():
        yield f"{what}: study {advised}"


def _headline(study: Study, width: int) -> Iterator[Part]:
    """What the study has found so far."""
    from analysis.frontier.confirmed import confirms
    from analysis.frontier.settled import settled_sentence
    from analysis.tables.trials import headline_table, why_nothing_found

    if study.trials.empty:
        return
    table = headline_table(study)
    if nothing := why_nothing_found(study, table):
        yield nothing
        return
    rows = _chosen(study, table)
    caption = table.caption if confirms(study) else f"Frontier of {counted(len(study.finished), 'finished trial')}"
    some = f", {len(rows)} of its {len(table.rows)} points" if len(rows) < len(table.rows) else ""
    yield from _glance(
        replace(table, caption=caption + some), ("number", "configuration", *study.objectives), rows, width
    )
    if settled := settled_sentence(study):
        yield settled


def _trials(study: Study, width: int, newest: int | None) -> Iterator[Part]:
    from analysis.tables.trials import conditions, trials_table

    table = trials_table(study)
    rows = list(range(len(table.rows)))[-(newest or len(table.rows)) :]
    if not rows:
        return
    which = f"The newest {len(rows)} of {len(table.rows)} trials" if len(rows) < len(table.rows) else "All trials"
    table = replace(table, caption=f"{which}; {conditions(study)}")
    yield from _glance(table, ("number", *study.objectives), rows, width)
    if len(rows) < len(table.rows):
        yield f"All of them: study status {study.name} --all; as data: study trials {study.name} --csv"


def _chosen(study: Study, table: Table) -> list[int]:
    """Rows of the headline: of a frontier its extremes, then such as lie between them."""
    from analysis.frontier.choice import spread
    from analysis.frontier.confirmed import confirms

    if confirms(study):
        return list(range(len(table.rows)))[:NEWEST]
    objectives = study.objectives
    taken = set(spread(table.values, list(objectives), list(objectives.values()), FRONTIER)["number"])
    return [row for row, number in enumerate(table.values["number"]) if number in taken]


def _glance(table: Table, names: tuple[str, ...], rows: list[int], width: int) -> Iterator[Part]:
    """These ``rows`` of a table in a line each, and what they leave out."""
    from analysis.tables.glance import glance
    from study.commands.fitting import narrowest
    from trainables.metrics import COSTS

    seen = glance(table, names, lambda found: narrowest(found.at(rows).rich()) <= width, COSTS)
    yield seen.table.at(rows).rich()
    if same := [f"{heading} {cell}" for heading, cell in seen.same.items() if cell not in ("", ABSENT)]:
        yield f"The same in all: {', '.join(same)}"
    if seen.left_out:
        yield f"No room for: {', '.join(seen.left_out)}"
