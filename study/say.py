"""Lines to whoever watches a study."""

from __future__ import annotations

from rich.console import Console

from trainables.harmless import harmless


def terminal(*, stderr: bool = False) -> Console:
    """A console for which brackets are no markup: settings may be lists, ``[pgd, auto_attack]``."""
    return Console(stderr=stderr, markup=False)


def say(console: Console, line: str) -> None:
    """Print ``line`` as it is: brackets in it are no markup, and nothing in it steers the terminal."""
    console.print(harmless(line), highlight=False, markup=False, soft_wrap=True)
