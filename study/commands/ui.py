"""The command that shows MLflow's pages, and Optuna's."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

from analysis.layout import StudyPaths, studies_folder, study_paths
from analysis.reading.download import StudyNotFoundError
from analysis.schema import UI_ADDRESS
from study.commands.app import command
from study.commands.options import Studies
from study.commands.show import all_studies, paths_of
from trainables.config import UserError

UI_PORT = urlsplit(UI_ADDRESS).port or 0
OPTUNA_PORT = 8080


@command("Example: study ui --port 5001")
def ui(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A study with a store of its own.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = UI_PORT,
    optuna: Annotated[
        bool, typer.Option("--optuna", help="Also Optuna's dashboard on the search of the study NAME.")
    ] = False,
    optuna_port: Annotated[int, typer.Option(min=1, max=65535, help="Its port on 127.0.0.1.")] = OPTUNA_PORT,
    studies: Studies = None,  # noqa: ARG001
) -> None:
    """Show MLflow's pages of the studies, for this machine alone; Ctrl-C ends it."""
    from analysis.pages import redact
    from study import ui as pages
    from study.tracking.uri import is_server

    uri, servers = _tracking_uri(name), []
    if optuna:
        if optuna_port == port:
            raise UserError(f"--port and --optuna-port are both {port}; choose another for one")
        servers.append(pages.optuna_dashboard(_searched(name), optuna_port))
        pages.check_port(optuna_port, "--optuna-port")
    if is_server(uri):
        typer.echo(f"{name} is on an MLflow server of its own: {redact(uri)}")
    else:
        pages.check_store(uri, studies_folder())
        pages.check_port(port)
        servers.insert(0, pages.mlflow_server(uri, studies_folder(), port))
        address = f"http://{pages.HOST}:{port}"
        typer.echo(f"MLflow: {address}   (answers once the server is up, in some seconds)")
        for study, table in pages.tables_of_trials(list(all_studies()), uri):
            typer.echo(f"  trials of {study}: {address}/{table}")
        if address != UI_ADDRESS:
            typer.echo(f"  reports link to {UI_ADDRESS}; to here after: study report NAME --mlflow-url {address}")
    if optuna:
        typer.echo(f"Optuna: http://{pages.HOST}:{optuna_port}   (the search of {name}, read-only)")
    if servers:
        raise SystemExit(pages.run(servers))


def _searched(name: str | None) -> StudyPaths:
    if name is None:
        raise UserError("say which study's search Optuna is to show: study ui NAME --optuna")
    return paths_of(name)


def _tracking_uri(name: str | None) -> str:
    from study.config.stored import load_stored
    from study.tracking.uri import resolve_uri

    if name is None:
        return resolve_uri(None, study_paths("any"))
    paths = paths_of(name)
    if not paths.study_file.exists():
        raise StudyNotFoundError.beside(paths)
    return resolve_uri(load_stored(paths).tracking.uri, paths)
