"""A trial's encoder and head for use elsewhere: weights, a model card, and an example that loads them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from analysis.layout import ATTEMPT, StudyPaths, TrialPaths, read_events, write_atomically, write_json
from analysis.reading.written import check_counts, config_of, find_trial, written
from study.packages import check_installed, versions
from study.publishing.model_card import Card
from trainables import checkpoint
from trainables.config import TrialConfig, UserError
from trainables.evaluation.saved_heads import read_head
from trainables.models import build, single_branch
from trainables.trial import evaluation_folder

ENCODER, HEAD, CONFIG, RESULT, CARD, EXAMPLE = (
    *("encoder.safetensors", "head.safetensors", "config.json", "result.json", "README.md", "load.py"),
)


class ExportError(UserError):
    """The trial cannot be exported as asked."""


@dataclass(frozen=True)
class Model:
    """A finished trial's weights, under torchvision's names: those of the backbone bare, then ``pre_feature.``."""

    config: TrialConfig
    result: Mapping[str, Any]
    head_name: str
    encoder: dict[str, Tensor]
    head: dict[str, Tensor]
    """``weight`` and ``bias`` of the linear layer above; of a supervised network's own head, its last layer."""


def export(trial: str, folder: Path, head: str | None = None) -> Model:
    """Write the trial ``STUDY/NUMBER`` into ``folder``, whole or not at all; ``head``: another than the study's.

    Raises ``UserError`` if the trial is not there, not finished or excluded, or if the folder holds anything.
    """
    study, paths = find_trial(trial)
    check_counts(study, paths)
    check_installed(study)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} is there already; choose a new folder")
    model = read_model(trial, paths, head)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole"  # of the umask's mode, which the temporary folder has not
        whole.mkdir()
        _write(model, trial, study, whole)
        whole.rename(folder)
    return model


def read_model(trial: str, paths: TrialPaths, head: str | None) -> Model:
    """The weights of a finished trial; ``ExportError`` if it is none, or never trained that head."""
    if not paths.result.exists():
        raise ExportError(f"trial {trial} has not finished; export one that has, `study front` lists the best")
    config, result = config_of(paths), written(paths.result)
    name = head or config.evaluation.head
    if name not in config.evaluation.heads:
        raise ExportError(f"trial {trial} has no head {name!r}; choose one of {', '.join(config.evaluation.heads)}")
    encoder = checkpoint.load_weights(paths.checkpoint, config)
    learned = read_head(evaluation_folder(paths.checkpoint) / f"{name}.pt")
    if name == "aff":  # it finetuned a copy of the encoder
        encoder = {key.removeprefix("encoder."): value for key, value in learned.items() if key.startswith("encoder.")}
        learned = {key.removeprefix("head."): value for key, value in learned.items() if key.startswith("head.")}
    encoder = single_branch(encoder)
    if name == "own":
        learned = {key.removeprefix("projector."): v for key, v in encoder.items() if key.startswith("projector.")}
    return Model(config, result, name, torchvision_names(encoder), learned)


def torchvision_names(encoder: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's weights, the backbone's under torchvision's names; the projector is pre-training's alone."""
    return {
        key.removeprefix("backbone."): value.contiguous()
        for key, value in encoder.items()
        if not key.startswith("projector.")
    }


def _write(model: Model, trial: str, study: StudyPaths, folder: Path) -> None:
    backbone_size = build(model.config.network, 0, image_size=model.result["image_size"]).backbone_size
    paths = study.trial(int(trial.rpartition("/")[2]))
    attempts = [event for event in read_events(paths) if event["kind"] == ATTEMPT]
    about = (written(study.manifest), versions(attempts[-1] if attempts else {}), backbone_size)
    details = Card.of(model.config, model.result, model.head_name, trial, *about)
    for name, weights in ((ENCODER, model.encoder), (HEAD, model.head)):
        # safetensors' own save_file keeps what it writes from all but its owner
        (folder / name).write_bytes(save(weights, metadata={"format": "pt", "trial": trial}))
    write_json(folder / CONFIG, written(paths.config)["config"])
    write_json(folder / RESULT, model.result)
    write_atomically(folder / EXAMPLE, details.loading_example())
    write_atomically(folder / CARD, details.markdown())
