"""Which figures of a table's column are its best and its second best."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum

from trainables.metrics import Direction


class Mark(StrEnum):
    """What stands out in a column; best is set in bold, second underlined."""

    NONE = ""
    BEST = "best"
    SECOND = "second"


def marked(
    values: Sequence[float],
    groups: Sequence[Hashable],
    direction: Direction,
    alike: Callable[[int, int], bool] = lambda *_: False,
) -> list[Mark]:
    """A mark for each of ``values``, ranked among those of the same entry in ``groups`` alone.

    Best are the best value, what equals it, and what ``alike``, told the places of one that has the best value and of
    another, cannot tell from it. The best of the others is second, with its equals. A value that is not finite has no
    mark, nor has a group of which all finite ones would be best: there is nothing to stand out from.
    """
    marks = [Mark.NONE] * len(values)
    for group in set(groups):
        places = [place for place, other in enumerate(groups) if other == group and math.isfinite(values[place])]
        best = _greatest(values, places, direction)
        best += [place for place in places if place not in best and any(alike(one, place) for one in best)]
        others = [place for place in places if place not in best]
        second = _greatest(values, others, direction)
        for place in places if others else []:
            marks[place] = Mark.BEST if place in best else Mark.SECOND if place in second else Mark.NONE
    return marks


def _greatest(values: Sequence[float], places: Sequence[int], direction: Direction) -> list[int]:
    """Of ``places``, those of the best value."""
    best = (max if direction == "maximize" else min)((values[place] for place in places), default=math.nan)
    return [place for place in places if values[place] == best]
