"""Weights of an objective of one's own in a space: by their paths, like any other setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import FixedTrial

from search_spaces import SpaceError, build
from search_spaces.placing import place
from trainables.catalogue import configure, default_config
from trainables.config import override

VARIANCE = "objective.weights.variance"


@pytest.fixture
def bases(own_package: Path):
    return [default_config("vicreg_pgd"), default_config("cf_amc_ssl")]


def test_a_weight_is_searched_where_a_study_asks_for_it(bases) -> None:
    space = build(bases, {"unlisted": "fixed", VARIANCE: {"low": 1, "high": 50, "log": True}, "m": [1, 2]})
    assert list(space.parameters("vicreg_pgd")) == [VARIANCE]
    assert list(space.parameters("cf_amc_ssl")) == ["m"]
    config = space.suggest(FixedTrial({"trainable": "vicreg_pgd", VARIANCE: 7.0}))
    assert config.objective.weights == {"invariance": 25.0, "variance": 7.0, "covariance": 1.0}
    assert space.params(config) == {"trainable": "vicreg_pgd", VARIANCE: 7.0}
    assert not space.suggest(FixedTrial({"trainable": "cf_amc_ssl", "m": 2})).objective.weights
    assert [row.trainables for row in space.describe() if row.dimension == VARIANCE] == [("vicreg_pgd",)]


def test_unless_it_is_listed_it_stays_as_it_is(bases) -> None:
    space = build(bases[:1], {})
    assert not [name for name in space.distributions if "weights" in name]
    assert space.sample(3).objective.weights == bases[0].objective.weights
    held = build(bases[:1], {"vicreg_pgd": {VARIANCE: 3}})
    assert held.sample(0).objective.weights["variance"] == 3.0


def test_it_has_the_dimensions_of_its_adversary_and_of_its_views(bases) -> None:
    names = {name for part in build(bases[:1], {}).parts for name, _ in part.searched}
    assert {"crops", "crop_scale_min", "epsilon", "pgd_steps", "step_ratio", "epochs", "learning_rate"} <= names
    assert not {"m", "temperature", "invariance_weight", "tcr_weight"} & names


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"objective.weights.varience": [1, 2]}, "means nothing to vicreg_pgd, cf_amc_ssl; weights of vicreg are inv"),
        ({"cf_amc_ssl": {VARIANCE: [1, 2]}}, f"{VARIANCE} means nothing to cf_amc_ssl; drop it"),
        ({VARIANCE: ["much"]}, "it must be a number"),
        ({"objective.weights": [1]}, r"unknown dimension 'objective\.weights'"),
    ],
)
def test_what_a_space_refuses(bases, choices, told: str) -> None:
    with pytest.raises(SpaceError, match=told):
        build(bases, choices)


def test_where_a_weight_is_held_trials_of_another_value_do_not_lie(bases) -> None:
    space = build(bases, {"unlisted": "fixed", "learning_rate": {"low": 0.1, "high": 1.0}})
    assert place(space, configure("vicreg_pgd", {"optimiser.learning_rate": 0.5}))["learning_rate"] == 0.5
    with pytest.raises(SpaceError, match=rf"{VARIANCE} is 9, held at 25"):
        place(space, configure("vicreg_pgd", {VARIANCE: 9}))
    without = override(configure("vicreg_pgd", {}), {"objective.name": "sup_con"})
    with pytest.raises(SpaceError, match=rf"{VARIANCE} is null, held at 25"):
        place(space, without)
