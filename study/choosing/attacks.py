"""Attacks by the word that a user says, and what a study's objectives are under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from study.config import StudyConfig
from trainables import packages
from trainables.config import AttackName
from trainables.metrics import AUTO_ATTACK_ACCURACY, PGD_ACCURACY, head_figure, own_attack_metric

AUTO_ATTACK, PGD = "autoattack", "pgd"
_RUN: Mapping[str, tuple[AttackName, ...]] = {AUTO_ATTACK: ("pgd", "auto_attack"), PGD: ("pgd",)}


def words() -> tuple[str, ...]:
    """All that may be said: the platform's two, and the names of packages' attacks."""
    return packages.names("attack", _RUN)


def run(attack: str) -> tuple[str, ...]:
    """What is run where ``attack`` is asked for."""
    return _RUN.get(attack, ("pgd", attack))


def ran(attack: str, objectives: Iterable[str]) -> tuple[str, ...]:
    """What is run where ``attack`` is asked for: it, and what the heads' figures among ``objectives`` take."""
    figures = [figure for name in objectives if (figure := head_figure(name))]
    needed = [figure.attack for figure in figures if figure.own or figure.attack in get_args(AttackName)]
    return tuple(dict.fromkeys([*run(attack), *needed]))


def objectives(searched: StudyConfig, attack: str, head: str) -> list[str]:
    """Those of the study, with accuracy under ``attack`` in place of that under another; a head's figures stay.

    ``head``: the one whose accuracy under a package's attack that is.
    """
    robust = {AUTO_ATTACK: AUTO_ATTACK_ACCURACY, PGD: PGD_ACCURACY}.get(attack) or own_attack_metric(head, attack)
    other = (PGD_ACCURACY, AUTO_ATTACK_ACCURACY)
    return list(dict.fromkeys(robust if name in other else name for name in searched.objectives))
