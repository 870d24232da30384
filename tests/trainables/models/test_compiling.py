"""Compiled passes: kept for the next process, and the same but for rounding."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch._inductor import config
from torch._inductor.utils import fresh_cache

from trainables.models import compile_passes, compiling, convolutions, frozen_statistics
from trainables.models.compiling import CompiledBatchNorm, normalise


@pytest.fixture(autouse=True)
def caches_and_settings_of_its_own(monkeypatch):
    monkeypatch.setattr(convolutions, "MATRICES", True)  # on any processor
    with config.patch(unsafe_marked_cacheable_functions={}), fresh_cache():
        yield
    torch.compiler.reset()


class Network(nn.Sequential):
    """Whose passes are not torch's own code, which some of its versions compile layer by layer."""

    def forward(self, images: Tensor) -> Tensor:
        for layer in self:
            images = layer(images)
        return images


def model() -> Network:
    found = Network(
        nn.Conv2d(6, 32, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 10, 1, bias=False),
    )
    convolutions.multiply_small_maps(found)
    nn.init.uniform_(found[1].weight)
    nn.init.normal_(found[1].bias)
    return found.to(memory_format=torch.channels_last)


def test_each_number_of_images_has_code_of_its_own() -> None:
    """Code for any number is slower, and an adversary that sees half the views would make all of it such."""
    network = Network(nn.Linear(4, 4))
    compile_passes(network)
    before = counters["stats"]["unique_graphs"]
    for count in (2, 3, 5):
        network(torch.rand(count, 4))
    assert counters["stats"]["unique_graphs"] == before + 3


def passed(network: nn.Module, images: Tensor, grad: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Outputs, all gradients, all buffers."""
    images = images.clone().requires_grad_()
    network.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        outputs = network(images)
    outputs.backward(grad.to(outputs.dtype))
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    return [outputs.detach(), images.grad, *gradients, *(buffer.clone() for buffer in network.buffers())]


IMAGES, GRAD = torch.rand(16, 6, 8, 8), torch.randn(16, 10, 4, 4)


def apart(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The most that a value differs, as a share of the greatest beside it."""
    return max(
        float((one - other).abs().max() / other.abs().max().clamp(min=1e-9))
        for one, other in zip(ours, theirs, strict=True)
    )


@pytest.mark.slow
def test_what_is_compiled_differs_by_rounding_and_is_found_again():
    """The second time as in a process that starts later."""
    fresh, found = model(), []
    plain = passed(copy.deepcopy(fresh), IMAGES, GRAD, torch.bfloat16)
    for _ in range(2):
        counters.clear()
        compiled = copy.deepcopy(fresh)
        compile_passes(compiled)
        found.append((passed(compiled, IMAGES, GRAD, torch.bfloat16), dict(counters["aot_autograd"])))
    (first, made), (second, kept) = found
    assert made.get("autograd_cache_saved") == kept.get("autograd_cache_hit") == 1
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert apart(first, plain) < 0.02


@pytest.mark.exhaustive
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("training", [True, False])
def test_what_is_compiled_differs_by_rounding_in_either_mode(dtype, most, training):
    plain = model().train(training)
    compiled = copy.deepcopy(plain)
    compile_passes(compiled)
    for _ in range(2):
        assert apart(passed(compiled, IMAGES, GRAD, dtype), passed(plain, IMAGES, GRAD, dtype)) < most


def test_the_key_of_what_is_kept_is_the_text_of_the_file(monkeypatch, tmp_path):
    keys = []
    for text in ("one", "other", "one"):
        (tmp_path / "file.py").write_text(text)
        monkeypatch.setattr(compiling, "inspect", SimpleNamespace(getsourcefile=lambda _: str(tmp_path / "file.py")))
        compile_passes(nn.Sequential())
        keys.append(config.unsafe_marked_cacheable_functions)
    assert keys[0] == keys[2] != keys[1]
    assert set(keys[0]) == {"trainables.models.convolutions.convolve", "trainables.models.compiling.normalise"}


@pytest.mark.parametrize("frozen", [False, True])
def test_sums_give_what_pytorch_s_norm_gives(monkeypatch, frozen):
    """Outputs, gradients and running statistics, or none where these are frozen."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    theirs = nn.Sequential(nn.BatchNorm2d(6))
    nn.init.uniform_(theirs[0].weight)
    ours = copy.deepcopy(theirs)
    ours[0].__class__ = CompiledBatchNorm
    grad = torch.randn_like(IMAGES)
    for _ in range(2):
        with (
            frozen_statistics(ours) if frozen else nullcontext(),
            frozen_statistics(theirs) if frozen else nullcontext(),
        ):
            found, expected = (passed(norm, IMAGES, grad, torch.float32) for norm in (ours, theirs))
        assert apart(found, expected) < 1e-5
    assert int(ours[0].num_batches_tracked) == (0 if frozen else 2)


def test_sums_far_from_zero_lose_nothing():
    """Sums of squares about zero would leave nothing of a variance that is a millionth of them."""
    images = torch.randn(64, 3, 8, 8, dtype=torch.float64) + 3e3
    ones, zeros = torch.ones(3), torch.zeros(3)
    rounded = images.float()
    found = normalise(rounded, ones, zeros, None, None, 0.1, 1e-5)
    exact = nn.functional.batch_norm(rounded.double(), None, None, training=True)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-4)


def test_only_a_training_pass_that_is_compiled_takes_sums(monkeypatch):
    monkeypatch.setattr("trainables.models.compiling.normalise", lambda *_: pytest.fail("took sums"))
    norm = CompiledBatchNorm(6)
    assert torch.equal(norm(IMAGES), nn.BatchNorm2d(6)(IMAGES))
