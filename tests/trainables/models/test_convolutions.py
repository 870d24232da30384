"""Convolutions by matrix products against PyTorch's own, and against exact arithmetic."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainables.models import build
from trainables.models import convolutions as module
from trainables.models.convolutions import FEW, MULTIPLIED, WEIGHED, Convolution, multiply_small_maps


@pytest.fixture(autouse=True)
def matrices(monkeypatch) -> None:
    """The processor has units for matrices of bfloat16, whatever this one has."""
    monkeypatch.setattr(module, "MATRICES", True)


SHAPES = pytest.mark.parametrize(
    ("size", "side", "stride"),
    [(4, 3, 1), (8, 3, 1), (8, 3, 2), (7, 3, 2), (16, 3, 2), (8, 1, 2), (6, 5, 1), (7, 5, 2), (9, 3, 3), (7, 3, 4)],
)


def convolutions(side: int, stride: int) -> tuple[nn.Sequential, nn.Sequential]:
    """PyTorch's own, and the same by product."""
    plain = nn.Sequential(nn.Conv2d(6, 10, side, stride=stride, padding=side // 2, bias=False))
    ours = copy.deepcopy(plain)
    multiply_small_maps(ours)
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
def test_all_three_are_those_of_the_convolution(size, side, stride, layout):
    plain, ours = convolutions(side, stride)
    images = torch.randn(20, 6, size, size).to(torch.bfloat16).float().to(memory_format=layout)
    grad = torch.randn_like(plain(images)).to(torch.bfloat16).float()
    for model in (plain, ours):
        model[0].weight.data = plain[0].weight.data.to(torch.bfloat16).float().to(memory_format=layout)
    theirs = passed(plain, images, grad, torch.bfloat16)
    exact = passed(plain.double(), images.double(), grad.double(), torch.float64)
    found = passed(ours, images, grad, torch.bfloat16)
    for mine, their, right in zip(
        *(map(Tensor.detach, all_three) for all_three in (found, theirs, exact)), strict=True
    ):
        largest = float(right.abs().max())
        if torch.ops.mkldnn._is_mkldnn_bf16_supported() or not torch.equal(mine, their):
            # A sum in float32, rounded once to bfloat16's eight bits. Where the processor knows no bfloat16, PyTorch's
            # own gradient of images, which is kept for larger maps, is not.
            torch.testing.assert_close(mine.double(), right, rtol=2**-8, atol=1e-3 * largest)
        assert float((their.double() - right).abs().max()) < 0.02 * largest, "PyTorch's own is no nearer"


@pytest.mark.parametrize("size", [MULTIPLIED, WEIGHED])
def test_outputs_do_not_depend_on_whether_there_is_a_gradient(size):
    _, ours = convolutions(3, 1)
    images = torch.rand(2, 6, size, size)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = ours(images)
        with torch.no_grad():
            assert torch.equal(ours(images), outputs)
        ours.requires_grad_(False)
        assert torch.equal(ours(images.requires_grad_()), outputs)


def test_weights_that_are_not_trained_have_no_gradient_and_images_have():
    _, ours = convolutions(3, 1)
    ours.requires_grad_(False)
    images = torch.rand(2, 6, 4, 4).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours(images).sum().backward()
    assert ours[0].weight.grad is None
    assert images.grad is not None


@pytest.fixture
def watched(monkeypatch) -> list[tuple[str, int]]:
    """Which products are made, in turn, and the pixels a side of what they are made from."""
    done: list[tuple[str, int]] = []

    def watch(name: str) -> None:
        real = getattr(module, name)

        def watched(*args: Any) -> Tensor:
            done.append((name, args[0].shape[2]))
            return real(*args)

        monkeypatch.setattr(module, name, watched)

    for name in ("product", "product_of_images", "product_of_weight"):
        watch(name)
    return done


def test_only_small_maps_in_bfloat16_are_multiplied(watched):
    _, ours = convolutions(3, 1)
    sizes = (MULTIPLIED, MULTIPLIED + 1, WEIGHED, WEIGHED + 1)
    small, *_ = maps = [torch.rand(2, 6, size, 2, requires_grad=True) for size in sizes]
    ours(small).sum().backward()
    with torch.autocast("cpu", dtype=torch.float16):
        ours(small).sum().backward()
    assert watched == []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for images in maps:
            ours(images).sum().backward()
    of_images, of_weight = ("product_of_images", MULTIPLIED), [("product_of_weight", size) for size in sizes[:3]]
    assert watched == [("product", MULTIPLIED), of_images, *of_weight]


def test_without_units_for_matrices_nothing_is_multiplied(watched, monkeypatch):
    monkeypatch.setattr(module, "MATRICES", False)
    plain, ours = convolutions(3, 1)
    images, grad = torch.rand(2, 6, MULTIPLIED, 4), torch.rand(2, 10, MULTIPLIED, 4)
    both = (passed(model, images, grad, torch.bfloat16) for model in (plain, ours))
    assert all(torch.equal(their, mine) for their, mine in zip(*both, strict=True))
    assert watched == []


def test_of_what_strides_the_outputs_decide(watched):
    _, ours = convolutions(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for size in (2 * MULTIPLIED, 2 * WEIGHED, 2 * WEIGHED + 1):
            ours(torch.rand(2, 6, size, 2, requires_grad=True)).sum().backward()
    small = [("product", 2 * MULTIPLIED), ("product_of_images", MULTIPLIED), ("product_of_weight", MULTIPLIED)]
    assert watched == [*small, ("product_of_weight", WEIGHED)]


@pytest.mark.parametrize(("channels", "size"), [(FEW, 64), (4, 16), (FEW + 1, 16)])
def test_few_channels_are_strided_over_in_large_maps(channels, size):
    """PyTorch's own, with 8 channels and 64 pixels a side, ends the process."""
    conv = nn.Conv2d(channels, 10, 1, stride=2, bias=False)
    multiply_small_maps(conv)
    images = torch.rand(60, channels, size, size).to(memory_format=torch.channels_last).requires_grad_()
    for _ in range(3):
        outputs = conv(images)
        outputs.sum().backward()
    exact = torch.einsum("nchw,dc->ndhw", images[:, :, ::2, ::2].double(), conv.weight[:, :, 0, 0].double())
    torch.testing.assert_close(outputs.double(), exact, rtol=1e-5, atol=1e-5)


def test_what_is_no_plain_convolution_stays_as_it_is():
    kept = nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(4, 4, 3, bias=False),
        nn.Conv2d(4, 4, 2, padding=1, bias=False),
        nn.Conv2d(4, 4, (1, 3), padding=(0, 1), bias=False),
        nn.Conv2d(4, 4, 3, padding="same", bias=False),
    )
    multiply_small_maps(kept)
    assert {type(module) for module in kept} == {nn.Conv2d}


def test_an_encoder_s_convolutions_keep_their_names(tiny_config):
    encoder = build(tiny_config("simclr").network, 0, image_size=8)
    kinds = {type(module) for module in encoder.modules() if isinstance(module, nn.Conv2d)}
    assert kinds == {Convolution}
    assert "backbone.layer4.0.conv1.weight" in encoder.state_dict()
