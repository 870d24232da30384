"""How a step is computed changes what comes out by rounding and no more."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from trainables import adversaries, catalogue, checkpoint
from trainables.config import TrialConfig, override
from trainables.data import load
from trainables.losses import Losses
from trainables.models import build
from trainables.pretrain import Pretraining
from trainables.trial import run


def losses(config: TrialConfig) -> Losses:
    classes = 10 if config.objective.name == "cross_entropy" else None
    model = build(config.network, 0, image_size=8, classes=classes)
    pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
    return Losses(model.train(), pairing, config.objective, config.compute)


def loss_and_gradient(config: TrialConfig) -> tuple[float, Tensor, Tensor]:
    """Of the training loss on the same images: its value, and its slope in the weights and in the perturbed views."""
    found = losses(config)
    random = torch.Generator().manual_seed(0)
    views = torch.rand(config.views.number, 24, 3, 8, 8, generator=random)
    labels = torch.randint(0, 10, (24,), generator=random)
    perturbed = found.pairing.perturbed(views).clone().requires_grad_()
    total = found.trained(views, perturbed, labels).total
    total.backward()
    slopes = [parameter.grad.flatten() for parameter in found.model.parameters() if parameter.grad is not None]
    assert perturbed.grad is not None
    return float(total.detach()), torch.cat(slopes), perturbed.grad.flatten()


def cosine(left: Tensor, right: Tensor) -> float:
    return float(nn.functional.cosine_similarity(left, right, dim=0))


def test_bfloat16_differs_by_rounding(trainable, tiny_config):
    config = tiny_config(trainable)
    plain = loss_and_gradient(config)
    low = loss_and_gradient(override(config, {"compute.precision": "bfloat16"}))
    assert low[0] != plain[0]
    assert low[0] == pytest.approx(plain[0], rel=2e-2, abs=2e-2)
    assert cosine(low[1], plain[1]) > 0.95
    assert cosine(low[2], plain[2]) > 0.9


# torch's own compiler warns of what it does itself.
COMPILING = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.mark.parametrize(("faithful_to", "needed"), [("paper", False), ("released_code", True)])
def test_an_attack_computes_no_gradient_of_the_weights_but_where_it_leaks(tiny_config, faithful_to, needed):
    config = tiny_config("robust_simclr", faithful_to=faithful_to)
    found, asked = losses(config), []
    attack = adversaries.resolve(config.adversary, config.objective.name, config.faithful_to)
    real = found.ascended

    def ascended(*arguments: Tensor) -> Tensor:
        asked.extend(parameter.requires_grad for parameter in found.model.parameters())
        return real(*arguments)

    found.ascended = ascended  # type: ignore[method-assign]
    views = torch.rand(2, 6, 3, 8, 8)
    start = torch.zeros_like(found.pairing.perturbed(views))
    found.perturb(views, torch.zeros(6, dtype=torch.long), attack, start)
    assert set(asked) == {needed}
    assert all(parameter.requires_grad for parameter in found.model.parameters())


@pytest.mark.exhaustive
@COMPILING
def test_each_trial_compiles_the_passes_of_its_steps_alone(tiny_config):
    for trainable, graphs in (("cf_amc_ssl", 1), ("cf_amc_ssl", 1), ("pgd_emp_ssl", 2)):
        counters.clear()
        run(tiny_config(trainable, compute__compile=True))
        assert counters["stats"]["unique_graphs"] == graphs, "and those of its attack"


@pytest.mark.slow
@COMPILING
@pytest.mark.parametrize("trainable", ["cf_amc_ssl", pytest.param("acl", marks=pytest.mark.exhaustive)])
def test_compiled_differs_by_rounding(trainable, tiny_config):
    config = tiny_config(trainable)
    plain, compiled = (loss_and_gradient(override(config, {"compute.compile": c})) for c in (False, True))
    assert compiled[0] == pytest.approx(plain[0], rel=1e-4)
    assert cosine(compiled[1], plain[1]) > 0.9999
    assert cosine(compiled[2], plain[2]) > 0.9999


def test_losses_and_weights_stay_in_float32(tiny_config):
    config = tiny_config("cf_amc_ssl", compute__precision="bfloat16")
    found = losses(config)
    seen: list[torch.dtype] = []
    found._trained = lambda embedded, labels: seen.append(embedded.dtype)  # type: ignore[assignment, func-returns-value]
    found.clean(torch.rand(3, 4, 3, 8, 8), torch.zeros(4, dtype=torch.long))
    assert seen == [torch.float32]
    assert {parameter.dtype for parameter in found.model.parameters()} == {torch.float32}


def test_weights_lie_channels_last_and_compute_the_same(tiny_config):
    model = build(tiny_config("cf_amc_ssl").network, 0, image_size=8)
    convolutions = [module.weight for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in convolutions)
    images = torch.rand(4, 3, 8, 8)
    there = model.eval()(images)
    torch.testing.assert_close(there, model.to(memory_format=torch.contiguous_format)(images), rtol=1e-5, atol=1e-6)


def test_a_run_in_bfloat16_learns_and_resumes_exactly(tiny_config, tmp_path):
    config = tiny_config("cf_amc_ssl", compute__precision="bfloat16", optimiser__epochs=3)
    splits = load(config.data)

    def fresh() -> Pretraining:
        pairing = catalogue.find(config.trainable).pairing(config.faithful_to)
        return Pretraining(config, pairing, splits.train, len(splits.classes), torch.device("cpu"))

    whole, half = fresh(), fresh()
    found = [whole.run_epoch().loss for _ in range(3)]
    assert found[-1] < found[0]
    half.run_epoch()
    checkpoint.save(tmp_path / "c.pt", config, half.state_dict())
    resumed = fresh()
    resumed.load_state_dict(checkpoint.load(tmp_path / "c.pt", config))
    assert [resumed.run_epoch().loss for _ in range(2)] == found[1:]


def attacked(config: TrialConfig, **changes: Any) -> dict[str, float]:
    attack = run(override(config, changes)).heads[0].attacks[0]
    assert attack.zero_start is not None
    return {"zero_start": attack.zero_start.value, "worst": attack.worst.value}


def test_attacks_in_bfloat16_are_as_strong(tiny_config):
    config = tiny_config(
        "cf_amc_ssl", evaluation__attack_epsilons=[0.1], evaluation__epsilon=0.1, evaluation__head_epochs=4
    )
    plain = attacked(config)
    low = attacked(config, **{"evaluation.attack_precision": "bfloat16"})
    assert low["zero_start"] == pytest.approx(plain["zero_start"], abs=0.1)
    assert low["worst"] == pytest.approx(plain["worst"], abs=0.1)


def test_a_checkpoint_from_before_a_setting_existed_continues(tiny_config, tmp_path):
    config = tiny_config("cf_amc_ssl")
    checkpoint.save(tmp_path / "c.pt", config, {"epoch": 1})
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    del saved["config"]["compute.precision"]
    torch.save(saved, tmp_path / "c.pt")
    assert checkpoint.load(tmp_path / "c.pt", config) == {"epoch": 1}
    with pytest.raises(checkpoint.CheckpointError, match=r"compute\.precision 'float32' there, 'bfloat16' here"):
        checkpoint.load(tmp_path / "c.pt", override(config, {"compute.precision": "bfloat16"}))
