"""A config as a plain tree and back, and its leaves by dotted path."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from trainables.config.checks import ConfigError
from trainables.config.trial import TrialConfig
from trainables.wording import near

WEIGHTS = "objective.weights."
"""How the paths of an objective's own weights begin."""


def to_dict(config: TrialConfig) -> dict[str, Any]:
    """Nested plain dict of ``config``: JSON- and YAML-ready, the inverse of ``from_dict``."""
    return typing.cast(dict[str, Any], _plain(config))


def from_dict(values: Mapping[str, Any]) -> TrialConfig:
    """The config that ``values`` describe; unknown keys and wrong types raise ``ConfigError``."""
    return typing.cast(TrialConfig, _build(TrialConfig, values, ""))


def flatten(config: TrialConfig) -> dict[str, Any]:
    """``{"views.number": 16, ...}``: every leaf by its dotted path, in declaration order."""
    return _flatten(to_dict(config), "")


@cache
def leaf_types() -> Mapping[str, type]:
    """By dotted path what each leaf that every config has holds where it is set: ``int``, ``float``, ``bool``, ``str``
    or ``tuple``. Weights are not among them, which each objective has of its own."""
    return _leaf_types(TrialConfig, "")


@cache
def open_leaves() -> frozenset[str]:
    """The dotted paths of the leaves that may be ``None``."""
    return frozenset(path for path, hint in _leaf_hints() if type(None) in get_args(hint))


@cache
def leaf_choices() -> Mapping[str, tuple[str, ...]]:
    """By dotted path the words that a leaf takes, of those that take no others."""
    return {path: words for path, hint in _leaf_hints() if (words := _words(hint))}


@cache
def sections() -> Mapping[str, type]:
    """By name the sections of a ``TrialConfig``, in declaration order."""
    return {
        name: hint
        for name, hint in _hints(TrialConfig).items()
        if isinstance(hint, type) and dataclasses.is_dataclass(hint)
    }


def override(config: TrialConfig, changes: Mapping[str, Any]) -> TrialConfig:
    """``config`` with leaves replaced by dotted path, ``{"adversary.replays": 5}``.

    Raises ``ConfigError`` for a path that does not exist, naming the valid ones.
    """
    config = _switched(config, changes)
    hints, valid = _hints(TrialConfig), leaf_types()
    grouped: dict[str, dict[str, Any]] = {}
    for path, value in changes.items():
        if path not in valid and weight(path) is None:
            raise ConfigError(f"unknown setting {path!r}; {_nearest(path, list(valid))}")
        section, _, leaf = path.partition(".")
        grouped.setdefault(section, {})[leaf or section] = value
    changed = {
        name: _build(hint, _with(_plain(getattr(config, name)), grouped[name]), f"{name}.")
        if dataclasses.is_dataclass(hint)
        else _convert(hint, grouped[name][name], name)
        for name, hint in hints.items()
        if name in grouped
    }
    return dataclasses.replace(config, **changed)


def weight(path: str) -> str | None:
    """``variance`` of ``objective.weights.variance``; ``None`` for the path of another leaf."""
    name = path.removeprefix(WEIGHTS)
    return name if name != path and name and "." not in name else None


def value_of(config: TrialConfig, path: str) -> Any:
    """The leaf at ``path``; of a weight that the objective does not have ``None``."""
    if (name := weight(path)) is not None:
        return config.objective.weights.get(name)
    section, name = path.split(".")
    return getattr(getattr(config, section), name)


def _switched(config: TrialConfig, changes: Mapping[str, Any]) -> TrialConfig:
    """Another objective has none of the former's weights."""
    if changes.get("objective.name", config.objective.name) == config.objective.name:
        return config
    return dataclasses.replace(config, objective=dataclasses.replace(config.objective, weights={}))


