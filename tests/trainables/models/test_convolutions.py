"""A convolution whose weights' gradient is a matrix product against PyTorch's own, and against exact arithmetic."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from trainables.models import build, keep_compiled
from trainables.models.convolutions import SMALL, Convolution, weigh_by_product

SHAPES = pytest.mark.parametrize(
    ("size", "side", "stride"), [(4, 3, 1), (8, 3, 1), (8, 3, 2), (7, 3, 2), (8, 1, 2), (6, 5, 1)]
)


def convolutions(side: int, stride: int) -> tuple[nn.Sequential, nn.Sequential]:
    """PyTorch's own, and the same by product."""
    plain = nn.Sequential(nn.Conv2d(6, 10, side, stride=stride, padding=side // 2, bias=False))
    ours = copy.deepcopy(plain)
    weigh_by_product(ours)
    assert type(ours[0]) is Convolution
    return plain, ours


def passed(model: nn.Module, images: Tensor, grad: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, the weights' gradient, the images' gradient."""
    images = images.clone().requires_grad_()
    model.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        outputs = model(images)
    outputs.backward(grad.to(outputs.dtype))
    return outputs, model[0].weight.grad.clone(), images.grad


@SHAPES
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_are_those_of_the_convolution(size, side, stride, layout):
    plain, ours = convolutions(side, stride)
    images = torch.randn(20, 6, size, size).to(torch.bfloat16).float().to(memory_format=layout)
    grad = torch.randn_like(plain(images)).to(torch.bfloat16).float()
    for model in (plain, ours):
        model[0].weight.data = plain[0].weight.data.to(torch.bfloat16).float().to(memory_format=layout)
    outputs, weight, pixels = passed(plain, images, grad, torch.bfloat16)
    exact = passed(plain.double(), images.double(), grad.double(), torch.float64)[1]
    found = passed(ours, images, grad, torch.bfloat16)
    assert torch.equal(found[0], outputs)
    assert torch.equal(found[2], pixels)
    # A sum in float32, rounded once to bfloat16's eight bits.
    torch.testing.assert_close(found[1].double(), exact, rtol=2**-8, atol=1e-3 * float(exact.abs().max()))
    assert float((weight.double() - exact).abs().max()) < 0.02 * float(exact.abs().max()), "PyTorch's own is no nearer"


def test_only_small_maps_in_bfloat16_with_trained_weights_are_weighed_so(monkeypatch):
    asked: list[tuple[int, ...]] = []
    _, ours = convolutions(3, 1)
    by_product = Convolution._by_product

    def watched(self: Convolution, images: Tensor) -> bool:
        if found := by_product(self, images):
            asked.append(tuple(images.shape))
        return found

    monkeypatch.setattr(Convolution, "_by_product", watched)
    small, large = torch.rand(2, 6, SMALL, SMALL), torch.rand(2, 6, SMALL + 1, SMALL)
    ours(small)
    with torch.autocast("cpu", dtype=torch.float16):
        ours(small)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours(large)
        with torch.no_grad():
            ours(small)
        ours.requires_grad_(False)
        ours(small)
        assert asked == []
        ours.requires_grad_(True)
        ours(small)
    assert asked == [tuple(small.shape)]


def test_what_is_no_plain_convolution_stays_as_it_is():
    kept = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(4, 4, 3, bias=False),
        nn.Conv2d(4, 4, (1, 3), padding=(0, 1), bias=False),
        nn.Conv2d(4, 4, 3, padding="same", bias=False),
    )
    weigh_by_product(kept)
    assert {type(module) for module in kept} == {nn.Conv2d}


def test_an_encoder_s_convolutions_keep_their_names(tiny_config):
    encoder = build(tiny_config("simclr").network, 0, image_size=8)
    kinds = {type(module) for module in encoder.modules() if isinstance(module, nn.Conv2d)}
    assert kinds == {Convolution}
    assert "backbone.layer4.0.conv1.weight" in encoder.state_dict()


@pytest.mark.slow
def test_what_is_compiled_is_found_again(monkeypatch):
    """As in a process that starts later."""
    from torch._dynamo.utils import counters
    from torch._functorch import config
    from torch._inductor.utils import fresh_cache

    monkeypatch.setattr(config, "autograd_cache_allow_custom_autograd_functions", False)
    keep_compiled()
    _, ours = convolutions(3, 1)
    images, grad, found = torch.rand(4, 6, 4, 4), torch.rand(4, 10, 4, 4), []
    with fresh_cache():
        for _ in range(2):
            torch.compiler.reset()
            counters.clear()
            ours.compile()
            found.append((passed(ours, images, grad, torch.bfloat16), dict(counters["aot_autograd"])))
    (first, made), (second, kept) = found
    assert made.get("autograd_cache_saved") == kept.get("autograd_cache_hit") == 1
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
