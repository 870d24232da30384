"""Sheets: as large as computed, and every pixel a square of itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from study.sheet import GAP, LINE, MARGIN, SPACE, Block, Sheet, draw, lay_out


def picture(height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("size", "cell"), [((8, 8), (96, 96)), ((32, 32), (96, 96)), ((28, 40), (160, 112)), ((224, 224), (224, 224))]
)
def test_a_sheet_is_as_large_as_computed(size, cell):
    blocks = tuple(Block("frog", ((picture(*size), picture(*size)), ("words", picture(*size)))) for _ in range(3))
    sheet = Sheet(("a caption",), ("image", "view 1"), blocks)
    layout = lay_out(sheet)
    assert layout.cell == cell
    assert layout.width == 2 * MARGIN + 2 * cell[0] + GAP
    assert layout.height == 2 * MARGIN + 2 * LINE + SPACE + 3 * (SPACE + LINE + 2 * (cell[1] + GAP))
    assert draw(sheet).size == (layout.width, layout.height)


def test_a_caption_takes_the_lines_that_it_needs():
    words = "as many words as no single line of so narrow a sheet can hold"
    sheet = Sheet((words, "and more"), ("image",), (Block("frog", ((picture(32, 32),),)),))
    layout = lay_out(sheet)
    assert len(layout.caption) > 3
    assert " ".join(layout.caption) == f"{words} and more"
    assert draw(sheet).size == (layout.width, layout.height)


def test_pictures_are_enlarged_by_a_whole_factor_without_smoothing():
    left, right = picture(32, 32), picture(32, 32)
    sheet = Sheet((), ("image", "view 1"), (Block("a name\nof two lines", ((left, right), (None, left))),))
    top = MARGIN + SPACE + LINE + SPACE + LINE
    pixels = np.asarray(draw(sheet))
    for place, cell in (((top, MARGIN), left), ((top, MARGIN + 96 + GAP), right)):
        drawn = pixels[place[0] : place[0] + 96, place[1] : place[1] + 96]
        assert np.array_equal(drawn, cell.permute(1, 2, 0).numpy().repeat(3, 0).repeat(3, 1))
    below = top + 96 + GAP
    assert (pixels[below : below + 96, MARGIN : MARGIN + 96] == 255).all(), "an empty cell is paper"
