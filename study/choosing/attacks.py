"""Attacks by the word that a user says, and what a study's objectives are under them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args

from study.config import StudyConfig
from trainables.config import AttackName
from trainables.metrics import AUTO_ATTACK_ACCURACY, PGD_ACCURACY, head_figure

Attack = Literal["autoattack", "pgd"]

ATTACKS: Mapping[Attack, tuple[AttackName, ...]] = {"autoattack": ("pgd", "auto_attack"), "pgd": ("pgd",)}


def ran(attack: Attack, objectives: Iterable[str]) -> tuple[str, ...]:
    """What is run where ``attack`` is asked for: it, and what the heads' figures among ``objectives`` take."""
    needed = [figure.attack for name in objectives if (figure := head_figure(name))]
    own = [name for name in needed if name in get_args(AttackName)]
    return tuple(dict.fromkeys([*ATTACKS[attack], *own]))


def objectives(searched: StudyConfig, attacks: Collection[str]) -> list[str]:
    """Those of the study, with accuracy under the strongest of ``attacks`` in place of that under another; a head's
    figures stay."""
    robust = AUTO_ATTACK_ACCURACY if "auto_attack" in attacks else PGD_ACCURACY
    other = (PGD_ACCURACY, AUTO_ATTACK_ACCURACY)
    return list(dict.fromkeys(robust if name in other else name for name in searched.objectives))
