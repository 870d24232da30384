"""The contract over methods of other packages: one that keeps it, and losses that break it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trainables.__main__ import main
from trainables.catalogue import default_config
from trainables.contract import CONTRACT, BrokenError, small

FAULTY = """
import numpy, torch
from dataclasses import replace
from trainables.catalogue import TRAINABLES
from trainables.config import ObjectiveConfig
from trainables.objectives import OBJECTIVES, Loss

calls = []

def loss(z, labels, weights):
    calls.append(1)
    return Loss({loss}, {{}})

own = {{"spread": 0.0, "size": 1.0}}
FAULTY = replace(OBJECTIVES["emp_ssl"], name="faulty_loss", loss=loss, settings=(), weights=own)
base = TRAINABLES["pgd_emp_ssl"]

def defaults(faithful_to):
    own = replace(base.defaults(faithful_to), trainable="faulty_method")
    return replace(own, objective=ObjectiveConfig(name="faulty_loss"))

METHOD = replace(base, name="faulty_method", objectives=("faulty_loss",), defaults=defaults)
"""
FINITE, ATTACKED, WEIGHED, SEEDED, RESUMED, _COST, ON_A_DEVICE, *_ = CONTRACT


@pytest.fixture
def faulty(package: Callable[..., Path]) -> Callable[[str], None]:
    def install(loss: str) -> None:
        named = {"objectives": {"faulty_loss": "faulty:FAULTY"}, "trainables": {"faulty_method": "faulty:METHOD"}}
        package("faulty", FAULTY.format(loss=loss), **named)

    return install


@pytest.mark.parametrize(
    ("loss", "promise", "told"),
    [
        ("z.square().sum() * float('nan')", FINITE, "it is nan"),
        ("z.sum() * 0", FINITE, "its gradient to the pixels is zero everywhere"),
        ("z.sum() * 0", ATTACKED, "5 steps of PGD took it from 0 to 0"),
        ("z.var()", WEIGHED, "it is the same whatever spread, size are"),
        ("z.var() + weights['spread'] * z.square().mean()", WEIGHED, "it is the same whatever size is"),
        ("z.var() * numpy.random.default_rng().random()", SEEDED, "two runs of one seed differ"),
        ("z.var() / len(calls)", SEEDED, "or keeps something from batch to batch"),
        ("z.var() / len(calls)", RESUMED, "must keep nothing from batch to batch"),
        (
            "(z @ torch.eye(z.shape[-1])).var()",
            ON_A_DEVICE,
            r"aten::\w+ .* CPU, at \S+faulty.py, line 12; make tensors",
        ),
        ("z.var() if z.var() > 1 else z.std()", ON_A_DEVICE, "the CPU waits for a value at .*faulty.py, line 12;"),
    ],
)
def test_a_broken_promise_is_told(faulty, loss: str, promise: str, told: str) -> None:
    faulty(loss)
    with pytest.raises(BrokenError, match=told):
        CONTRACT[promise](small(default_config("faulty_method")))


def test_a_loss_that_raises_breaks_every_promise_and_the_check_says_where(faulty, capsys) -> None:
    faulty("z.nothing_of_that_name")
    assert main(["--check", "faulty_method"]) == 2
    *told, verdict = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in told] == [f"BROKEN  {promise}" for promise in CONTRACT]
    assert "AttributeError" in told[0]
    assert "faulty.py, line 12" in told[0]
    assert {line.rpartition(": ")[2] for line in told[1:]} == {"the same"}
    assert verdict == "faulty_method does not keep to what every trainable must"


def test_weights_that_weigh_are_seen_to(faulty) -> None:
    faulty("z.var() + weights['spread'] * z.square().mean() + weights['size'] * z.mean()")
    CONTRACT[WEIGHED](small(default_config("faulty_method")))


def test_what_no_weight_can_learn_from_is_told_with_the_place_of_the_loss_itself(faulty, capsys) -> None:
    faulty("z.detach().square().sum()")
    assert main(["--check", "faulty_method"]) == 2
    told = capsys.readouterr().out.splitlines()[0]
    assert "the loss of faulty_loss does not depend on the embeddings" in told
    assert told.endswith("faulty.py, line 10")


@pytest.mark.slow
def test_a_method_of_ones_own_keeps_the_contract(own_package, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "vicreg_free"]) == 0
    *told, verdict = capsys.readouterr().out.splitlines()
    assert told == [f"holds   {promise}" for promise in CONTRACT]
    assert verdict == "vicreg_free keeps to what every trainable must"
