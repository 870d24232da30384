"""Convolutions that are fast on a CPU in bfloat16 also where the maps are small.

oneDNN convolves image by image. With kernels of 3 x 3 on maps of 4 x 4 one matrix product over all images takes half of
its time, and a fifth for the gradient of the weights, which is faster so up to maps of 8 x 8; on larger ones copying
each pixel's patch takes longer than what it saves (`benchmarks.convolutions`, measured in results/README.md). So it is
where the processor multiplies matrices of bfloat16 by itself; others take as long by their vectors either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

MATRICES: bool = torch.cpu.get_capabilities().get("amx_bf16", False)
"""Whether the processor has units for matrices of bfloat16, on which products are faster."""
WEIGHED, MULTIPLIED = 8, 4
"""Pixels a side of the largest output whose weights' gradient is a matrix product, and where all the rest is one."""
FEW = 8
"""Channels with which a strided convolution of single pixels is given the pixels that it reads, and no others."""


class Convolution(nn.Conv2d):
    """``nn.Conv2d``; under bfloat16 autocast on a CPU with ``MATRICES``, by products where the maps are small.

    It differs from ``nn.Conv2d``'s by bfloat16's rounding, with gradients and without alike. What PyTorch's own would
    not survive is computed otherwise, to the same bits.
    """

    def forward(self, images: Tensor) -> Tensor:
        if self._is_for_products(images):
            weight = self.weight.to(torch.bfloat16)
            return convolve(images.to(torch.bfloat16), weight, self.stride[0])
        if self._is_unsafe(images):
            stride = self.stride[0]
            return F.conv2d(images[:, :, ::stride, ::stride], self.weight)
        return super().forward(images)

    def _is_unsafe(self, images: Tensor) -> bool:
        """Whether oneDNN would write beyond its memory, as it does in float32 where few channels are strided over in
        maps of some size: seen with torch 2.11 and 2.15, up to 8 channels, on AVX-512 from 48 pixels a side on, on AVX2
        at 8 already. A simulated device computes on the CPU, too."""
        return not images.is_cuda and self.kernel_size == (1, 1) and self.stride[0] > 1 and self.in_channels <= FEW

    def _is_for_products(self, images: Tensor) -> bool:
        return (
            MATRICES
            and images.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and max(images.shape[2:]) <= WEIGHED * self.stride[0]
        )


def multiply_small_maps(model: nn.Module) -> None:
    """Make those convolutions within ``model`` that can be ``Convolution``; their parameters and names stay."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = Convolution


def convolve(images: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The convolution of (n, c, h, w) by (d, c, k, k), padded by k // 2, with products where they are faster."""
    outputs: Tensor = _ByProducts.apply(images, weight, stride)
    return outputs


