"""What a study searched: each dimension once, whatever name and range it has in each trainable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis import labels
from analysis.frontier.measured import searches
from analysis.reading.runs import PARAM, Study

TRAINABLE = "trainable"
_CHOICES = "CategoricalDistribution"


def dimensions(study: Study) -> pd.DataFrame:
    """A column a searched dimension, a row a trial of ``Study.trials``, by its index; missing where a trial has none.

    ``crops`` and ``cf_amc_ssl.crops``, one dimension over two ranges, are one column. The trainable is none of them,
    nor is anything in a confirmation or in what measures again, which search nothing.
    """
    found: dict[str, pd.Series[Any]] = {}
    for parameter in study.params if searches(study) else []:
        values = study.trials[PARAM + parameter].map(lambda value: str(value) if isinstance(value, tuple) else value)
        name = dimension_of(study, parameter)
        found[name] = found[name].where(found[name].notna(), values) if name in found else values
    found.pop(TRAINABLE, None)
    return pd.DataFrame(found, index=study.trials.index)


def searched_names(study: Study) -> set[str]:
    """The dimensions that the manifest says are searched, drawn or not; none where nothing is."""
    return {dimension_of(study, name) for name in parameters(study)} - {TRAINABLE} if searches(study) else set()


def parameter(study: Study, trainable: str, dimension: str) -> str:
    """What the search calls ``dimension`` of ``trainable``: ``cf_amc_ssl.crops`` where that has a range of its own."""
    own = f"{trainable}.{dimension}"
    return own if own in parameters(study) else dimension


def stated_range(study: Study, parameter: str) -> dict[str, Any]:
    """What the manifest says of a parameter's range, in Optuna's JSON, parsed; empty if it says nothing."""
    return _mapping(parameters(study).get(parameter))


def is_choice(study: Study, dimension: str) -> bool:
    """Whether ``dimension`` is a list of choices wherever the manifest tells its range."""
    return {found.get("name") for found in _stated_ranges(study, dimension)} == {_CHOICES}


def is_log(study: Study, dimension: str) -> bool:
    """Whether the manifest says that ``dimension``, or a parameter, is drawn evenly over its logarithm."""
    attributes = [found.get("attributes") for found in _stated_ranges(study, dimension)]
    return any(isinstance(found, dict) and found.get("log") is True for found in attributes)


def is_numeric(values: pd.Series[Any]) -> bool:
    """Whether a searched dimension's values are numbers, which true and false are to pandas too."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _stated_ranges(study: Study, dimension: str) -> list[dict[str, Any]]:
    owners = map(str, study.trials["trainable"].unique())
    ranges = (stated_range(study, parameter(study, owner, dimension)) for owner in owners)
    return [found for found in ranges if found]


def parameters(study: Study) -> dict[str, Any]:
    """What the manifest says of each parameter's range, by its name."""
    return parameters_of(study.manifest.get("space"))


def parameters_of(space: object) -> dict[str, Any]:
    """The same of a manifest's ``space``; empty where that is torn."""
    return _mapping(_mapping(space).get("parameters"))


def searched_words(space: object, parameter: str) -> str:
    """``2, 4 where network.architecture is vit_tiny``: the range of a parameter in a manifest's ``space``, and where a
    trial has it; ``held at 3`` where the study fixes it, a dash where it says nothing of it."""
    if parameter not in parameters_of(space) and (held := _held(_mapping(space), parameter)):
        return held
    words = range_words(parameter, _mapping(parameters_of(space).get(parameter)))
    owners = _conditions(_mapping(space), parameter)
    if len(set(owners.values())) > 1:
        each = (f"of {owner} {condition}" for owner, condition in owners.items() if condition)
        return ", ".join([words, *each])
    return " ".join(filter(None, [words, *set(owners.values())]))


def held_of(space: object) -> list[str]:
    """The dimensions that a manifest's ``space`` fixes in any trainable."""
    parts = map(_mapping, _mapping(_mapping(space).get("trainables")).values())
    return list(dict.fromkeys(name for part in parts for name in _mapping(part.get("fixed"))))


def _held(space: Mapping[str, Any], parameter: str) -> str:
    """``held at 3``, of several trainables that differ ``held at 3 of cf_amc_ssl, held at 5 of simclr_free``; "" where
    none fixes the dimension that was, or is, the ``parameter``."""
    parts = {owner: _mapping(part) for owner, part in _mapping(space.get("trainables")).items()}
    found = {
        owner: f"held at {labels.param(name, labels.choice(value))}"
        for owner, part in parts.items()
        for name, value in _mapping(part.get("fixed")).items()
        if parameter in (name, f"{owner}.{name}")
    }
    alike = len(set(found.values())) == 1
    return next(iter(found.values())) if alike else ", ".join(f"{words} of {owner}" for owner, words in found.items())


def _conditions(space: Mapping[str, Any], parameter: str) -> dict[str, str]:
    """By trainable that has the parameter, ``where crops is 2 or 4``; "" where its trials all have it."""
    parts = {owner: _mapping(part) for owner, part in _mapping(space.get("trainables")).items()}
    return {
        owner: _condition(_mapping(_mapping(part.get("when")).get(name)))
        for owner, part in parts.items()
        for name, own in _mapping(part.get("parameters")).items()
        if own == parameter
    }


def _condition(demands: Mapping[str, Any]) -> str:
    each = (f"{name} is {' or '.join(_choices(name, wanted))}" for name, wanted in demands.items())
    return f"where {' and '.join(each)}" if demands else ""


def _choices(name: str, listed: object) -> list[str]:
    return [labels.param(name, labels.choice(value)) for value in (listed if isinstance(listed, list) else [])]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def dimension_of(study: Study, parameter: str) -> str:
    """``crops`` of ``cf_amc_ssl.crops``, which it is called where trainables search different ranges."""
    trainable, _, rest = parameter.partition(".")
    return rest if rest and trainable in set(study.trials["trainable"]) else parameter


def range_words(name: str, stated: Mapping[str, Any]) -> str:
    """``0.05 to 1 (log)``, ``1, 2`` of Optuna's JSON, parsed; a dash where a study does not search it."""
    attributes = stated.get("attributes")
    if not isinstance(attributes, dict):
        return labels.ABSENT
    if isinstance(choices := attributes.get("choices"), list):
        return ", ".join(_choices(name, choices))
    span = " to ".join(labels.param(name, attributes.get(end)) for end in ("low", "high"))
    step = attributes.get("step")
    steps = f" in steps of {labels.param(name, step)}" if step not in (None, 1) else ""
    return span + steps + (" (log)" if attributes.get("log") else "")
