"""Which figures of a table's column are its best and its second best."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from enum import StrEnum

from trainables.metrics import Direction


class Mark(StrEnum):
    """What stands out in a column; best is set in bold, second underlined."""

    NONE = ""
    BEST = "best"
    SECOND = "second"


def marked(values: Sequence[float], groups: Sequence[Hashable], direction: Direction) -> list[Mark]:
    """A mark for each of ``values``, ranked among those of the same entry in ``groups`` alone.

    Equal values share a mark, and the next worse value is second. A value that is not finite has none, nor has a group
    whose finite values are all the same: there is nothing to stand out from.
    """
    marks = [Mark.NONE] * len(values)
    for group in set(groups):
        places = [place for place, other in enumerate(groups) if other == group and math.isfinite(values[place])]
        ranked = sorted({values[place] for place in places}, reverse=direction == "maximize")
        if len(ranked) < 2:
            continue
        by_value = {ranked[0]: Mark.BEST, ranked[1]: Mark.SECOND}
        for place in places:
            marks[place] = by_value.get(values[place], Mark.NONE)
    return marks
