"""Search spaces: which trainables, which dimensions of each, how far; every point of one is a valid ``TrialConfig``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

from optuna.distributions import CategoricalDistribution, IntDistribution

from search_spaces import ranges
from search_spaces.conditions import Condition
from search_spaces.dimension import Distribution, Value
from search_spaces.faults import Fault, SpaceError, nearest
from search_spaces.leaves import SEARCHABLE, searchable
from search_spaces.ranges import WHEN
from trainables.config import TrialConfig, flatten, override, weight

TRAINABLE = "trainable"
"""The parameter that says which trainable runs; absent where a space has only one."""


class Suggests(Protocol):
    """What a space asks of an ``optuna.Trial``."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


@dataclass(frozen=True)
class Part:
    """One trainable's part of a space; pairs are in the order of ``dimensions``."""

    base: TrialConfig
    searched: tuple[tuple[str, Distribution], ...]
    fixed: tuple[tuple[str, Value], ...]
    conditions: tuple[tuple[str, Condition], ...] = ()
    """By name, of those that a configuration has only where others have certain values."""

    @property
    def trainable(self) -> str:
        return self.base.trainable

    @property
    def lowest(self) -> dict[str, Value]:
        """The low end or first choice of all that is searched."""
        return {name: ranges.ends(found)[0] for name, found in self.searched}

    def has(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether a configuration of these ``values`` has the dimension of that name."""
        condition = dict(self.conditions).get(name)
        if condition is None:
            return True
        held = {other: searchable(other).value(self.base) for other, _ in condition.demands}
        return condition.holds(held | dict(values))

    @property
    def firm(self) -> list[tuple[str, Distribution]]:
        """What is searched of every configuration."""
        return [pair for pair in self.searched if pair[0] not in dict(self.conditions)]

    def active(self, values: Mapping[str, Value]) -> list[tuple[str, Distribution]]:
        """What is searched of a configuration of these ``values``, in the order of drawing: what others depend on
        comes first."""
        dependent = [pair for pair in self.searched if pair[0] in dict(self.conditions)]
        return [*self.firm, *(pair for pair in dependent if self.has(pair[0], values))]

    @property
    def size(self) -> int:
        """How many configurations it has; a continuous range counts as one value."""
        decisive = dict.fromkeys(name for _, condition in self.conditions for name, _ in condition.demands)
        choices = [ranges.every(found) for name, found in self.searched if name in decisive]
        names = [name for name, _ in self.searched if name in decisive]
        return sum(
            math.prod(ranges.count(found) or 1 for name, found in self.active(values) if name not in values)
            for values in (dict(zip(names, chosen, strict=True)) for chosen in product(*choices))
        )

    def config(self, values: Mapping[str, Value]) -> TrialConfig:
        """The base with every dimension, searched or fixed, at its value; of ``values`` those that it has."""
        leaves = flatten(self.base)
        given = {**dict(self.fixed), **values}
        decided = {name: value for name, value in given.items() if self.has(name, given)}
        written = sorted(map(searchable, decided), key=lambda dimension: dimension.leaf is not None)
        for dimension in written:  # what depends on other leaves comes after these
            dimension.write(leaves, decided[dimension.name])
        return override(self.base, {dimension.path: leaves[dimension.path] for dimension in written})


@dataclass(frozen=True)
class Row:
    """One dimension of one or more trainables, in words."""

    dimension: str
    trainables: tuple[str, ...]
    parameter: str | None
    """Optuna's and MLflow's name for it; ``None``: fixed."""
    range: str
    summary: str


@dataclass(frozen=True)
class SearchSpace:
    """An immutable, conditional space: first the trainable, then the dimensions that it has."""

    parts: tuple[Part, ...]

    @property
    def trainables(self) -> tuple[str, ...]:
        return tuple(part.trainable for part in self.parts)

    @property
    def distributions(self) -> dict[str, Distribution]:
        """Every parameter by its name; a parameter of one trainable is absent from trials of another."""
        named: dict[str, Distribution] = {}
        if len(self.parts) > 1:
            named[TRAINABLE] = CategoricalDistribution(self.trainables)
        for part in self.parts:
            named |= {self.parameter(part.trainable, name): found for name, found in part.searched}
        return named

    @property
    def points(self) -> tuple[dict[str, Any], ...]:
        """Parameters of every configuration, where a space lists them; a space of ranges lists none."""
        return ()

    def parameter(self, trainable: str, dimension: str) -> str:
        """``crops`` where all trainables that search it share one range, else ``cf_amc_ssl.crops``."""
        found = [distribution for part in self.parts for name, distribution in part.searched if name == dimension]
        shared = all(distribution == found[0] for distribution in found)
        return dimension if shared else f"{trainable}.{dimension}"

    def parameters(self, trainable: str) -> dict[str, Distribution]:
        """All that may be drawn for a trial of ``trainable`` once that is chosen."""
        return {self.parameter(trainable, name): found for name, found in self._part(trainable).searched}

    def active(self, trainable: str, params: Mapping[str, Any]) -> dict[str, Distribution]:
        """What is drawn for a trial of ``trainable`` that has these ``params``, in the order of drawing."""
        part = self._part(trainable)
        found = part.active(self._values(part, params))
        return {self.parameter(trainable, name): distribution for name, distribution in found}

    @property
    def continuous(self) -> tuple[tuple[str, str], ...]:
        """Trainable and dimension of every range that no grid covers."""
        pairs = ((part.trainable, name, found) for part in self.parts for name, found in part.searched)
        return tuple((trainable, name) for trainable, name, found in pairs if ranges.count(found) is None)

    @property
    def size(self) -> float:
        """How many configurations there are; infinite where a range is continuous."""
        if self.continuous:
            return math.inf
        return sum(part.size for part in self.parts)

    def suggest(self, trial: Suggests) -> TrialConfig:
        """The configuration that ``trial``, an ``optuna.Trial`` say, proposes."""
        chosen = trial.suggest_categorical(TRAINABLE, self.trainables) if len(self.parts) > 1 else self.trainables[0]
        part = self._part(chosen)
        return part.config(_drawn(part, lambda name, found: _suggest(trial, self.parameter(chosen, name), found)))

    def sample(self, seed: int) -> TrialConfig:
        """A configuration drawn uniformly, each range on its own scale; equal seeds give equal ones."""
        generator = random.Random(seed)
        part = generator.choice(self.parts)
        return part.config(_drawn(part, lambda _, found: ranges.draw(generator, found)))

    def config(self, params: Mapping[str, Any]) -> TrialConfig:
        """The configuration of a complete set of parameters; ``SpaceError`` names all that are wrong."""
        part = self._chosen(params)
        values = self._values(part, params)
        searched = {self.parameter(part.trainable, name): name for name, _ in part.active(values)}
        faults = [
            Fault((name,), self._unknown(part, name, searched))
            for name in params
            if name not in searched and name != TRAINABLE
        ]
        faults += [Fault((name,), f"parameter {name!r} is missing") for name in searched if name not in params]
        if faults := [*faults, *_outside(part, values)]:
            raise SpaceError(faults)
        return part.config(_within(part, values))

    def check(self, params: Mapping[str, Any]) -> None:
        """Raise ``SpaceError`` for parameters, not necessarily all of a configuration, that lie outside."""
        parts = [self._part(params[TRAINABLE])] if TRAINABLE in params else self.parts
        known = {self.parameter(part.trainable, name): (part, name) for part in parts for name, _ in part.searched}
        faults: list[Fault] = []
        for parameter, value in params.items():
            if parameter in known:
                part, name = known[parameter]
                faults += _outside(part, {name: value})
            elif parameter != TRAINABLE:
                faults.append(Fault((parameter,), f"parameter {parameter!r} is unknown; {nearest(parameter, known)}"))
        if faults:
            raise SpaceError(faults)

    def params(self, config: TrialConfig) -> dict[str, Any]:
        """The parameters at which ``config`` lies, the inverse of ``config``; what is not searched is not compared.

        Raises ``SpaceError``, a ``ConfigError``, that names every dimension out of range.
        """
        part = self._part(config.trainable)
        values = {name: searchable(name).value(config) for name, _ in part.searched}
        values = _within(part, {name: values[name] for name, _ in part.active(values)})
        chosen = {TRAINABLE: part.trainable} if len(self.parts) > 1 else {}
        return chosen | {self.parameter(part.trainable, name): value for name, value in values.items()}

    def to_json(self) -> dict[str, Any]:
        """``parameters``: Optuna's JSON by parameter name. ``trainables``: each one's parameters and fixed values."""
        return {
            "parameters": {name: ranges.to_json(found) for name, found in self.distributions.items()},
            "trainables": {
                part.trainable: {
                    "parameters": {name: self.parameter(part.trainable, name) for name, _ in part.searched},
                    "fixed": dict(part.fixed),
                    **({WHEN: {name: found.to_json() for name, found in part.conditions}} if part.conditions else {}),
                }
                for part in self.parts
            },
        }

    def describe(self) -> list[Row]:
        """A row a parameter or fixed value, in the order of ``dimensions``, for a table."""
        rows: dict[tuple[str, str | None, str], Row] = {}
        for name, trainable, parameter, words in self._described():
            key = (name, parameter, words)
            trainables = (*rows[key].trainables, trainable) if key in rows else (trainable,)
            rows[key] = Row(name, trainables, parameter, words, searchable(name).summary)
        return list(rows.values())

    def _described(self) -> Iterator[tuple[str, str, str | None, str]]:
        weights = dict.fromkeys(
            name for part in self.parts for name, _ in (*part.searched, *part.fixed) if weight(name)
        )
        for name in (*SEARCHABLE, *weights):
            for part in self.parts:
                where = f" {dict(part.conditions)[name].words}" if name in dict(part.conditions) else ""
                if name in dict(part.searched):
                    words = ranges.words(searchable(name), dict(part.searched)[name])
                    yield name, part.trainable, self.parameter(part.trainable, name), words + where
                elif name in dict(part.fixed):
                    yield name, part.trainable, None, searchable(name).words(dict(part.fixed)[name]) + where

    def _values(self, part: Part, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``params`` that are of the part, by the names of its dimensions."""
        names = {name: self.parameter(part.trainable, name) for name, _ in part.searched}
        return {name: params[parameter] for name, parameter in names.items() if parameter in params}

    def _unknown(self, part: Part, parameter: str, searched: Mapping[str, str]) -> str:
        for name, condition in part.conditions:
            if parameter == self.parameter(part.trainable, name):
                return f"{name} means something to {part.trainable} only {condition.words}; drop it"
        return f"parameter {parameter!r} is unknown to {part.trainable}; {nearest(parameter, searched)}"

    def _part(self, trainable: str) -> Part:
        for part in self.parts:
            if part.trainable == trainable:
                return part
        message = f"trainable {trainable!r} is not in this space; {nearest(str(trainable), self.trainables)}"
        raise SpaceError([Fault((TRAINABLE,), message)])

    def _chosen(self, params: Mapping[str, Any]) -> Part:
        if TRAINABLE not in params and len(self.parts) > 1:
            message = f"parameter {TRAINABLE!r} is missing; choose from {', '.join(self.trainables)}"
            raise SpaceError([Fault((TRAINABLE,), message)])
        return self._part(params.get(TRAINABLE, self.trainables[0]))


def _within(part: Part, values: Mapping[str, Any]) -> dict[str, Value]:
    if faults := list(_outside(part, values)):
        raise SpaceError(faults)
    return {name: ranges.snap(distribution, values[name]) for name, distribution in part.searched if name in values}


def _outside(part: Part, values: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with those of a part's dimensions that have a value."""
    for name, distribution in part.searched:
        if name not in values:
            continue
        try:
            ranges.snap(distribution, values[name])
        except (ValueError, TypeError):
            dimension = searchable(name)
            told = f"{name} is {dimension.exactly(values[name])}, outside {ranges.words(dimension, distribution)}"
            yield Fault((name,), f"{told} of {part.trainable}")


def _drawn(part: Part, draw: Callable[[str, Distribution], Value]) -> dict[str, Value]:
    """A value of each dimension that the configuration has: what others depend on decides it."""
    values = {name: draw(name, distribution) for name, distribution in part.firm}
    dependent = part.active(values)[len(values) :]
    return values | {name: draw(name, distribution) for name, distribution in dependent}


def _suggest(trial: Suggests, name: str, distribution: Distribution) -> Value:
    if isinstance(distribution, CategoricalDistribution):
        chosen: Value = trial.suggest_categorical(name, distribution.choices)
        return chosen
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    return trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
