"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer


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
Trials = Annotated[
    str | None, typer.Option(metavar="3,7", help="Only these finished trials; the frontier if not given.")
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only so many of the frontier: its extremes, then spread between them.")
]
Chance = Annotated[
    float | None,
    typer.Option(metavar="PERCENT", help="Also what stands on the frontier with at least this chance, 5 say."),
]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each configuration; more extend what is there.")]
Offline = Annotated[bool, typer.Option("--offline", help="Leave MLflow for a later `study sync`.")]
Backend = Annotated[
    Literal["ray", "inline"], typer.Option(help="ray: trials side by side; inline: one by one in this process.")
]
AnyBackend = Annotated[
    Literal["ray", "inline", "replay"],
    typer.Option(
        help="ray: trials side by side; inline: one by one in this process; replay: recorded trials (--curves) instead."
    ),
]
Curves = Annotated[Path | None, typer.Option("--curves", metavar="FILE", help="Recorded trials for --backend replay.")]
Address = Annotated[str | None, typer.Option(metavar="ADDR", help="A running Ray cluster, auto or HOST:PORT.")]
Supervise = Annotated[
    bool,
    typer.Option(
        "--supervise/--no-supervise",
        help="Stand by: go on with the study if its process dies, tell $ROBUST_SSL_NOTIFY of its end.",
    ),
]
FromMlflow = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="Read the study from this MLflow, not from its folder: http://HOST:PORT or sqlite:////PATH say.",
    ),
]
TrackingUri = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow, http://HOST:PORT or sqlite:////PATH say.")
]
