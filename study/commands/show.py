"""What commands print, and where they find the studies that they are told of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from analysis.layout import RESERVED, StudyPaths, studies_folder, studies_in, study_paths
from analysis.schema import TrialStatus
from trainables.config import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from analysis.reading.runs import Study
    from analysis.tables.table import Table

_UNLIMITED = 100_000
"""Columns where neither a window nor ``$COLUMNS`` limits them: tables are then whole."""


def paths_of(name: str) -> StudyPaths:
    """The folder of a study; a name that could lead elsewhere is refused."""
    from analysis.labels import parse_trial

    if named := parse_trial(name):
        raise UserError(f"{name} is a trial; name its study, {named[0]}, or look at it with: study status {name}")
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise UserError(
            f"{name!r} is no name of a study; `study status` lists them, with --studies DIR those in another folder"
        )
    if name in RESERVED:
        raise UserError(f"{name!r} is no study but {RESERVED[name]}; `study status` lists the studies")
    return study_paths(name)


def all_studies() -> list[StudyPaths]:
    found = studies_in(studies_folder())
    if not found:
        raise UserError(f"there are no studies in {studies_folder()}; start one with `study demo`")
    return found


def read(name: str, tracking_uri: str | None = None, pages: str | None = None) -> Study:
    """From the study's folder, or from MLflow at ``tracking_uri``; ``pages``: where MLflow's are, if not as usual."""
    from analysis.reading.runs import read_mlflow, read_study

    paths = paths_of(name)
    if tracking_uri is None:
        return read_study(paths, pages)
    from study.tracking.uri import check_reachable, in_a_line, resolve_uri

    target = resolve_uri(tracking_uri, paths)
    check_reachable(target, "start it, or read the study's folder")
    with in_a_line(target, "mend it, or read the study's folder"):
        return read_mlflow(target, name, pages)


def standing(name: str) -> Study:
    """The study as it stands: without a driver nothing runs."""
    return as_it_stands(read(name))


def as_it_stands(study: Study) -> Study:
    """Without a driver nothing runs."""
    from study.files.lock import is_running
    from study.outlook import INTERRUPTED

    if is_running(paths_of(study.name)):
        return study
    status = study.trials["status"].replace(TrialStatus.RUNNING.value, INTERRUPTED)
    return replace(study, trials=study.trials.assign(status=status))


def counts(study: Study) -> str:
    found = study.standings.value_counts()
    return ", ".join(f"{count} {status}" for status, count in found.items()) or "no trials yet"


def print_outcome(paths: StudyPaths) -> None:
    with unread():
        print_front(paths)
        print_report(paths)


@contextmanager
def unread() -> Iterator[None]:
    """What is printed here nobody may read any more, ``| head`` say: the study has ended well all the same."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the latter from rich, whose answer to a broken pipe it is
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_report(paths: StudyPaths) -> None:
    """Where it is, if it could be written: what keeps it from that is told when it happens."""
    if paths.report.is_file():
        typer.echo(f"Report: {paths.report}")


def print_front(paths: StudyPaths) -> None:
    study = read(paths.name)
    print_headline(study, headline(study))


def headline(study: Study) -> Table:
    """What a study found, each row with how sure it is."""
    from analysis.frontier.dominance import chances
    from analysis.tables.dominance import with_chances
    from analysis.tables.trials import headline_table

    return with_chances(study, headline_table(study), chances(study))


def print_headline(study: Study, found: Table) -> None:
    from analysis.frontier.absent import excluded_sentence
    from analysis.frontier.settled import settled_sentence
    from analysis.searched.notable import notable
    from analysis.tables.trials import why_nothing_found

    if found.rows:
        print_rich(found.rich())
    else:
        typer.echo(found.caption)
    for told in filter(None, (why_nothing_found(study, found), settled_sentence(study), excluded_sentence(study))):
        typer.echo(told)
    if standing_out := notable(study):
        typer.echo("\n  ".join(["What stands out:", *standing_out]))


def check_formats(json: bool, csv: bool) -> None:
    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")


def print_unrounded(table: Table, *, json: bool) -> None:
    """As JSON, else as CSV."""
    typer.echo(table.json() if json else table.csv(), nl=json)


def screen() -> Console:
    """Where commands print: as wide as the window, or as ``$COLUMNS`` says; into a pipe as wide as it takes."""
    from study.say import terminal

    console = terminal()
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = _UNLIMITED
    return console


def print_rich(renderable: Any) -> None:
    from study.commands.fitting import fitted

    console = screen()
    console.print(fitted(renderable, console))
