"""Errors that a user can mend, and the checks that raise them."""

from __future__ import annotations

from typing import get_args

from trainables.harmless import harmless


class UserError(Exception):
    """A mistake its user can mend: one line that says what is wrong and what to do. Never a traceback.

    What the line names, files say, may be called anything: as text it steers no terminal.
    """

    def __str__(self) -> str:
        return harmless(super().__str__())


class ConfigError(UserError, ValueError):
    """A value that no trial can run with; the message names field, value and remedy."""


def require(condition: bool, message: str) -> None:
    """``ConfigError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ConfigError(message)


def one_of(name: str, value: object, choices: object) -> None:
    """``ConfigError`` naming the valid values unless ``value`` is one of the ``Literal`` type ``choices``."""
    valid = get_args(choices)
    require(value in valid, f"{name} is {value!r}; choose one of {', '.join(map(str, valid))}")


def at_least(owner: object, section: str, least: float, *names: str) -> None:
    """``ConfigError`` for the first of ``owner``'s fields that is below ``least``; ``None`` passes."""
    for name in names:
        value = getattr(owner, name)
        require(value is None or value >= least, f"{section}.{name} is {value}; it must be at least {least:g}")


def at_most(owner: object, section: str, most: float, why: str, *names: str) -> None:
    """``ConfigError`` for the first of ``owner``'s fields that is above ``most``, which ``why`` explains; ``None``
    passes."""
    for name in names:
        value = getattr(owner, name)
        require(value is None or value <= most, f"{section}.{name} is {value}; it must be at most {most:g}: {why}")


def positive(owner: object, section: str, *names: str) -> None:
    """``ConfigError`` for the first of ``owner``'s fields that is not above 0; ``None`` passes."""
    for name in names:
        value = getattr(owner, name)
        require(value is None or value > 0, f"{section}.{name} is {value}; it must be positive")
