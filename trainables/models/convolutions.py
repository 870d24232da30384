"""Convolutions whose weights' gradient is fast on a CPU in bfloat16, where the maps are small.

oneDNN sums that gradient image by image, which on maps of 4 x 4 takes four times as long as one matrix product over all
images does; on maps of 16 x 16 no product is faster (measured in results/README.md).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALL = 8
"""Pixels a side of the largest output whose weights' gradient is a matrix product."""


class Convolution(nn.Conv2d):
    """``nn.Conv2d``; under bfloat16 autocast on a CPU with the weights' gradient of small maps as a matrix product.

    It differs from ``nn.Conv2d``'s by bfloat16's rounding; outputs and the images' gradient are the same to the bit.
    """

    def forward(self, images: Tensor) -> Tensor:
        if not self._by_product(images):
            return super().forward(images)
        weight = self.weight.to(torch.bfloat16)
        outputs: Tensor = _WeightByProduct.apply(images.to(torch.bfloat16), weight, self.stride[0])
        return outputs

    def _by_product(self, images: Tensor) -> bool:
        return (
            images.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and torch.is_grad_enabled()
            and self.weight.requires_grad
            and max(images.shape[2:]) <= SMALL * self.stride[0]
        )


def weigh_by_product(model: nn.Module) -> None:
    """Make those convolutions within ``model`` that can be ``Convolution``; their parameters and names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = Convolution


def keep_compiled() -> None:
    """Let torch's cache keep compiled passes with ``Convolution``, so that the next process finds them.

    It keeps none with a gradient of ours unless it is told to, though what the gradient does is part of its key.
    """
    from torch._functorch import config

    if hasattr(config, "autograd_cache_allow_custom_autograd_functions"):
        config.autograd_cache_allow_custom_autograd_functions = True


def _is_plain(conv: nn.Conv2d) -> bool:
    alike = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.dilation))
    padding = (conv.kernel_size[0] // 2,) * 2
    return alike and conv.dilation[0] == conv.groups == 1 and conv.bias is None and conv.padding == padding


class _WeightByProduct(torch.autograd.Function):
    """(n, c, h, w), (d, c, k, k) -> (n, d, h / stride, w / stride), padded by k // 2."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, weight.shape[2] // 2
        return F.conv2d(images, weight, stride=stride, padding=ctx.padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        images, weight = ctx.saved_tensors
        stride, padding = (ctx.stride,) * 2, (ctx.padding,) * 2
        of_images = None
        if ctx.needs_input_grad[0]:
            of_images = torch.ops.aten.convolution_backward(
                grad, images, weight, None, stride, padding, (1, 1), False, (0, 0), 1, (True, False, False)
            )[0]
        outputs, inputs, side, _ = weight.shape
        rows = _patches(images, side, ctx.stride, ctx.padding)
        product = grad.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ rows
        return of_images, product.view(outputs, side, side, inputs).permute(0, 3, 1, 2), None


def _patches(images: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """(n, c, h, w) -> (n h' w', side side c): what each output pixel reads."""
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, *(padding,) * 4)).contiguous()
    count, height, width, channels = padded.shape
    rows, columns = ((size - side) // stride + 1 for size in (height, width))
    of_image, of_row, of_pixel, _ = padded.stride()
    # A patch's row is one piece of memory: few and long copies.
    pieces = padded.as_strided(
        (count, rows, columns, side, side * channels), (of_image, stride * of_row, stride * of_pixel, of_row, 1)
    )
    return pieces.reshape(-1, side * side * channels)
