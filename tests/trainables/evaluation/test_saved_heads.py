"""A finished head is not trained again, and nobody else's is taken for it."""

from __future__ import annotations

import pytest
import torch

from trainables.checkpoint import CheckpointError
from trainables.config import EvaluationConfig, ViewsConfig
from trainables.data import pixels
from trainables.evaluation import train_head
from trainables.evaluation.saved_heads import load_head, read_head, save_head

CONFIG = EvaluationConfig(head_epochs=1, crops_epochs=1, finetune_epochs=1, head_attack_steps=1)
VIEWS = ViewsConfig()


@pytest.mark.parametrize("name", ["clean", "robust", "n_crops_3", "robust_n_crops_3", "slf", "alf", "aff", "own"])
def test_a_saved_head_comes_back(name, encoder, supervised, noise, tmp_path):
    pretrained, images = supervised if name == "own" else encoder, pixels(noise(6).images)
    trained = train_head(pretrained, name, noise(12), 3, CONFIG, VIEWS, seed=4)
    save_head(tmp_path / "head.pt", trained, "this one")
    loaded = load_head(tmp_path / "head.pt", pretrained, name, 3, VIEWS, 4, "this one")
    assert type(loaded) is type(trained)
    assert torch.equal(loaded(images), trained(images))
    assert not any(module.training for module in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_linear_heads_file_holds_the_head_alone(encoder, noise, tmp_path):
    kept = {}
    for name in ("clean", "n_crops_2", "slf", "aff"):
        save_head(tmp_path / name, train_head(encoder, name, noise(6), 3, CONFIG, VIEWS, seed=0), "f")
        kept[name] = set(torch.load(tmp_path / name, weights_only=True)["learned"])
    assert kept["clean"] == kept["n_crops_2"] == kept["slf"] == {"weight", "bias"}
    assert kept["aff"] == {"head.weight", "head.bias", *(f"encoder.{key}" for key in encoder.state_dict())}


def test_another_fingerprint_or_no_file_gives_no_head(encoder, noise, tmp_path):
    save_head(tmp_path / "head.pt", train_head(encoder, "clean", noise(6), 3, CONFIG, VIEWS, seed=0), "this one")
    assert load_head(tmp_path / "head.pt", encoder, "clean", 3, VIEWS, 0, "another") is None
    assert load_head(tmp_path / "none.pt", encoder, "clean", 3, VIEWS, 0, "this one") is None


def test_what_a_head_learned_can_be_read_without_its_encoder(encoder, noise, tmp_path):
    trained = train_head(encoder, "slf", noise(6), 3, CONFIG, VIEWS, seed=0)
    save_head(tmp_path / "head.pt", trained, "this one")
    kept = read_head(tmp_path / "head.pt")
    assert kept.keys() == {"weight", "bias"}
    assert torch.equal(kept["weight"], trained.head.weight)
    assert torch.equal(kept["bias"], trained.head.bias)


@pytest.mark.parametrize("content", [b"PK\x03\x04 half a file", None])
def test_a_file_that_is_no_head_is_named(content, encoder, tmp_path):
    path = tmp_path / "head.pt"
    if content is None:
        torch.save({"something": "else"}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"head\.pt"):
        load_head(path, encoder, "clean", 3, VIEWS, 0, "this one")
    with pytest.raises(CheckpointError, match=r"head\.pt"):
        read_head(path)


def test_a_failed_save_leaves_the_old_head(encoder, noise, tmp_path, monkeypatch):
    path, trained = tmp_path / "head.pt", train_head(encoder, "clean", noise(6), 3, CONFIG, VIEWS, seed=0)
    save_head(path, trained, "this one")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space"):
        save_head(path, trained, "another")
    monkeypatch.undo()
    assert load_head(path, encoder, "clean", 3, VIEWS, 0, "this one") is not None
    assert [found.name for found in tmp_path.iterdir()] == ["head.pt"]
