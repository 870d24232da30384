"""Reading a study file: its text, ``--set``, and how everything wrong with it is told, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from search_spaces.faults import Fault, nearest
from search_spaces.leaves import is_searchable
from search_spaces.ranges import KEYS, WHEN
from study.config import yaml_tree
from study.config.bounds import SIDES
from study.config.settings import flatten_settings
from study.config.yaml_tree import Tree, with_fractions
from trainables.catalogue import names
from trainables.config import UserError, leaf_types
from trainables.config.leaves import sections

WRITTEN_BY_COMMANDS = ("confirms", "measures")
"""Keys of studies of chosen trials."""


class StudyFileError(UserError):
    """Every fault of a study file, one a line: ``FILE:LINE: what; the remedy``."""


def read_study_file(path: Path, overrides: Mapping[str, Any]) -> Tree:
    """The file's keys with ``overrides`` in their places and settings flat; ``StudyFileError`` if there are no keys."""
    tree = yaml_tree.read(_text(path), str(path))
    if not isinstance(tree.values, dict):
        raise StudyFileError(lines(tree, [] if tree.faults else [Fault((), "a study file is a mapping of keys")]))
    _prepare(tree, overrides)
    return tree


def read_configurations(path: Path) -> Tree:
    """A file that lists configurations, each a mapping; ``StudyFileError`` for anything else."""
    tree = yaml_tree.read(_text(path), str(path))
    tree.values = with_fractions(tree.values)
    each = tree.values if isinstance(tree.values, list) and tree.values else [None]
    faults = [
        Fault((place,), "a configuration is a mapping, and the file lists them: - {learning_rate: 0.3, m: 3} say")
        for place, values in enumerate(each)
        if not isinstance(values, dict)
    ]
    if faults or tree.faults:
        raise StudyFileError(lines(tree, faults))
    return tree


def parse_overrides(assignments: list[str]) -> dict[str, Any]:
    """``["budget.trials=5"]`` as ``{"budget.trials": 5}``; values are YAML. ``StudyFileError`` names every bad one."""
    values, faults = {}, []
    for text in assignments:
        key, separator, value = text.partition("=")
        if not separator or not key:
            faults.append(f"--set {text}: no assignment; write KEY=VALUE, budget.trials=5 say")
            continue
        try:
            values[key] = yaml_tree.scalar(value)
        except ValueError as error:
            faults.append(f"--set {key}: {error}")
    if faults:
        raise StudyFileError("\n".join(faults))
    return values


def lines(tree: Tree, faults: Iterable[Fault], revealed: Iterable[tuple[str, str]] = ()) -> str:
    """One line a fault, in the file's order; what the text itself gets wrong hides what follows from it.

    ``revealed``: place and words of mistakes that only the data reveal; "" where the file has no place for one.
    """
    known = {place for place, _ in tree.faults}
    placed = [*((tree.place(fault.path), fault.message) for fault in faults), *revealed]
    distinct = dict.fromkeys([*tree.faults, *(item for item in placed if item[0] not in known)])
    return "\n".join(f"{place}: {message}" if place else message for place, message in sorted(distinct, key=_order))


def _order(line: tuple[str, str]) -> tuple[bool, int]:
    number = line[0].rpartition(":")[2]
    return line[0].startswith("--set "), int(number) if number.isdigit() else 0


_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list, [a, b] say",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
}


def fault_of(error: Any, model: type[BaseModel]) -> Fault:
    """One of pydantic's errors in the words of a study file."""
    path, kind, value = tuple(error["loc"]), error["type"], error["input"]
    label = ".".join(map(str, path))
    if kind == "extra_forbidden":
        return Fault(path, f"unknown key {label!r}; {_remedy(path, model)}")
    if kind == "missing":
        return Fault(path, f"{label} is missing; {_MISSING.get(label, 'give it a value')}")
    if kind == "value_error":
        return Fault(path, str(error["ctx"]["error"]))
    if kind == "literal_error":
        return Fault(path, f"{label} is {value!r}; choose one of {error['ctx']['expected']}")
    if kind in _WANTED:
        return Fault(path, f"{label} is {value!r}; it must be {_WANTED[kind]}")
    if kind == "too_short":
        return Fault(path, f"{label} is empty; list at least one")
    return Fault(path, f"{label} is {value!r}; {error['msg'].replace('Input should', 'it must')}")


