"""A sheet of small pictures with words beside them: laid out as numbers, then drawn. Pixels stay pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

MARGIN, GAP, LINE, SPACE = 12, 4, 16, 8
"""Pixels: around the sheet, between pictures, of a line of words, and above a block."""
LEAST_EDGE = 96
"""Pictures are enlarged until both edges have so many pixels."""
_FONT_SIZE = 12
_INK, _PAPER = "#1a1a1a", "#ffffff"

Cell = Tensor | str | None
"""A picture, uint8 (3, h, w), all of a sheet's of one size; words; or nothing."""


@dataclass(frozen=True)
class Block:
    """Rows that belong together."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Sheet:
    """Blocks of as many columns as there are ``heads``, below a caption of paragraphs."""

    caption: tuple[str, ...]
    heads: tuple[str, ...]
    blocks: tuple[Block, ...]


class Layout(NamedTuple):
    """Pixels of the sheet, and of one picture, which has ``factor`` times its own."""

    width: int
    height: int
    cell: tuple[int, int]
    factor: int
    caption: tuple[str, ...]
    """Lines that fit the width."""


def lay_out(sheet: Sheet) -> Layout:
    height, width = next(_pictures(sheet)).shape[-2:]
    factor = math.ceil(LEAST_EDGE / min(height, width))
    cell = (width * factor, height * factor)
    across = len(sheet.heads) * (cell[0] + GAP) - GAP
    lines = tuple(line for paragraph in sheet.caption for line in _wrapped(paragraph, across))
    down = sum(SPACE + LINE + len(block.rows) * (cell[1] + GAP) for block in sheet.blocks)
    words = len(lines) * LINE + SPACE + LINE
    return Layout(across + 2 * MARGIN, words + down + 2 * MARGIN, cell, factor, lines)


def draw(sheet: Sheet) -> Image.Image:
    layout = lay_out(sheet)
    image = Image.new("RGB", (layout.width, layout.height), _PAPER)
    pen = ImageDraw.Draw(image)
    top = MARGIN
    for line in layout.caption:
        _write(pen, MARGIN, top, line)
        top += LINE
    top += SPACE
    for left, head in zip(_lefts(layout), sheet.heads, strict=False):
        _write(pen, left, top, head)
    top += LINE
    for block in sheet.blocks:
        top += SPACE
        _write(pen, MARGIN, top, " ".join(block.title.split()))
        top += LINE
        for row in block.rows:
            _draw_row(image, pen, row, top, layout)
            top += layout.cell[1] + GAP
    return image


def _draw_row(image: Image.Image, pen: ImageDraw.ImageDraw, row: tuple[Cell, ...], top: int, layout: Layout) -> None:
    for left, cell in zip(_lefts(layout), row, strict=False):
        if isinstance(cell, str):
            for place, line in enumerate(_wrapped(cell, layout.cell[0])):
                _write(pen, left, top + place * LINE, line)
        elif cell is not None:
            image.paste(_enlarged(cell, layout.factor), (left, top))


def _lefts(layout: Layout) -> range:
    """Where columns begin."""
    return range(MARGIN, layout.width, layout.cell[0] + GAP)


def _enlarged(picture: Tensor, factor: int) -> Image.Image:
    pixels = picture.permute(1, 2, 0).numpy().astype(np.uint8)
    return Image.fromarray(pixels.repeat(factor, 0).repeat(factor, 1))


def _pictures(sheet: Sheet) -> Iterator[Tensor]:
    for block in sheet.blocks:
        yield from (cell for row in block.rows for cell in row if isinstance(cell, Tensor))


def _write(pen: ImageDraw.ImageDraw, left: int, top: int, words: str) -> None:
    pen.text((left, top), words, fill=_INK, font=_font())


def _wrapped(words: str, width: int) -> list[str]:
    """Lines of at most ``width`` pixels, but for a word that is longer."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font().getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)
