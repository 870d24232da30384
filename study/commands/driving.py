"""How a command becomes the driver of a study: who stands by, and where it runs."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from analysis.layout import studies_folder, study_paths
from study import supervise as supervision


def drive(name: str, *options: str, go_on: Sequence[str] = ()) -> None:
    """From here this process runs the study: who stands by knows how to go on, and SIGTERM is as orderly as Ctrl-C.

    ``go_on``: the command that does, if it is not ``study resume``.
    """
    always = ["--studies", str(studies_folder()), "--restarted", supervision.OPT_OUT]
    arguments = [*(go_on or ("resume", name)), *options, *always]
    supervision.Continuation.of(study_paths(name).root, arguments).announce()
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def where(backend: str, address: str | None, tracking_uri: str | None) -> list[str]:
    return ["--backend", backend, *option("--address", address), *option("--tracking-uri", tracking_uri)]


def option(name: str, value: object) -> tuple[str, ...]:
    return () if value is None else (name, str(value))
