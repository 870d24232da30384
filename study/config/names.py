"""The values of a study file that are names of something: checked where they are read, each fault with a remedy."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from analysis.layout import RESERVED, study_paths
from search_spaces.catalogue import DIMENSIONS
from search_spaces.faults import nearest
from study.config.warm_start_source import check_source, check_start, plain_sources
from study.tracking.uri import TrackingError, resolve_uri
from trainables.catalogue import find, names
from trainables.config import UserError
from trainables.metrics import HEADLINES, is_objective

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def folder_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}; use up to 100 of A-Z a-z 0-9 . _ - and begin with no dot or hyphen")
    if name in RESERVED:
        raise ValueError(f"name is {name!r}, which is {RESERVED[name]} beside the studies; choose another")
    return name


def _trainable(name: str) -> str:
    _known("trainable", name, names())
    if name in DIMENSIONS:
        raise ValueError(f"trainable {name!r} is called as the dimension of that name is; have its package rename it")
    return find(name).name


def _objective(name: str) -> str:
    return name if is_objective(name) else _known("objective", name, HEADLINES)


def _known(kind: str, name: str, valid: Collection[str]) -> str:
    if name not in valid:
        raise ValueError(f"unknown {kind} {name!r}; {nearest(name, valid)}")
    return name


def distinct(names: list[str]) -> list[str]:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{', '.join(sorted(twice))} is listed twice; keep one")
    return names


def tracking_uri(uri: str) -> str:
    """``uri``, a database's path absolute: a later resume may stand in another folder."""
    try:
        resolved = resolve_uri(uri, study_paths("any"))
    except TrackingError as error:
        raise ValueError(str(error)) from error
    return resolved if uri.startswith("sqlite:") else uri


def storage_uri(uri: str) -> str:
    from study.files.storage import check_storage

    try:
        check_storage(uri)
    except UserError as error:
        raise ValueError(str(error)) from error
    return uri


Objectives = Annotated[list[Annotated[str, AfterValidator(_objective)]], Field(min_length=1), AfterValidator(distinct)]
Trainables = Annotated[list[Annotated[str, AfterValidator(_trainable)]], Field(min_length=1), AfterValidator(distinct)]
Starts = Annotated[
    list[Annotated[str, AfterValidator(check_start)]], BeforeValidator(plain_sources), AfterValidator(distinct)
]
Sources = Annotated[
    list[Annotated[str, AfterValidator(check_source)]], BeforeValidator(plain_sources), AfterValidator(distinct)
]
