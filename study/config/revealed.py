"""Mistakes of a study file that only the data or the machine reveal, told with the file's lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from search_spaces.build import UNLISTED
from search_spaces.catalogue import DIMENSIONS
from search_spaces.faults import Fault
from study.config.file import lines, read_study_file
from study.config.settings import named_in
from study.config.yaml_tree import Tree
from trainables.catalogue import names

_UNCLEAR = (("trainables",), ("faithful_to",), ("settings",), ("space",), ("space", UNLISTED))
"""With a mistake at one of these nothing is known of what a study would run."""


def located(path: Path, overrides: Mapping[str, Any], message: str) -> str:
    """The mistakes in ``message``, a line each, with the place of the first setting that each names and the file, or
    an override, sets; as it is where there is none."""
    tree = read_study_file(path, overrides)
    return lines(tree, (), placed(tree, message.splitlines()))


def placed(tree: Tree, messages: Iterable[str]) -> list[tuple[str, str]]:
    """Each of ``messages`` behind its place; "" where there is none."""
    return [(_place(tree, message), message) for message in messages]


def can_be_revealed(faults: Iterable[Fault]) -> bool:
    """Whether it is known, despite ``faults``, which trainables a study would run and on which images."""
    faults = list(faults)
    unclear = any(fault.path in _UNCLEAR or fault.path[:1] in _UNCLEAR[:2] for fault in faults)
    return not unclear and not any(name.startswith(("data.", "evaluation.source")) for name in _at_fault(faults))


def of_its_own(messages: Iterable[str], faults: Iterable[Fault]) -> list[str]:
    """Those that name no setting that is mistaken by itself, from which they may follow."""
    known = _at_fault(faults)
    return [message for message in messages if known.isdisjoint(named_in(message))]


def _at_fault(faults: Iterable[Fault]) -> set[str]:
    keys = (str(key) for fault in faults if fault.path[:1] in (("settings",), ("space",)) for key in fault.path[1:])
    return {_setting(key) for key in keys}


def _setting(key: str) -> str:
    """The setting that a key of ``settings`` or ``space`` decides, for one trainable or for all."""
    owner, _, rest = key.partition(".")
    name = rest if owner in names() else key
    return DIMENSIONS[name].path if name in DIMENSIONS else name


def _place(tree: Tree, message: str) -> str:
    known = (place for name in named_in(message) for place in _places(tree, name))
    return next(known, "")


def _places(tree: Tree, name: str) -> Iterator[str]:
    """Where a setting, a dimension or a key of the study stands, for all trainables and then for each."""
    short = next((one for one, dimension in DIMENSIONS.items() if dimension.path == name), name)
    for key in ("settings", "space"):
        shared = [(key, name), (key, short)]
        own = [(key, f"{one}.{name}") for one in names()] + [
            (key, one, end) for one in names() for end in (name, short)
        ]
        yield from (tree.places[path] for path in (*shared, *own) if path in tree.places)
    if (path := tuple(name.split("."))) in tree.places:
        yield tree.places[path]
