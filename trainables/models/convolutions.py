"""Convolutions that are fast on a CPU in bfloat16 also where the maps are small.

oneDNN convolves image by image. With kernels of 3 x 3 on maps of 4 x 4 one matrix product over all images takes half of
its time, and a fifth for the gradient of the weights, which is faster so up to maps of 8 x 8; on larger ones copying
each pixel's patch takes longer than what it saves (`benchmarks.convolutions`, measured in results/README.md).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

WEIGHED, MULTIPLIED = 8, 4
"""Pixels a side of the largest output whose weights' gradient is a matrix product, and where all the rest is one."""


class Convolution(nn.Conv2d):
    """``nn.Conv2d``; under bfloat16 autocast on a CPU, with matrix products where the maps are small.

    It differs from ``nn.Conv2d``'s by bfloat16's rounding, with gradients and without alike.
    """

    def forward(self, images: Tensor) -> Tensor:
        if not self._is_for_products(images):
            return super().forward(images)
        weight = self.weight.to(torch.bfloat16)
        outputs: Tensor = _ByProducts.apply(images.to(torch.bfloat16), weight, self.stride[0])
        return outputs

    def _is_for_products(self, images: Tensor) -> bool:
        return (
            images.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and max(images.shape[2:]) <= WEIGHED * self.stride[0]
        )


def multiply_small_maps(model: nn.Module) -> None:
    """Make those convolutions within ``model`` that can be ``Convolution``; their parameters and names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = Convolution


def keep_compiled() -> None:
    """Let torch's cache keep compiled passes with ``Convolution``, so that the next process finds them.

    It keeps none with a gradient of ours unless it is told to, though what the gradient does is part of its key. No
    effect where this torch cannot be told.
    """
    from torch._functorch import config

    if hasattr(config, "autograd_cache_allow_custom_autograd_functions"):
        config.autograd_cache_allow_custom_autograd_functions = True


def product(images: Tensor, weight: Tensor, stride: int) -> Tensor:
    """(n, c, h, w), (d, c, k, k) -> (n, d, h / stride, w / stride), padded by k // 2: the convolution of ``images``."""
    outputs, _, side, _ = weight.shape
    height, width = (-(-size // stride) for size in images.shape[2:])
    found = patches(images, side, stride) @ _rows(weight).t()
    return found.view(len(images), height, width, outputs).permute(0, 3, 1, 2)


def product_of_images(grad: Tensor, weight: Tensor) -> Tensor:
    """(n, d, h, w), (d, c, k, k) -> (n, c, h, w): the gradient of ``product``'s images, at stride 1."""
    return product(grad, weight.flip(2, 3).transpose(0, 1), 1)


def product_of_weight(grad: Tensor, images: Tensor, side: int, stride: int) -> Tensor:
    """(n, d, h / stride, w / stride), (n, c, h, w) -> (d, c, side, side): the gradient of ``product``'s weight."""
    outputs, inputs = grad.shape[1], images.shape[1]
    found = grad.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ patches(images, side, stride)
    return found.view(outputs, side, side, inputs).permute(0, 3, 1, 2)


def patches(images: Tensor, side: int, stride: int) -> Tensor:
    """(n, c, h, w) -> (n h' w', side side c): what each output pixel reads."""
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, *(side // 2,) * 4)).contiguous()
    count, height, width, channels = padded.shape
    rows, columns = ((size - side) // stride + 1 for size in (height, width))
    of_image, of_row, of_pixel, _ = padded.stride()
    # A patch's row is one piece of memory: few and long copies.
    pieces = padded.as_strided(
        (count, rows, columns, side, side * channels), (of_image, stride * of_row, stride * of_pixel, of_row, 1)
    )
    return pieces.reshape(-1, side * side * channels)


def _is_plain(conv: nn.Conv2d) -> bool:
    alike = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.dilation))
    padding = (conv.kernel_size[0] // 2,) * 2
    odd = conv.kernel_size[0] % 2 == 1
    return alike and odd and conv.dilation[0] == conv.groups == 1 and conv.bias is None and conv.padding == padding


def _rows(weight: Tensor) -> Tensor:
    """(d, c, k, k) -> (d, k k c), in the order of ``patches``."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


class _ByProducts(torch.autograd.Function):
    """(n, c, h, w), (d, c, k, k) -> (n, d, h / stride, w / stride), padded by k // 2."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.multiplied = stride, max(images.shape[2:]) <= MULTIPLIED * stride
        if ctx.multiplied:
            return product(images, weight, stride)
        return F.conv2d(images, weight, stride=stride, padding=weight.shape[2] // 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            of_images = _of_images(grad, images, weight, ctx.stride, multiplied=ctx.multiplied)
        if ctx.needs_input_grad[1]:
            of_weight = product_of_weight(grad, images, weight.shape[2], ctx.stride)
        return of_images, of_weight, None


def _of_images(grad: Tensor, images: Tensor, weight: Tensor, stride: int, *, multiplied: bool) -> Tensor:
    if multiplied and stride == 1:
        return product_of_images(grad, weight)
    padding = (weight.shape[2] // 2,) * 2
    geometry = ((stride,) * 2, padding, (1, 1), False, (0, 0), 1)
    found: Tensor = torch.ops.aten.convolution_backward(grad, images, weight, None, *geometry, (True, False, False))[0]
    return found
