"""A GPU's memory does not suffice: what is written down, and what is tried before a trial is given up.

Recomputing activations computes the same, so the attempt goes on with it from the last checkpoint. A batch that is cut
into micro-batches is another configuration, so that becomes another trial: ``study.search.micro_batches``.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from analysis.layout import EPOCH, OUT_OF_MEMORY, TrialPaths, append_event, read_events
from analysis.reading.written import pretrained_of
from study.resources.needs import is_out_of_memory, limit_gib, peak_gib
from trainables.config import ConfigError, TrialConfig, override
from trainables.metrics import PEAK_MEMORY_GIB

_SMALLER = "lower evaluation.attack_batch_size and evaluation.auto_attack_batch_size"

T = TypeVar("T")


class ShortageError(Exception):
    """The trial needs more memory than it holds, whatever was tried; ``metrics`` say how much it had taken."""

    def __init__(self, message: str, metrics: Mapping[str, float]) -> None:
        super().__init__(message)
        self.metrics = dict(metrics)


def sparing(train: Callable[..., T], paths: TrialPaths, attempt: int, *, recompute: bool) -> Callable[..., T]:
    """``train``, tried once more with recomputed activations where memory does not suffice.

    What an earlier attempt ran short of is remembered. Raises ``ShortageError`` when nothing is left to try.
    """

    def run(config: TrialConfig, **rest: Any) -> T:
        short: ShortageError | None = None
        for tried in _to_try(config, paths, recompute):
            try:
                return train(tried, **rest)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                short = _note(paths, attempt, tried, str(error))
            except ConfigError:  # a network that cannot recompute
                if short is None:
                    raise
            _let_go()
        assert short is not None
        raise short

    return run


def _to_try(config: TrialConfig, paths: TrialPaths, recompute: bool) -> list[TrialConfig]:
    if not recompute or config.network.recompute:
        return [config]
    spared = override(config, {"network.recompute": True})
    remembered = any(event["kind"] == OUT_OF_MEMORY for event in read_events(paths))
    return [spared] if remembered else [config, spared]


def _note(paths: TrialPaths, attempt: int, tried: TrialConfig, error: str) -> ShortageError:
    peak, limit = peak_gib(tried.device), limit_gib(tried.device)
    trained = pretrained_of(paths) is not None or any(
        event["kind"] == EPOCH and event["epoch"] == tried.optimiser.epochs for event in read_events(paths)
    )
    measured = {} if peak is None else {PEAK_MEMORY_GIB: peak}
    reason = " ".join(error.split())
    append_event(
        paths,
        OUT_OF_MEMORY,
        attempt,
        peak_memory_gib=peak,
        limit_gib=limit,
        recompute=tried.network.recompute,
        micro_batches=tried.optimiser.micro_batches,
        trained=trained,
        reason=reason,
    )
    how = "with recomputed activations too" if tried.network.recompute else "with activations kept"
    took = reason if peak is None or limit is None else f"{peak:.2f} of {limit:.2f} GiB were taken"
    remedy = f"; the evaluation ran short of it: {_SMALLER}" if trained else ""
    return ShortageError(f"out of memory, {how}: {took}{remedy}", measured)


def _let_go() -> None:
    """Of what the failed run had on the GPU, which its traceback held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
