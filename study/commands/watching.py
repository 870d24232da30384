"""A study anew every few seconds: in place on a terminal, elsewhere a line when something has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from analysis.layout import StudyPaths
from study.commands.show import as_it_stands, screen
from study.commands.summary import State, Summary, summary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from study.commands.fitting import Part

EVERY_S = 2.0
BURDEN = 20
"""Between two looks it waits so many times as long as one takes: a large study, or a slow disk, is asked less often."""


def watched(paths: StudyPaths, view: Callable[[Summary, int], Sequence[Part]]) -> None:
    """Return when nobody runs the study any more, or after Ctrl-C, which leaves the study alone."""
    console = screen()
    try:
        _in_place(paths, view, console) if console.is_terminal else _in_lines(paths)
    except KeyboardInterrupt:
        typer.echo(f"No longer watched; how it stands: study status {paths.name}")


def looks(paths: StudyPaths) -> Iterator[Summary]:
    """A summary, and again after a while, up to the first of a study that nobody runs."""
    from analysis.reading.runs import Reader

    reader = Reader(paths)
    while True:
        began = time.monotonic()
        found = summary(as_it_stands(reader.read()), paths, time.time())
        yield found
        if found.state in (State.COMPLETE, State.IDLE):
            return
        time.sleep(max(EVERY_S, BURDEN * (time.monotonic() - began)))


def _in_place(paths: StudyPaths, view: Callable[[Summary, int], Sequence[Part]], console: Console) -> None:
    from rich.console import Group
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for found in looks(paths):
            live.update(Group(*(_shown(part, console) for part in view(found, console.width))), refresh=True)


def _in_lines(paths: StudyPaths) -> None:
    told = ""
    for found in looks(paths):
        if (line := found.line()) != told:
            typer.echo(f"{time.strftime('%H:%M:%S')}  {line}")
            told = line


def _shown(part: Part, console: Console) -> RenderableType:
    from rich.text import Text

    from study.commands.fitting import fitted

    return Text(part) if isinstance(part, str) else fitted(part, console)
