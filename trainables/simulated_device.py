"""A device that computes on the CPU and behaves as a GPU does: finds, without one, what would fail or stall there.

What lies there meets nothing that lies on the CPU, and whoever reads it waits for all that was asked of it before.
torch calls it ``meta``, which every build of torch knows; the tensors of this one hold numbers.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
_TORCH = str(Path(torch.__file__).parent)
_ATEN = torch.ops.aten
_READING = {
    _ATEN._local_scalar_dense.default,  # item(), float(), bool(), a branch
    _ATEN._linalg_check_errors.default,  # whether a decomposition went well
    _ATEN._unique2.default,
    _ATEN.bincount.default,
    _ATEN.equal.default,
    _ATEN.masked_select.default,
    _ATEN.nonzero.default,
    _ATEN.repeat_interleave.Tensor,
}
"""Operations that give the CPU what is there, or as many values as only the device knows."""
_INDEXING = {_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default}
"""Operations that take indices of the CPU, too, and send them; what is true of a mask they count first."""
_MAKING = (torch.tensor, torch.as_tensor, torch.asarray)
"""Of what is no tensor; they begin on the CPU and ask nobody where to put it."""
_AT_INDICES = (Tensor.__getitem__, Tensor.__setitem__)
"""What makes tensors of lists of indices, on the device without asking, where they would hold nothing."""


class MixedDevicesError(RuntimeError):
    """An operation on tensors of both devices; the message names it, and the place in the code."""


@contextmanager
def simulated_device() -> Iterator[Counter[str]]:
    """Within, tensors can be on ``DEVICE``; gives how often each place, ``FILE, line N``, made the CPU wait for it.

    A number of the CPU, a tensor without dimensions, may enter what is computed there, as on a GPU. Not simulated:
    autocast, generators, compiled code. Raises ``MixedDevicesError``.
    """
    waits: Counter[str] = Counter()
    with _Made(), _Computed(waits):
        yield waits


class _OnDevice(Tensor):
    """What is on ``DEVICE``: to torch a tensor of its own that holds nothing, here with its values on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> _OnDevice:
        made: _OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=DEVICE,
        )
        made.held = values
        return made

    def tolist(self) -> Any:
        return self.cpu().tolist()

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(func, args, kwargs or {}, Counter())


class _Made(TorchFunctionMode):
    """Sends what is made of numbers to where it is wanted; lists of indices are made on the CPU, which sends them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in _AT_INDICES:
            args = (args[0], _listed(args[1]), *args[2:])
        device = kwargs.pop("device", None) if func in _MAKING else None
        made = func(*args, **kwargs)
        return made if device is None else made.to(device)


class _Computed(TorchDispatchMode):
    """Computes what concerns the device, and keeps account of who waits for it."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {}, self._waits)


def _compute(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], waits: Counter[str]) -> Any:
    """What ``func`` gives of values wherever they are, and on the device where a GPU would leave it."""
    involved = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    wanted = kwargs.get("device")
    if func is _ATEN.copy_.default:
        there = _is_there(args[0])
    else:
        there = any(map(_is_there, involved)) if wanted is None else torch.device(wanted) == DEVICE
    if _waits(func, args, kwargs, there):
        waits[_place()] += 1
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu") if there else wanted}
    found = func(*tree_map(_values, args), **tree_map(_values, kwargs))
    if not there:
        return found
    sent = tree_map(lambda leaf: _OnDevice(leaf) if isinstance(leaf, Tensor) else leaf, found)
    return return_and_correct_aliasing(func, args, kwargs, sent) if any(map(_is_there, involved)) else sent


def _waits(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], there: bool) -> bool:
    """Whether the CPU waits for what ``func`` leaves on the device, if ``there``; raises ``MixedDevicesError``."""
    if func in (_ATEN._to_copy.default, _ATEN.copy_.default):
        ordered = kwargs.get("non_blocking", args[2] if len(args) > 2 else False)
        return _is_there(args[func is _ATEN.copy_.default]) != there and not (there and ordered)
    indices = tree_leaves(args[1]) if func in _INDEXING else []
    others = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    mixed = [leaf for leaf in others if leaf.ndim and not _is_there(leaf) and not any(leaf is one for one in indices)]
    if not any(map(_is_there, others)):
        return False
    if mixed:
        raise MixedDevicesError(f"{func.name()} of what is on the device and on the CPU, at {_place()}")
    return func in _READING or any(not _is_there(one) or one.dtype == torch.bool for one in indices if one is not None)


def _listed(index: Any) -> Any:
    """``index`` with a tensor for each list of numbers."""
    if isinstance(index, tuple):
        return tuple(map(_listed, index))
    numbers = isinstance(index, list) and index and all(isinstance(one, int) for one in index)
    return torch.tensor(index) if numbers else index


def _is_there(value: object) -> bool:
    return isinstance(value, _OnDevice)


def _values(value: Any) -> Any:
    return value.held if isinstance(value, _OnDevice) else value


def _place() -> str:
    """The innermost line that is neither torch's nor here."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_TORCH, __file__)):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"