def product(images: Tensor, weight: Tensor, stride: int) -> Tensor:
    """(n, c, h, w), (d, c, k, k) -> (n, d, h / stride, w / stride), padded by k // 2: the convolution of ``images``."""
    outputs, _, side, _ = weight.shape
    height, width = (-(-size // stride) for size in images.shape[2:])
    found = patches(images, side, stride) @ _rows(weight).t()
    return found.view(len(images), height, width, outputs).permute(0, 3, 1, 2)


def product_of_images(grad: Tensor, weight: Tensor, stride: int, height: int, width: int) -> Tensor:
    """(n, d, h / stride, w / stride), (d, c, k, k) -> (n, c, h, w): the gradient of ``product``'s images.

    Pixels in like places between strides were read by the same part of the kernel: one product for each place.
    """
    padded = _padded(grad, weight.shape[2] // 2)
    count = [-(-size // stride) for size in (height, width)]
    rows = []
    for row in range(stride):
        columns = [_of_place((row, column), padded, weight, stride, count) for column in range(stride)]
        rows.append(_interleaved(columns, 2))
    return _interleaved(rows, 1)[:, :height, :width].permute(0, 3, 1, 2)


def product_of_weight(grad: Tensor, images: Tensor, side: int, stride: int) -> Tensor:
    """(n, d, h / stride, w / stride), (n, c, h, w) -> (d, c, side, side): the gradient of ``product``'s weight."""
    outputs, inputs = grad.shape[1], images.shape[1]
    found = grad.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ patches(images, side, stride)
    return found.view(outputs, side, side, inputs).permute(0, 3, 1, 2)


def patches(images: Tensor, side: int, stride: int) -> Tensor:
    """(n, c, h, w) -> (n h' w', side side c): what each output pixel reads."""
    padded = _padded(images, side // 2)
    count = [(size - side) // stride + 1 for size in padded.shape[1:3]]
    return _windows(padded, (0, 0), count, (side, side), stride)


def _is_plain(conv: nn.Conv2d) -> bool:
    alike = all(len(set(pair)) == 1 for pair in (conv.kernel_size, conv.stride, conv.dilation))
    padding = (conv.kernel_size[0] // 2,) * 2
    odd = conv.kernel_size[0] % 2 == 1
    return alike and odd and conv.dilation[0] == conv.groups == 1 and conv.bias is None and conv.padding == padding


def _rows(weight: Tensor) -> Tensor:
    """(d, c, k, k) -> (d, k k c), in the order of ``patches``."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _padded(images: Tensor, padding: int) -> Tensor:
    """(n, c, h, w) -> (n, h + 2 padding, w + 2 padding, c)"""
    return F.pad(images.permute(0, 2, 3, 1), (0, 0, *(padding,) * 4)).contiguous()


def _windows(pixels: Tensor, corner: Sequence[int], count: Sequence[int], window: Sequence[int], stride: int) -> Tensor:
    """(n, h, w, c) -> (n rows columns, window window c): ``count`` windows from ``corner`` on, down and across."""
    of_image, of_row, of_pixel, _ = pixels.stride()
    # A window's row is one piece of memory: few and long copies. The compiler wants them of the whole, not of a slice.
    pieces = pixels.as_strided(
        (len(pixels), *count, window[0], window[1] * of_pixel),
        (of_image, stride * of_row, stride * of_pixel, of_row, 1),
        pixels.storage_offset() + corner[0] * of_row + corner[1] * of_pixel,
    )
    return pieces.reshape(-1, window[0] * window[1] * of_pixel)


def _of_place(places: tuple[int, int], padded: Tensor, weight: Tensor, stride: int, count: Sequence[int]) -> Tensor:
    """(n, rows, columns, c): the gradient of those pixels that are at ``places``, down and across, within strides."""
    _, inputs, side, _ = weight.shape
    taps = [_reading(place, side, stride) for place in places]
    if not all(taps):
        return padded.new_zeros(len(padded), *count, inputs)
    # The last of the kernel's taps was the first of the output's pixels to read.
    first = [(place + side // 2 - of[0]) // stride + side // 2 for place, of in zip(places, taps, strict=True)]
    kernel = weight[:, :, taps[0]][:, :, :, taps[1]].permute(2, 3, 0, 1).reshape(-1, inputs)
    return (_windows(padded, first, count, [len(of) for of in taps], 1) @ kernel).view(-1, *count, inputs)


def _interleaved(parts: list[Tensor], dim: int) -> Tensor:
    """The first slice of each part along ``dim``, then the second of each, and so on."""
    return parts[0] if len(parts) == 1 else torch.stack(parts, dim + 1).flatten(dim, dim + 1)


def _reading(place: int, side: int, stride: int) -> list[int]:
    """Which rows (or columns) of the kernel read the pixels at ``place`` within their stride, the last first."""
    return [tap for tap in reversed(range(side)) if (tap - place - side // 2) % stride == 0]


class _ByProducts(torch.autograd.Function):
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
    if multiplied:
        return product_of_images(grad, weight, stride, *images.shape[2:])
    padding = (weight.shape[2] // 2,) * 2
    geometry = ((stride,) * 2, padding, (1, 1), False, (0, 0), 1)
    found: Tensor = torch.ops.aten.convolution_backward(grad, images, weight, None, *geometry, (True, False, False))[0]
    return found
