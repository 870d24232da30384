"""Every trainable by name. A new method is one file and one line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from trainables import (
    acl,
    cf_amc_ssl,
    cost,
    dynacl,
    emp_ssl,
    pgd_emp_ssl,
    robust_simclr,
    simclr,
    simclr_free,
    supervised_free,
    supervised_pgd,
)
from trainables.config import ConfigError, FaithfulTo, TrialConfig
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


def find(name: str) -> Trainable:
    """The trainable of that name; ``ConfigError`` names the valid ones."""
    if name not in TRAINABLES:
        raise ConfigError(f"unknown trainable {name!r}; choose one of {', '.join(TRAINABLES)}")
    return TRAINABLES[name]


def default_config(name: str, faithful_to: FaithfulTo = "paper") -> TrialConfig:
    """The named trainable with its source's constants."""
    return find(name).defaults(faithful_to)


def check(config: TrialConfig) -> None:
    """``ConfigError`` where ``config`` and its trainable do not fit."""
    find(config.trainable).check(config)


def pretrain_forward_equivalents(config: TrialConfig, train_images: int) -> int:
    """Work of the config's whole pre-training on so many images, known before it is spent."""
    pairing = find(config.trainable).pairing(config.faithful_to)
    return cost.pretrain_forward_equivalents(config, pairing, train_images)
