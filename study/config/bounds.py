"""What a study file may bound, and what is wrong with bounds that no trial can be held to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from search_spaces.faults import Fault, nearest
from trainables.config import TrialConfig
from trainables.metrics import BOUNDED, TRUSTED


def bound_faults(constraints: Mapping[str, Any], bases: Iterable[TrialConfig]) -> Iterator[Fault]:
    """Every mistake in ``constraints``, ``bases`` being the trainables' configs with the study's settings."""
    for name, bound in constraints.items():
        if (fault := _fault(name, bound, bases)) is not None:
            yield Fault(("constraints", name), fault)


def _fault(name: str, bound: Any, bases: Iterable[TrialConfig]) -> str | None:
    if name == TRUSTED:
        return _trusted_fault(bound, bases)
    if name not in BOUNDED:
        return f"unknown constraint {name!r}; {nearest(name, (*BOUNDED, TRUSTED))}"
    number = isinstance(bound, int | float) and not isinstance(bound, bool)
    if not number or not 0 < bound < math.inf:
        return f"{name} is {bound!r}; it must be a number above 0, the most that a trial may use"
    return None


def _trusted_fault(bound: Any, bases: Iterable[TrialConfig]) -> str | None:
    if bound is not True:
        return f"{TRUSTED} is {bound!r}; write true, or leave it out where figures need not be trusted"
    if any(base.evaluation.check_images == 0 for base in bases):
        return f"{TRUSTED} is never measured, since evaluation.check_images is 0; set that to 128 say, or drop it"
    return None
