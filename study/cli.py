"""The command ``study``: a thin skin over the packages. Imports of weight happen inside the commands."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import typer

from analysis.layout import StudyPaths, studies_folder, study_paths
from analysis.schema import UI_ADDRESS
from study import supervise as supervision
from study.command_line import hide_secrets
from study.disk import full_disk
from trainables.config import UserError

if TYPE_CHECKING:
    from analysis.runs import Study

app = typer.Typer(
    help="Studies of adversarially robust self-supervised learning: launch, resume, read and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


UI_PORT = urlsplit(UI_ADDRESS).port or 0
_PIPED_WIDTH = 400
"""Columns where nobody's window limits them: tables are then whole."""


def _use_folder(folder: Path | None) -> None:
    if folder is not None:
        os.environ["ROBUST_SSL_STUDIES"] = str(folder.absolute())


Studies = Annotated[
    Path | None,
    typer.Option(
        "--studies",
        metavar="DIR",
        envvar="ROBUST_SSL_STUDIES",
        callback=_use_folder,
        help="Folder that holds the studies; ./studies if not given.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The study's name.")]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one key by its dotted path; may be repeated."),
]
Backend = Annotated[
    Literal["ray", "inline"], typer.Option(help="ray: trials side by side; inline: one by one in this process.")
]
AnyBackend = Annotated[
    Literal["ray", "inline", "replay"],
    typer.Option(help="As ray and inline say; replay: recorded trials (--curves) in the place of training."),
]
Curves = Annotated[Path | None, typer.Option("--curves", metavar="FILE", help="Recorded trials for --backend replay.")]
Address = Annotated[str | None, typer.Option(metavar="ADDR", help="A running Ray cluster, auto or HOST:PORT.")]
Supervise = Annotated[
    bool, typer.Option("--supervise/--no-supervise", help="Stand by, and go on with the study if its process dies.")
]
TrackingUri = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow, http://HOST:PORT or sqlite:////PATH say.")
]


@app.command(epilog="Example: study demo --name first-look")
def demo(
    name: Annotated[str | None, typer.Option(help="Name of the study; demo, demo-2, ... if not given.")] = None,
    backend: Backend = "ray",
    assignments: Set = [],  # noqa: B006  typer copies it
    supervise: Supervise = True,  # noqa: ARG001  main acts
    studies: Studies = None,  # noqa: ARG001  its callback acts
) -> None:
    """Run a small packaged study on scikit-learn's digits and confirm it: no download, no GPU, no server."""
    from study import demo as packaged
    from study.confirm import confirm as run
    from study.study_file import parse_overrides

    overrides = {"name": name or _fresh_name("demo"), **parse_overrides(assignments)}
    _drive(str(overrides["name"]), "--backend", backend)
    paths = packaged.search(overrides, backend=backend)
    _print_table(paths)
    typer.echo("Confirming on the test images, which the search has not seen:")
    request = packaged.confirmation(paths.name)
    _drive(request.child, "--backend", backend)
    confirmed = run(request, backend=backend)
    _print_table(confirmed)
    for report in (paths.report, confirmed.report):
        typer.echo(f"Report: {report}")
    typer.echo(
        "Curves and all trials in MLflow: .venv/bin/study ui   (or `study ui` after `source .venv/bin/activate`)"
    )


