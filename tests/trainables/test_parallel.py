"""Two processes compute what one does: losses, weights, running statistics, perturbations and checkpoints.

The same file is the program of a rank, ``python test_parallel.py RANK FOLDER``, which does the jobs listed in FOLDER
one after the other: a pair of processes serves all tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from trainables import catalogue, checkpoint, trial
from trainables.config import ConfigError, TrialConfig, from_dict, override, to_dict
from trainables.data import load
from trainables.metrics import EpochReport
from trainables.parallel import ALONE, EndedByFirstError, LostRankError, World
from trainables.pretrain import Pretraining

SIZE = 2
PATIENCE_S = 840.0
"""Processes that wait for each other at every BatchNorm are slow where cores are few and busy."""
RCS = {"coreset.name": "rcs", "coreset.warmup_epochs": 1, "coreset.fraction": 0.5, "coreset.validation_fraction": 0.1}
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "emp_ssl free": ("cf_amc_ssl", "paper", {}),
    "emp_ssl free, released": ("cf_amc_ssl", "released_code", {}),
    "emp_ssl free in micro-batches": ("cf_amc_ssl", "paper", {"optimiser.micro_batches": 5}),
    "emp_ssl PGD": ("pgd_emp_ssl", "paper", {}),
    "emp_ssl PGD that leaks, in micro-batches": ("pgd_emp_ssl", "released_code", {"optimiser.micro_batches": 2}),
    "emp_ssl PGD, recomputed": ("pgd_emp_ssl", "paper", {"network.recompute": True}),
    "NT-Xent PGD": ("robust_simclr", "paper", {}),
    "NT-Xent PGD, views alone": ("robust_simclr", "released_code", {}),
    "NT-Xent free": ("simclr_free", "paper", {}),
    "acl": ("acl", "paper", {}),
    "supervised PGD": ("supervised_pgd", "paper", {}),
    "supervised contrastive": ("supervised_pgd", "paper", {"objective.name": "sup_con", "views.number": 2}),
    "no adversary": ("emp_ssl", "paper", {}),
}
TRAINING, RESUMED, CORESET, WHOLE, STOPPED, LOST = "training", "resumed", "coreset", "whole", "stopped", "lost"


class Stop(Exception):  # noqa: N818 - a decision, not an error
    pass


class Precise(Pretraining):
    """In double precision, where rounding does not reach the sign of a gradient."""

    def _views(self, *arguments: Any, **keywords: Any) -> Tensor:
        return super()._views(*arguments, **keywords).double()


def pretraining(config: TrialConfig, world: World = ALONE, *, precise: bool = True) -> Pretraining:
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    splits = load(config.data)
    kind = Precise if precise else Pretraining
    torch.set_default_dtype(torch.float64 if precise else torch.float32)
    try:
        return kind(config, pairing, splits.train, len(splits.classes), torch.device("cpu"), world)
    finally:
        torch.set_default_dtype(torch.float32)


def trained(training: Pretraining, path: Path | None = None) -> dict[str, Any]:
    """The rest of the epochs, and what they left; the state after each is saved at ``path``."""
    summaries = []
    while not training.finished:
        summaries.append(asdict(training.run_epoch()))
        state = training.state_dict()
        if path is not None and training._world.rank == 0:
            checkpoint.save(path.with_suffix(f".{training.epoch}.pt"), training.config, state)
    return {"summaries": summaries, **state}


def job(kind: str, config: TrialConfig, path: Path, world: World) -> dict[str, Any]:
    """What one rank does, and what it then has to say."""
    if kind == TRAINING:
        return trained(pretraining(config, world), path)
    if kind == RESUMED:
        training = pretraining(config, world)
        training.load_state_dict(checkpoint.load(path.with_suffix(".begun.pt"), config))
        return trained(training)
    if kind == CORESET:
        return trained(pretraining(config, world, precise=False))
    if kind == LOST and world.rank == 1:
        os._exit(0)
    return TRIALS[kind](config, path.with_suffix(".trial.pt"), world)


def whole_trial(config: TrialConfig, path: Path, world: World) -> dict[str, Any]:
    if world.rank > 0:
        trial.assist(config, checkpoint=path, world=world)
        return {"checkpoint": path.exists()}
    return {"metrics": dict(trial.run(config, checkpoint=path, world=world).metrics())}


def stopped_trial(config: TrialConfig, path: Path, world: World) -> dict[str, Any]:
    heard: list[int] = []

    def report(epoch: EpochReport) -> None:
        heard.append(epoch.epoch)
        raise Stop

    try:
        if world.rank > 0:
            trial.assist(config, checkpoint=path, world=world)
        trial.run(config, checkpoint=path, report=report, world=world)
    except (Stop, EndedByFirstError) as end:
        return {"end": type(end).__name__, "heard": heard}
    raise AssertionError("the trial went on")


def lonely_trial(config: TrialConfig, path: Path, world: World) -> dict[str, Any]:
    try:
        trial.run(config, checkpoint=path, world=world)
    except LostRankError as error:
        return {"lost": str(error)}
    raise AssertionError("the trial went on")


TRIALS: dict[str, Callable[[TrialConfig, Path, World], dict[str, Any]]] = {
    WHOLE: whole_trial,
    STOPPED: stopped_trial,
    LOST: lonely_trial,
}


def serve(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store, patience = f"file://{folder / 'store'}", timedelta(seconds=PATIENCE_S)
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=SIZE, timeout=patience)
    for index, (kind, values) in enumerate(json.loads((folder / "jobs.json").read_text())):
        said = job(kind, from_dict(values), folder / str(index), World(rank=rank, size=SIZE))
        torch.save(said, folder / f"{index}.{rank}")


Said = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


def configs(tiny: Callable[..., TrialConfig]) -> list[tuple[str, TrialConfig]]:
    """All jobs; that in which a rank is lost comes last."""
    small = {"data.train_images": 40, "optimiser.epochs": 2, "adversary.steps": 2, "adversary.replays": 2}
    named = {
        case: override(tiny(name, faithful_to), small | changes) for case, (name, faithful_to, changes) in CASES.items()
    }
    free = named["emp_ssl free in micro-batches"]
    return [
        *((TRAINING, config) for config in named.values()),
        (RESUMED, free),
        (CORESET, override(tiny("robust_simclr"), small | RCS | {"data.train_images": 140})),
        (WHOLE, named["emp_ssl free"]),
        (STOPPED, named["emp_ssl free"]),
        (LOST, named["emp_ssl free"]),
    ]


@pytest.fixture(scope="module")
def said(folder: Path) -> Said:
    """What a rank has to say of a job, by the job's index; the ranks run when first asked."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("tiny", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    jobs = configs(module.tiny)
    (folder / "jobs.json").write_text(json.dumps([(kind, to_dict(config)) for kind, config in jobs]))
    begin(jobs, folder)
    run_ranks(folder)

    def hear(kind: str, case: int = 0, *, rank: int = 0) -> dict[str, Any]:
        index = [index for index, (other, _) in enumerate(jobs) if other == kind][case]
        told: dict[str, Any] = torch.load(folder / f"{index}.{rank}", weights_only=False)
        return told | {"config": jobs[index][1], "path": folder / str(index)}

    return hear


