"""Trials of other studies that a search learns from: read, checked, and written beside the study that asked.

They are no trials of this study: they have no folder here, stand on no frontier and count against no budget.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from analysis.layout import (
    ATTEMPT,
    StudyPaths,
    TrialPaths,
    ending,
    exclusion_of,
    read_events,
    read_json,
    studies_folder,
    write_json,
)
from analysis.reading.download import StudyNotFoundError, download_study
from analysis.reading.manifest import PACKAGES, own_attacks
from analysis.reading.written import written
from analysis.schema import TrialStatus
from search_spaces.placing import place
from search_spaces.space import SearchSpace
from study.config import StudyConfig
from study.config.warm_start_source import MLFLOW, address, public
from study.early_stopping.scheduler import Report, reports
from study.packages import recorded as packages_of
from study.resources.needs import hardware
from study.tracking.uri import resolve_uri
from trainables.config import ConfigError, TrialConfig, from_dict, override, to_dict
from trainables.metrics import GPU_MINUTES, head_figure

SHOWN = 5
_IMAGE_SIZE = "data.image_size"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A finished trial of another study: its id there, where that was read, what it ran and what it measured."""

    trial: str
    source: str = field(compare=False)
    config: TrialConfig
    metrics: Mapping[str, float]
    reports: tuple[Report, ...] = field(default=(), compare=False)
    """Of its epochs."""


class Refusal(NamedTuple):
    """A finished trial of another study that says nothing about this one's space."""

    trial: str
    source: str
    reason: str


