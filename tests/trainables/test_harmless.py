"""What others wrote steers no terminal, wherever a user's mistake is told."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.config import ConfigError, UserError
from trainables.harmless import harmless


def test_what_steers_a_terminal_is_written_out() -> None:
    assert harmless("a \x1b[31mred\x9b0m\x07\r\x08\x7f \u202eoder") == r"a \x1b[31mred\x9b0m\x07\r\x08\x7f \u202eoder"
    assert harmless("one\ttwo\nthree – \u0645\u06cc\u200c") == "one\ttwo\nthree – \u0645\u06cc\u200c"  # noqa: RUF001


@given(st.text())
def test_nothing_is_left_that_does(text: str) -> None:
    told = harmless(text)
    assert [sign for sign in told if unicodedata.category(sign) == "Cc" and sign not in "\t\n"] == []
    assert harmless(told) == told


@pytest.mark.parametrize("kind", [UserError, ConfigError])
def test_a_mistake_is_told_harmlessly(kind: type[UserError]) -> None:
    assert str(kind("/images/\x1b[2Jcat.png cannot be read")) == r"/images/\x1b[2Jcat.png cannot be read"
