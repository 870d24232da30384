"""The command that sets studies side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.commands.app import command
from study.commands.options import FromMlflow, Studies
from study.commands.show import check_formats, print_rich, print_unrounded, read
from study.files.disk import writing
from trainables.config import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.comparing.comparability import Comparability
    from analysis.reading.runs import Study
    from analysis.tables.table import Table


@command(
    "Example: study compare demo first -o comparison.html\n"
    "Two runs of each search: study compare tpe-0,tpe-1 random-0,random-1\n"
    "Two trials: study compare first/3 first/7"
)
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME[,NAME]...", help="Two studies or more, a comma joins runs of one search; or STUDY/N, trials."
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, unrounded.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The figure, HTML.")] = None,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Studies side by side: whether they compare, and what each found for what it spent.

    Of searches run with several seeds, their runs joined by commas: what each finds on average, and how much more.
    Of trials: by how much each is better than the first on the images that both saw, and in which settings they differ.
    """
    if any("/" in name for name in names):
        _compare_trials(names, json=json, csv=csv, output=output, tracking_uri=tracking_uri)
        return
    groups = [name.split(",") for name in names]
    _check([name for group in groups for name in group], json, csv)
    from analysis.comparing.comparability import comparability, titles

    found = [[read(name, tracking_uri) for name in group] for group in groups]
    every = [study for group in found for study in group]
    told, called = comparability(every), titles(every)
    table, sentences = _compared(found, told, called)
    if json or csv:
        _warn(told)
        print_unrounded(table, json=json)
    else:
        _print(found, told, table, sentences)
    if output is not None:
        _draw(found, told, called, output)


def _compare_trials(
    names: Sequence[str], *, json: bool, csv: bool, output: Path | None, tracking_uri: str | None
) -> None:
    from analysis.comparing.comparability import comparability, titles
    from analysis.tables.side_by_side import values_table
    from analysis.tables.trials_side_by_side import trial_alone, trials_table

    if output is not None:
        raise UserError("there is no figure of trials side by side; `study figures` draws those of a study")
    parts = [_trial(name) for name in names]
    _check([f"{study}/{number}" for study, number in parts], json, csv)
    known = {study: read(study, tracking_uri) for study in dict.fromkeys(study for study, _ in parts)}
    trials = [trial_alone(known[study], number) for study, number in parts]
    told = comparability(trials)
    table = trials_table(trials, titles(trials), ranked=not told.measured)
    if json or csv:
        _warn(told)
        print_unrounded(table, json=json)
        return
    if told.measured:
        _not_alike(told)
    print_rich(table.rich())
    if (settings := values_table(trials)) is not None:
        print_rich(settings.rich())


def _trial(name: str) -> tuple[str, int]:
    from analysis.labels import parse_trial

    if (named := parse_trial(name)) is None:
        raise UserError(f"{name!r} is no trial; compare trials with trials, STUDY/N each, or studies with studies")
    return named


def _check(names: list[str], json: bool, csv: bool) -> None:
    if len(set(names)) < max(2, len(names)):
        raise UserError(
            "name two or more to compare, each once; `study status` lists studies, `study status NAME` trials"
        )
    check_formats(json, csv)


def _compared(
    groups: Sequence[Sequence[Study]], told: Comparability, called: Mapping[str, str]
) -> tuple[Table, list[str]]:
    """A column a study, or where a comma joins some of them a search; and what is to be said of it."""
    from analysis.comparing import repeated, side_by_side
    from analysis.frontier import resampling
    from analysis.tables.repeated import gains_in_words, repeats_table
    from analysis.tables.side_by_side import of_what, standings_table, why_minutes

    ranked = not told.measured
    if not _repeat(groups):
        studies = [study for (study,) in groups]
        sides = side_by_side.gather(studies, told.accuracies)
        drawn = resampling.sharing([one for side in sides for one in side.candidates])
        standings = side_by_side.compute(sides)
        table = standings_table(standings, called, ranked=ranked, drawn=drawn)
        why = why_minutes(sides[0].cost)
        return table, [of_what(studies), *why] if ranked else []
    found = repeated.compute(groups, told.accuracies)
    accuracies = ", ".join(called[name] for name in told.accuracies)
    table = repeats_table(found, accuracies, ranked=ranked)
    return table, [*gains_in_words(found), *why_minutes(found.cost)] if ranked else []


def _repeat(groups: Sequence[Sequence[Study]]) -> bool:
    """Whether a search among them was run several times."""
    return any(len(group) > 1 for group in groups)


def _columns(groups: Sequence[Sequence[Study]]) -> list[Study]:
    """A study for each search, under the search's name and with the trials of all its runs."""
    import pandas as pd

    from analysis.comparing.repeated import group_names

    names = group_names([[study.name for study in group] for group in groups])
    return [
        replace(group[0], name=name, trials=pd.concat([run.trials for run in group], ignore_index=True))
        for name, group in zip(names, groups, strict=True)
    ]


def _warn(told: Comparability) -> None:
    for sentence in told.measured:
        typer.echo(f"warning: not measured alike. {sentence}", err=True)


def _print(groups: Sequence[Sequence[Study]], told: Comparability, table: Table, sentences: Sequence[str]) -> None:
    from analysis.comparing.comparability import comparability, own_accuracies, own_bounds
    from analysis.reading.titles import protocol
    from analysis.tables.side_by_side import settings_table
    from analysis.tables.trials import frontier_table, why_nothing_found
    from search_spaces import DIMENSIONS

    if told.measured:
        _not_alike(told)
    else:
        typer.echo(f"They compare, for they were measured alike: {protocol(groups[0][0])}.")
    columns = _columns(groups)
    if differ := (*comparability(columns).studied, *(() if _repeat(groups) else told.ran)):
        typer.echo("They differ in:")
        _list(differ)
    for sentence in filter(None, (own_bounds(columns), own_accuracies(columns))):
        typer.echo(sentence)
    print_rich(table.rich())
    for sentence in sentences:
        typer.echo(sentence)
    for study in (study for group in groups for study in group):
        if nothing := why_nothing_found(study, frontier_table(study)):
            typer.echo(f"{study.name}: {nothing}")
    paths = {name: dimension.path for name, dimension in DIMENSIONS.items()}
    if (settings := settings_table(columns, paths)) is not None:
        print_rich(settings.rich())


def _not_alike(told: Comparability) -> None:
    typer.echo("They were not measured alike, so the figures below do not rank them:")
    _list(told.measured)


def _list(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        typer.echo(f"  {sentence}")


def _draw(groups: Sequence[Sequence[Study]], told: Comparability, called: Mapping[str, str], path: Path) -> None:
    from analysis.comparing.side_by_side import gather
    from analysis.figures.side_by_side import side_by_side_figure, write_side_by_side

    sides = gather([study for group in groups for study in group], told.accuracies)
    searches = [study.name for study, group in zip(_columns(groups), groups, strict=True) for _ in group]
    with writing(path):
        write_side_by_side(side_by_side_figure(sides, called, searches, ranked=not told.measured), path)
