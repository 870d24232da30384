"""Trained heads on disk, so that an interrupted evaluation does not train a finished one again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.atomic import replacing
from trainables.checkpoint import CheckpointError
from trainables.config import ViewsConfig
from trainables.evaluation.classifiers import Classifier
from trainables.evaluation.heads import untrained
from trainables.models import Encoder


def save_head(path: Path, classifier: Classifier, fingerprint: str) -> None:
    """Replace ``path`` by what training gave ``classifier``: its head, of ``aff`` the encoder too, of ``own`` nothing.

    ``fingerprint`` tells this head from others: its encoder's weights, its settings, its images.
    """
    with replacing(path) as file:
        torch.save({"fingerprint": fingerprint, "learned": classifier.learned.state_dict()}, file)


def load_head(
    path: Path, encoder: Encoder, name: str, classes: int, views: ViewsConfig, seed: int, fingerprint: str
) -> Classifier | None:
    """The classifier that ``save_head`` was given, on the device of ``encoder``, frozen and in evaluation mode.

    ``None`` if there is no such file or it has another fingerprint. ``CheckpointError`` if it cannot be read.
    """
    if not path.exists():
        return None
    saved = _read(path, "delete it and evaluate again")
    if saved["fingerprint"] != fingerprint:
        return None
    classifier = untrained(encoder, name, classes, views, seed)
    classifier.learned.load_state_dict(saved["learned"])
    return classifier.eval().requires_grad_(False)


def read_head(path: Path) -> dict[str, Tensor]:
    """What ``save_head`` kept, by the names of ``Classifier.learned``, on the CPU, whosever fingerprint it bears.

    ``CheckpointError`` if there is no such file or it cannot be read.
    """
    learned: dict[str, Tensor] = _read(path, "put back what the trial wrote there, or take another head")["learned"]
    return learned


def _read(path: Path, remedy: str) -> dict[str, Any]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing; {remedy}") from error
    except Exception as error:
        raise CheckpointError(f"{path} is no readable head ({type(error).__name__}); {remedy}") from error
    if not isinstance(saved, dict) or saved.keys() != {"fingerprint", "learned"}:
        raise CheckpointError(f"{path} holds no head; {remedy}")
    return saved
