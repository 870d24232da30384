"""Settings as a command line gives them."""

from __future__ import annotations

import pytest

from trainables.catalogue import default_config
from trainables.config import ConfigError, assignment, override


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("optimiser.epochs=3", 3),
        ("compute.compile=true", True),
        ("views.kind=patches", "patches"),
        ("data.source=folder:/a=b", "folder:/a=b"),
        ("evaluation.attacks=[pgd, auto_attack]", ["pgd", "auto_attack"]),
        ('evaluation.attacks=["pgd","auto_attack"]', ["pgd", "auto_attack"]),
        ("evaluation.attack_epsilons=[4/255,0.1]", ["4/255", 0.1]),
    ],
)
def test_a_value_is_as_json_has_it_or_a_word_or_a_list_of_both(text: str, value: object) -> None:
    assert assignment(text) == (text.partition("=")[0], value)


def test_a_list_of_fractions_becomes_numbers() -> None:
    changes = dict([assignment("evaluation.attack_epsilons=[4/255, 8/255]")])
    assert override(default_config("cf_amc_ssl"), changes).evaluation.attack_epsilons == (4 / 255, 8 / 255)


def test_what_is_no_assignment_is_refused_with_an_example() -> None:
    with pytest.raises(ConfigError, match=r"'epochs' is no assignment; write PATH=VALUE"):
        assignment("epochs")
