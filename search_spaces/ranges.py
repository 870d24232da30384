"""From what a study file says of one dimension to a distribution or a fixed value, and back from values into ranges."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from search_spaces.dimension import Dimension, Distribution, Number, Value
from search_spaces.faults import Fault, SpaceError, nearest

KEYS = ("low", "high", "log", "step")
"""Of a range."""
CHOICES = "choices"
"""The key of a list that has more to say than its choices."""
WHEN = "when"
"""The key, of a range or of choices, under which stands on what the dimension depends."""
_FEW = 32
_CLOSE = 1e-9
"""Values nearer than this to a bound, a choice or a grid point are on it: they come back from products of floats."""


def parse(dimension: Dimension, choice: Any, default: Distribution | None) -> Distribution | Value:
    """The meaning of ``choice``: a mapping is a range, of numbers alone, or has ``choices``; a list is choices, one
    value is fixed.

    Bounds and scale that a mapping leaves out are those of ``default``. A range or list of one value is that value.
    Raises ``SpaceError`` with every fault, paths beginning below the dimension.
    """
    if isinstance(choice, Mapping) and CHOICES in choice:
        return _single(_only_choices(dimension, choice))
    if isinstance(choice, Mapping):
        return _single(_range(dimension, choice, default))
    if isinstance(choice, list | tuple):
        return _single(_choices(dimension, choice))
    fault = _value_fault(dimension, dimension.name, choice, ())
    if fault is not None:
        raise SpaceError([fault])
    return _typed(dimension, choice)


def snap(distribution: Distribution, value: Any) -> Value:
    """``value`` as a member of ``distribution``, rounding error removed; ``ValueError`` if it lies outside."""
    if isinstance(distribution, CategoricalDistribution):
        return _nearest_of(ends(distribution), value)
    inside = min(max(value, distribution.low), distribution.high)
    step = distribution.step
    point = _member(distribution, round((inside - distribution.low) / step)) if step else inside
    if not _close(point, value):
        raise ValueError(value)
    return point


def same_point(params: Mapping[str, Value], others: Mapping[str, Value]) -> bool:
    """Whether both are the same parameters, rounding error apart: a sampler's steps reach 0.30000000000000004 where
    somebody writes 0.3."""
    return params.keys() == others.keys() and all(_equal(value, others[name]) for name, value in params.items())


def members(distribution: Distribution) -> tuple[Value, ...]:
    """All that can be drawn, where they are few; else the ends."""
    number = count(distribution)
    if isinstance(distribution, CategoricalDistribution) or number is None or number > _FEW:
        return ends(distribution)
    return every(distribution)


def every(distribution: Distribution) -> tuple[Value, ...]:
    """All that can be drawn of a distribution that has a ``count``."""
    if isinstance(distribution, CategoricalDistribution):
        return ends(distribution)
    return tuple(_member(distribution, place) for place in range(count(distribution) or 0))


def draw(generator: random.Random, distribution: Distribution) -> Value:
    """A member of ``distribution``, uniform on its scale."""
    if isinstance(distribution, CategoricalDistribution):
        return generator.choice(ends(distribution))
    low, high = distribution.low, distribution.high
    if distribution.step is not None and not distribution.log:
        return _member(distribution, generator.randint(0, round((high - low) / distribution.step)))
    if not distribution.log:
        return generator.uniform(low, high)
    value = min(max(math.exp(generator.uniform(math.log(low), math.log(high))), low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value


def _member(distribution: IntDistribution | FloatDistribution, count: int) -> Number:
    """``count`` steps above the low end, to the bit as Optuna's grid has it, for whom a neighbour is another point."""
    exact = Decimal(str(distribution.low)) + count * Decimal(str(distribution.step))
    return int(exact) if isinstance(distribution, IntDistribution) else float(exact)