@app.command(epilog="Example: study launch study.yaml --set budget.trials=20 --dry-run")
def launch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study file.")],
    assignments: Set = [],  # noqa: B006
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show space, configurations and cost; write nothing.")
    ] = False,
    backend: AnyBackend = "ray",
    address: Address = None,
    curves: Curves = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave MLflow for a later `study sync`.")] = False,
    tracking_uri: TrackingUri = None,
    warm_start: Annotated[
        list[str],
        typer.Option("--warm-start", metavar="STUDY", help="Learn from this study's trials too; may be repeated."),
    ] = [],  # noqa: B006
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Run the study of a file to the end of its budget."""
    from study.config import StudyConfig
    from study.study_file import parse_overrides

    overrides: dict[str, Any] = parse_overrides(assignments)
    if offline:
        overrides["tracking.offline"] = True
    if tracking_uri is not None:
        overrides["tracking.uri"] = tracking_uri
    config = StudyConfig.load(file, overrides).with_warm_start(warm_start)
    if dry_run:
        from study.dry_run import plan

        _print(plan(config))
        return
    from study.launch import launch as run

    where = _where(backend, address, None if config.tracking.offline else config.tracking.uri)
    _drive(config.name, *where, *_option("--curves", curves))
    _print_outcome(run(config, backend=backend, address=address, curves=curves))


@app.command(epilog="Example: study resume demo --trials 40")
def resume(
    name: Name,
    trials: Annotated[int | None, typer.Option(min=1, help="New total of trials, those done included.")] = None,
    wall_minutes: Annotated[float | None, typer.Option(min=0.01, help="New total of minutes.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0.01, help="New total of GPU-hours.")] = None,
    backend: AnyBackend = "ray",
    address: Address = None,
    curves: Curves = None,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    restarted: Annotated[bool, typer.Option("--restarted", hidden=True)] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Go on with a study where it stopped, or further than it was meant to go."""
    from study.launch import resume as run

    budget = {"--trials": trials, "--wall-minutes": wall_minutes, "--gpu-hours": gpu_hours, "--curves": curves}
    asked = (word for key, value in budget.items() for word in _option(key, value))
    _drive(_paths(name).name, *_where(backend, address, tracking_uri), *asked)
    paths = run(
        _paths(name).name,
        trials=trials,
        wall_minutes=wall_minutes,
        gpu_hours=gpu_hours,
        tracking_uri=tracking_uri,
        backend=backend,
        address=address,
        curves=curves,
        restarted=restarted,
    )
    _print_outcome(paths)


