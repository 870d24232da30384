"""Mistakes in a search space, collected so that a user mends them in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainables.config import ConfigError
from trainables.wording import meant, near


@dataclass(frozen=True)
class Fault:
    """One mistake: where, as keys from the top of the choices, and what."""

    path: tuple[str | int, ...]
    message: str

    def under(self, *parents: str | int) -> Fault:
        return Fault((*parents, *self.path), self.message)


class SpaceError(ConfigError):
    """Every mistake of a search space, or of values that lie outside it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.message for fault in self.faults))


def few_nearest(name: str, valid: Iterable[str], listing: str) -> str:
    """The remedy for an unknown name among many: the nearest three, and the command that names all, ``listing``."""
    return f"{meant(name, valid)}`{listing}` names them all"


def nearest(name: str, valid: Iterable[str]) -> str:
    """The remedy for an unknown name: what was probably meant, or everything that is valid."""
    known = list(valid)
    close = near(name, known, 1)
    return f"did you mean {close[0]}? Valid: {', '.join(known)}" if close else f"choose from {', '.join(known)}"
