"""On a CPU in bfloat16: which convolutions of an encoder are faster as matrix products?

Times the forward pass and both gradients of every plain convolution of a recipe's network, PyTorch's own and by
product, in turns, on images of the recipe's size, or of 32 pixels; ``trainables.models.convolutions`` chooses by the
result. Needs torch, torchvision and numpy.

    python -m benchmarks.convolutions table1/cf_amc_ssl --images 512 > convolutions.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.measuring import about, spread
from trainables import heap, models
from trainables.config import assignment, override
from trainables.models import convolutions
from trainables.recipes import recipe

SIZE = 32
"""Pixels a side of CIFAR-10's images, which a recipe without a size takes as they are."""


class Shape(NamedTuple):
    """Of a convolution with square kernels and maps, padded by half of the kernel."""

    inputs: int
    outputs: int
    size: int
    side: int
    stride: int


def shapes(encoder: nn.Module, size: int) -> Counter[Shape]:
    """How often each shape is among the convolutions that run on images of ``size`` pixels."""
    found: Counter[Shape] = Counter()

    def note(conv: nn.Module, images: tuple[Tensor], _: Tensor) -> None:
        assert isinstance(conv, convolutions.Convolution)
        kernel, stride = conv.kernel_size[0], int(conv.stride[0])
        found[Shape(conv.in_channels, conv.out_channels, images[0].shape[2], kernel, stride)] += 1

    for module in encoder.modules():
        if isinstance(module, convolutions.Convolution):
            module.register_forward_hook(note)
    with torch.no_grad():
        encoder(torch.rand(2, 3, size, size))
    return found


def ways(shape: Shape, count: int) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """PyTorch's own and the product for each of the three."""
    side, stride, padding = shape.side, shape.stride, shape.side // 2
    images = _channels_last(torch.randn(count, shape.inputs, shape.size, shape.size))
    weight = _channels_last(torch.randn(shape.outputs, shape.inputs, side, side))
    grad = torch.randn_like(F.conv2d(images, weight, stride=stride, padding=padding))

    def backward(*wanted: bool) -> Any:
        geometry = ((stride,) * 2, (padding,) * 2, (1, 1), False, (0, 0), 1)
        return torch.ops.aten.convolution_backward(grad, images, weight, None, *geometry, wanted)

    return {
        "forward": (
            lambda: F.conv2d(images, weight, stride=stride, padding=padding),
            lambda: convolutions.product(images, weight, stride),
        ),
        "gradient_of_images": (
            lambda: backward(True, False, False),
            lambda: convolutions.product_of_images(grad, weight, stride, shape.size, shape.size),
        ),
        "gradient_of_weight": (
            lambda: backward(False, True, False),
            lambda: convolutions.product_of_weight(grad, images, side, stride),
        ),
    }


def compare(own: Callable[[], Any], product: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Milliseconds of both, in turns, and how many times as fast the product is."""
    _milliseconds(own), _milliseconds(product)
    pairs = [(_milliseconds(own), _milliseconds(product)) for _ in range(repeats)]
    return {
        "own_ms": spread(one for one, _ in pairs),
        "product_ms": spread(other for _, other in pairs),
        "times_as_fast": spread(one / other for one, other in pairs),
    }


def _channels_last(values: Tensor) -> Tensor:
    return values.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def _milliseconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    heap.keep_freed()
    config = override(recipe(options.recipe), dict(map(assignment, options.set)))
    size = config.data.image_size or SIZE
    found = shapes(models.build(config.network, 0, image_size=size).eval(), size)
    if not found:
        parser.error(f"{config.network.architecture} has no plain convolution")
    rows = []
    for shape, times in found.items():
        compared = {
            name: compare(own, product, options.repeats) for name, (own, product) in ways(shape, options.images).items()
        }
        rows.append(shape._asdict() | {"times": times} | compared)
    print(json.dumps({**about(torch.device("cpu")), **vars(options), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