def _with(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A section's ``values`` with leaves replaced, ``weights.variance`` among them."""
    changed = {**values}
    for path, value in changes.items():
        section, _, leaf = path.rpartition(".")
        changed |= {section: {**changed.get(section, {}), leaf: value}} if section else {leaf: value}
    return changed


def assignment(text: str) -> tuple[str, Any]:
    """``PATH=VALUE`` as ``override`` takes it; ``ConfigError`` if it is none.

    The value is as JSON has it, a word, or a list of both: ``[4/255, 8/255]``.
    """
    path, separator, value = text.partition("=")
    if not separator:
        raise ConfigError(f"--set {text!r} is no assignment; write PATH=VALUE, optimiser.epochs=1 say")
    return path, _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        if text.startswith("[") and text.endswith("]"):
            return [_value(item.strip()) for item in text[1:-1].split(",")]
        return text


def _nearest(path: str, valid: list[str]) -> str:
    close = near(path, valid) or [known for known in valid if known.split(".")[-1] == path.split(".")[-1]]
    return f"did you mean {', '.join(close)}?" if close else f"valid settings: {', '.join(valid)}"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        named = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {name: item for name, item in named.items() if item != {}}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, dict) else value


def _flatten(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            leaves |= _flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """Kept: to look annotations up takes longer than all else, and a space builds configs by the thousand."""
    return get_type_hints(kind)


def _leaf_hints() -> Iterator[tuple[str, Any]]:
    """Each leaf's dotted path and annotation."""
    for name, kind in {"": TrialConfig, **sections()}.items():
        yield from ((f"{name}.{leaf}".lstrip("."), hint) for leaf, hint in _hints(kind).items())


def _leaf_types(kind: Any, prefix: str) -> dict[str, type]:
    found: dict[str, type] = {}
    for name, hint in _hints(kind).items():
        if dataclasses.is_dataclass(hint):
            found |= _leaf_types(hint, f"{prefix}{name}.")
        elif get_origin(hint) is not Mapping:
            found[prefix + name] = _held(hint)
    return found


def _held(hint: Any) -> type:
    if get_origin(hint) in (types.UnionType, typing.Union):
        return _held(next(option for option in get_args(hint) if option is not type(None)))
    found: type = {Literal: str, tuple: tuple}.get(get_origin(hint), hint)
    return found


def _words(hint: Any) -> tuple[str, ...]:
    """What a ``Literal`` allows, also where it is in a list."""
    if get_origin(hint) is tuple:
        return _words(get_args(hint)[0])
    return get_args(hint) if get_origin(hint) is Literal else ()


def _build(kind: Any, values: Mapping[str, Any], prefix: str) -> Any:
    hints = _hints(kind)
    unknown = [key for key in values if key not in hints]
    if unknown:
        raise ConfigError(f"unknown setting {prefix + unknown[0]!r}; {_nearest(prefix + unknown[0], list(hints))}")
    return kind(**{key: _convert(hints[key], value, prefix + key) for key, value in values.items()})


def _convert(hint: Any, value: Any, path: str) -> Any:
    """``value`` as the annotation ``hint`` wants it: ints and ``"8/255"`` serve as floats, lists as tuples."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {value!r}; it must be a mapping of settings")
        return _build(hint, value, f"{path}.")
    if get_origin(hint) in (types.UnionType, typing.Union):
        inner = [option for option in get_args(hint) if option is not type(None)]
        return None if value is None and len(inner) < len(get_args(hint)) else _convert(inner[0], value, path)
    if get_origin(hint) is Literal:
        return value
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {value!r}; it must be a mapping of numbers")
        return {str(name): _convert(get_args(hint)[1], item, f"{path}.{name}") for name, item in value.items()}
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path} is {value!r}; it must be a list")
        return tuple(_convert(get_args(hint)[0], item, path) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?/0*[1-9]\d*", value):
        numerator, denominator = value.split("/")
        return float(numerator) / float(denominator)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{path} is {value!r}; it must be {_kind_name(hint)}")
    return value


def _kind_name(hint: Any) -> str:
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(hint, str(hint))
