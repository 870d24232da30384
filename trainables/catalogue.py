"""Every trainable by name: the platform's own, one file and one line here each, and those of other packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from trainables import (
    acl,
    cf_amc_ssl,
    cost,
    dynacl,
    emp_ssl,
    objectives,
    packages,
    pgd_emp_ssl,
    robust_simclr,
    simclr,
    simclr_free,
    supervised_free,
    supervised_pgd,
)
from trainables.config import FaithfulTo, TrialConfig, override
from trainables.config.checks import require
from trainables.method import Trainable


def _table(trainables: Iterable[Trainable]) -> Mapping[str, Trainable]:
    named: dict[str, Trainable] = {}
    for trainable in trainables:
        if trainable.name in named:
            raise ValueError(f"two trainables are called {trainable.name!r}")
        named[trainable.name] = trainable
    return MappingProxyType(named)


_METHODS = (
    robust_simclr,
    pgd_emp_ssl,
    cf_amc_ssl,
    simclr_free,
    simclr,
    emp_ssl,
    supervised_pgd,
    supervised_free,
    acl,
    dynacl,
)
TRAINABLES = _table(method.TRAINABLE for method in _METHODS)


def names() -> tuple[str, ...]:
    """Of every trainable, those of other packages last; nothing is imported."""
    return packages.names("trainable", TRAINABLES)


def find(name: str) -> Trainable:
    """The trainable of that name; ``ConfigError`` names the valid ones."""
    return packages.find("trainable", name, Trainable, TRAINABLES)


def default_config(name: str, faithful_to: FaithfulTo = "paper") -> TrialConfig:
    """The named trainable with its source's constants."""
    trainable = find(name)
    with packages.answering("trainable", name):
        config = trainable.defaults(faithful_to)
        require(config.trainable == name, f"its defaults are of trainable {config.trainable!r}; they must be its own")
    return completed(config)


def configure(name: str, changes: Mapping[str, Any], faithful_to: FaithfulTo = "paper") -> TrialConfig:
    """``default_config`` with leaves replaced by dotted path; another objective comes with its own weights."""
    return completed(override(default_config(name, faithful_to), changes))


def completed(config: TrialConfig) -> TrialConfig:
    """``config`` with the weights that it leaves open, as its objective has them."""
    return replace(config, objective=objectives.completed(config.objective))


def check(config: TrialConfig) -> None:
    """``ConfigError`` where ``config`` and its trainable do not fit."""
    find(config.trainable).check(config)


def pretrain_forward_equivalents(config: TrialConfig, train_images: int) -> int:
    """Work of the config's whole pre-training on so many images, known before it is spent."""
    pairing = find(config.trainable).pairing(config.faithful_to)
    return cost.pretrain_forward_equivalents(config, pairing, train_images)
