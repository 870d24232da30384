"""What AutoAttack has found so far, on disk after every batch: replaced atomically, read without running code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.atomic import replacing
from trainables.checkpoint import CheckpointError
from trainables.data import ImageSet

FORMAT = 1


@dataclass(kw_only=True)
class Ledger:
    """Verdicts by stage, the clean images being the first stage; the last one may be known in part."""

    right: dict[str, Tensor] = field(default_factory=dict)
    """Which images are still classified right; bool (n,) on the CPU, right until judged otherwise."""
    judged: dict[str, int] = field(default_factory=dict)
    """How many of a stage's images, in their order, have their verdict."""
    targets: int = 0
    """Classes that the targeted attacks aim at; known once clean images are judged."""
    forward_equivalents: int = 0


def identify(classifier: nn.Module, images: ImageSet, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What verdicts depend on: ``settings`` as they are, classifier and images as their SHA-256."""
    parts = [*classifier.named_parameters(), *classifier.named_buffers()]
    return {
        "classifier": _digest(parts),
        "images": _digest([("images", images.images), ("labels", images.labels)]),
        **settings,
    }


def save(path: Path, identity: Mapping[str, Any], ledger: Ledger) -> None:
    """Replace ``path`` by ``ledger`` or leave it as it was."""
    with replacing(path) as file:
        torch.save({"format": FORMAT, "identity": dict(identity), "ledger": dict(vars(ledger))}, file)


def load(path: Path, identity: Mapping[str, Any]) -> Ledger:
    """The ledger that ``save`` wrote for an equal ``identity``.

    ``CheckpointError`` says what differs: verdicts may be hours of work, so no call with other settings wipes them.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} is no readable state of AutoAttack ({type(error).__name__}); delete it to start anew"
        ) from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no state of AutoAttack of format {FORMAT}; delete it to start anew")
    theirs = saved["identity"]
    differing = [
        f"{name} {theirs.get(name)!r} there, {identity.get(name)!r} here"
        for name in sorted(theirs.keys() | identity.keys())
        if theirs.get(name) != identity.get(name)
    ]
    if differing:
        raise CheckpointError(f"{path} is of another AutoAttack: {'; '.join(differing)}; use another path or delete it")
    return Ledger(**saved["ledger"])


def _digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
