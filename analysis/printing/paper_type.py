"""The type of printed figures, and what it takes of the page."""

from __future__ import annotations

TYPE_PX = 8 / 72 * 96
"""8 point: what captions are set in."""
LETTER_PX = 0.55 * TYPE_PX
"""Generous, for what is estimated must not be clipped."""


def printed_px(text: str) -> float:
    """Of the longest of ``text``'s lines."""
    return max(map(len, text.split("<br>"))) * LETTER_PX
