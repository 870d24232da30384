"""Samplers that draw a trial's whole point at once: those of Optuna's that do not see conditional spaces as they are.

Optuna's Gaussian processes and sequences model only the dimensions that all trials share. Here each trainable has
its own, in a study in memory that holds that trainable's trials, and the trainable that has cost least comes next.
Of a point only that is drawn which its configuration has.
A sequence goes on where it stood when a search is opened again; the others draw from a stream of random numbers that
depends on the seed and on the number of trials.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, BruteForceSampler, GPSampler, QMCSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from search_spaces import ranges
from search_spaces.dimension import Distribution
from search_spaces.space import TRAINABLE, SearchSpace
from study.samplers.trials import EXCLUDED, OBSERVED, begun, is_own, minutes_of, ran_well, usual_minutes
from trainables.config import ConfigError

Params = dict[str, Any]


class PointSampler(BaseSampler):
    """Draws all parameters of a trial at once; a parameter that is left over is drawn at random."""

    def __init__(self, space: SearchSpace, seed: int, trials: int) -> None:
        self._space = space
        self._seed = seed
        self._random = RandomSampler(seed=self._stream(trials))

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        return dict(self._space.distributions)

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> Params:
        others = [other for other in begun(study.get_trials(deepcopy=False)) if other.number != trial.number]
        return self.point(study, trial, others)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    @abstractmethod
    def point(self, study: optuna.Study, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Params:
        """The parameters of ``trial``, ``others`` being the trials begun before it."""

    def _stream(self, *numbers: int) -> int:
        return int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])


class _ByTrainable(PointSampler):
    """First the trainable that has cost least, then its parameters."""

    def point(self, study: optuna.Study, trial: FrozenTrial, others: Sequence[FrozenTrial]) -> Params:
        chosen = str(trial.params.get(TRAINABLE) or least_spent(self._space.trainables, others))
        members = [other for other in others if _is_member(self._space, chosen, other)]
        params = self.parameters(study, trial, chosen, members)
        return params | ({TRAINABLE: chosen} if len(self._space.trainables) > 1 else {})

    @abstractmethod
    def parameters(
        self, study: optuna.Study, trial: FrozenTrial, trainable: str, members: Sequence[FrozenTrial]
    ) -> Params:
        """The parameters of a trial of ``trainable``; ``members`` are that trainable's trials."""


class GaussianProcesses(_ByTrainable):
    """Optuna's ``GPSampler``, one model a trainable, after so many of its trials as ``startup_trials`` says."""

    def __init__(self, space: SearchSpace, seed: int, trials: int, *, startup_trials: int) -> None:
        super().__init__(space, seed, trials)
        self._startup_trials = startup_trials

    def parameters(
        self, study: optuna.Study, trial: FrozenTrial, trainable: str, members: Sequence[FrozenTrial]
    ) -> Params:
        distributions = self._space.parameters(trainable)
        index = self._space.trainables.index(trainable)
        sampler = GPSampler(
            seed=self._stream(trial.number, index),
            n_startup_trials=self._startup_trials,
            warn_independent_sampling=False,
        )
        known = [member for member in members if member.state in (TrialState.COMPLETE, TrialState.RUNNING)]
        told = _telling([member for member in known if member.state is TrialState.COMPLETE])
        memory = _in_memory(study, sampler, [_copy(member, distributions, told) for member in known])
        return memory.ask(fixed_distributions={**distributions}).params


class Sequences(_ByTrainable):
    """Optuna's ``QMCSampler``: a scrambled Sobol sequence for each trainable, whichever driver asks."""

    def __init__(self, space: SearchSpace, seed: int, trials: int) -> None:
        super().__init__(space, seed, trials)
        self._samplers = {
            trainable: QMCSampler(scramble=True, seed=self._stream(index), warn_independent_sampling=False)
            for index, trainable in enumerate(space.trainables)
        }
        self._asked: dict[str, tuple[optuna.Study, list[Params]]] = {}

    def parameters(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
        trainable: str,
        members: Sequence[FrozenTrial],
    ) -> Params:
        if trainable not in self._asked:
            self._asked[trainable] = self._sequence(study, trainable), []
        memory, points = self._asked[trainable]
        distributions = self._space.parameters(trainable)
        place = sum(OBSERVED not in member.user_attrs for member in members)
        while len(points) <= place:
            points.append(memory.ask(fixed_distributions={**distributions}).params)
        return points[place]

    def _sequence(self, study: optuna.Study, trainable: str) -> optuna.Study:
        """Optuna's sampler reads its dimensions off the first trial that ended, so there must be one."""
        distributions = self._space.parameters(trainable)
        lowest = {name: ranges.ends(found)[0] for name, found in distributions.items()}
        first = create_trial(state=TrialState.PRUNED, params=lowest, distributions=dict(distributions))
        return _in_memory(study, self._samplers[trainable], [first])


