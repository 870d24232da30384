"""What messages say of names."""

from __future__ import annotations

import pytest

from trainables.wording import more, near

VALID = ("optimiser.lr", "optimiser.epochs", "views.crops", "views.scale_min", "crops")


@pytest.mark.parametrize(
    ("name", "most", "meant"),
    [
        ("optim", 3, ["optimiser.lr", "optimiser.epochs"]),  # what begins with it
        ("crosp", 1, ["crops"]),  # what is spelled alike
        ("scale", 3, ["views.scale_min"]),  # what holds it, though it is not alike
        ("crops", 3, ["crops", "views.crops"]),
        ("crops", 1, ["crops"]),
        ("crsxyz", 3, ["crops"]),  # a little alike: one of several that may be meant, no lone guess
        ("crsxyz", 1, []),
        ("temperature", 3, []),
        ("", 3, []),
    ],
)
def test_what_was_probably_meant(name: str, most: int, meant: list[str]) -> None:
    assert near(name, VALID, most) == meant


def test_a_name_is_offered_once() -> None:
    assert near("crop", ["crops", "crops"], 3) == ["crops"]


def test_how_many_more_there_are() -> None:
    assert [more("abc", most) for most in (None, 3, 2, 0)] == ["", "", " and 1 more", " and 3 more"]
