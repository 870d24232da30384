"""``gpus_per_trial: auto``: what is measured, what follows, and that it is measured once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.layout import StudyPaths
from search_spaces.build import build
from search_spaces.listed import ListedSpace
from search_spaces.space import Part
from study.config import StudyConfig
from study.dry_run import on_this_machine
from study.preflight import allot
from study.resources.needs import is_out_of_memory, tensors_share
from study.resources.probe import heaviest, on_auto, probe, shares
from trainables.config import TrialConfig, override
from trainables.footprint import Footprint

Tiny = Callable[..., StudyConfig]
AUTO = {"device": "auto"}
TWO = {"trainables": ["cf_amc_ssl", "robust_simclr"], "space": {"unlisted": "fixed"}}


class Gpu:
    """Stands for a GPU of 80 GiB where trials get ``alone`` done, and ``growth`` as much at each doubling."""

    def __init__(self, memory_gib: float | None = 10.0, growth: float = 1.5, fails_at: int = 1000) -> None:
        self.memory_gib, self.growth, self.fails_at = memory_gib, growth, fails_at
        self.asked: list[tuple[str, int, float]] = []

    def __call__(self, config: TrialConfig, processes: int, cores_each: float) -> list[Footprint] | None:
        self.asked.append((config.trainable, processes, cores_each))
        if processes >= self.fails_at:
            return None
        each = Footprint(
            forward_equivalents_per_second=100 * self.growth ** (processes.bit_length() - 1) / processes,
            peak_memory_gib=self.memory_gib,
            context_memory_gib=None if self.memory_gib is None else 0.0,
            device_memory_gib=None if self.memory_gib is None else 80.0,
            device="stand-in",
        )
        return [each] * processes


@pytest.fixture
def paths(tmp_path: Path) -> StudyPaths:
    root = tmp_path / "tiny"
    root.mkdir()
    return StudyPaths(root)


@pytest.fixture
def trial(tiny: Tiny) -> TrialConfig:
    return tiny().base_configs()["cf_amc_ssl"]


@pytest.mark.parametrize(
    ("gpu", "cores", "asked", "processes"),
    [
        (Gpu(), 16, [1, 2, 4], 4),
        (Gpu(memory_gib=30.0), 16, [1, 2], 2),
        (Gpu(memory_gib=None), 16, [1, 2, 4, 8, 16], 16),
        (Gpu(), 3, [1, 2], 2),
        (Gpu(growth=0.9), 16, [1, 2], 1),
        (Gpu(fails_at=4), 16, [1, 2, 4], 2),
        (Gpu(fails_at=1), 16, [1], 1),
    ],
)
def test_more_are_tried_while_it_pays(
    trial: TrialConfig, gpu: Gpu, cores: float, asked: list[int], processes: int
) -> None:
    found = probe(trial, 1.0, cores, gpu)
    assert [count for _, count, _ in gpu.asked] == asked
    assert found.packing.processes == processes


def test_the_most_demanding_point_is_measured(tiny: Tiny) -> None:
    space = {"unlisted": "fixed", "crops": {"low": 2, "high": 5}, "batch_size": [16, 64, 512], "m": [1, 2]}
    (part,) = build(tiny().base_configs().values(), space).parts
    found = heaviest(part)
    assert (found.views.number, found.optimiser.batch_size) == (5, 64), "512 of 200 images make no batch"


def test_the_largest_network_is_measured(tiny: Tiny) -> None:
    space = {
        "unlisted": "fixed",
        "network.architecture": ["resnet18", "resnet34"],
        "network.embedding": {"low": 8, "high": 64},
        "optimiser.nesterov": [True, False],
    }
    settings = {"network.depth": None, "data.image_size": 16}
    (part,) = build(tiny(settings).base_configs().values(), space).parts
    found = heaviest(part).network
    assert (found.architecture, found.embedding) == ("resnet34", 64)
    patches = {"unlisted": "fixed", "network.architecture": "vit_tiny", "network.patch_size": [4, 2, 8]}
    (part,) = build(tiny(settings | {"network.width": 64}).base_configs().values(), patches).parts
    assert heaviest(part).network.patch_size == 2


def test_each_trainable_on_auto_is_measured_once_a_study(tiny: Tiny, paths: StudyPaths) -> None:
    config = tiny(AUTO, resources={"gpus_per_trial": {"cf_amc_ssl": "auto"}, "cpus_per_trial": 2}, **TWO)
    space, available, gpu = config.search_space(), {"CPU": 16.0, "GPU": 2.0, "accelerator_type:X": 1.0}, Gpu()
    assert [part.trainable for part in on_auto(config, space)] == ["cf_amc_ssl"]
    found = shares(paths, config, space, available, gpu)
    assert gpu.asked == [("cf_amc_ssl", 1, 2.0), ("cf_amc_ssl", 2, 2.0), ("cf_amc_ssl", 4, 2.0)]
    assert found["cf_amc_ssl"][0] == json.loads(paths.probe.read_text())["trainables"]["cf_amc_ssl"]["fraction"] == 0.25
    assert found["cf_amc_ssl"][1].startswith("auto: measured: 10.00 of 80.00 GiB each")
    given = allot(config, space, available, found, side_by_side=True)
    assert (given.of("cf_amc_ssl").gpus, given.of("robust_simclr").gpus) == (0.25, 1.0)
    again = Gpu()
    assert shares(paths, config, space, available, again) == found
    assert again.asked == []
    shares(paths, config, space, available | {"accelerator_type:Y": 1.0}, again)
    assert again.asked, "another kind of GPU is measured"


@pytest.mark.parametrize(("gpus", "measures", "given"), [(0.0, True, 0.0), (1.0, False, 1.0)])
def test_where_nothing_can_be_shared_nothing_is_measured(
    tiny: Tiny, paths: StudyPaths, gpus: float, measures: bool, given: float
) -> None:
    config, gpu = tiny(AUTO, resources={"gpus_per_trial": "auto"}), Gpu()
    found = shares(paths, config, config.search_space(), {"CPU": 4.0, "GPU": gpus}, gpu if measures else None)
    assert found["cf_amc_ssl"][0] == given
    assert found["cf_amc_ssl"][1].startswith("auto: ")
    assert gpu.asked == []
    assert not paths.probe.exists()


def test_a_trainable_on_the_cpu_holds_no_gpu(tiny: Tiny, paths: StudyPaths) -> None:
    config, gpu = tiny(resources={"gpus_per_trial": "auto"}), Gpu()
    found = shares(paths, config, config.search_space(), {"CPU": 4.0, "GPU": 1.0}, gpu)
    assert found == {"cf_amc_ssl": (0.0, "auto: it runs on the CPU")}
    assert gpu.asked == []


def test_a_damaged_cache_is_measured_again(tiny: Tiny, paths: StudyPaths) -> None:
    paths.probe.write_text('{"of": 3')
    config, gpu = tiny(AUTO, resources={"gpus_per_trial": "auto"}), Gpu()
    assert shares(paths, config, config.search_space(), {"CPU": 4.0, "GPU": 1.0}, gpu)["cf_amc_ssl"][0] == 0.25


def test_a_share_has_room_for_the_context() -> None:
    assert tensors_share(1.0, 80.0) == 1.0
    assert 4 * (tensors_share(0.25, 80.0) * 80 + 0.6) == pytest.approx(80)
    assert tensors_share(0.1, 4.0) == 0.05


def test_which_errors_mean_too_little_memory() -> None:
    import torch

    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_out_of_memory(MemoryError())


def test_of_listed_configurations_the_most_demanding_of_each_trainable_is_measured(tiny: Tiny) -> None:
    configs = [tiny({"views.number": number}).base_configs()["cf_amc_ssl"] for number in (2, 8, 3)]
    other = override(configs[0], {"trainable": "pgd_emp_ssl"})
    space = ListedSpace(tuple(Part(config, (), ()) for config in (*configs, other)), (0, 4, 7, 9))
    found = on_auto(tiny(resources={"gpus_per_trial": "auto"}), space)
    assert [part.base for part in found] == [configs[1], other]


@pytest.mark.slow
def test_a_dry_run_measures_what_is_on_auto(tiny: Tiny) -> None:
    config = tiny(resources={"gpus_per_trial": "auto"})
    space = config.search_space()
    (line,) = on_this_machine(config, space, [space.sample(seed) for seed in range(3)])
    assert "memory unknown on the CPU" in line
    assert "forward-equivalents/s, about" in line
    assert "auto gives it no GPU" in line
    (line,) = on_this_machine(tiny(), space, [])
    assert "gpus_per_trial auto" in line
