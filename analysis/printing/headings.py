"""The names over parallel coordinates: broken over two lines, and tilted, only where they would not fit."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from analysis.figures.style import broken
from analysis.printing.paper_type import LETTER_PX, TYPE_PX, printed_px

OFFSET_PX = 28
"""From the end of an axis to its name; plotly's own, as is the height of a line."""
LINE_PX = 1.3 * TYPE_PX
_LETTERS = 16
"""That a tilted name may have on a line."""
_ANGLES = (30, 45, 60)
"""From 27 degrees on plotly has a name begin over its axis; under that it centres it."""


class Headings(NamedTuple):
    """``texts``, escaped, at ``angle`` degrees from the horizontal; ``above`` the axes and ``beside`` the last one they
    take so many px."""

    texts: list[str]
    angle: int
    above: float
    beside: float


def headings(titles: Sequence[str], across: float, beside: float) -> Headings:
    """Of ``titles``, escaped, over axes that are spread from 0 to ``across`` px; right of the last stay ``beside``.

    The least tilt at which no two touch, or the greatest if they do at every one.
    """
    names = [html.unescape(title) for title in titles]
    found = [_level(names), *(_tilted(names, angle) for angle in _ANGLES)]
    found = [one._replace(beside=max(one.beside, beside)) for one in found]
    chosen = next((one for one in found if _fit(one, across)), found[-1])
    return chosen._replace(texts=["<br>".join(map(html.escape, text.split("<br>"))) for text in chosen.texts])


def _level(names: list[str]) -> Headings:
    return Headings(names, 0, OFFSET_PX + 2 * TYPE_PX, printed_px(names[-1]) / 2)


def _tilted(names: list[str], angle: int) -> Headings:
    texts = [broken(name, _LETTERS) for name in names]
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    above = OFFSET_PX + sine * max(map(printed_px, texts)) + 2 * TYPE_PX
    return Headings(texts, angle, above, cosine * printed_px(texts[-1]) + sine * _lines(texts) * LINE_PX)


def _fit(found: Headings, across: float) -> bool:
    if len(found.texts) < 2:
        return True
    apart = (across - found.beside) / (len(found.texts) - 1)
    if found.angle:
        return apart * math.sin(math.radians(found.angle)) >= _lines(found.texts) * LINE_PX
    widths = map(printed_px, found.texts)
    return all((one + other) / 2 + LETTER_PX <= apart for one, other in pairwise(widths))


def _lines(texts: list[str]) -> int:
    return max(text.count("<br>") + 1 for text in texts)
