"""``gpus_per_trial: auto``: which configuration to measure, what the measurements decide, and where they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, cast

from analysis.layout import StudyPaths, read_json, write_json
from search_spaces import ranges
from search_spaces.dimension import Value
from search_spaces.leaves import SIZES
from search_spaces.space import Part, SearchSpace
from study.config import StudyConfig
from study.config.shares import AUTO, of_trainable
from study.resources.packing import Packing, counts_to_try, pack
from trainables.config import ConfigError, TrialConfig, flatten
from trainables.cost import candidates
from trainables.footprint import Footprint, numbers_kept
from trainables.trial import load_all

HEAVY = ("crops", "batch_size")
"""Dimensions that drive a trial's memory beside the network's sizes: measured at the most that the study may draw."""

SideBySide = Callable[[TrialConfig, int, float], list[Footprint] | None]
"""(config, processes, cores each) -> a footprint of each, all on one GPU at once; ``None``: out of memory."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """What was measured of one trainable, and what follows."""

    config: TrialConfig
    packing: Packing
    memory_gib: float | None
    throughput: Mapping[int, float]
    device: str

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self.packing),
            "memory_gib": self.memory_gib,
            "throughput": {str(count): speed for count, speed in self.throughput.items()},
            "device": self.device,
        }


def on_auto(config: StudyConfig, space: SearchSpace) -> list[Part]:
    """The trainables whose share is to be measured; of those that have several configurations the most demanding."""
    asked = config.resources.gpus_per_trial
    parts = [part for part in space.parts if of_trainable(asked, part.trainable, None) == AUTO]
    names = dict.fromkeys(part.trainable for part in parts)
    return [_most_demanding([part for part in parts if part.trainable == name]) for name in names]


def _most_demanding(parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return max(parts, key=lambda part: _kept(part, {}, load_all(part.base)[0].train.size[0]))


def heaviest(part: Part) -> TrialConfig:
    """The point of a trainable's space that needs the most memory, each size of the network chosen in its turn."""
    splits, _ = load_all(part.base)
    images = candidates(part.base, len(splits.train))
    values: dict[str, Value] = {}
    for name, found in part.searched:
        if name in HEAVY:
            choices: Any = ranges.ends(found)
            able = [value for value in choices if name != "batch_size" or value <= images]
            values[name] = max(able or choices)
    for name, found in part.searched:
        if name in SIZES:
            needs = {value: _kept(part, {**values, name: value}, splits.train.size[0]) for value in ranges.ends(found)}
            values[name] = max(needs, key=needs.__getitem__)
    return part.config(values)


def _kept(part: Part, values: Mapping[str, Value], image_size: int) -> int:
    """Numbers that a step keeps; -1 where no trial could run."""
    try:
        return numbers_kept(part.config(values), image_size)
    except ConfigError:
        return -1


def probe(config: TrialConfig, cores_each: float, cores: float, side_by_side: SideBySide) -> Probed:
    """Measure ``config`` alone, then in ever more processes on one GPU while that gets more done.

    ``cores``: those that belong to one GPU.
    """
    alone = side_by_side(config, 1, cores_each)
    if alone is None:
        packing = pack(None, None, {})
        return Probed(config=config, packing=packing, memory_gib=None, throughput={}, device="GPU")
    memory, device_memory = alone[0].memory_gib, alone[0].device_memory_gib
    throughput = {1: _together(alone)}
    for count in counts_to_try(memory, device_memory, cores, cores_each)[1:]:
        found = side_by_side(config, count, cores_each)
        if found is None:
            break
        throughput[count] = _together(found)
        if throughput[count] < throughput[count // 2]:
            break
    packing = pack(memory, device_memory, throughput)
    return Probed(config=config, packing=packing, memory_gib=memory, throughput=throughput, device=alone[0].device)


def shares(
    paths: StudyPaths,
    config: StudyConfig,
    space: SearchSpace,
    available: Mapping[str, float],
    side_by_side: SideBySide | None,
) -> dict[str, tuple[float, str]]:
    """GPUs a trial and why, of each trainable on ``auto``: measured once a study on one kind of machine, then kept."""
    parts = on_auto(config, space)
    if not parts or not available.get("GPU"):
        return {part.trainable: (0.0, "auto: there is no GPU") for part in parts}
    on_cpu = {part.trainable: (0.0, "auto: it runs on the CPU") for part in parts if part.base.device == "cpu"}
    parts = [part for part in parts if part.trainable not in on_cpu]
    if side_by_side is None:
        return on_cpu | {part.trainable: (1.0, "auto: one trial runs at a time") for part in parts}
    return on_cpu | _measured(
        paths, config, {part.trainable: heaviest(part) for part in parts}, available, side_by_side
    )


def pace(paths: StudyPaths, config: StudyConfig, space: SearchSpace) -> dict[str, float]:
    """GPU-minutes that a forward-equivalent of pre-training takes, by trainable on ``auto``, as was measured for this
    study; of what was not measured, or did not fit, nothing."""
    known = {name: _mapping(found) for name, found in _mapping(read_json(paths.probe).get("trainables")).items()}
    found = {}
    for name in (part.trainable for part in on_auto(config, space)):
        share = known.get(name, {})
        if speed := _mapping(share.get("throughput")).get(str(share.get("processes"))):
            found[name] = share["fraction"] * share["processes"] / speed / 60
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _measured(
    paths: StudyPaths,
    config: StudyConfig,
    configs: Mapping[str, TrialConfig],
    available: Mapping[str, float],
    side_by_side: SideBySide,
) -> dict[str, tuple[float, str]]:
    identity = _identity(configs, available)
    kept = _known(paths, identity)
    if kept is None:
        cores = available.get("CPU", 1.0) / available["GPU"]
        each = {name: float(of_trainable(config.resources.cpus_per_trial, name, 1.0)) for name in configs}
        kept = {name: probe(found, each[name], cores, side_by_side).to_json() for name, found in configs.items()}
        write_json(paths.probe, {"of": identity, "trainables": kept})
    return {name: (float(found["fraction"]), f"auto: {found['why']}") for name, found in kept.items()}


def _together(found: list[Footprint]) -> float:
    return sum(each.forward_equivalents_per_second for each in found)


def _identity(configs: Mapping[str, TrialConfig], available: Mapping[str, float]) -> dict[str, Any]:
    """What the figures depend on: other configurations or other hardware are measured anew."""
    kinds = sorted(name for name in available if name.startswith("accelerator_type:"))
    per_gpu = available.get("CPU", 0.0) / available["GPU"]
    plain = {name: flatten(config) for name, config in configs.items()}
    of = {"configs": plain, "gpus": kinds, "cores": per_gpu, "torch": version("torch")}
    return cast(dict[str, Any], json.loads(json.dumps(of)))


def _known(paths: StudyPaths, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        kept = json.loads(paths.probe.read_text())
        return dict(kept["trainables"]) if kept["of"] == identity else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
