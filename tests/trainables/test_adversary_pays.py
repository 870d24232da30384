"""Adversarial training works: at equal work and with the same head it is far more robust than its clean twin.

One seed here; ``benchmarks/adversary_pays.py`` is the same with three, and with both heads.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from trainables.config import flatten


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "adversary_pays.py"
    spec = importlib.util.spec_from_file_location("adversary_pays", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_twins_differ_in_their_adversary_alone(benchmark):
    for name in benchmark.ADVERSARIAL:
        adversarial, clean = benchmark.twins(name, 0, ("clean",))
        ours, theirs = flatten(adversarial), flatten(clean)
        differing = {path for path in ours if ours[path] != theirs[path]}
        assert differing == {"adversary.name", "optimiser.epochs"}, name


@pytest.mark.parametrize(
    "trainable",
    [pytest.param(name, marks=pytest.mark.exhaustive) for name in ("cf_amc_ssl", "pgd_emp_ssl", "robust_simclr")],
)
def test_robustness_is_gained_at_equal_work(benchmark, trainable):
    found = benchmark.compare(trainable, 1, ("clean",))
    adversarial, clean = found["seeds"][0]["adversarial"], found["seeds"][0]["clean"]
    assert clean["forward_equivalents"] >= adversarial["forward_equivalents"]
    assert adversarial["clean"]["clean"] > 0.6
    assert clean["clean"]["clean"] > 0.6
    for start in benchmark.STARTS:
        assert clean["clean"][start] < clean["clean"]["clean"] / 2
        assert found["gain"]["clean"][start]["mean"] >= 10