def ends(distribution: Distribution) -> tuple[Value, ...]:
    """The extreme members: every choice, or both bounds."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def count(distribution: Distribution) -> int | None:
    """How many members ``distribution`` has; ``None`` for a continuous range."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None:
        return None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def to_json(distribution: Distribution) -> dict[str, Any]:
    """Optuna's own JSON form, parsed: ``optuna.distributions.json_to_distribution(json.dumps(...))`` reads it."""
    plain: dict[str, Any] = json.loads(distribution_to_json(distribution))
    return plain


def words(dimension: Dimension, distribution: Distribution) -> str:
    """``4 to 40``, ``0.03 to 3 (log)``, ``one of 64, 128``."""
    if isinstance(distribution, CategoricalDistribution):
        return f"one of {', '.join(map(dimension.words, ends(distribution)))}"
    span = " to ".join(map(dimension.words, ends(distribution)))
    if distribution.log:
        return f"{span} (log)"
    return f"{span} in steps of {dimension.words(distribution.step)}" if distribution.step not in (None, 1) else span


def written(value: Any) -> str:
    """What somebody wrote, whatever its type."""
    return "null" if value is None else repr(value)


def _equal(one: Value, other: Value) -> bool:
    """Near 0, too, where ``_close`` tells no two rates of a logarithmic range apart."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_CLOSE)
    return one == other


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)


def _nearest_of(choices: Iterable[Any], value: Any) -> Value:
    found = [choice for choice in choices if _same(choice, value)]
    if not found:
        raise ValueError(value)
    nearest: Value = value if _is_word(value) else min(found, key=lambda choice: abs(choice - value))
    return nearest


def _same(choice: Any, value: Any) -> bool:
    if _is_word(choice) or _is_word(value):
        return type(choice) is type(value) and bool(choice == value)
    return _close(choice, value)


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, str | bool)


def _range(dimension: Dimension, choice: Mapping[Any, Any], default: Distribution | None) -> Distribution:
    if not dimension.is_number:
        example = "[true, false]" if dimension.kind is bool else "[this, that]"
        message = f"{dimension.name} is {_WANTED[dimension.kind]}, which has no range; list its choices, {example}"
        raise SpaceError([Fault((), message)])
    faults = [
        Fault((str(key),), f"{dimension.name}.{key} is unknown; {nearest(str(key), (*KEYS, CHOICES, WHEN))}")
        for key in choice
        if key not in KEYS
    ]
    values = _inherited(choice, default)
    faults += [
        Fault((), f"{dimension.name} has no {key}; write {{low: ..., high: ...}}")
        for key in ("low", "high")
        if key not in values
    ]
    for key in ("low", "high", "step"):
        if key in values:
            fault = _type_fault(dimension, f"{dimension.name}.{key}", values[key], (key,))
            faults += [fault] if fault else []
    if not isinstance(values["log"], bool):
        faults.append(Fault(("log",), f"{dimension.name}.log is {values['log']!r}; it must be true or false"))
    if faults:
        raise SpaceError(faults)
    return _distribution(dimension, **values)


def _inherited(choice: Mapping[Any, Any], default: Distribution | None) -> dict[str, Any]:
    """``choice`` with what it leaves out taken from ``default``, whose scale a step or a bound of 0 sets aside."""
    values = {key: choice[key] for key in KEYS if key in choice}
    if default is None or isinstance(default, CategoricalDistribution):
        return {"log": False} | values
    keeps_log = "step" not in values and values.get("low") != 0
    return {"low": default.low, "high": default.high, "log": default.log and keeps_log} | values


def _distribution(
    dimension: Dimension, low: Number, high: Number, log: bool, step: Number | None = None
) -> Distribution:
    name = dimension.name
    if low > high:
        raise SpaceError(
            [Fault((), f"{name} goes from {low:g} to {high:g}, which is empty; give a low that does not exceed high")]
        )
    if log and low <= 0:
        raise SpaceError([Fault(("low",), f"{name}.low is {low:g}; a logarithmic range begins above 0")])
    if step is None:
        return IntDistribution(low, high, log) if dimension.kind is int else FloatDistribution(low, high, log)  # type: ignore[arg-type]
    if log:
        raise SpaceError([Fault(("step",), f"{name} has a step and a logarithmic scale; drop one of them")])
    if step <= 0:
        raise SpaceError([Fault(("step",), f"{name}.step is {step:g}; it must be positive")])
    steps = math.floor((high - low) / step + _CLOSE)
    if not _close(low + steps * step, high):
        remedy = f"end at {low + steps * step:g} or {low + (steps + 1) * step:g}"
        raise SpaceError([Fault(("step",), f"{name}.step {step:g} does not lead from {low:g} to {high:g}; {remedy}")])
    return _grid(dimension, low, step, steps)


def _grid(dimension: Dimension, low: Number, step: Number, steps: int) -> Distribution:
    """Optuna counts steps in decimals and would drop the last point of 2/255, 4/255, ...: 12 digits are exact there."""
    if dimension.kind is int:
        return IntDistribution(int(low), int(low + steps * step), step=int(step))
    exact_low, exact_step = Decimal(f"{low:.12f}"), Decimal(f"{step:.12f}")
    return FloatDistribution(float(exact_low), float(exact_low + steps * exact_step), step=float(exact_step))


def _only_choices(dimension: Dimension, choice: Mapping[Any, Any]) -> Distribution:
    name, listed = dimension.name, choice[CHOICES]
    faults = [
        Fault((str(key),), f"{name} has both {CHOICES} and {key}; keep one of them") for key in choice if key != CHOICES
    ]
    if not isinstance(listed, list | tuple):
        faults.append(Fault((CHOICES,), f"{name}.{CHOICES} is {listed!r}; it must be a list, [a, b] say"))
    if faults:
        raise SpaceError(faults)
    try:
        return _choices(dimension, listed)
    except SpaceError as error:
        raise SpaceError([fault.under(CHOICES) for fault in error.faults]) from error


def _choices(dimension: Dimension, choices: list[Any] | tuple[Any, ...]) -> Distribution:
    if not choices:
        raise SpaceError([Fault((), f"{dimension.name} has no choices; give at least one value")])
    found = [_value_fault(dimension, f"{dimension.name}[{i}]", value, (i,)) for i, value in enumerate(choices)]
    faults = [fault for fault in found if fault is not None]
    if faults:
        raise SpaceError(faults)
    if len(set(choices)) < len(choices):
        raise SpaceError([Fault((), f"{dimension.name} lists a choice twice: {', '.join(map(_said, choices))}")])
    return CategoricalDistribution([_typed(dimension, value) for value in choices])


def _typed(dimension: Dimension, value: Any) -> Value:
    return None if value is None else dimension.kind(value)


def _value_fault(dimension: Dimension, label: str, value: Any, path: tuple[str | int, ...]) -> Fault | None:
    """What is wrong with a choice, or with the one value that is fixed."""
    return None if value is None and dimension.may_be_null else _type_fault(dimension, label, value, path)


def _type_fault(dimension: Dimension, label: str, value: Any, path: tuple[str | int, ...]) -> Fault | None:
    if _fits(dimension.kind, value):
        return None
    return Fault(path, f"{label} is {written(value)}; it must be {_WANTED[dimension.kind]}")


def _said(value: Any) -> str:
    return "null" if value is None else str(value)


def _fits(kind: type, value: Any) -> bool:
    if kind in (str, bool) or isinstance(value, bool):
        return type(value) is kind
    return isinstance(value, (int,) if kind is int else (int, float)) and math.isfinite(value)


_WANTED: Mapping[type, str] = {
    int: "a whole number",
    float: "a number, 8/255 say",
    str: "text",
    bool: "true or false",
}


def _single(distribution: Distribution) -> Distribution | Value:
    if not distribution.single():
        return distribution
    return ends(distribution)[0]
