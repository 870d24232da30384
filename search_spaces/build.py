"""From trainables, their base configs and what a study says of the dimensions to a checked ``SearchSpace``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any, Literal, get_args

from optuna.distributions import BaseDistribution

from search_spaces import ranges
from search_spaces.catalogue import DIMENSIONS
from search_spaces.conditions import Condition, condition, parted
from search_spaces.dimension import Dimension, Distribution, Value
from search_spaces.ends import end_faults
from search_spaces.faults import Fault, SpaceError
from search_spaces.leaves import dimensions, is_searchable, searchable, unsearchable, weights_in_words
from search_spaces.ranges import WHEN
from search_spaces.space import Part, SearchSpace
from trainables.config import TrialConfig, weight

Unlisted = Literal["searched", "fixed"]
UNLISTED = "unlisted"
"""The key that says what becomes of dimensions not named: searched over their default range, or held."""


def build(
    bases: Iterable[TrialConfig],
    choices: Mapping[str, Any] | None = None,
    settled: Mapping[str, Collection[str]] | None = None,
) -> SearchSpace:
    """The space around ``bases``, one config a trainable.

    ``choices``: dimension -> {low, high, log, step}, {choices}, [values] or one value, the mappings with ``when`` for
    what depends on others, a dimension being a name of the catalogue
    or the dotted path of another leaf; trainable -> the same for it alone; ``unlisted``: searched (default) or fixed.
    ``settled``: trainable -> leaves that a study has set, which fixes their dimensions.

    Raises ``SpaceError`` with every fault.
    """
    space, faults = draft(bases, choices, settled)
    if faults:
        raise SpaceError(faults)
    return space


def draft(
    bases: Iterable[TrialConfig],
    choices: Mapping[str, Any] | None = None,
    settled: Mapping[str, Collection[str]] | None = None,
) -> tuple[SearchSpace, list[Fault]]:
    """As ``build``, but every fault beside the space without the dimensions that have one: what is left can be checked
    further."""
    bases, choices = tuple(bases), choices or {}
    faults = _key_faults(bases, choices)
    parts = []
    for base in bases:
        part, found = _part(base, choices, frozenset((settled or {}).get(base.trainable, ())))
        parts.append(part)
        faults += found
    return SearchSpace(tuple(parts)), list(dict.fromkeys(faults))


def _key_faults(bases: tuple[TrialConfig, ...], choices: Mapping[str, Any]) -> list[Fault]:
    trainables = [base.trainable for base in bases]
    faults = []
    for key, choice in choices.items():
        if key == UNLISTED:
            if choice not in get_args(Unlisted):
                faults.append(Fault((key,), f"{key} is {choice!r}; choose searched or fixed"))
        elif key in trainables:
            own = [base for base in bases if base.trainable == key]
            faults += _own_key_faults(own, key, choice)
        else:
            faults += [fault.under(key) for fault in _dimension_fault(bases, key, [*DIMENSIONS, *trainables, UNLISTED])]
    return faults


def _own_key_faults(own: list[TrialConfig], trainable: str, choice: Any) -> list[Fault]:
    if not isinstance(choice, Mapping):
        return [Fault((trainable,), f"{trainable} is {choice!r}; it must be a mapping of dimensions")]
    return [fault.under(trainable, str(key)) for key in choice for fault in _dimension_fault(own, str(key), DIMENSIONS)]


def _dimension_fault(bases: Collection[TrialConfig], name: str, valid: Iterable[str]) -> list[Fault]:
    if not is_searchable(name):
        return [Fault((), unsearchable(name, valid))]
    if any(searchable(name).belongs(base) for base in bases):
        return []
    lacking = ", ".join(base.trainable for base in bases)
    if name not in DIMENSIONS:
        remedy = weights_in_words(bases) if weight(name) else "drop it"
        return [Fault((), f"{name} means nothing to {lacking}; {remedy}")]
    have = [dimension.name for dimension in DIMENSIONS.values() if any(map(dimension.belongs, bases))]
    return [Fault((), f"{lacking} has no dimension {name!r}; choose from {', '.join(have)}")]


def _part(base: TrialConfig, choices: Mapping[str, Any], settled: frozenset[str]) -> tuple[Part, list[Fault]]:
    searched: dict[str, Distribution] = {}
    fixed: dict[str, Value] = {}
    paths: dict[str, tuple[str, ...]] = {}
    stated: dict[str, Any] = {}
    faults: list[Fault] = []
    unclear: set[str] = set()
    for dimension in dimensions(base):
        paths[dimension.name], asked, said = _asked(dimension.name, base.trainable, choices)
        choice, when = parted(said)
        if dimension.path in settled:
            faults += _settled_faults(dimension, paths[dimension.name], asked)
            unclear |= {dimension.name} if asked else set()
            continue
        default = dimension.default(base)
        if not asked:
            if default is not None and choices.get(UNLISTED) != "fixed":
                searched[dimension.name] = default
            continue
        try:
            parsed = ranges.parse(dimension, choice, default)
        except SpaceError as error:
            faults += [fault.under(*paths[dimension.name]) for fault in error.faults]
            unclear.add(dimension.name)
            continue
        if isinstance(parsed, BaseDistribution):
            searched[dimension.name] = parsed
        else:
            fixed[dimension.name] = parsed
        if WHEN in when:
            stated[dimension.name] = when[WHEN]
    conditions, found = _conditions(stated, searched, unclear)
    part = Part(base, tuple(searched.items()), tuple(fixed.items()), tuple(conditions.items()))
    part = _without(part, stated.keys() - conditions.keys())
    found += (refused := end_faults(part)).items()
    return _without(part, refused.keys()), faults + [fault.under(*paths[name]) for name, fault in found]


def _conditions(
    stated: Mapping[str, Any], searched: Mapping[str, Distribution], unclear: Set[str]
) -> tuple[dict[str, Condition], list[tuple[str, Fault]]]:
    """Of the dimensions that have one; and those that could never be met, each with its dimension's name.

    Of one that depends on what is ``unclear`` there is nothing to say.
    """
    found, faults = {}, []
    for name, wanted in stated.items():
        if isinstance(wanted, Mapping) and not unclear.isdisjoint(wanted):
            continue
        try:
            found[name] = condition(name, wanted, searched, stated)
        except SpaceError as error:
            faults += [(name, fault) for fault in error.faults]
    return found, faults


def _without(part: Part, names: Collection[str]) -> Part:
    """``part`` without the dimensions of these ``names``, and without those that depend on them."""
    conditions = dict(part.conditions)
    lost = {*names, *(name for name, found in conditions.items() if any(on in names for on, _ in found.demands))}
    return Part(
        part.base,
        tuple(pair for pair in part.searched if pair[0] not in lost),
        tuple(pair for pair in part.fixed if pair[0] not in lost),
        tuple(pair for pair in part.conditions if pair[0] not in lost),
    )


def _asked(name: str, trainable: str, choices: Mapping[str, Any]) -> tuple[tuple[str, ...], bool, Any]:
    """Where a study speaks of a dimension, if at all, and what it says; the trainable's own words come first."""
    own = choices.get(trainable)
    if isinstance(own, Mapping) and name in own:
        return (trainable, name), True, own[name]
    return (name,), name in choices, choices.get(name)


def _settled_faults(dimension: Dimension, path: tuple[str, ...], asked: bool) -> list[Fault]:
    message = f"{dimension.name} is in the space, but settings fix {dimension.path}; keep one of them"
    return [Fault(path, message)] if asked else []
