"""A trial's newest state on disk: replaced atomically, read without running code; of an ended trial, its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables import objectives
from trainables.atomic import replacing
from trainables.config import TrialConfig, UserError, flatten
from trainables.metrics import Pretrained

FORMAT = 2
FREE_TO_CHANGE = ("device", "data.root", "data.download", "data.placement", "network.recompute", "compute.compile")
"""Settings that do not change what pre-training computes but for rounding; nor does anything under ``evaluation.``."""
_ANEW = "delete it to start anew"
_PUT_BACK = "put back what the trial wrote there, or take another trial"


class CheckpointError(UserError):
    """A checkpoint that cannot continue this trial; the message says why and what to do."""


def save(path: Path, config: TrialConfig, state: dict[str, Any]) -> None:
    """Replace ``path`` by ``state`` or leave it as it was."""
    with replacing(path) as file:
        torch.save({"format": FORMAT, "config": flatten(config), "state": state}, file)


def load(path: Path, config: TrialConfig) -> dict[str, Any]:
    """The state that ``save`` wrote for an equal config.

    ``CheckpointError`` names every setting that differs, or says that only the weights are left.
    """
    saved = _read(path, config, _ANEW)
    if saved.get("shed"):
        raise CheckpointError(
            f"{path} holds weights of a trial that has ended and nothing to train them further; {_ANEW}"
        )
    state: dict[str, Any] = saved["state"]
    return state


def load_weights(path: Path, config: TrialConfig) -> dict[str, Tensor]:
    """The network's weights: all of a trial that goes on, those left of one that has ended. Raises as ``load`` does."""
    weights: dict[str, Tensor] = _read(path, config, _PUT_BACK)["state"]["pretraining"]["model"]
    return weights


def load_pretrained(path: Path, config: TrialConfig, pretrained: Pretrained) -> dict[str, Tensor]:
    """The ``lasting`` weights of an ended trial; ``CheckpointError`` if they are not those of ``pretrained`` either."""
    weights = lasting(load_weights(path, config), config)
    if digest(weights) != pretrained.weights:
        raise CheckpointError(f"{path} holds other weights than those that were to be measured; {_PUT_BACK}")
    return weights


def lasting(weights: Mapping[str, Tensor], config: TrialConfig) -> dict[str, Tensor]:
    """Those that outlive pre-training: all but the projector's, which is the head of a classifier alone."""
    classifies = objectives.find(config.objective.name).embeddings == "logits"
    return {name: value for name, value in weights.items() if classifies or not name.startswith("projector.")}


def digest(weights: Mapping[str, Tensor], settings: Mapping[str, object] | None = None) -> str:
    """SHA-256 of ``weights``, their names and ``settings``, wherever the tensors are and however they lie."""
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, value in weights.items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def shed(path: Path, config: TrialConfig) -> None:
    """Reduce the state at ``path`` to its ``lasting`` weights; a second time changes nothing.

    Raises as ``load`` does.
    """
    saved = _read(path, config, _PUT_BACK)
    if not saved.get("shed"):
        weights = lasting(saved["state"]["pretraining"]["model"], config)
        with replacing(path) as file:
            torch.save({**saved, "state": {"pretraining": {"model": weights}}, "shed": True}, file)


def _read(path: Path, config: TrialConfig, remedy: str) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; {remedy}") from error
    except Exception as error:
        raise CheckpointError(f"{path} is no readable checkpoint ({type(error).__name__}); {remedy}") from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise CheckpointError(f"{path} has an unknown format; {remedy}")
    # A setting that did not exist when it was saved had its default's effect.
    theirs, ours = flatten(TrialConfig(trainable=config.trainable)) | saved["config"], flatten(config)
    differing = [
        f"{name} {theirs.get(name)!r} there, {ours.get(name)!r} here"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name) and name not in FREE_TO_CHANGE and not name.startswith("evaluation.")
    ]
    if differing:
        raise CheckpointError(f"{path} is of another trial: {'; '.join(differing)}; use another path or delete it")
    return saved
