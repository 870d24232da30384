"""Commands that read a study: front, trials, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.app import command
from study.commands.options import FromMlflow, Name, Studies
from study.commands.show import (
    check_formats,
    headline,
    paths_of,
    print_headline,
    print_rich,
    print_unrounded,
    read,
    standing,
)
from study.files.disk import writing
from trainables.config import UserError


@command("Example: study front demo --csv > front.csv")
def front(
    name: Name,
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, unrounded.")] = False,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """The trials that no other trial beats; of what is reseeded or confirmed, its configurations."""
    from analysis.frontier.confirmed import confirmations_of, reseedings_of
    from analysis.frontier.measured import measurements_of

    check_formats(json, csv)
    study = read(name, tracking_uri)
    table = headline(study)
    if json or csv:
        print_unrounded(table, json=json)
    else:
        print_headline(study, table)
        for child in reseedings_of(paths_of(name)):
            typer.echo(f"Under new seeds: study front {child}")
        for child in confirmations_of(paths_of(name)):
            typer.echo(f"Confirmed on test images: study front {child}")
        for child in measurements_of(paths_of(name)):
            typer.echo(f"Measured again: study front {child}")


@command(
    "Example: study trials demo --sort pgd_accuracy --limit 10 --columns number,crops,epsilon,pgd_accuracy\n"
    "For another program, all or every epoch: study trials demo --csv > trials.csv   (or --epochs --csv > epochs.csv)"
)
def trials(
    name: Name,
    epochs: Annotated[bool, typer.Option("--epochs", help="A row an epoch of each trial instead.")] = False,
    where: Annotated[
        list[str],
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only rows that keep it: 'epochs > 4', 'status = failed', 'epsilon <= 8/255'; may be repeated.",
        ),
    ] = [],  # noqa: B006
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The best first: the most of an accuracy, of anything else the least."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many rows, the first.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Only these columns, in that order.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded, with all that is known.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, unrounded, with all that is known.")] = False,
    tracking_uri: FromMlflow = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """All trials as data: how each ended, its settings and seed, every metric with its interval, what it cost.

    Columns are named as in CSV and JSON, where accuracies are shares: 0.7, not 70 %. A searched dimension may be named
    without its "param." and a setting without its "config.". A row of which a figure is not known keeps no condition
    on it.
    """
    from analysis.tables.rows import epoch_rows, trial_rows
    from analysis.tables.selection import Condition, select, why_none

    check_formats(json, csv)
    conditions = [Condition.parse(text) for text in where]
    study = standing(name) if tracking_uri is None else read(name, tracking_uri)
    rows = epoch_rows(study) if epochs else trial_rows(study)
    table = select(
        rows,
        where=conditions,
        sort=sort,
        limit=limit,
        columns=[column.strip() for column in columns.split(",")] if columns else (),
    )
    if json or csv:
        print_unrounded(table, json=json)
    elif rows.rows and not table.rows:
        typer.echo(why_none(rows, conditions))
    else:
        print_rich(table.rich())


@command("Example: study report demo -o demo.html --mlflow-url http://127.0.0.1:5001")
def report(
    name: Name,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to write it; report.html of the study's folder."),
    ] = None,
    tracking_uri: FromMlflow = None,
    mlflow_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where MLflow's pages are, for links; where `study ui` serves them if local."),
    ] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a study's report, one HTML file that needs no network."""
    from analysis.labels import href
    from analysis.report.page import write_report

    if mlflow_url is not None and not href(mlflow_url):
        raise UserError(f"--mlflow-url is {mlflow_url!r}; give the address of MLflow's pages, http://HOST:PORT say")
    path = output or (paths_of(name).report if tracking_uri is None else Path(f"{name}.html"))
    study = read(name, tracking_uri, mlflow_url)
    with writing(path):
        write_report(study, path)
    typer.echo(path)
