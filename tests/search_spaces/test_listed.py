"""A space that lists its configurations draws nothing but these, under the seeds it is given."""

from __future__ import annotations

import itertools

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SpaceError
from search_spaces.listed import CONFIGURATION, LARGEST, SEED, ListedSpace
from search_spaces.space import Part
from trainables.catalogue import default_config
from trainables.config import TrialConfig, override


def bases() -> list[TrialConfig]:
    slow, fast = (override(default_config("cf_amc_ssl"), {"optimiser.learning_rate": rate}) for rate in (0.1, 0.2))
    return [slow, default_config("robust_simclr"), fast]


def space(numbers: tuple[int, ...] = (3, 7, 12), seeds: tuple[int, ...] = (1, 2)) -> ListedSpace:
    return ListedSpace(tuple(Part(base, (), ()) for base in bases()), numbers, seeds)


def test_points_are_the_grid_with_every_configuration_under_each_seed_in_turn() -> None:
    assert [(point[CONFIGURATION], point[SEED]) for point in space().points] == [
        *((3, 1), (7, 1), (12, 1)),
        *((3, 2), (7, 2), (12, 2)),
    ]
    assert space().trainables == ("cf_amc_ssl", "robust_simclr")


@settings(max_examples=20, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 500), min_size=3, max_size=3, unique=True).map(tuple),
    seeds=st.lists(st.integers(0, LARGEST), min_size=1, max_size=4, unique=True).map(tuple),
)
def test_points_and_configurations_are_two_names_of_one_thing(numbers: tuple[int, ...], seeds: tuple[int, ...]) -> None:
    listed = space(numbers, seeds)
    found = [listed.config(point) for point in listed.points]
    wanted = itertools.product(seeds, bases())
    assert found == [override(base, {"seed": seed}) for seed, base in wanted]
    assert [listed.params(config) for config in found] == list(listed.points)
    assert [listed.sample(index) for index in range(len(found))] == found


def test_a_queued_trial_gets_the_configuration_it_was_queued_with() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for point in space().points:
        study.enqueue_trial(point)
    drawn = [space().suggest(study.ask()) for _ in space().points]
    assert drawn == [space().config(point) for point in space().points]


@pytest.mark.parametrize("params", [{CONFIGURATION: 4, SEED: 1}, {CONFIGURATION: 3, SEED: 3}, {CONFIGURATION: 3}])
def test_what_is_not_listed_is_no_configuration(params: dict[str, int]) -> None:
    with pytest.raises(SpaceError, match="not among the listed"):
        space().config(params)
    with pytest.raises(SpaceError, match="not among the listed"):
        space().params(override(bases()[0], {"seed": 9}))


def test_without_seeds_each_configuration_runs_once_with_its_own() -> None:
    listed = space(seeds=())
    assert listed.points == ({CONFIGURATION: 3}, {CONFIGURATION: 7}, {CONFIGURATION: 12})
    assert [listed.config(point) for point in listed.points] == bases()
    assert [listed.params(base) for base in bases()] == list(listed.points)
    assert listed.distributions == space((1, 2, 5000), ()).distributions, "the list may grow"
    assert [row.range for row in listed.describe()] == ["3, 7, 12"]
    with pytest.raises(SpaceError, match="not among the listed"):
        listed.config({CONFIGURATION: 3, SEED: 1})


def test_more_seeds_leave_the_question_as_it_was() -> None:
    assert space(seeds=(1,)).to_json() == space(seeds=(1, 2, 3)).to_json()
    assert space(numbers=(3, 7, 13)).to_json() != space().to_json()
    assert [row.range for row in space().describe()] == ["3, 7, 12", "1, 2"]
