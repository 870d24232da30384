"""Outcomes keep a bit an image, and what is none of theirs is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.outcomes import Outcomes, packed


@given(st.lists(st.lists(st.booleans(), min_size=19, max_size=19), min_size=1, max_size=4), st.integers(1, 19))
def test_every_image_comes_back_from_json(rows: list[list[bool]], images: int) -> None:
    kept = {f"row {place}": packed(np.array(row[:images])) for place, row in enumerate(rows)}
    outcomes = Outcomes(identity="a", images=images, rows=kept)
    again = Outcomes.from_dict(json.loads(json.dumps(outcomes.to_dict())))
    assert again == outcomes
    assert [again.of(name).tolist() for name in again.rows] == [row[:images] for row in rows]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {"clean": "/w=="}},
        {"rows": {"clean": "////"}},
        {"rows": {"clean": "no base64!"}},
        {"rows": {"clean": 3}},
        {"rows": ["/w8="]},
        {"images": 0},
        {"images": 17},
        {"images": float("inf")},
        {"images": None},
    ],
)
def test_what_is_damaged_is_refused(change: dict[str, Any]) -> None:
    whole = {"identity": "a", "images": 12, "rows": {"clean": "//A="}}
    assert Outcomes.from_dict(whole).of("clean").sum() == 12
    with pytest.raises(ValueError, match=r"outcomes|bytes|base64|padding"):
        Outcomes.from_dict(whole | change)


@pytest.mark.parametrize("plain", [None, 3, "text", [], {}])
def test_what_is_no_outcome_is_refused(plain: Any) -> None:
    with pytest.raises(ValueError, match="no outcomes"):
        Outcomes.from_dict(plain)