@app.command(epilog="Example: study confirm demo --seeds 3 --limit 3 --dry-run")
def confirm(
    name: Name,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each configuration; more extend what is there.")] = 2,
    attack: Annotated[Literal["autoattack", "pgd"], typer.Option(help="The strongest attack on the test images.")] = (
        "autoattack"
    ),
    trials: Annotated[
        str | None, typer.Option(metavar="3,7", help="Only these finished trials; the frontier if not given.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many of the frontier: its extremes, then spread between them.")
    ] = None,
    assignments: Set = [],  # noqa: B006
    child: Annotated[
        str | None, typer.Option("--name", metavar="CHILD", help="The confirmation's name; NAME-confirmed.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show trainings and cost; write nothing.")] = False,
    backend: Backend = "ray",
    address: Address = None,
    offline: Annotated[bool, typer.Option("--offline", help="Leave MLflow for a later `study sync`.")] = False,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Retrain a study's best on all training images with new seeds, and attack them on the test images."""
    from study.confirm import confirm as run
    from study.confirm import prepare
    from study.confirm_request import Request
    from study.study_file import parse_overrides

    request = Request(
        study=_paths(name).name,
        seeds=seeds,
        attack=attack,
        trials=_numbers(trials),
        limit=limit,
        settings=parse_overrides(assignments),
        name=child,
        tracking_uri=tracking_uri,
        offline=offline,
    )
    if dry_run:
        from study.confirm_plan import plan

        _print(plan(prepare(request)))
        return
    _drive(request.child, *_where(backend, address, None if offline else tracking_uri))
    _print_outcome(run(request, backend=backend, address=address))


@app.command(epilog="Example: study extend demo --trials 20 --set space.crops.high=40")
def extend(
    name: Name,
    trials: Annotated[int | None, typer.Option(min=1, help="So many more trials.")] = None,
    wall_minutes: Annotated[float | None, typer.Option(min=0.01, help="So many more minutes.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0.01, help="So many more GPU-hours.")] = None,
    assignments: Set = [],  # noqa: B006
    backend: Backend = "ray",
    address: Address = None,
    tracking_uri: TrackingUri = None,
    supervise: Supervise = True,  # noqa: ARG001
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Give a study more budget, and other ranges to search; trials outside them stay, without steering the search."""
    from study.extend import extend as run
    from study.study_file import parse_overrides

    _drive(_paths(name).name, *_where(backend, address, tracking_uri))
    paths = run(
        _paths(name).name,
        trials=trials,
        wall_minutes=wall_minutes,
        gpu_hours=gpu_hours,
        ranges=parse_overrides(assignments),
        tracking_uri=tracking_uri,
        backend=backend,
        address=address,
    )
    _print_outcome(paths)


@app.command(epilog="Example: study stop demo --wait")
def stop(
    name: Name,
    now: Annotated[bool, typer.Option("--now", help="As Ctrl-C: trials that run are gone on with later.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the study has ended.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Let a study's running trials end and begin no others, from another terminal."""
    from study import stop as stopping

    paths = _paths(name)
    stopping.ask(paths, stopping.Request.NOW if now else stopping.Request.DRAIN)
    typer.echo(f"{name} ends {'now' if now else 'with its running trials'}; continue with: study resume {name}")
    if wait:
        stopping.wait_for_end(paths)


@app.command(epilog="Example: study train cf_amc_ssl --set data.source=digits --set optimiser.epochs=1")
def train(
    trainable: Annotated[str, typer.Argument(metavar="TRAINABLE", help="cf_amc_ssl, acl, ...: the README lists them.")],
    assignments: Set = [],  # noqa: B006
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Continue from this file if it exists, and keep it up to date.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the whole result here.")] = None,
) -> None:
    """Train and attack one configuration in this process, without Ray."""
    from rich.console import Console

    from study.one_trial import configure
    from study.one_trial import train as run
    from study.study_file import parse_overrides

    run(configure(trainable, parse_overrides(assignments)), checkpoint, json, Console())


@app.command(
    epilog="Example: study reproduce table1 --rows cf_amc_ssl --set data.download=true"
    "   (or study reproduce table1 --scale tiny: the digits, some minutes on a CPU)"
)
def reproduce(
    table: Annotated[str | None, typer.Argument(metavar="TABLE", help="table1 say; --list names them all.")] = None,
    rows: Annotated[str | None, typer.Option(metavar="A,B", help="Only these rows; all if not given.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Name tables and rows, and run nothing.")] = False,
    data: Annotated[str, typer.Option(metavar="SOURCE", help="cifar10, cifar100, digits or folder:PATH.")] = "cifar10",
    scale: Annotated[
        Literal["full", "tiny"], typer.Option(help="full: as published; tiny: small networks on the digits.")
    ] = "full",
    faithful_to: Annotated[
        Literal["paper", "released_code"], typer.Option(help="Whom to follow where text and code differ.")
    ] = "paper",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row, with seeds from 0.")] = 1,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = "auto",
    assignments: Set = [],  # noqa: B006
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write all figures here, unrounded.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs live and continue; STUDIES/reproduce/TABLE.")
    ] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Train the rows of a published table, and print our figures beside the published ones."""
    if show:
        _list_recipes(table)
        return
    if table is None:
        raise UserError("name a table, table1 say; `study reproduce --list` names them all")
    from rich.console import Console

    from analysis.layout import write_json
    from study import reproduce as reproduction
    from study import reproduce_table
    from study.study_file import parse_overrides

    chosen = reproduction.choose(
        table,
        rows,
        data=data,
        scale=scale,
        faithful_to=faithful_to,
        seeds=seeds,
        device=device,
        settings=parse_overrides(assignments),
    )
    found = reproduction.reproduce(chosen, out or chosen.folder(), Console())
    _print(reproduce_table.render(chosen, found))
    for note in reproduce_table.notes(chosen, found):
        typer.echo(note)
    if json is not None:
        write_json(json, reproduce_table.to_json(chosen, found))


@app.command(epilog="Example: study status demo")
def status(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The study's name; all studies without.")] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """How a study's trials stand, or which studies there are."""
    if name is None:
        for paths in _all_studies():
            typer.echo(f"{paths.name}  {_counts(_standing(paths.name))}")
        return
    from analysis.confirmed import confirms
    from analysis.shares import shares_table
    from analysis.tables import confirmed_table, trials_table

    study = _standing(name)
    _print(trials_table(study).rich())
    if confirms(study):
        _print(confirmed_table(study).rich())
    if (shares := shares_table(study)) is not None:
        _print(shares.rich())
    typer.echo(_counts(study))


@app.command(epilog="Example: study front demo --csv > front.csv")
def front(
    name: Name,
    json: Annotated[bool, typer.Option("--json", help="As JSON, unrounded.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, unrounded.")] = False,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """The trials that no other trial beats; of a confirmation, its configurations on test images."""
    from analysis.confirmed import confirmations_of
    from analysis.tables import headline_table

    if json and csv:
        raise UserError("--json and --csv exclude each other; choose one")
    table = headline_table(_read(name))
    if json:
        typer.echo(table.values.to_json(orient="records", indent=2, double_precision=15))
    elif csv:
        typer.echo(table.csv(), nl=False)
    else:
        _print(table.rich())
        for child in confirmations_of(_paths(name)):
            typer.echo(f"Confirmed on test images: study front {child}")


@app.command(epilog="Example: study report demo -o demo.html")
def report(
    name: Name,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = None,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a study's report, one HTML file that needs no network."""
    from analysis.report import write_report

    path = output or _paths(name).report
    write_report(_read(name), path)
    typer.echo(path)


@app.command(epilog="Example: study sync demo --tracking-uri http://127.0.0.1:5000")
def sync(name: Name, tracking_uri: TrackingUri = None, studies: Studies = None) -> None:  # noqa: ARG001
    """Bring MLflow to what a study's folder holds; may be repeated."""
    from study.tracking import sync as run

    done = run(_paths(name), tracking_uri)
    typer.echo(f"{done.trials} trials and {done.events} events of {name} are in {done.uri}")


@app.command(epilog="Example: study clean demo")
def clean(name: Name, studies: Studies = None) -> None:  # noqa: ARG001
    """Free the disk of what no trial of a study needs any more; may be repeated, also while the study runs."""
    from study.clean import clean as run

    done = run(_paths(name))
    for reason in done.left:
        typer.echo(f"left as it is: {reason}")
    typer.echo(f"{done.bytes_freed / 2**20:.1f} MiB freed; trials that have not ended can be resumed as before")


@app.command(epilog="Example: study export demo/3 exported --register robust-encoder")
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
    from study.export import export as write
    from study.export import find_trial

    paths, found = find_trial(trial)
    if register is not None:
        from study.register import find_run

        find_run(paths, found.number)  # before anything is written
    write(trial, folder, head)
    typer.echo(f"{paths.trial_id(found.number)} is in {folder}; python load.py there loads it")
    if register is not None:
        from study.register import register as make_version

        version = make_version(paths, found.number, folder, register)
        typer.echo(f"registered in MLflow as {register}, version {version}")


@app.command(epilog="Example: study record demo -o demo-curves.jsonl")
def record(
    name: Name,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to write them.")],
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Write a study's finished trials, epoch by epoch, to one small file that searches can be replayed from."""
    from study import curves

    recorded, left_out = curves.record(_paths(name), output)
    typer.echo(f"{recorded} finished trials of {name} are in {output}; {left_out} others are not")


@app.command(epilog="Example: study simulate synthetic --seeds 20 -o comparison.html   (or study simulate FILE)")
def simulate(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Recorded trials, synthetic, drawn, or one family's name.")
    ],
    samplers: Annotated[str, typer.Option(metavar="A,B", help="random, tpe, nsga2, ...")] = "random",
    schedulers: Annotated[
        str | None, typer.Option(metavar="A,B", help="none, asha_clean, ...; all if not given.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Searches of each kind.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Trials side by side.")] = 4,
    trials: Annotated[float, typer.Option(min=1, help="Whole trials whose GPU-minutes each search may spend.")] = 40,
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="A number of the rule, eta=2 say; may be repeated.")
    ] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The figure, HTML.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="PATH", help="Write all figures here, unrounded.")] = None,
) -> None:
    """Compare early stopping and samplers on recorded or synthetic curves, without training."""
    from rich.console import Console

    from analysis import comparison as figures
    from analysis.layout import write_json
    from study import comparison
    from study.baselines import SCHEDULERS
    from study.config import early_stopping
    from study.scenarios import scenarios
    from study.study_file import parse_overrides

    with Console(stderr=True).status("simulating") as status:
        found = comparison.compare(
            scenarios(source),
            samplers=samplers.split(","),
            schedulers=schedulers.split(",") if schedulers else tuple(SCHEDULERS),
            seeds=seeds,
            workers=workers,
            trials=trials,
            rule=early_stopping(parse_overrides(assignments)).rule,
            progress=status.update,
        )
    _print(figures.comparison_table(found))
    if json is not None:
        write_json(json, found.to_json())
    if output is not None:
        from analysis.figures.comparison import write_comparison

        write_comparison(found, output)


@app.command(epilog="Example: study ui --port 5001")
def ui(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A study with a store of its own.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = UI_PORT,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Show MLflow's pages of the studies, for this machine alone; Ctrl-C ends it."""
    from study import ui as pages
    from study.tracking_uri import is_server, redact

    uri = _tracking_uri(name)
    if is_server(uri):
        typer.echo(f"{name} is on an MLflow server of its own: {redact(uri)}")
        return
    pages.check_store(uri, studies_folder())
    pages.check_port(port)
    address = f"http://{pages.HOST}:{port}"
    typer.echo(f"MLflow: {address}   (answers once the server is up, in some seconds)")
    for study, table in pages.tables_of_trials(list(_all_studies())):
        typer.echo(f"  trials of {study}: {address}/{table}")
    pages.serve(uri, studies_folder(), port)


def main() -> None:
    """Exit code 0; 2 for a user's mistake or a full disk, told in a line; 130 for an interruption; 1 for other faults.

    What runs a study runs under a process that stands by.
    """
    hide_secrets()
    arguments = sys.argv[1:]
    if supervision.is_wanted(arguments):
        arguments = supervision.stand_by(arguments)
    try:
        app(arguments)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
    except Exception as error:
        if (full := full_disk(error)) is None:
            raise
        sys.stderr.write(f"a disk is full ({full}); make room and try again\n")
        raise SystemExit(2) from None


def _drive(name: str, *options: str) -> None:
    """From here this process runs the study: who stands by knows how to go on, and SIGTERM is as orderly as Ctrl-C."""
    arguments = ["resume", name, *options, "--studies", str(studies_folder()), "--restarted", supervision.OPT_OUT]
    supervision.Continuation(study_paths(name).root, arguments).announce()
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _where(backend: str, address: str | None, tracking_uri: str | None) -> list[str]:
    return ["--backend", backend, *_option("--address", address), *_option("--tracking-uri", tracking_uri)]


def _option(name: str, value: object) -> tuple[str, ...]:
    return () if value is None else (name, str(value))


def _paths(name: str) -> StudyPaths:
    """The folder of a study; a name that could lead elsewhere is refused."""
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise UserError(f"{name!r} is no name of a study; `study status` lists them")
    return study_paths(name)


def _read(name: str) -> Study:
    from analysis.runs import read_study

    return read_study(_paths(name))


def _numbers(text: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdigit()]:
        raise UserError(f"--trials {text}: {wrong[0]!r} is no trial's number; write 3,7 say")
    return tuple(map(int, parts))


def _list_recipes(table: str | None) -> None:
    from trainables.recipes import TABLES, find_table

    for found in TABLES.values() if table is None else [find_table(table)]:
        typer.echo(f"{found.name}  {found.title}")
        for row in found.rows:
            typer.echo(f"  {row.row:<28}{row.summary}")


def _all_studies() -> list[StudyPaths]:
    found = sorted(path.parent for path in studies_folder().glob("*/study.json"))
    if not found:
        raise UserError(f"there are no studies in {studies_folder()}; start one with `study demo`")
    return [StudyPaths(root) for root in found]


def _standing(name: str) -> Study:
    """The study as it stands: without a driver nothing runs."""
    from study.lock import is_running

    study = _read(name)
    if is_running(_paths(name)):
        return study
    return replace(study, trials=study.trials.assign(status=study.trials["status"].replace("running", "interrupted")))


def _counts(study: Study) -> str:
    found = study.trials["status"].value_counts()
    return ", ".join(f"{count} {status}" for status, count in found.items()) or "no trials yet"


def _fresh_name(stem: str) -> str:
    taken = {path.name for path in studies_folder().glob(f"{stem}*")}
    numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbered) if not {name, f"{name}-confirmed"} & taken)


def _tracking_uri(name: str | None) -> str:
    from study.config import StudyConfig
    from study.tracking_uri import resolve_uri

    if name is None:
        return resolve_uri(None, study_paths("any"))
    paths = _paths(name)
    if not paths.study_file.exists():
        raise UserError(f"there is no study {name!r} in {studies_folder()}; `study status` lists them")
    return resolve_uri(StudyConfig.load(paths.study_file).tracking.uri, paths)


def _print_outcome(paths: StudyPaths) -> None:
    _print_table(paths)
    typer.echo(f"Report: {paths.report}")


def _print_table(paths: StudyPaths) -> None:
    from analysis.tables import headline_table

    _print(headline_table(_read(paths.name)).rich())


def _print(renderable: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    console.print(renderable)
