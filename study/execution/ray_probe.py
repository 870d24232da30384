"""Measures trials side by side on one GPU of a Ray cluster: processes of their own, gone when it is done."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from study.resources.needs import confine, is_out_of_memory
from trainables.config import TrialConfig, from_dict, to_dict
from trainables.footprint import Footprint, Rehearsal


class _Measurer:
    """One trial's process, held to its share of the GPU as the trial would be."""

    def prepare(self, config: dict[str, Any], share: float, threads: int) -> bool:
        """Whether the trial fits."""
        confine(threads, share)
        try:
            self._rehearsal = Rehearsal(from_dict(config))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def measure(self) -> Footprint | None:
        try:
            return self._rehearsal.time()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None


def side_by_side(config: TrialConfig, processes: int, cores_each: float) -> list[Footprint] | None:
    """The footprint of each of so many trials of ``config`` on one GPU at once; ``None`` if any runs out of memory.

    Holds a whole GPU meanwhile, and waits for one. Errors of the trial itself are raised here.
    """
    group = placement_group([{"GPU": 1.0, "CPU": processes * cores_each}])
    try:
        ray.get(group.ready())
        return _measured(group, config, processes, cores_each)
    finally:
        remove_placement_group(group)


def _measured(group: PlacementGroup, config: TrialConfig, processes: int, cores_each: float) -> list[Footprint] | None:
    share, threads = 1 / processes, max(1, int(cores_each))
    actor = ray.remote(_Measurer).options(
        num_gpus=share, num_cpus=cores_each, scheduling_strategy=PlacementGroupSchedulingStrategy(group, 0)
    )
    actors: list[Any] = [actor.remote() for _ in range(processes)]
    try:
        if not all(ray.get([each.prepare.remote(to_dict(config), share, threads) for each in actors])):
            return None
        found = ray.get([each.measure.remote() for each in actors])
        return None if None in found else found
    except ray.exceptions.RayTaskError as error:
        raise error.as_instanceof_cause() from None  # type: ignore[no-untyped-call]
    finally:
        for each in actors:
            ray.kill(each)
