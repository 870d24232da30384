"""Methods and attacks that other installed packages bring: named in their metadata, imported when they are asked for.

Names come from the entry points of installed distributions alone, so that a package that is slow or broken is nobody's
concern but of who names its methods. Every process that runs trials finds them by itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import torch

from trainables.config import ConfigError, TrialConfig
from trainables.metrics import is_attack_name
from trainables.wording import near

Kind = Literal["objective", "trainable", "attack"]
GROUPS: dict[Kind, str] = {
    "objective": "robust_ssl_study.objectives",
    "trainable": "robust_ssl_study.trainables",
    "attack": "robust_ssl_study.attacks",
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = frozenset(field.name for field in dataclasses.fields(TrialConfig))
"""Sections of a config: a setting that begins with one would be of a trainable."""


class PackageError(ConfigError):
    """What a package brings cannot be used; the message names the package, what is wrong with it and what to do."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


Found = TypeVar("Found", bound=Named)
Known = TypeVar("Known")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which package a method or an attack is of."""

    kind: Kind
    name: str
    distribution: str
    version: str
    sha256: str | None
    """Of its module's source; ``None`` where that is no file."""


def brought(kind: Kind) -> dict[str, str]:
    """By name whose it is, of all that packages bring and that can be named; nothing is imported."""
    return {entry.name: _package(entry) for entry in _entries(kind) if _nameable(kind, entry.name)}


def names(kind: Kind, known: Iterable[str]) -> tuple[str, ...]:
    """Those ``known``, the platform's own, then those of packages; nothing is imported."""
    return *known, *brought(kind)


def brings(kind: Kind, name: str) -> bool:
    """Whether a package does, be it that it can be named or not; nothing is imported."""
    return any(entry.name == name for entry in _entries(kind))


def remedy(name: str, valid: Sequence[str]) -> str:
    """What was probably meant, everything that is valid, and that a package may be missing."""
    close = near(name, valid, 1)
    first = f"did you mean {close[0]}? Else choose" if close else "choose"
    return f"{first} one of {', '.join(valid)}, or install the package that brings it"


def find(kind: Kind, name: str, wanted: type[Found], known: Mapping[str, Known]) -> Found | Known:
    """What is called ``name``: one of those ``known``, the platform's own, or a package's, imported now.

    Raises as ``entry_point`` does, and ``PackageError`` for what a package brings and cannot be used.
    """
    entry = entry_point(kind, name, known)
    return known[name] if entry is None else _checked(kind, entry, wanted)


def entry_point(kind: Kind, name: str, known: Collection[str]) -> EntryPoint | None:
    """That of the package which brings ``name``; ``None`` for one of those ``known``. Nothing is imported.

    Raises ``PackageError`` for a name that no package may give, one that is ``known`` among them, and ``ConfigError``
    that lists the valid names.
    """
    entries = [entry for entry in _entries(kind) if entry.name == name]
    if not entries:
        if name not in known:
            raise ConfigError(f"unknown {kind} {name!r}; {remedy(name, names(kind, known))}")
        return None
    entry, *others = entries
    if name in known:
        raise PackageError(
            f"{_words(kind, entry)} has a name that robust-ssl-study gives itself; rename its entry point"
        )
    if not _nameable(kind, name):
        no = "no figure of the platform's and no end of an interval" if kind == "attack" else "no setting"
        raise PackageError(f"{_words(kind, entry)} has a name that no study file can tell; use a-z, 0-9 and _, {no}")
    if others:
        raise PackageError(f"{_words(kind, entry)} is also of {_package(others[0])}; uninstall one of them")
    return entry


@contextmanager
def answering(kind: Kind, name: str) -> Iterator[None]:
    """Within, what a package calls ``name`` is asked for something: what it raises is told as a ``PackageError``."""
    entry = next((entry for entry in _entries(kind) if entry.name == name), None)
    with nullcontext() if entry is None else _blamed(f"{_words(kind, entry)} fails", "mend the package"):
        yield


def origin(kind: Kind, name: str) -> Origin | None:
    """Whose method it is; ``None`` if it is the platform's own. Raises ``PackageError`` if it cannot be imported."""
    for entry in _entries(kind):
        if entry.name == name and entry.dist is not None:
            _loaded(kind, entry)
            return Origin(
                kind=kind,
                name=name,
                distribution=entry.dist.name,
                version=entry.dist.version,
                sha256=_digest(entry.module),
            )
    return None


def _entries(kind: Kind) -> tuple[EntryPoint, ...]:
    return _installed(GROUPS[kind], tuple(sys.path))


@cache
def _installed(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Kept: to read the metadata of all that is installed takes longer than to build a config, of which spaces do
    thousands."""
    return tuple(entry_points(group=group))


def _nameable(kind: Kind, name: str) -> bool:
    if kind == "attack":
        return is_attack_name(name)
    return _NAME.fullmatch(name) is not None and name not in _TAKEN


def _checked(kind: Kind, entry: EntryPoint, wanted: type[Found]) -> Found:
    found = _loaded(kind, entry)
    if not isinstance(found, wanted):
        is_a = f"{entry.value} is of type {type(found).__name__}, no {wanted.__module__}.{wanted.__name__}"
        raise PackageError(f"{_words(kind, entry)} is none: {is_a}; have its entry point name one")
    if found.name != entry.name:
        raise PackageError(f"{_words(kind, entry)} calls itself {found.name!r}; give it and its entry point one name")
    return found


def _loaded(kind: Kind, entry: EntryPoint) -> object:
    remedy = "mend the package, or install what it needs"
    with _blamed(f"{_words(kind, entry)} cannot be imported from {entry.value}", remedy):
        return entry.load()


@contextmanager
def _blamed(what: str, remedy: str) -> Iterator[None]:
    """Whatever is raised within is the package's fault, but for a GPU that fails or has not the memory."""
    try:
        yield
    except (torch.AcceleratorError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise PackageError(f"{what} ({why}{place(error)}); {remedy}") from error


def place(error: BaseException) -> str:
    """`` in FILE, line N`` of a package's own code that failed; "" where the platform refuses what it gave."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_file()]
    own = [frame for frame in frames if "importlib" not in frame.filename and not _is_ours(Path(frame.filename))]
    return f" in {own[-1].filename}, line {own[-1].lineno}" if own else ""


def _is_ours(file: Path) -> bool:
    """Whether it is the platform's or torch's."""
    return any(file.is_relative_to(Path(module).parent) for module in (__file__, torch.__file__))


def definition(function: Callable[..., object]) -> str:
    """`` in FILE, line N`` where ``function`` is written; "" of what is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f" in {code.co_filename}, line {code.co_firstlineno}" if code else ""


def _words(kind: Kind, entry: EntryPoint) -> str:
    return f"{kind} {entry.name!r} of {_package(entry)}"


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _digest(module: str) -> str | None:
    file = Path(getattr(sys.modules[module], "__file__", None) or "")
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
