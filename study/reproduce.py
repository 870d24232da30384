"""Trains and evaluates the rows of a published table, one by one in this process.

    OUT/ROW/seed-0/   config.json, checkpoint.pt and, once the row is finished, result.json

An interrupted command continues there; a finished row is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from analysis.layout import TrialPaths, studies_folder, write_json
from study.one_trial import train
from trainables.catalogue import check
from trainables.checkpoint import FREE_TO_CHANGE
from trainables.config import ConfigError, FaithfulTo, TrialConfig, UserError, flatten, from_dict, override, to_dict
from trainables.recipes import SCALES, Recipe, Scale, Table, find_table

_OWN_OPTIONS = {"faithful_to": "--faithful-to", "seed": "--seeds", "device": "--device", "data.source": "--data"}


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Which rows to run, on what, how large and how often."""

    table: Table
    rows: tuple[Recipe, ...]
    data: str = "cifar10"
    scale: Scale = "full"
    faithful_to: FaithfulTo = "paper"
    seeds: int = 1
    device: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def config(self, row: Recipe, seed: int) -> TrialConfig:
        """What one run computes; ``ConfigError`` where the row cannot be run so."""
        config = SCALES[self.scale](row.config(self.data, self.faithful_to))
        config = override(config, {**self.settings, "seed": seed, "device": self.device})
        check(config)
        return config

    def folder(self) -> Path:
        """Where its files are unless the user says otherwise: every choice but the usual ones is in the name."""
        usual = {"cifar10", "full", "paper"}
        choices = (self.data.partition(":")[0], self.scale, self.faithful_to)
        name = "-".join([self.table.name, *(choice for choice in choices if choice not in usual)])
        return studies_folder() / "reproduce" / name


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """A row and what was found: one ``TrialResult`` as a plain dict for each seed."""

    recipe: Recipe
    results: tuple[Mapping[str, Any], ...]


def choose(
    table: str,
    rows: str | None = None,
    *,
    data: str = "cifar10",
    scale: Scale = "full",
    faithful_to: FaithfulTo = "paper",
    seeds: int = 1,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
) -> Reproduction:
    """The rows called ``rows``, comma-separated, of the table called ``table``; all without ``rows``.

    Raises ``UserError`` for names that do not exist, settings that are options, and configs that cannot be run.
    """
    found = find_table(table)
    for path in settings or {}:
        if path == "trainable":
            raise ConfigError("trainable cannot be set; it is the row's")
        if path in _OWN_OPTIONS:
            raise ConfigError(f"{path} cannot be set; use {_OWN_OPTIONS[path]}")
    chosen = Reproduction(
        table=found,
        rows=_rows(found, rows),
        data=data,
        scale=scale,
        faithful_to=faithful_to,
        seeds=seeds,
        device=device,
        settings=settings or {},
    )
    for row in chosen.rows:
        chosen.config(row, seed=0)
    return chosen


def reproduce(reproduction: Reproduction, out: Path, console: Console) -> tuple[Reproduced, ...]:
    """Run what is not finished yet under ``out``, telling ``console`` how it goes.

    Raises ``UserError`` for a run that belongs to another configuration, cannot be run, or diverges.
    """
    for row in reproduction.rows:
        for seed in range(reproduction.seeds):
            _check_same(_paths(out, row, seed), reproduction.config(row, seed))
    found = []
    for place, row in enumerate(reproduction.rows, start=1):
        counted = Text(f"{place} of {len(reproduction.rows)}", "bold")
        console.print(counted, f" {row.name}  {row.summary}", highlight=False)
        results = tuple(
            _result(_paths(out, row, seed), reproduction.config(row, seed), console)
            for seed in range(reproduction.seeds)
        )
        found.append(Reproduced(recipe=row, results=results))
    return tuple(found)


def _rows(table: Table, names: str | None) -> tuple[Recipe, ...]:
    """In the table's order, whatever the order of ``names``."""
    if names is None:
        return table.rows
    wanted = {name.strip().removeprefix(f"{table.name}/") for name in names.split(",")}
    valid = [row.row for row in table.rows]
    unknown = sorted(wanted - set(valid))
    if unknown:
        raise UserError(f"{table.name} has no row {', '.join(map(repr, unknown))}; choose from {', '.join(valid)}")
    return tuple(row for row in table.rows if row.row in wanted)


def _paths(out: Path, row: Recipe, seed: int) -> TrialPaths:
    return TrialPaths(out / row.row / f"seed-{seed}")


def _result(paths: TrialPaths, config: TrialConfig, console: Console) -> Mapping[str, Any]:
    """The run's result, read if there is one."""
    if paths.result.exists():
        console.print(f"  seed {config.seed} is finished: {paths.result}", highlight=False, soft_wrap=True)
    else:
        write_json(paths.config, to_dict(config))
        train(config, paths.checkpoint, paths.result, console)
    result: Mapping[str, Any] = _read(paths.result)
    return result


def _check_same(paths: TrialPaths, config: TrialConfig) -> None:
    """``UserError`` if the folder holds a run of another configuration."""
    if not paths.config.exists():
        return
    theirs, ours = flatten(from_dict(_read(paths.config))), flatten(config)
    differing = [
        f"{path} {theirs[path]!r} there, {value!r} here"
        for path, value in ours.items()
        if theirs[path] != value and path not in FREE_TO_CHANGE
    ]
    if differing:
        raise UserError(
            f"{paths.root} holds another run: {'; '.join(differing)}; choose another folder with --out or delete it"
        )


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is no readable JSON; delete it to run the row again") from error