def begin(jobs: list[tuple[str, TrialConfig]], folder: Path) -> None:
    """One process's first epoch, for two to go on with."""
    torch.set_num_threads(1)
    for index, (kind, config) in enumerate(jobs):
        if kind == RESUMED:
            first = pretraining(config)
            first.run_epoch()
            checkpoint.save(folder / f"{index}.begun.pt", config, first.state_dict())


def run_ranks(folder: Path) -> None:
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo"}
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(folder)], env=environment) for rank in range(SIZE)
    ]
    try:
        assert [rank.wait(timeout=PATIENCE_S) for rank in ranks] == [0] * SIZE
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()


def assert_same(ours: dict[str, Any], theirs: dict[str, Any], tolerance: float = 1e-6) -> None:
    for mine, other in zip(ours["summaries"], theirs["summaries"], strict=True):
        for name, value in other.items():
            assert mine[name] == (value if isinstance(value, int) else pytest.approx(value, rel=tolerance))
    for name, value in theirs["model"].items():
        torch.testing.assert_close(ours["model"][name], value, rtol=tolerance, atol=tolerance, msg=name)
    assert (ours["delta"] is None) == (theirs["delta"] is None)
    if theirs["delta"] is not None:
        torch.testing.assert_close(ours["delta"], theirs["delta"], rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_two_processes_compute_what_one_does(said: Said, case: str) -> None:
    ours = said(TRAINING, list(CASES).index(case))
    assert_same(ours, trained(pretraining(ours["config"])))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", ["emp_ssl free", "acl"])
def test_ranks_stay_together(said: Said, case: str) -> None:
    first, second = (said(TRAINING, list(CASES).index(case), rank=rank) for rank in range(SIZE))
    assert first["summaries"] == second["summaries"]
    assert all(torch.equal(value, second["model"][name]) for name, value in first["model"].items())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_checkpoint_does_not_depend_on_the_number_of_ranks(said: Said) -> None:
    """Two processes go on from one's checkpoint, and one from that of two."""
    whole = trained(pretraining(said(RESUMED)["config"]))
    last = whole | {"summaries": whole["summaries"][1:]}
    assert_same(said(RESUMED), last)
    two = said(TRAINING, list(CASES).index("emp_ssl free in micro-batches"))
    alone = pretraining(two["config"])
    alone.load_state_dict(checkpoint.load(two["path"].with_suffix(".1.pt"), two["config"]))
    assert_same(trained(alone), last)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_coreset_is_everyones(said: Said) -> None:
    ours = said(CORESET)
    alone = trained(pretraining(ours["config"], precise=False))
    assert torch.equal(ours["chosen"], said(CORESET, rank=1)["chosen"])
    assert len(ours["chosen"].unique()) == len(alone["chosen"])
    # Single precision: rounding reaches the sign of a gradient, and with it which of near-equal minibatches is best.
    assert ours["summaries"][-1]["loss"] == pytest.approx(alone["summaries"][-1]["loss"], rel=0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_rank_alone_evaluates_a_trial_of_all(said: Said) -> None:
    assert said(WHOLE, rank=1)["checkpoint"]
    ours, alone = said(WHOLE)["metrics"], trial.run(said(WHOLE)["config"]).metrics()
    assert ours["forward_equivalents"] == alone["forward_equivalents"]
    for name in ("clean_accuracy", "pgd_accuracy"):
        assert ours[name] == pytest.approx(alone[name], abs=0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_when_the_first_rank_stops_the_others_do(said: Said) -> None:
    assert {key: said(STOPPED)[key] for key in ("end", "heard")} == {"end": "Stop", "heard": [1]}
    assert said(STOPPED, rank=1)["end"] == "EndedByFirstError"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lost_rank_is_no_fault_of_the_trial(said: Said) -> None:
    assert "another process of this trial cannot be reached" in said(LOST)["lost"]


@pytest.mark.parametrize(("size", "groups", "multiple"), [(3, 1, 3), (4, 4, 16)])
def test_ranks_divide_a_batch_evenly(tiny_config, size, groups, multiple) -> None:
    config = tiny_config("cf_amc_ssl", optimiser__batch_size=40, optimiser__micro_batches=groups)
    with pytest.raises(ConfigError, match=rf"optimiser\.batch_size is 40.*make it a multiple of {multiple}$"):
        pretraining(config, World(rank=0, size=size))


@pytest.mark.parametrize("groups", [1, 3])
def test_every_image_has_one_owner_in_the_batchs_order(groups: int) -> None:
    batch = torch.arange(24).view(2, 12)
    worlds = [World(rank=rank, size=2, groups=groups) for rank in range(2)]
    parts = [world.own(batch, dim=1) for world in worlds]
    for index, group in enumerate(batch.chunk(groups, dim=1)):
        assert torch.equal(torch.cat([part.chunk(groups, dim=1)[index] for part in parts], dim=1), group)
    assert worlds[0].shape_of_whole(parts[0], 1) == (2, 12)
    assert torch.equal(replace(ALONE, groups=groups).own(batch, 1), batch)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
