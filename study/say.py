"""Lines to whoever watches a study."""

from __future__ import annotations

from rich.console import Console

from trainables.harmless import harmless


def say(console: Console, line: str) -> None:
    """Print ``line`` as it is: brackets in it are no markup, and nothing in it steers the terminal."""
    console.print(harmless(line), highlight=False, markup=False, soft_wrap=True)
