"""What a study file may bound, and what is wrong with bounds that no trial can be held to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from analysis.constraints import AT_LEAST
from search_spaces.faults import Fault, nearest
from study.config.measured import measured_by_all, unmeasured
from trainables.config import TrialConfig
from trainables.metrics import ACCURACIES, BOUNDED, TRUSTED, is_share

AT_MOST = "at_most"
SIDES = (AT_LEAST, AT_MOST)


def in_short(constraints: Any) -> Any:
    """``{gpu_minutes: {at_most: 5}}`` as ``{gpu_minutes: 5}``: one spelling is kept of each bound."""
    if not isinstance(constraints, Mapping):
        return constraints
    return {name: _in_short(name, bound) for name, bound in constraints.items()}


def _in_short(name: str, bound: Any) -> Any:
    return bound[AT_MOST] if name in BOUNDED and isinstance(bound, Mapping) and bound.keys() == {AT_MOST} else bound


def bound_faults(constraints: Mapping[str, Any], bases: Iterable[TrialConfig]) -> Iterator[Fault]:
    """Every mistake in ``constraints``, ``bases`` being the trainables' configs with the study's settings; without any
    it is not known which shares are measured, and none is refused for that."""
    known = list(bases)
    for name, bound in constraints.items():
        if (fault := _fault(name, bound, known)) is not None:
            yield Fault(("constraints", name), fault)


def _fault(name: str, bound: Any, bases: list[TrialConfig]) -> str | None:
    if name == TRUSTED:
        return _trusted_fault(bound, bases)
    if name in BOUNDED:
        return None if _is_number(bound) and 0 < bound < math.inf else _above_0(name, bound)
    if not is_share(name):
        shares = measured_by_all(bases, is_share) if bases else ACCURACIES
        return f"unknown constraint {name!r}; {nearest(name, (*BOUNDED, TRUSTED, *shares))}"
    return unmeasured(name, bases, is_share, (*BOUNDED, TRUSTED)) or _share_fault(name, bound)


def _above_0(name: str, bound: Any) -> str:
    return f"{name} is {bound!r}; it must be a number above 0, the most that a trial may use"


def _share_fault(name: str, bound: Any) -> str | None:
    in_full = isinstance(bound, Mapping) and bound.keys() == {AT_LEAST}
    least = bound[AT_LEAST] if in_full else bound
    if in_full and _is_number(least) and 0 < least <= 1:
        return None
    meant = _as_share(least)
    return f"{name} is {bound!r}; it is a share that a trial must reach: write {name}: {{{AT_LEAST}: {meant:g}}}"


def _as_share(found: Any) -> float:
    """What was probably meant: a share, or one in percent; where it is neither, an example."""
    if not _is_number(found) or not 0 < found <= 100:
        return 0.7
    return float(found if found <= 1 else found / 100)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _trusted_fault(bound: Any, bases: list[TrialConfig]) -> str | None:
    if bound is not True:
        return f"{TRUSTED} is {bound!r}; write true, or leave it out where figures need not be trusted"
    if any(base.evaluation.check_images == 0 for base in bases):
        return f"{TRUSTED} is never measured, since evaluation.check_images is 0; set that to 128 say, or drop it"
    return None
