"""One trial in several processes, its ranks: together they compute what one process with whole batches would.

A batch is cut into groups, its micro-batches, and each rank holds as many images of every group. Random draws are made
for whole batches everywhere and then cut, so that nothing but dropout depends on how many ranks there are.

Every rank has everyone's embeddings and from them computes the same loss. What a rank propagates back is how that loss
depends on what this rank computed; sums over the ranks then give the whole: of the gradients of BatchNorm's
statistics on their way back, and of the weights' gradients before an update. Nothing is divided by the ranks' number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class LostRankError(ConnectionError):
    """Another process of this trial has gone: no fault of the trial's own."""


class EndedByFirstError(Exception):
    """The first rank has ended the trial; the others end with it."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Which of how many processes this is. The first, 0, alone reports, saves and evaluates.

    More than one have joined torch's default process group, whose backend serves the trial's device.
    """

    rank: int = 0
    size: int = 1
    groups: int = 1
    """Micro-batches that a batch is cut into before ranks take their parts."""

    @property
    def alone(self) -> bool:
        return self.size == 1

    def own(self, whole: Tensor, dim: int = 0) -> Tensor:
        """This rank's images of a batch, in the batch's order; images lie along ``dim``."""
        if self.alone:
            return whole
        parts: Tensor = whole.unflatten(dim, (self.groups, self.size, -1))
        return parts.select(dim + 1, self.rank).flatten(dim, dim + 1)

    def whole(self, own: Tensor, dim: int = 0) -> Tensor:
        """The batch of which every rank gives its ``own``; no gradient passes."""
        if self.alone:
            return own
        parts = [part.unflatten(dim, (self.groups, -1)) for part in self.each(own)]
        return torch.stack(parts, dim + 1).flatten(dim, dim + 2)

    def shape_of_whole(self, own: Tensor, dim: int = 0) -> tuple[int, ...]:
        """Of the batch whose part ``own`` is."""
        return (*own.shape[:dim], own.shape[dim] * self.size, *own.shape[dim + 1 :])

    def gather(self, own: Tensor, dim: int = 0) -> Tensor:
        """All ranks' parts of one group joined along ``dim``; the gradient of ``own`` is that of its place in them."""
        if self.alone:
            return own
        gathered: Tensor = _Gather.apply(own, self, dim)
        return gathered

    def each(self, own: Tensor) -> list[Tensor]:
        """What every rank gives for ``own``, in the order of ranks."""
        if self.alone:
            return [own]
        parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with _reaching():
            dist.all_gather(parts, own.detach().contiguous())
        return parts

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace every tensor by its sum over the ranks, in one exchange."""
        if self.alone or not tensors:
            return
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        with _reaching():
            dist.all_reduce(joined)
        parts = joined.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def of_first(self, value: Tensor) -> Tensor:
        """What the first rank gives for ``value``, whose shape is the same everywhere."""
        if self.alone:
            return value
        sent = value.to(_device())
        with _reaching():
            dist.broadcast(sent, src=0)
        return sent.to(value.device)

    @contextmanager
    def leading(self) -> Iterator[None]:
        """On the first rank: the others wait in ``follow`` until this block ends, and end if it raises."""
        try:
            yield
        except BaseException:
            with suppress(LostRankError):
                self.of_first(torch.tensor(0))
            raise
        self.of_first(torch.tensor(1))

    def follow(self) -> None:
        """On the other ranks: wait for the first; ``EndedByFirstError`` if the trial is not to go on."""
        if not self.of_first(torch.tensor(1)):
            raise EndedByFirstError


ALONE = World()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, world: World, dim: int) -> Tensor:
        ctx.world, ctx.dim = world, dim
        return torch.cat(world.each(own), dim)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.chunk(ctx.world.size, ctx.dim)[ctx.world.rank], None, None


def _device() -> torch.device:
    """Where the backend wants what it sends."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


@contextmanager
def _reaching() -> Iterator[None]:
    """Gloo's errors are plain ``RuntimeError``; within, all are those of a rank that is gone."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise LostRankError(f"another process of this trial cannot be reached ({reason})") from error
