"""What a study holds fixed: leaves of ``TrialConfig`` for all its trainables, or for one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search_spaces.catalogue import DIMENSIONS
from search_spaces.faults import Fault, nearest
from search_spaces.leaves import SAME_FOR_ALL, weights_in_words
from study.config.yaml_tree import with_fractions
from trainables.catalogue import check, completed, configure, default_config, names
from trainables.config import ConfigError, FaithfulTo, TrialConfig, flatten, override, weight

FOLDER = "folder:"
SWITCHES = ("objective.name", "adversary.name", "views.kind", "coreset.name")
"""Leaves that make another method of a trainable, and decide which others mean anything to it."""
_PATH = re.compile(r"[a-z_]+(?:\.[a-z_0-9]+)+")
_NOT_SETTINGS = ("trainable", "faithful_to")


def named_in(message: str) -> list[str]:
    """The dotted paths in a message, in its order."""
    return _PATH.findall(message)


def flatten_settings(settings: Any) -> Any:
    """Nested mappings as one mapping by dotted path, fractions as numbers; anything else is left to the type check."""
    if not isinstance(settings, Mapping):
        return settings
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": item for inner, item in flatten_settings(value).items()}
        else:
            flat[str(key)] = _anchored(str(key), with_fractions(value))
    return flat


def _anchored(key: str, value: Any) -> Any:
    """Paths as they are meant here and now: a worker on another machine, or a later resume, has another folder."""
    if (
        key in ("data.source", "evaluation.source")
        and isinstance(value, str)
        and value.startswith(FOLDER)
        and value != FOLDER
    ):
        return FOLDER + _absolute(value.removeprefix(FOLDER))
    if key == "data.root" and isinstance(value, str):
        return _absolute(value)
    return value


def _absolute(path: str) -> str:
    """``~`` is left to whoever opens the path: another machine may have another home."""
    return path if path.startswith("~") else str(Path(path).absolute())


@dataclass(frozen=True)
class Settings:
    """A study's settings beside the trainables they are for."""

    trainables: list[str]
    faithful_to: FaithfulTo
    values: Mapping[str, Any]

    def settled(self) -> dict[str, frozenset[str]]:
        """Which leaves are set, per trainable."""
        return {name: frozenset(self._of(name).values()) for name in self.trainables}

    def configs(self) -> tuple[dict[str, TrialConfig], list[Fault]]:
        """Each trainable's config, and the settings that had to be left out of one, with the reason."""
        faults = self._key_faults()
        refused = {str(fault.path[0]) for fault in faults}
        configs = {}
        for name in self.trainables:
            keys = {key: path for key, path in self._of(name).items() if key not in refused}
            configs[name], found = self._config(name, keys)
            faults += found
        return configs, list(dict.fromkeys(faults))

    def _of(self, trainable: str) -> dict[str, str]:
        """Setting -> leaf, for the settings that concern ``trainable``; its own come last, so that they prevail."""
        base = self._as_switched(trainable, default_config(trainable, self.faithful_to))
        shared = {key: key for key in self.values if self._owner(key) is None and _concerns(key, base)}
        own = {key: key.partition(".")[2] for key in self.values if self._owner(key) == trainable}
        return shared | {key: path for key, path in own.items() if _concerns(path, base)}

    def _bases(self) -> list[TrialConfig]:
        return [self._as_switched(name, default_config(name, self.faithful_to)) for name in self.trainables]

    def _as_switched(self, trainable: str, base: TrialConfig) -> TrialConfig:
        """``base`` with the settings that decide which others mean anything to it, as far as they are valid."""
        for path in SWITCHES:
            for key in (path, f"{trainable}.{path}"):
                if key in self.values:
                    with suppress(ConfigError):
                        base = completed(override(base, {path: self.values[key]}))
        return base

    def _owner(self, key: str) -> str | None:
        first = key.partition(".")[0]
        return first if first in names() else None

    def _key_faults(self) -> list[Fault]:
        used = {key for name in self.trainables for key in self._of(name)}
        faults = []
        for key in self.values:
            owner = self._owner(key)
            path = key if owner is None else key.partition(".")[2]
            if owner is not None and owner not in self.trainables:
                faults.append(Fault((key,), f"settings for {owner}, which is not among the study's trainables"))
            elif not path:
                faults.append(Fault((key,), f"{key} is {self.values[key]!r}; it must be a mapping of its settings"))
            elif path in _NOT_SETTINGS:
                faults.append(Fault((key,), f"{path} is no setting; the study's own keys say it"))
            elif owner is not None and path.partition(".")[0] in SAME_FOR_ALL:
                faults.append(Fault((key,), f"{path} must be the same for all trainables; drop {owner}. before it"))
            elif path == "evaluation.split" and self.values[key] == "test":
                faults.append(Fault((key,), "a study must not choose by test images; evaluation.split is validation"))
            elif key not in used:
                remedy = weights_in_words(self._bases()) if weight(path) else "drop it"
                faults.append(
                    Fault((key,), f"{path} means nothing to {owner or 'any trainable of the study'}; {remedy}")
                )
        return faults

    def _config(self, trainable: str, keys: Mapping[str, str]) -> tuple[TrialConfig, list[Fault]]:
        """The config, each setting that no trial can run with left out and reported."""
        keys, faults = dict(keys), []
        while (reason := self._refusal(trainable, keys)) is not None:
            culprit = self._culprit(trainable, keys, reason)
            faults.append(Fault((culprit,), reason))
            # A default in the place of one that it is at odds with would say something else; behind ; is the remedy.
            named = named_in(reason.partition(";")[0])
            keys = {key: path for key, path in keys.items() if key != culprit and path not in named}
        return self._build(trainable, keys), faults

    def _culprit(self, trainable: str, keys: Mapping[str, str], reason: str) -> str:
        """The setting without which the same complaint is not made: the first that it names, if there is such, else
        one without which there is none; without another there may be another complaint before it."""
        left = {key: self._refusal(trainable, {one: keys[one] for one in keys if one != key}) for key in keys}
        named = {path: place for place, path in reversed(list(enumerate(named_in(reason))))}
        culprits = [key for key in keys if left[key] != reason]
        if not culprits:
            raise ConfigError(reason)
        return min(culprits, key=lambda key: (named.get(keys[key], len(named)), left[key] is not None))

    def _refusal(self, trainable: str, keys: Mapping[str, str]) -> str | None:
        try:
            self._build(trainable, keys)
        except ConfigError as error:
            return str(error)
        return None

    def _build(self, trainable: str, keys: Mapping[str, str]) -> TrialConfig:
        valid = flatten(default_config(trainable, self.faithful_to))
        for path in keys.values():
            if path not in valid and weight(path) is None:
                raise ConfigError(f"unknown setting {path!r}; {_remedy(path, valid)}")
        config = configure(trainable, {path: self.values[key] for key, path in keys.items()}, self.faithful_to)
        check(config)
        return config


def _concerns(path: str, base: TrialConfig) -> bool:
    """Whether a leaf means anything to a trainable: one that decides a dimension, or is a weight, does only where it
    has that."""
    if (name := weight(path)) is not None:
        return name in base.objective.weights
    deciding = [dimension for dimension in DIMENSIONS.values() if dimension.path == path]
    return not deciding or any(dimension.belongs(base) for dimension in deciding)


def _remedy(path: str, valid: Mapping[str, Any]) -> str:
    """A dimension's name, which is none of a setting, has its path for one."""
    if path in DIMENSIONS:
        return f"did you mean {DIMENSIONS[path].path}?"
    section, leaf = path.rpartition(".")[::2]
    same_leaf = [known for known in valid if known.rpartition(".")[2] == leaf]
    same_section = [known for known in valid if section and known.startswith(f"{section}.")]
    return f"did you mean {', '.join(same_leaf)}?" if same_leaf else nearest(path, same_section or valid)