class Grid(PointSampler):
    """Every configuration once, in an order that the seed decides; what ends the search is ``SearchSpace.size``."""

    def __init__(self, space: SearchSpace, seed: int, trials: int) -> None:
        super().__init__(space, seed, trials)
        self._sampler = BruteForceSampler(seed=self._stream(trials))

    def point(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
        others: Sequence[FrozenTrial],
    ) -> Params:
        asked = _in_memory(study, self._sampler, self._visited(others)).ask()
        with suppress(ConfigError):  # the search finds out by itself
            self._space.suggest(asked)
        return asked.params

    def _visited(self, others: Iterable[FrozenTrial]) -> list[FrozenTrial]:
        found = []
        for trainable in self._space.trainables:
            choice = {TRAINABLE: self._space.distributions[TRAINABLE]} if len(self._space.trainables) > 1 else {}
            members = (other for other in _drawn(others) if _is_member(self._space, trainable, other))
            found += [_copy(one, choice | self._space.active(trainable, one.params), ()) for one in members]
        return found


def grid_points(space: SearchSpace, trials: Iterable[FrozenTrial]) -> int:
    """How many of the space's configurations ``trials`` have begun."""
    drawn = _drawn(begun(trials))
    members = (trial for trial in drawn if any(_is_member(space, name, trial) for name in space.trainables))
    return len({tuple(sorted(trial.params.items())) for trial in members})


def _drawn(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Those that a grid need not draw again."""
    return [trial for trial in trials if not {OBSERVED, EXCLUDED} & trial.user_attrs.keys()]


def least_spent(trainables: Sequence[str], trials: Iterable[FrozenTrial]) -> str:
    """The trainable whose trials have used the fewest GPU-minutes, then the fewest trials, then the first.

    A trial that runs or failed counts as a typical one at least: else those that begin together would all be of one
    trainable, and one that fails at once would be drawn for ever.
    """
    own = [trial for trial in trials if is_own(trial)]

    def spent(trainable: str) -> tuple[float, int]:
        of_it = [trial for trial in own if _chosen(trial, trainables) == trainable]
        usual = usual_minutes(own, trainable)
        least = 1.0 if usual is None else usual
        return sum(minutes_of(one) if ran_well(one) else max(minutes_of(one), least) for one in of_it), len(of_it)

    return min(trainables, key=spent)


def _chosen(trial: FrozenTrial, trainables: Sequence[str]) -> Any:
    return trial.user_attrs.get("trainable") or trial.params.get(TRAINABLE, trainables[0])


def _is_member(space: SearchSpace, trainable: str, trial: FrozenTrial) -> bool:
    """Whether it is a trial of ``trainable`` whose parameters are all drawn."""
    chosen = trial.params.get(TRAINABLE) if len(space.trainables) > 1 else trainable
    return chosen == trainable and space.active(trainable, trial.params).keys() <= trial.params.keys()


def _in_memory(study: optuna.Study, sampler: BaseSampler, trials: Iterable[FrozenTrial]) -> optuna.Study:
    memory = optuna.create_study(directions=study.directions, sampler=sampler)
    memory.add_trials(trials)
    return memory


def _copy(trial: FrozenTrial, distributions: dict[str, Distribution], constraints: Iterable[str]) -> FrozenTrial:
    """What the trial does not have because of others is at its lowest."""
    return create_trial(
        state=trial.state,
        values=trial.values,
        params={name: trial.params.get(name, ranges.ends(found)[0]) for name, found in distributions.items()},
        distributions=dict(distributions),
        constraints={name: trial.constraints.get(name, 0.0) for name in constraints},
    )


def _telling(trials: Sequence[FrozenTrial]) -> list[str]:
    """The constraints in which ``trials`` differ. Of one that says the same of all there is nothing to learn, and
    Optuna refuses trials that do not all have the same ones; one that a trial lacks is met."""
    names = {name for trial in trials for name in trial.constraints}
    return sorted(name for name in names if len({trial.constraints.get(name, 0.0) for trial in trials}) > 1)
