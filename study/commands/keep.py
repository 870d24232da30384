"""Commands that look after what a study has left: sync, clean, export, record."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from analysis.labels import counted
from analysis.layout import StudyPaths
from analysis.reading.download import StudyNotFoundError
from study.commands.app import command
from study.commands.options import Name, Studies, TrackingUri
from study.commands.show import paths_of
from study.files.disk import writing


@command("Example: study sync demo")
def sync(name: Name, tracking_uri: TrackingUri = None, studies: Studies = None) -> None:  # noqa: ARG001
    """Bring MLflow to what a study's folder holds; may be repeated."""
    from study.tracking.tracker import sync as run

    _write_report_if_stale(paths_of(name))
    done = run(paths_of(name), tracking_uri)
    typer.echo(f"{counted(done.trials, 'trial')} and {counted(done.events, 'event')} of {name} are in {done.uri}")


def _write_report_if_stale(paths: StudyPaths) -> None:
    """The report goes to MLflow with the rest; one that a trial's events, notes or exclusions are newer than is written
    anew."""
    files = (file for trial in paths.each_trial() for file in (trial.events, trial.notes, trial.exclusions))
    newest = max((file.stat().st_mtime for file in files if file.exists()), default=None)
    if newest is None or (paths.report.exists() and paths.report.stat().st_mtime >= newest):
        return
    from study.report import write_report

    write_report(paths, partial(typer.echo, err=True))


@command("Example: study clean demo")
def clean(name: Name, studies: Studies = None) -> None:  # noqa: ARG001
    """Free the disk of what no trial of a study needs any more; may be repeated, also while the study runs."""
    from study.clean import clean as run

    done = run(paths_of(name))
    for reason in done.left:
        typer.echo(f"left as it is: {reason}")
    typer.echo(f"{done.bytes_freed / 2**20:.1f} MiB freed; trials that have not ended can be resumed as before")


@command("Example: study export demo/3 exported --register robust-encoder")
def export(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="STUDY/NUMBER, demo/3 say.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the files.")],
    head: Annotated[str | None, typer.Option(help="Another head than the one the study optimised.")] = None,
    register: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Also make it a version of this model in MLflow's registry.")
    ] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a trial's weights as safetensors, with a model card and an example that loads them."""
    from analysis.reading.written import find_trial
    from study.publishing.export import EXAMPLE
    from study.publishing.export import export as write

    paths, found = find_trial(trial)
    if register is not None:
        from study.publishing.register import find_run

        find_run(paths, found.number)  # before anything is written
    write(trial, folder, head)
    typer.echo(f"{paths.trial_id(found.number)} is in {folder}; python {folder / EXAMPLE} loads it")
    if register is not None:
        from study.publishing.register import register as make_version

        version = make_version(paths, found.number, folder, register)
        typer.echo(f"registered in MLflow as {register}, version {version}")


@command("Example: study record demo -o demo-curves.jsonl")
def record(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write them.")],
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a study's finished trials, epoch by epoch, to one small file that searches can be replayed from."""
    from study.simulation import curves

    paths = paths_of(name)
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    with writing(output):
        recorded, left_out = curves.record(paths, output)
    typer.echo(f"recorded {counted(recorded, 'finished trial')} of {name} in {output}; left out: {left_out}")
