"""YAML as plain values that remember where they stand; every oddity is a fault with its line, nothing is ever run.

The document is composed to nodes and read here, so that tags construct nothing, aliases cannot multiply, and keys
given twice are seen. ``8/255`` is the number it looks like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]

_FRACTION = re.compile(r"([+-]?\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")
_LEVELS = 255
"""Of a pixel, in which radii and steps are spoken of."""
_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {"null", "bool", "int", "float", "str", "timestamp"}
_DEEPEST = 50
_GREATEST = 2**63 - 1
"""Of whole numbers: what counts in 64 bits, as tensors, seeds and databases do."""


@dataclass
class Tree:
    """A document's values, where each key and item stands, and what is wrong with the text itself."""

    source: str
    values: Any = None
    places: dict[Path, str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)
    put: dict[Path, str] = field(default_factory=dict)
    """What the command line has set: where it says so."""

    def place(self, path: Path) -> str:
        """``FILE:LINE`` of ``path`` or of its nearest parent that the text names; the word of the command line if that
        has changed a part of it."""
        if within := [place for known, place in self.put.items() if known[: len(path)] == path and len(path) > 1]:
            return within[0]
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return f"{self.source}:1"


def read(text: str, source: str) -> Tree:
    """The tree of one YAML document; syntax errors are among its faults."""
    tree = Tree(source)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        tree.faults.append((f"{source}:{mark.line + 1 if mark else 1}", f"not YAML: {error.problem or error.context}"))
    except YAMLError as error:
        tree.faults.append((f"{source}:1", f"not YAML: {str(error).splitlines()[0]}"))
    except RecursionError:
        tree.faults.append((f"{source}:1", "nested too deeply"))
    else:
        tree.values = _Reader(tree).value(node, ()) if node is not None else None
    return tree


def scalar(text: str) -> Any:
    """The value of a short YAML text such as ``--set`` gives; ``ValueError`` says what is wrong with it."""
    tree = read(text, "value")
    if tree.faults:
        raise ValueError(tree.faults[0][1])
    return tree.values


def with_fractions(value: Any) -> Any:
    """``value`` with every text that is a fraction, at any depth, as its number."""
    if isinstance(value, Mapping):
        return {key: with_fractions(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_fractions(item) for item in value]
    return fraction(value) if isinstance(value, str) else value


def fraction(text: str) -> float | str:
    """``8/255`` as a number; any other text as it is."""
    match = _FRACTION.fullmatch(text)
    return float(match[1]) / float(match[2]) if match and float(match[2]) else text


def with_levels(value: Any) -> Any:
    """The inverse of ``with_fractions`` for radii: every number, at any depth, that is 8/255 but looks like none, so
    written; what is read again is the same to the bit."""
    if isinstance(value, Mapping):
        return {key: with_levels(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_levels(item) for item in value]
    return _level(value) if isinstance(value, float) else value


def _level(value: float) -> float | str:
    """Whose shortest decimals have no end: 0.2 stays, though it is 51/255."""
    levels = f"{value * _LEVELS:g}/{_LEVELS}"
    return levels if len(repr(value)) > len("0.123456789") and fraction(levels) == value else value


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._seen: set[int] = set()

    def value(self, node: Node, path: Path) -> Any:
        if id(node) in self._seen:
            self._tree.faults.append((self._tree.place(path), "an alias; write the value out"))
            return None
        if len(path) > _DEEPEST:
            return self._fault(node, "nested too deeply")
        self._seen.add(id(node))
        kind = str(node.tag).removeprefix(_PREFIX)
        if isinstance(node, MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and kind in _SCALARS:
            return self._scalar(node, kind)
        return self._fault(node, f"the tag {node.tag} is not allowed; write plain values")

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._fault(key_node, "a key must be text, not a list or mapping")
            elif key_node.value in values:
                first = self._tree.places[(*path, key_node.value)]
                self._fault(key_node, f"{key_node.value} is given twice, first at {first}; keep one")
            else:
                key = str(key_node.value)
                self._tree.places[(*path, key)] = self._place(key_node)
                values[key] = self.value(value_node, (*path, key))
        return values

    def _item(self, node: Node, path: Path) -> Any:
        self._tree.places[path] = self._place(node)
        return self.value(node, path)

    def _scalar(self, node: ScalarNode, kind: str) -> Any:
        if kind in ("str", "timestamp"):
            return str(node.value) if node.style else fraction(node.value)
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, KeyError, IndexError):  # of a tag that its text does not fit, the latter two
            return self._fault(node, f"{node.value[:40]!r} is no value")
        if isinstance(value, int) and abs(value) > _GREATEST:
            return self._fault(node, f"{node.value[:20]}... is too large a number")
        if isinstance(value, float) and not math.isfinite(value):
            return self._fault(node, f"{node.value} is not a finite number")
        return value

    def _place(self, node: Node) -> str:
        return f"{self._tree.source}:{node.start_mark.line + 1}"

    def _fault(self, node: Node, message: str) -> Any:
        self._tree.faults.append((self._place(node), message))
