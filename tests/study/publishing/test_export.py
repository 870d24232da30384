"""Exported trials: the example beside the weights computes what the trial's own classifier does."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.layout import StudyPaths, TrialPaths, study_paths, write_json
from study.config import StudyConfig
from study.publishing.export import CARD, ENCODER, EXAMPLE, HEAD, ExportError, export, torchvision_names
from study.publishing.register import register
from study.tracking.tracker import sync
from study.tracking.uri import TrackingError
from trainables.catalogue import default_config
from trainables.config import NetworkConfig, TrialConfig, UserError, override, to_dict
from trainables.evaluation.heads import untrained
from trainables.evaluation.saved_heads import read_head
from trainables.metrics import Accuracy
from trainables.models import build, single_branch
from trainables.trial import evaluation_folder, run

STUDY = {"name": "s", "created": 0.0, "environment": {"git_commit": "abc"}, "objectives": []}


Finish = Callable[..., tuple[TrialPaths, TrialConfig]]


@pytest.fixture
def finished(studies: Path, tiny: Callable[..., StudyConfig]) -> Finish:
    """Makes a finished trial s/0 of the trainable ``name``."""

    def make(name: str = "cf_amc_ssl", **changes: Any) -> tuple[TrialPaths, TrialConfig]:
        settings = dict(tiny().settings) | {"optimiser.warmup_epochs": 0, "evaluation.images": 20}
        if default_config(name).objective.name == "cross_entropy":
            settings["views.number"] = 1
        if name == "acl":
            settings["network.pre_feature"] = None
        changed = {path.replace("__", "."): value for path, value in changes.items()}
        config = override(default_config(name), settings | changed)
        paths = StudyPaths(studies / "s")
        trial = paths.trial(0)
        write_json(paths.manifest, STUDY)
        write_json(trial.config, {"number": 0, "trainable": name, "params": {}, "config": to_dict(config)})
        write_json(trial.result, run(config, checkpoint=trial.checkpoint).to_dict())
        return trial, config

    return make


def logits_of_the_trial(trial: TrialPaths, config: TrialConfig, images: torch.Tensor) -> torch.Tensor:
    state = torch.load(trial.checkpoint, weights_only=True)["state"]["pretraining"]["model"]
    classes = 10 if config.objective.name == "cross_entropy" else None
    encoder = build(config.network, 0, image_size=8, classes=classes)
    encoder.load_state_dict(state)
    head = config.evaluation.head
    classifier = untrained(encoder, head, 10, config.views, config.seed)
    classifier.learned.load_state_dict(read_head(evaluation_folder(trial.checkpoint) / f"{head}.pt"))
    with torch.no_grad():
        return classifier.eval()(images)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("cf_amc_ssl", {}),
        pytest.param("cf_amc_ssl", {"network__width": 64, "network__depth": None}, marks=pytest.mark.exhaustive),
        pytest.param(
            "acl",
            {"evaluation__heads": ["slf"], "evaluation__head": "slf", "evaluation__finetune_epochs": 1},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "acl",
            {"evaluation__heads": ["aff"], "evaluation__head": "aff", "evaluation__finetune_epochs": 1},
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            "supervised_pgd", {"evaluation__heads": ["own"], "evaluation__head": "own"}, marks=pytest.mark.slow
        ),
        pytest.param(
            "simclr",
            {"network__architecture": "vit_tiny", "network__width": 64, "network__depth": None},
            marks=pytest.mark.exhaustive,
        ),
    ],
    ids=["small", "torchvision", "dual-batchnorm", "finetuned", "own-head", "vit"],
)
def test_the_example_loads_what_the_trial_computed(finished, tmp_path, name, changes):
    trial, config = finished(name, **changes)
    folder = tmp_path / "out"
    export("s/0", folder)
    done = subprocess.run([sys.executable, EXAMPLE], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = runpy.run_path(str(folder / EXAMPLE))
    shapes = (f"{name} {tuple(found[name].shape)}" for name in ("features", "logits"))
    assert done.stdout == f"{' '.join(shapes)}\n"
    torch.testing.assert_close(found["logits"].detach(), logits_of_the_trial(trial, config, found["images"]))


def test_the_backbone_has_torchvisions_names():
    from torchvision.models import resnet18

    encoder = build(NetworkConfig(pre_feature=8, projector_hidden=8, embedding=4, dual_batch_norm=True), seed=0)
    names = torchvision_names(single_branch(encoder.state_dict())).keys()
    theirs = {name for name in resnet18().state_dict() if not name.startswith("fc.")}
    assert {name for name in names if not name.startswith("pre_feature.")} == theirs


def test_the_card_says_what_a_stranger_needs(finished, tmp_path):
    finished(evaluation__check_images=20)
    export("s/0", tmp_path / "out")
    card = (tmp_path / "out" / CARD).read_text()
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    clean = result["heads"][0]["clean"]
    assert f"| Clean | {clean['value'] * 100:.1f} [" in card
    assert "PGD-2 at 8/255" in card
    assert "EMP-SSL over many crops; each batch replayed m times" in card
    assert "CC BY 4.0" in card
    assert "Commit abc" in card
    assert "do not confirm" in card
    assert f"Sanity checks: {result['verdict']}." in card
    assert "Its study asks" not in card
    for asked, told in (({"gpu_minutes": 1e9}, "kept"), ({"gpu_minutes": 1e-9}, f"above {1e-9:.3g}")):
        write_json(study_paths("s").manifest, STUDY | {"constraints": asked})
        export("s/0", tmp_path / told)
        line = next(row for row in (tmp_path / told / CARD).read_text().splitlines() if "Its study asks" in row)
        assert line.startswith("Its study asks for gpu_minutes at most ")
        assert line.endswith(f"{told}.")
    assert (tmp_path / "out" / EXAMPLE).read_text() in card
    checks = result["heads"][0]["verdict"]["checks"]
    right = Accuracy(correct=round(checks["pgd_127.5"] * 20), images=20)
    shown = " [".join(f"{100 * value:.1f}" for value in (right.value, right.interval()[0]))
    assert f"| PGD-2 at 127.5/255, from the image: no more than chance may be left | {shown}, " in card
    assert "| PGD-2, then Square (200 queries), at 8/255 | " in card
    assert card.count(" | 20 |\n") == 1 + len(result["heads"][0]["attacks"]) + len(checks), (
        "each figure and check says of how many images"
    )
    assert not any(f"| {name} |" in card for name in checks), "in words, not by their keys"


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_whoever_may_read_one_file_may_read_all(finished, tmp_path, mask):
    finished()
    before = os.umask(mask)
    try:
        export("s/0", tmp_path / "out")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert {ENCODER, HEAD, CARD, EXAMPLE} <= modes.keys()
    assert set(modes.values()) == {0o666 & ~mask}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize(
    ("trial", "head", "message"),
    [
        ("s", None, "name it STUDY/NUMBER"),
        ("s/7", None, "no trial s/7"),
        ("other/0", None, "no study named 'other'"),
        ("s/0", "slf", "no head 'slf'; choose one of robust"),
    ],
)
def test_what_cannot_be_exported_is_named(finished, tmp_path, trial, head, message):
    finished()
    with pytest.raises(UserError, match=message):
        export(trial, tmp_path / "out", head)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text"), [("config", '{"conf'), ("config", '{"config": {}}'), ("result", ""), ("result", "[]")]
)
def test_a_damaged_file_of_the_trial_is_named(finished, tmp_path, name, text):
    trial, _ = finished()
    file = getattr(trial, name)
    file.write_text(text)
    with pytest.raises(UserError, match=f"{file} (is damaged|holds no configuration); put back"):
        export("s/0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"PK")])
@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.evaluation/robust.pt"])
def test_weights_that_are_missing_or_damaged_are_named(finished, tmp_path, name, damage):
    trial, _ = finished()
    damage(file := trial.root / name)
    with pytest.raises(UserError, match=f"{file} is (missing|no readable .*); put back what the trial wrote there, or"):
        export("s/0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_nothing_half_written(finished, tmp_path, monkeypatch):
    trial, _ = finished()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(ExportError, match="choose a new folder"):
        export("s/0", tmp_path / "full")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    before = set(tmp_path.iterdir())
    monkeypatch.setattr("study.publishing.export.write_json", fails)
    with pytest.raises(OSError, match="no space"):
        export("s/0", tmp_path / "out")
    assert set(tmp_path.iterdir()) == before
    trial.result.unlink()
    with pytest.raises(ExportError, match="has not finished"):
        export("s/0", tmp_path / "out")


@pytest.mark.slow
def test_a_registered_model_is_a_version_with_its_files(studies, tiny, tmp_path):
    from mlflow import MlflowClient

    from study.launch import launch

    paths = launch(tiny(budget={"trials": 1}), backend="inline")
    export("tiny/0", tmp_path / "out")
    with pytest.raises(TrackingError, match="study sync tiny"):
        register(paths, 0, tmp_path / "out", "encoder")
    uri = sync(paths).uri
    versions = [register(paths, 0, tmp_path / "out", "encoder") for _ in range(2)]
    assert versions == ["1", "2"]
    client = MlflowClient(uri, uri)
    found = client.get_model_version("encoder", "2")
    assert found.tags == {"trial.id": "tiny/0000"}
    names = {Path(item.path).name for item in client.list_artifacts(found.run_id, "model")}
    assert {ENCODER, HEAD, CARD, EXAMPLE} <= names
