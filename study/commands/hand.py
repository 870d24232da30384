"""Commands for a hand in a study that is there: add, stop, note, exclude."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.app import command
from study.commands.options import Name, Studies
from study.commands.show import paths_of
from study.files.disk import writing
from trainables.config import UserError


@command("Example: study add demo --like 3 --set learning_rate=0.3   (or: --like older/3)")
def add(
    name: Name,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="[STUDY/]N", help="Begin with what this trial, also of another study, has of what varies."
        ),
    ] = None,
    assignments: Annotated[
        list[str],
        typer.Option("--set", metavar="DIM=VALUE", help="The value of one searched dimension; may be repeated."),
    ] = [],  # noqa: B006
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A YAML list of mappings, a configuration each, over --like and --set."),
    ] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Add configurations of your own: they run before what the sampler proposes, and count against the budget.

    Without --like every searched dimension must be given, and the trainable
    where there are several; with a trial of another study what that did not
    search. A driver that runs begins them with its next
    trials, else the next resume does. All are added, or none if one lies
    outside the ranges; what has been tried is left out.
    """
    from study.add import add as run
    from study.config.file import parse_overrides

    paths = paths_of(name)
    with writing(paths.root, "nothing was added"):
        told = run(paths.name, parse_overrides(assignments), like=like, file=file)
    for line in told:
        typer.echo(line)


@command("Example: study stop demo --wait")
def stop(
    name: Annotated[
        str, typer.Argument(metavar="NAME[/N]", help="The study's name, or NAME/N, demo/3 say, for one of its trials.")
    ],
    now: Annotated[bool, typer.Option("--now", help="As Ctrl-C: trials that run are gone on with later.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the study, or the trial, has ended.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Let a study's running trials end and begin no others, or end one trial, from another terminal.

    A trial ends with its epoch, or between two steps of its evaluation. It
    keeps its last metrics; the sampler learns nothing of it.
    """
    if "/" in name:
        _stop_trial(name, now=now, wait=wait)
        return
    from study.files import stop as stopping

    paths = paths_of(name)
    stopping.ask(paths, stopping.Request.NOW if now else stopping.Request.DRAIN)
    typer.echo(f"{name} ends {'now' if now else 'with its running trials'}; continue with: study resume {name}")
    if wait:
        stopping.wait_for_end(paths)


@command('Example: study note demo/3 "for the paper"')
def note(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="STUDY/NUMBER, demo/3 say.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to note, over an earlier note; empty: none.")],
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Mark a trial with words, which status, trials, report and MLflow show."""
    from analysis.layout import append_note
    from analysis.reading.written import find_trial

    paths_of(trial.partition("/")[0])
    paths, found = find_trial(trial)
    said = _words(text, "note")
    with writing(found.root, "nothing was noted"):
        append_note(found, said)
    typer.echo(f"{paths.trial_id(found.number)}: {said or 'no note'}; MLflow has it with: study sync {paths.name}")


@command('Example: study exclude demo/3 "trained on the wrong images"   (or: study exclude demo/3 --undo)')
def exclude(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="STUDY/NUMBER, demo/3 say.")],
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why, as tables and report tell it.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it in again.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Take a trial out of all that a study computes, with the reason; nothing of it is deleted.

    It is shown as excluded, and stands on no frontier and in no comparison.
    Sampler and early stopping learn nothing of it, from the next trial on,
    and its configuration may run again. What it cost stays spent.
    """
    from analysis.layout import append_exclusion, exclusion_of
    from analysis.reading.written import find_trial

    paths_of(trial.partition("/")[0])
    paths, found = find_trial(trial)
    said = _words(reason, "reason")
    if undo == bool(said):
        raise UserError('give a reason, "wrong images" say, or --undo, and not both')
    if undo and not exclusion_of(found):
        raise UserError(f"trial {trial} is not excluded")
    with writing(found.root, "nothing was changed"):
        append_exclusion(found, said)
    done = f"is excluded: {said}" if said else "counts again"
    typer.echo(f"{paths.trial_id(found.number)} {done}; report and MLflow have it with: study sync {paths.name}")


def _words(text: str, kind: str) -> str:
    """``text`` in a line; ``UserError`` where it is too long."""
    from analysis.layout import NOTE_LENGTH, in_a_line

    if len(said := in_a_line(text)) > NOTE_LENGTH:
        raise UserError(f"the {kind} has {len(said)} letters; a {kind} has {NOTE_LENGTH} at most")
    return said


def _stop_trial(name: str, *, now: bool, wait: bool) -> None:
    from analysis.reading.download import StudyNotFoundError
    from analysis.reading.written import find_trial
    from study.config.stored import load_stored
    from study.files import stop as stopping
    from study.files.storage import Storage

    paths = paths_of(name.partition("/")[0])
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    if now:
        raise UserError("--now is for a whole study; a trial always ends as soon as it can")
    paths, trial = find_trial(name)
    address = load_stored(paths).storage
    with writing(trial.root, "the trial goes on"):
        stopping.ask_trial(paths, trial.number, Storage(address, paths.name) if address else None)
    typer.echo(f"{paths.trial_id(trial.number)} ends with its epoch, or as soon as its evaluation can")
    if wait:
        how = stopping.wait_for_trial(paths, trial.number)
        typer.echo(f"{paths.trial_id(trial.number)} {how or 'has not ended: its driver has gone'}")