_MISSING = {
    "name": "the study's folder and experiment are called by it",
    "trainables": "list what to search, [cf_amc_ssl, pgd_emp_ssl] say",
    "budget": "give {trials: 50}, {wall_minutes: 120} or {gpu_hours: 8}",
}


def _remedy(path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    first = str(path[0])
    if len(path) == 1 and (first in sections() or first in leaf_types()):
        return f"settings of trials stand under settings: did you mean settings.{first}?"
    return nearest(str(path[-1]), [key for key in _keys(path, model) if key not in WRITTEN_BY_COMMANDS])


def _keys(path: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    for key in path[:-1]:
        field = model.model_fields.get(str(key))  # an item of a list has none
        model = (section_of(field.annotation) if field else None) or model
    return list(model.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation holds, also as an item or where it may be absent."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(section_of, get_args(annotation))), None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyFileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{path}: is no text in UTF-8: {error.reason} at byte {error.start}") from error


def _prepare(tree: Tree, overrides: Mapping[str, Any]) -> None:
    """Flatten the settings and put ``overrides`` in their places."""
    if isinstance(tree.values.get("settings"), dict):
        tree.values["settings"] = _flat_in_place(tree, tree.values["settings"])
    for key, value in overrides.items():
        head, _, rest = key.partition(".")
        if head == "settings" and rest:
            flat = flatten_settings({rest: value})
            _put(tree, f"--set {key}", [(("settings", name), item) for name, item in flat.items()])
        else:
            keys = _KEYS_OF.get(head, tuple)
            path = (head, *keys(rest.split("."))) if rest else tuple(key.split("."))
            _put(tree, f"--set {key}", [(path, value)])


def _in_space(words: list[str]) -> tuple[str, ...]:
    """The keys of ``cf_amc_ssl.optimiser.momentum.high`` in a space, where a dotted path is one key."""
    if words[0] in names() and len(words) > 1:
        return words[0], *_in_space(words[1:])
    known = next((end for end in range(1, len(words)) if is_searchable(".".join(words[:end]))), None)
    end = known or len(words) - (len(words) > 1 and words[-1] in KEYS)
    inner = words[end:]
    if inner[:1] == [WHEN]:
        inner = [WHEN, *filter(None, [".".join(inner[1:])])]
    return ".".join(words[:end]), *inner


def _in_constraints(words: list[str]) -> tuple[str, ...]:
    """The keys of ``robust_head/pgd_2.55_zero.at_least``, where a metric's name has a radius in it."""
    end = len(words) - (words[-1] in SIDES)
    return tuple(filter(None, (".".join(words[:end]), *words[end:])))


_KEYS_OF: dict[str, Callable[[list[str]], tuple[str, ...]]] = {"space": _in_space, "constraints": _in_constraints}
"""Sections whose keys may have dots in them."""
_EACH = (("resources", "gpus_per_trial"), ("resources", "cpus_per_trial"))
"""One value for all trainables, or one each."""


def _flat_in_place(tree: Tree, settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    placed = [(".".join(path), value, tree.place(("settings", *path))) for path, value in _leaves(settings, ())]
    for name, value, place in placed:
        if name in flat:
            first = tree.place(("settings", name))
            tree.faults.append((place, f"settings.{name} is given twice, first at {first}; keep one"))
        tree.places[("settings", name)] = place
        flat[name] = value
    return flat


def _leaves(values: Mapping[str, Any], parents: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*parents, key))
        else:
            yield (*parents, key), value


def _put(tree: Tree, place: str, items: list[tuple[tuple[str, ...], Any]]) -> None:
    for path, value in items:
        node = tree.values
        for end, key in enumerate(path[:-1], start=1):
            if not isinstance(node.get(key), dict):
                node[key] = _spelled_out(tree.values, path[:end], node.get(key))
            tree.places.setdefault(path[:end], place)
            node = node[key]
        node[path[-1]] = value
        for known in [known for known in tree.places if known[: len(path)] == path]:
            del tree.places[known]
        tree.places[path] = tree.put[path] = place


def _spelled_out(values: Mapping[str, Any], path: tuple[str, ...], short: Any) -> dict[str, Any]:
    """What ``short`` at ``path`` stands for, so that a part of it can be replaced and the rest stays what it was."""
    if path in (("scheduler",), ("sampler",)) and isinstance(short, str):
        return {"name": short}
    everyone = values.get("trainables")
    if path in _EACH and short is not None and isinstance(everyone, list):
        return {name: short for name in everyone if isinstance(name, str)}
    return {}
