"""The device that stands in for a GPU where there is none, and whole trials on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables import catalogue, trial
from trainables.catalogue import TRAINABLES
from trainables.config import TrialConfig
from trainables.data import load
from trainables.metrics import TrialResult
from trainables.pretrain import Pretraining
from trainables.simulated_device import DEVICE, MixedDevicesError, simulated_device


def there(*shape: int) -> Tensor:
    return torch.ones(shape, device=DEVICE)


def test_what_is_computed_there_is_what_the_cpu_computes() -> None:
    torch.manual_seed(0)
    layer, images = torch.nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)
    expected = torch.autograd.grad(layer(images).square().sum(), layer.weight)[0]
    with simulated_device():
        found = torch.autograd.grad(layer.to(DEVICE)(images.to(DEVICE)).square().sum(), layer.weight)[0]
        assert found.device == DEVICE
        assert torch.equal(found.cpu(), expected)


def test_a_view_there_is_of_the_same_values() -> None:
    with simulated_device():
        whole = there(2, 3)
        whole[0].mul_(5)
        whole.t()[1].zero_()
        assert whole.tolist() == [[5.0, 0.0, 5.0], [1.0, 0.0, 1.0]]


def test_a_list_of_indices_is_sent_there_and_is_what_it_says() -> None:
    rows = torch.arange(12.0).view(3, 4)
    with simulated_device() as waits:
        sent = rows.to(DEVICE)
        waits.clear()
        found = [sent[[2, 0]], sent[:, [3, 3, 1]], sent[[True, False, True]]]
        assert waits.total() == 3
        sent[[1]] = 0.0
    assert all(map(torch.equal, (one.cpu() for one in found), (rows[[2, 0]], rows[:, [3, 3, 1]], rows[[0, 2]])))
    assert sent.cpu()[1].tolist() == [0.0] * 4


@pytest.mark.parametrize(
    "mixed",
    [
        lambda: there(3) + torch.ones(3),
        lambda: torch.ones(3, 3) @ there(3),
        lambda: torch.ones(3)[there(2).long()],
        lambda: there(3).index_select(0, torch.tensor([1])),
        lambda: torch.nn.Linear(3, 3)(there(3)),
        lambda: torch.cat([there(3), torch.ones(3)]),
        lambda: there(3).index_put_((there(1).long(),), torch.ones(1)),
    ],
)
def test_what_lies_apart_does_not_meet(mixed: Callable[[], Tensor]) -> None:
    with simulated_device(), pytest.raises(MixedDevicesError, match=r"test_simulated_device.py, line \d+"):
        mixed()


@pytest.mark.parametrize(
    "waiting",
    [
        lambda: float(there(1)),
        lambda: there(1).item(),
        lambda: there(3).cpu(),
        lambda: there(3).tolist(),
        lambda: bool((there(3) > 0).any()),
        lambda: there(3)[there(3) > 0],
        lambda: there(3)[torch.tensor([1])],
        lambda: there(3).nonzero(),
        lambda: torch.equal(there(3), there(3)),
        lambda: torch.linalg.cholesky(there(1, 1)),
        lambda: torch.tensor([1.0], device=DEVICE),
        lambda: torch.ones(3).copy_(there(3)),
        lambda: there(3).copy_(torch.ones(3)),
        lambda: torch.ones(3).to(DEVICE),
    ],
)
def test_who_reads_what_is_there_waits(waiting: Callable[[], Any]) -> None:
    with simulated_device() as waits:
        waiting()
    (place,) = waits
    assert __file__ in place


@pytest.mark.parametrize(
    "ordered",
    [
        lambda: there(3) * 2 + torch.tensor(3.0),
        lambda: there(3)[there(1).long()],
        lambda: torch.ones(3).to(DEVICE, non_blocking=True),
        lambda: torch.where(there(3) > 0, there(3), 0.0).sum(),
        lambda: torch.eye(3, device=DEVICE) @ torch.arange(3.0, device=DEVICE),
        lambda: torch.zeros_like(there(3)).copy_(there(3)),
        lambda: torch.linalg.cholesky_ex(there(1, 1))[0],
    ],
)
def test_what_is_only_ordered_keeps_nobody_waiting(ordered: Callable[[], Tensor]) -> None:
    with simulated_device() as waits:
        assert ordered().device == DEVICE
    assert not waits


class Drawing(torch.Generator):
    """One of the CPU in place of the device's, which has none."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE


