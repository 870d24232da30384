"""Objectives of a group's own: their weights in a config, what is asked of their losses, and VICReg's value."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainables import catalogue, objectives
from trainables.config import ConfigError, ObjectiveConfig, TrialConfig, flatten, from_dict, override, to_dict
from trainables.objectives import Loss, Objective, ObjectiveError
from trainables.pretrain import network
from trainables.trial import run

WEIGHTS = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}
VICREG = ObjectiveConfig(name="vicreg", weights=WEIGHTS)


def vicreg_by_hand(z: np.ndarray, weights: dict[str, float]) -> float:
    """Of two views; a loop a sum (main_vicreg.py)."""
    _, b, d = z.shape
    invariance = sum((z[0, i, k] - z[1, i, k]) ** 2 for i in range(b) for k in range(d)) / (b * d)
    variance = covariance = 0.0
    for view in z:
        mean = [sum(view[i, k] for i in range(b)) / b for k in range(d)]
        for k in range(d):
            spread = sum((view[i, k] - mean[k]) ** 2 for i in range(b)) / (b - 1)
            variance += max(0.0, 1 - math.sqrt(spread + 1e-4)) / d / 2
            for m in range(d):
                if m != k:
                    shared = sum((view[i, k] - mean[k]) * (view[i, m] - mean[m]) for i in range(b)) / (b - 1)
                    covariance += shared**2 / d
    return weights["invariance"] * invariance + weights["variance"] * variance + weights["covariance"] * covariance


@given(
    seed=st.integers(0, 2**31),
    b=st.integers(2, 5),
    d=st.integers(1, 4),
    weights=st.fixed_dictionaries({name: st.floats(0, 50) for name in WEIGHTS}),
)
def test_vicreg_is_what_its_authors_compute(own_site, seed, b, d, weights) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(own_site))
        z = torch.randn(2, b, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        found = objectives.build(ObjectiveConfig(name="vicreg", weights=weights))(z, torch.zeros(b)).total
    assert float(found) == pytest.approx(vicreg_by_hand(z.numpy(), weights), rel=1e-9, abs=1e-9)


def test_vicreg_in_closed_form(own_package: Path) -> None:
    """Equal views agree; one value everywhere has no variance: 1 - sqrt(1e-4). Whitened images cost nothing."""
    criterion = objectives.build(VICREG)
    same = criterion(torch.ones(3, 4, 2, dtype=torch.float64), torch.zeros(4))
    assert [float(term) for term in same.terms.values()] == pytest.approx([0.0, 0.99, 0.0], abs=1e-12)
    assert float(same.total) == pytest.approx(25 * 0.99)
    white = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    assert float(criterion(white.repeat(2, 1, 1), torch.zeros(4)).total) == pytest.approx(0, abs=1e-12)


def test_embeddings_come_as_the_objective_wants_them(own_package: Path, tiny_config) -> None:
    images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    lengths = {}
    for name in ("vicreg_pgd", "simclr"):
        with torch.no_grad():
            lengths[name] = network(tiny_config(name), 8, 10).eval()(images).norm(dim=1)
    torch.testing.assert_close(lengths["simclr"], torch.ones(5))
    assert not torch.allclose(lengths["vicreg_pgd"], torch.ones(5), atol=0.1)


def test_a_classifier_of_ones_own(package, tiny_config) -> None:
    source = (
        "from trainables.objectives import OBJECTIVES\nfrom dataclasses import replace\n"
        "HINGE = replace(OBJECTIVES['cross_entropy'], name='hinge')\n"
    )
    package("hinges", source, objectives={"hinge": "hinges:HINGE"})
    config = tiny_config("simclr")
    config = replace(config, objective=ObjectiveConfig(name="hinge"))
    assert network(config, 8, 10).classes == 10


names = st.text("abcdefgh_", min_size=1, max_size=5)
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(weights=st.dictionaries(names, finite, max_size=4))
def test_weights_come_back_from_json_and_by_their_paths(weights: dict[str, float]) -> None:
    config = TrialConfig(trainable="mine", objective=ObjectiveConfig(name="own", weights=weights))
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    leaves = flatten(config)
    assert {path: leaf for path, leaf in leaves.items() if "weights." in path} == {
        f"objective.weights.{name}": value for name, value in weights.items()
    }
    assert override(TrialConfig(trainable="mine"), leaves) == config
    assert hash(config) == hash(from_dict(to_dict(config)))


def test_objectives_of_the_platform_have_no_weights_in_files() -> None:
    for name in catalogue.TRAINABLES:
        config = catalogue.default_config(name)
        assert "weights" not in to_dict(config)["objective"]
        assert not [path for path in flatten(config) if "objective.weights" in path]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"objective.weights.varience": 1.0}, "varience is unknown: vicreg has invariance, variance, covariance"),
        ({"objective.weights.variance": math.nan}, r"objective\.weights\.variance is nan; it must be a finite number"),
        ({"objective.weights.variance": math.inf}, "is inf; it must be a finite number"),
        ({"objective.weights.variance": "much"}, "is 'much'; it must be a number"),
        ({"objective.weights.variance": True}, "is True; it must be a number"),
        ({"objective.weights": {"variance": 1.0}}, r"unknown setting 'objective\.weights'"),
        ({"views.number": 1}, "vicreg contrasts at least 2 views"),
    ],
)
def test_what_a_config_refuses(own_package: Path, changes, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        catalogue.check(catalogue.configure("vicreg_pgd", changes))


def test_a_weight_is_set_and_a_method_without_has_none(own_package: Path) -> None:
    config = catalogue.configure("vicreg_pgd", {"objective.weights.variance": "1/2"})
    assert config.objective.weights == WEIGHTS | {"variance": 0.5}
    with pytest.raises(ConfigError, match=r"weights\.variance is unknown: emp_ssl has none of its own"):
        catalogue.check(catalogue.configure("emp_ssl", {"objective.weights.variance": 1.0}))
    with pytest.raises(ConfigError, match=r"weights\.covariance is missing"):
        objectives.find("vicreg").check({"invariance": 1.0, "variance": 1.0})


def test_another_objective_brings_its_own_weights(own_package: Path) -> None:
    changes = {"objective.name": "vicreg", "objective.weights.covariance": 4}
    config = catalogue.configure("emp_ssl", changes)
    assert config.objective.weights == WEIGHTS | {"covariance": 4.0}
    assert not override(config, {"objective.name": "emp_ssl"}).objective.weights


def test_no_part_of_a_loss_hides_another_figure(own_package: Path, tiny_config, monkeypatch) -> None:
    config = tiny_config("vicreg_pgd", optimiser__epochs=1, data__train_images=40, evaluation__images=10)
    vicreg = objectives.find("vicreg")
    monkeypatch.setattr(objectives, "find", lambda _: replace(vicreg, loss=renamed))
    heard: list[dict[str, float]] = []
    with pytest.raises(ValueError, match=r"parts that are called as other figures are \(train/loss\)"):
        run(config, report=lambda epoch: heard.append(epoch.metrics()))


def renamed(z: Tensor, _labels: Tensor, _weights) -> Loss:
    return Loss(z.var(), {"loss": z.mean()})


def objective(loss, **answers) -> Objective:
    return Objective(name="own", summary="", source="", loss=loss, **answers)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"weights": {"a.b": 1.0}}, r"own: weight 'a\.b'; use letters"),
        ({"weights": {"a": math.nan}}, "own: weight a is nan"),
        ({"settings": ("temprature",)}, "no field of ObjectiveConfig is called 'temprature'"),
        ({"settings": ("name",)}, "is called 'name'"),
        ({"settings": ("temperature",), "weights": {"temperature": 1.0}}, "share a name"),
        ({"embeddings": "normalized"}, "embeddings is 'normalized'; choose one of normalised, plain, logits"),
    ],
)
def test_what_an_objective_refuses_to_be(answers, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        objective(None, **answers)


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (
            lambda z, y, w: z.mean(),
            r"what own gives is a tensor of shape \(\); it must be a .*\.Loss",
        ),
        (lambda z, y, w: Loss(z.mean(dim=-1), {}), r"total in the loss of own is a tensor of shape \(2, 3\)"),
        (lambda z, y, w: Loss(1.0, {}), "total in the loss of own is of type float; it must be a scalar tensor"),
        (lambda z, y, w: Loss(z.mean(), {"spread": 1.0}), "spread in the loss of own is of type float"),
        (lambda z, y, w: Loss(z.mean(), {"the spread": z.var()}), "'the spread' in the loss of own is no name"),
        (lambda z, y, w: Loss(z.detach().mean(), {}), "does not depend on the embeddings"),
    ],
)
def test_a_loss_that_nothing_could_descend_is_named(loss, told: str) -> None:
    z = torch.ones(2, 3, 4, requires_grad=True)
    with pytest.raises(ObjectiveError, match=told):
        objective(loss).bound(ObjectiveConfig())(z, torch.zeros(3))


def test_where_no_gradient_is_taken_none_is_asked_for() -> None:
    def loss(z: Tensor, _labels: Tensor, weights) -> Loss:
        return Loss(weights["scale"] * z.mean() / weights["temperature"], {})

    own = objective(loss, weights={"scale": 1.0}, settings=("temperature",))
    criterion = own.bound(ObjectiveConfig(weights={"scale": 3.0}, temperature=0.5))
    with torch.no_grad():
        assert float(criterion(torch.ones(2, 3, 4), torch.zeros(3)).total) == 6.0