@dataclass(frozen=True)
class Gathered:
    """What the sources hold, in their order."""

    accepted: tuple[Observation, ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def reported(self) -> int:
        """From how many early stopping learns, too."""
        return sum(bool(one.reports) for one in self.accepted)

    def lines(self) -> Iterator[str]:
        """For the console: how many are learned from, and the commonest reasons for refusing the others."""
        sources = [found.source for found in self.accepted] + [found.source for found in self.refused]
        for source in dict.fromkeys(sources):
            taken = sum(found.source == source for found in self.accepted)
            reasons = Counter(found.reason for found in self.refused if found.source == source)
            yield f"the search learns from {taken} of {taken + reasons.total()} finished trials of {source}"
            for reason, count in reasons.most_common(SHOWN):
                yield f"  {count} refused: {reason}"
            if len(reasons) > SHOWN:
                yield f"  {len(reasons) - SHOWN} more reasons are in warm-start.json"


def gather(config: StudyConfig, space: SearchSpace, data: str) -> Gathered:
    """The finished trials of ``config.warm_start``, each accepted or refused; ``data`` describes this study's images.

    Raises ``UserError`` for a source that cannot be read.
    """
    accepted: dict[str, Observation] = {}
    refused: list[Refusal] = []
    here = own_attacks(packages_of(part.base for part in space.parts))
    for source in config.warm_start:
        with study_folder(source) as paths:
            unlike = _unlike(paths, config, data)
            for trial in paths.each_trial():
                if (metrics := _finished(trial)) is None:
                    continue
                name = paths.trial_id(trial.number)
                found = (
                    unlike
                    or _attacked_otherwise(paths, trial, config, here)
                    or _judged(trial, name, public(source), metrics, config, space)
                )
                if isinstance(found, Observation) and found != accepted.setdefault(name, found):
                    found = "another source has a trial of this name; rename one of the studies"
                if isinstance(found, str):
                    refused.append(Refusal(name, public(source), found))
    return Gathered(tuple(accepted.values()), tuple(refused))


def record(paths: StudyPaths, gathered: Gathered) -> None:
    """Write what was gathered into the study's folder, where the search and people read it."""
    accepted = [
        {
            "trial": one.trial,
            "source": one.source,
            "config": to_dict(one.config),
            "metrics": dict(one.metrics),
            "reports": [asdict(report) for report in one.reports],
        }
        for one in gathered.accepted
    ]
    refused = [one._asdict() for one in gathered.refused]
    write_json(paths.warm_start, {"accepted": accepted, "refused": refused})


def accepted(paths: StudyPaths) -> list[Observation]:
    """What the study in ``paths`` learns from other studies."""
    if not paths.warm_start.exists():
        return []
    return [
        Observation(
            trial=one["trial"],
            source=one["source"],
            config=from_dict(one["config"]),
            metrics=_numbers(one["metrics"]),
            reports=tuple(Report(said["epoch"], _numbers(said["metrics"])) for said in one.get("reports", ())),
        )
        for one in written(paths.warm_start)["accepted"]
    ]


def recorded(paths: StudyPaths) -> Gathered:
    """What the study in ``paths`` gathered when it was launched; its sources may be gone."""
    refused = written(paths.warm_start)["refused"] if paths.warm_start.exists() else []
    return Gathered(tuple(accepted(paths)), tuple(Refusal(**one) for one in refused))


@contextmanager
def study_folder(source: str) -> Iterator[StudyPaths]:
    """The study that ``source`` names, in a folder."""
    if source.startswith(MLFLOW):
        uri, experiment = address(source)
        with tempfile.TemporaryDirectory(prefix="study-") as folder:
            paths = StudyPaths(Path(folder) / experiment)
            download_study(resolve_uri(uri, StudyPaths(studies_folder() / "any")), experiment, paths)
            yield paths
        return
    paths = StudyPaths(Path(source).expanduser() if "/" in source else studies_folder() / source)
    if not paths.manifest.is_file():
        raise StudyNotFoundError.beside(paths)
    yield paths


def _unlike(paths: StudyPaths, config: StudyConfig, data: str) -> str | None:
    """Why none of a study's figures compares with this one's."""
    manifest = read_json(paths.manifest)
    theirs = manifest.get("data")
    if theirs is None:
        return f"its data are not known: {paths.manifest.name} does not tell them"
    if theirs != data:
        return f"its data are {theirs}; here they are {data}"
    there, here = (manifest.get("environment") or {}).get("hardware"), hardware()
    if GPU_MINUTES in {*config.objectives, *config.constraints} and there not in (None, here):
        return f"its {GPU_MINUTES} are of other hardware ({there}; here {here})"
    return None


def _attacked_otherwise(
    paths: StudyPaths, trial: TrialPaths, config: StudyConfig, here: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Which objective is of an attack whose code was another one when the trial ran than ``here``.

    The manifest tells only what its study's newest driver found installed.
    """
    attacks = {name: figure.attack for name in config.objectives if (figure := head_figure(name)) and figure.own}
    if not attacks:
        return None
    attempts = [event for event in read_events(trial) if event["kind"] == ATTEMPT]
    there = own_attacks(attempts[-1] if attempts and PACKAGES in attempts[-1] else read_json(paths.manifest))
    for name, attack in attacks.items():
        if there.get(attack) != here.get(attack):
            return f"its {name} is of another version or source of the attack {attack}"
    return None


def _judged(
    trial: TrialPaths, name: str, source: str, metrics: dict[str, float], config: StudyConfig, space: SearchSpace
) -> Observation | str:
    if reason := exclusion_of(trial):
        return f"it is excluded there: {reason}"
    for objective in config.objectives:
        if not math.isfinite(metrics.get(objective, math.nan)):
            return f"it has not measured {objective}"
    try:
        theirs = from_dict(read_json(trial.config).get("config") or {"trainable": "unknown"})
        theirs = override(theirs, {_IMAGE_SIZE: space.parts[0].base.data.image_size})  # set or not, their data agree
        place(space, theirs)
    except ConfigError as error:
        return str(error)
    return Observation(trial=name, source=source, config=theirs, metrics=metrics, reports=tuple(reports(trial)))


def _finished(trial: TrialPaths) -> dict[str, float] | None:
    """What a trial measured; ``None`` unless it finished."""
    ended = ending(trial) or {}
    return _numbers(ended.get("metrics") or {}) if ended.get("status") == TrialStatus.FINISHED else None


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
