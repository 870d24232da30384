"""Colours by a number: what stands out from its ground in the page and in print."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from plotly.colors import unlabel_rgb

from analysis.figures.style import SCALE, SCALE_ON_DARK

CSS = Path(__file__).parents[3] / "analysis" / "report" / "templates" / "report.css"


def luminance(colour: tuple[float, ...]) -> float:
    """Relative, as WCAG 2 has it."""
    shares = np.array(colour) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_of_a_scale_has_the_contrast_of_graphics(dark: bool) -> None:
    grounds = re.search(r"--page: light-dark\(#(\w{6}), #(\w{6})\)", CSS.read_text())
    assert grounds is not None
    ground = luminance(tuple(bytes.fromhex(grounds[1 + dark])))
    for colour in SCALE_ON_DARK if dark else SCALE:
        low, high = sorted((ground, luminance(unlabel_rgb(colour))))
        assert (high + 0.05) / (low + 0.05) >= 3, colour
