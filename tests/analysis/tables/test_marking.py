"""Best and second best against their definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.tables.marking import Mark, marked
from trainables.metrics import Direction

VALUES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 5).map(float), st.just(math.nan), st.just(math.inf)), st.sampled_from(["a", "b"])
    ),
    max_size=12,
)


@settings(deadline=None)
@given(rows=VALUES, direction=st.sampled_from(["maximize", "minimize"]))
def test_marks_are_those_of_the_definition(rows: list[tuple[float, str]], direction: Direction) -> None:
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    found = marked(values, groups, direction)
    assert len(found) == len(rows)
    for (value, group), mark in zip(rows, found, strict=True):
        sign = 1 if direction == "maximize" else -1
        rivals = {sign * other for other, theirs in rows if theirs == group and math.isfinite(other)}
        better = sum(other > sign * value for other in rivals)
        ranked = math.isfinite(value) and len(rivals) > 1
        assert mark == ([Mark.BEST, Mark.SECOND, Mark.NONE][min(better, 2)] if ranked else Mark.NONE)


@settings(deadline=None)
@given(rows=VALUES, pairs=st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11))))
def test_what_is_not_told_from_the_best_is_best_and_second_are_the_best_of_the_rest(
    rows: list[tuple[float, str]], pairs: set[tuple[int, int]]
) -> None:
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    found = marked(values, groups, "maximize", lambda *places: places in pairs)
    for group in set(groups):
        own = [place for place in range(len(rows)) if groups[place] == group and math.isfinite(values[place])]
        top = [place for place in own if values[place] == max(values[one] for one in own)]
        best = {place for place in own if place in top or any((one, place) in pairs for one in top)}
        rest = [place for place in own if place not in best]
        second = {place for place in rest if values[place] == max(values[one] for one in rest)}
        expected = (best, second) if rest else (set(), set())
        assert {place for place in own if found[place] is Mark.BEST} == expected[0]
        assert {place for place in own if found[place] is Mark.SECOND} == expected[1]


@settings(deadline=None)
@given(rows=VALUES)
def test_the_other_direction_marks_the_negatives(rows: list[tuple[float, str]]) -> None:
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    assert marked(values, groups, "maximize") == marked([-value for value in values], groups, "minimize")


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([], []),
        ([1.0], [""]),
        ([1.0, 1.0], ["", ""]),
        ([2.0, 2.0, 1.0], ["best", "best", "second"]),
        ([3.0, 2.0, 2.0, 1.0], ["best", "second", "second", ""]),
        ([math.nan, 1.0, 2.0], ["", "second", "best"]),
        ([math.nan, math.inf], ["", ""]),
    ],
)
def test_ties_and_gaps(values: list[float], marks: list[str]) -> None:
    assert marked(values, ["one"] * len(values), "maximize") == marks
