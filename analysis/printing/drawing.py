"""Draws figures as files, by one headless browser for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plotly import graph_objects as go

from trainables.atomic import replacing
from trainables.config import UserError

if TYPE_CHECKING:
    from kaleido import Kaleido

PATIENCE_S = 120.0


class BrowserError(UserError):
    """Figures are drawn by a browser, and there is none or it does not work; says what to do."""


def write_images(figures: Sequence[tuple[go.Figure, Path]], scale: float) -> None:
    """Each figure to its path, in the format of its suffix; ``scale``: pixels of a PNG for each of the figure's.

    Every file is replaced at once, and none unless all could be drawn. Raises ``BrowserError``.
    """
    import kaleido
    from choreographer.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError

    try:
        images = asyncio.run(_drawn(figures, scale, kaleido.Kaleido(mathjax=False, timeout=PATIENCE_S)))
    except ChromeNotFoundError:
        raise BrowserError(
            "figures are drawn by a browser and none was found; install one (apt-get install chromium, or "
            "kaleido_get_chrome), or name it in $BROWSER_PATH"
        ) from None
    except (BrowserClosedError, BrowserFailedError, TimeoutError) as error:
        raise BrowserError(
            f"the browser did not draw the figures ({type(error).__name__}); name another in $BROWSER_PATH"
        ) from error
    for (_, path), image in zip(figures, images, strict=True):
        with replacing(path) as file:
            file.write(image)


async def _drawn(figures: Sequence[tuple[go.Figure, Path]], scale: float, browser: Kaleido) -> list[bytes]:
    async with browser:
        kinds = [path.suffix.removeprefix(".") for _, path in figures]
        return [
            await browser.calc_fig(figure, opts={"format": kind, "scale": scale if kind == "png" else 1})
            for (figure, _), kind in zip(figures, kinds, strict=True)
        ]
