"""What a simulated search searches: a synthetic family of curves, or a recording. In-memory Optuna proposes."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import Trial, TrialState

from study.samplers.by_name import stock_sampler
from study.simulation.curves import Curve, CurvesError, Nearest, read
from study.simulation.families import DIMENSIONS, DRAWN, REPORTED, TUNING, Family, Pair
from trainables.metrics import CLEAN_ACCURACY, PGD_ACCURACY

_SETS = {"synthetic": REPORTED, "drawn": DRAWN}
"""Many families under one name."""
RANDOM = "random"


class Drawn(NamedTuple):
    """A trial that a search has drawn, and what it would find if it ran to its end and were measured without noise."""

    curve: Curve
    truth: Pair


class Scenario(Protocol):
    """A world of trials."""

    @property
    def name(self) -> str: ...
    @property
    def pool(self) -> int | None:
        """How many trials there are; ``None``: no end of them."""

    def draw(self, trial: Trial, stream: int) -> Drawn:
        """The trial that ``trial`` proposes; ``stream`` decides its noise."""

    def at_random(self, seed: int) -> Iterator[Drawn]:
        """Trials in random order, of a recording each once."""


class Synthetic:
    """A family of curves over the unit cube."""

    def __init__(self, family: Family) -> None:
        self.name, self.pool = family.name, None
        self._family = family

    def draw(self, trial: Trial, stream: int) -> Drawn:
        return self._drawn({name: trial.suggest_float(name, 0.0, 1.0) for name in DIMENSIONS}, stream)

    def at_random(self, seed: int) -> Iterator[Drawn]:
        for number in itertools.count():
            stream = _stream(seed, number)
            point = np.random.default_rng([stream]).uniform(size=len(DIMENSIONS))
            yield self._drawn(dict(zip(DIMENSIONS, point.tolist(), strict=True)), stream)

    def _drawn(self, params: dict[str, float], stream: int) -> Drawn:
        return Drawn(self._family.curve(params, stream), self._family.end(params))


class Recorded:
    """A recording: a point takes the curve of the nearest recorded trial, whose final figures are the truth."""

    def __init__(self, name: str, curves: Sequence[Curve]) -> None:
        self.name, self.pool = name, len(curves)
        self._nearest = Nearest(curves)

    def draw(self, trial: Trial, stream: int) -> Drawn:  # noqa: ARG002
        trainables = self._nearest.trainables
        trainable = trial.suggest_categorical("trainable", trainables) if len(trainables) > 1 else trainables[0]
        names = self._nearest.dimensions(trainable)
        place = [trial.suggest_float(f"{trainable}.{name}", 0.0, 1.0) for name in names]
        return _as_recorded(self._nearest.at(trainable, place))

    def at_random(self, seed: int) -> Iterator[Drawn]:
        curves = self._nearest.curves
        order = np.random.default_rng(seed).permutation(len(curves))
        return (_as_recorded(curves[index]) for index in order)


def scenarios(source: str) -> list[Scenario]:
    """``synthetic``, ``drawn``, one family's name, or a file of recorded trials; ``CurvesError`` for anything else."""
    families = REPORTED | TUNING | DRAWN
    if source in _SETS:
        return [Synthetic(family) for family in _SETS[source].values()]
    if source in families:
        return [Synthetic(families[source])]
    if not Path(source).exists():
        raise CurvesError(
            f"{source!r} is neither a file of recorded trials nor a family; choose {', '.join([*_SETS, *families])}"
        )
    return [Recorded(Path(source).stem, read(Path(source)))]


class Proposals(Protocol):
    """One search: asked for trials, told what became of them."""

    def ask(self, number: int) -> Drawn | None:
        """Trial ``number``; ``None`` when there are no more."""

    def tell(self, number: int, curve: Curve | None) -> None:
        """The trial ran to the end of ``curve``, or was stopped before."""


class AtRandom:
    """Learns nothing; of a recording no trial is drawn twice."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._order = scenario.at_random(seed)

    def ask(self, number: int) -> Drawn | None:  # noqa: ARG002
        return next(self._order, None)

    def tell(self, number: int, curve: Curve | None) -> None: ...


class Sampled:
    """One of the study's samplers, on an Optuna study in memory."""

    def __init__(self, scenario: Scenario, sampler: str, seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(directions=["maximize", "maximize"], sampler=stock_sampler(sampler, seed))
        self._asked: dict[int, Trial] = {}

    def ask(self, number: int) -> Drawn | None:
        self._asked[number] = self._study.ask()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return self._scenario.draw(self._asked[number], _stream(self._seed, number))

    def tell(self, number: int, curve: Curve | None) -> None:
        trial = self._asked.pop(number)
        if curve is None:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, [curve.metrics[CLEAN_ACCURACY], curve.metrics[PGD_ACCURACY]])


def proposals(scenario: Scenario, sampler: str, seed: int) -> Proposals:
    """A search by the sampler of that name; ``ConfigError`` for an unknown one."""
    return AtRandom(scenario, seed) if sampler == RANDOM else Sampled(scenario, sampler, seed)


def _as_recorded(curve: Curve) -> Drawn:
    return Drawn(curve, Pair(curve.metrics[CLEAN_ACCURACY], curve.metrics[PGD_ACCURACY]))


def _stream(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
