"""The contract over attacks of packages: those that keep it, and such as break it."""

from __future__ import annotations

import pytest

from trainables.__main__ import main
from trainables.attack_contract import CONTRACT, outcomes
from trainables.contract import BrokenError
from trainables.evaluation.attack import Attack, find
from trainables.packages import PackageError

FAULTY = """
import numpy, torch
from trainables.evaluation.attack import Attack
calls = []
def perturb(logits, images, labels):
    calls.append(1)
    return {}
MINE = Attack(name="mine", summary="", source="", perturb=perturb)
"""
IMAGES, CHANGED, SEEDED, ON_A_DEVICE = CONTRACT


@pytest.mark.parametrize("name", ["l2_pgd_128", "noise_3"])
def test_an_attack_keeps_what_every_attack_must(own_package, name: str) -> None:
    attack = find(name)
    assert isinstance(attack, Attack)
    assert {*dict(outcomes(attack)).values()} == {None}


@pytest.mark.parametrize(
    ("given", "promise", "told"),
    [
        ("images * 2 - 1", IMAGES, r"goes from -1 to 1; clamp it to \[0, 1\]"),
        ("images.mean(1)", IMAGES, r"it must be a tensor of shape \(20, 3, 8, 8\)"),
        ("images.clone()", CHANGED, "it gives all of them back as they were"),
        ("images * numpy.random.default_rng().random()", SEEDED, "two runs of one seed differ"),
        ("images / len(calls)", SEEDED, "or keeps something from batch to batch"),
        ("images * torch.rand(images.shape)", ON_A_DEVICE, r"CPU, at \S+faulty.py, line 7; make tensors with device="),
    ],
)
def test_a_broken_promise_is_told(package, given: str, promise: str, told: str) -> None:
    package("faulty", FAULTY.format(given), attacks={"mine": "faulty:MINE"})
    attack = find("mine")
    assert isinstance(attack, Attack)
    with pytest.raises((BrokenError, PackageError), match=told):
        CONTRACT[promise](attack)


def test_one_that_ends_the_process_is_told_promise_by_promise(package) -> None:
    package("faulty", FAULTY.format("__import__('sys').exit(3)"), attacks={"mine": "faulty:MINE"})
    attack = find("mine")
    assert isinstance(attack, Attack)
    told = dict(outcomes(attack))
    assert all("SystemExit: 3 in " in str(broken) for broken in told.values())
    assert len(told) == len(CONTRACT)


def test_it_may_ask_for_values_and_looks_for_what_is_left(package) -> None:
    """As many attacks do that end early, once a step."""
    given = "(images if logits(images).argmax(1).ne(labels).all() else images * torch.rand_like(images))"
    package("faulty", FAULTY.format(given), attacks={"mine": "faulty:MINE"})
    attack = find("mine")
    assert isinstance(attack, Attack)
    CONTRACT[ON_A_DEVICE](attack)


def test_the_check_says_what_it_is_of(own_package, package, capsys) -> None:
    assert main(["--check", "noise_3"]) == 0
    *kept, verdict = capsys.readouterr().out.splitlines()
    assert kept == [f"holds   {promise}" for promise in CONTRACT]
    assert verdict == "noise_3 keeps to what every attack must"
    package("faulty", FAULTY.format("images.nothing_of_that_name"), attacks={"mine": "faulty:MINE"})
    assert main(["--check", "mine"]) == 2
    *broken, verdict = capsys.readouterr().out.splitlines()
    assert "faulty.py, line 7" in broken[0]
    assert all(line.startswith("BROKEN  ") for line in broken)
    assert verdict == "mine does not keep to what every attack must"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["l2_pgd_12"], "no trainable and no attack of a package is called 'l2_pgd_12'; did you mean l2_pgd_128?"),
        (["noise_3", "--set", "seed=1"], "--set means nothing to an attack"),
        (["pgd"], "attack 'pgd' of odd 1.2 has a name that robust-ssl-study gives itself"),
        (
            ["pgd_8_zero"],
            "attack 'pgd_8_zero' of odd 1.2 has a name that no study file can tell; use a-z, 0-9 and _, no",
        ),
    ],
)
def test_what_cannot_be_checked_is_told(own_package, package, capsys, arguments: list[str], told: str) -> None:
    package("odd", "", attacks={"pgd": "odd:A", "pgd_8_zero": "odd:A"})
    assert main(["--check", *arguments]) == 2
    assert capsys.readouterr().err.startswith(told)


def test_what_the_platform_refuses_is_not_said_to_have_failed_in_its_files(package, capsys) -> None:
    package("faulty", FAULTY.format("images + 2"), attacks={"mine": "faulty:MINE"})
    assert main(["--check", "mine"]) == 2
    told = capsys.readouterr().out
    assert "BROKEN  " in told
    assert ".py, line" not in told