@pytest.fixture
def trials_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """``resolve_device`` gives the simulated device; autocast, which it does not know, is left out."""
    monkeypatch.setattr(trial, "resolve_device", lambda name: DEVICE if name == "auto" else torch.device(name))
    of_cpu = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda where="cpu": Drawing() if where == DEVICE else of_cpu(where))
    monkeypatch.setattr(torch, "autocast", lambda *arguments, **options: nullcontext())


SHORT: dict[str, Any] = {"evaluation__images": 16, "evaluation__head_images": 40}
HEADS = ["clean", "robust", "n_crops_2", "robust_n_crops_2", "slf", "alf", "aff"]
ATTACKS = ["pgd", "fgsm", "margin_pgd"]
VIT = {"network__architecture": "vit_tiny", "network__depth": None, "network__width": 64, "network__patch_size": 4}


def same_there(name: str, config: Callable[..., TrialConfig], faithful_to: str = "paper", **changes: Any) -> None:
    """A trial on the simulated device gives the CPU's figures, to the last image."""

    def heads(result: TrialResult) -> list[dict[str, Any]]:
        return [asdict(head) for head in result.heads]

    here = trial.run(config(name, faithful_to, device="cpu", **SHORT | changes))
    with simulated_device():
        found = trial.run(config(name, faithful_to, device="auto", data__placement="device", **SHORT | changes))
    assert heads(found) == heads(here)


@pytest.mark.parametrize("faithful_to", ["paper", pytest.param("released_code", marks=pytest.mark.slow)])
def test_every_trainable_runs_there(trainable: str, faithful_to: str, tiny_config: Any, trials_there: None) -> None:
    same_there(trainable, tiny_config, faithful_to)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("acl", {"coreset__name": "rcs", "coreset__warmup_epochs": 0}),
        ("supervised_pgd", {"evaluation__heads": ["own"], "evaluation__head": "own"}),
        ("cf_amc_ssl", {"views__kind": "patches", "optimiser__micro_batches": 2}),
        pytest.param(
            "cf_amc_ssl", {"evaluation__heads": HEADS, "evaluation__attacks": ATTACKS}, marks=pytest.mark.slow
        ),
        *(
            pytest.param("cf_amc_ssl", {"evaluation__attacks": ["pgd", attack]}, marks=pytest.mark.exhaustive)
            for attack in ("auto_attack", "torchattacks_10_steps")
        ),
    ],
)
def test_every_kind_of_trial_runs_there(
    name: str, changes: dict[str, Any], tiny_config: Any, trials_there: None
) -> None:
    same_there(name, tiny_config, evaluation__crops_epochs=1, evaluation__finetune_epochs=1, **changes)


@pytest.mark.parametrize(("name", "changes"), [*((name, {}) for name in sorted(TRAINABLES)), ("cf_amc_ssl", VIT)])
def test_no_batch_of_a_training_is_waited_for(
    name: str, changes: dict[str, Any], tiny_config: Any, trials_there: None
) -> None:
    def waits_of(batches: int) -> Counter[str]:
        config = tiny_config(
            name,
            data__train_images=batches * 20,
            data__placement="device",
            optimiser__batch_size=20,
            **changes,
        )
        splits = load(config.data)
        pairing = catalogue.find(name).pairing("paper")
        with simulated_device() as waits:
            training = Pretraining(config, pairing, splits.train.to(DEVICE), len(splits.classes), DEVICE)
            waits.clear()
            training.run_epoch()
        return waits

    assert waits_of(4) == waits_of(2)


@pytest.mark.parametrize("head", [*HEADS[:2], *(pytest.param(head, marks=pytest.mark.slow) for head in HEADS[2:])])
def test_no_batch_of_an_evaluation_is_waited_for(head: str, tiny_config: Any, trials_there: None) -> None:
    def waits_of(epochs: int, batch: int, steps: int) -> Counter[str]:
        config = tiny_config(
            "emp_ssl",
            device="auto",
            data__placement="device",
            optimiser__epochs=1,
            evaluation__images=16,
            evaluation__heads=[head],
            evaluation__head=head,
            evaluation__attacks=ATTACKS,
            evaluation__head_images=40,
            **dict.fromkeys((f"evaluation__{part}_epochs" for part in ("head", "crops", "finetune")), epochs),
            **dict.fromkeys((f"evaluation__{part}_batch_size" for part in ("head", "attack")), batch),
            evaluation__attack_steps=steps,
        )
        with simulated_device() as waits:
            trial.run(config)
        return waits

    assert waits_of(epochs=2, batch=8, steps=3) == waits_of(epochs=1, batch=40, steps=2)
