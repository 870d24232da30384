"""What an ended trial keeps on disk, and what it can no longer do."""

from __future__ import annotations

import shutil

import pytest
import torch

from trainables import checkpoint
from trainables.checkpoint import CheckpointError
from trainables.config import override
from trainables.leftovers import remove_unfinished, shed, size
from trainables.trial import evaluation_folder, run


@pytest.fixture(scope="module")
def trained(tiny_config, tmp_path_factory):
    """Config and folder of a trial with a momentum, a perturbation, a coreset and two heads."""
    config = tiny_config(
        "cf_amc_ssl",
        coreset__name="random",
        coreset__fraction=0.5,
        coreset__warmup_epochs=0,
        evaluation__heads=["robust", "clean"],
    )
    folder = tmp_path_factory.mktemp("trial")
    torch.set_num_threads(1)
    run(config, checkpoint=folder / "checkpoint.pt")
    (folder / "checkpoint.evaluation" / f"robust.standard.{'0' * 16}.pt").write_bytes(b"AutoAttack's verdicts")
    return config, folder


@pytest.fixture
def ended(trained, tmp_path):
    """That trial's config, and the checkpoint of a copy."""
    config, folder = trained
    return config, shutil.copytree(folder, tmp_path / "trial") / "checkpoint.pt"


def test_weights_and_heads_stay_and_the_rest_goes(ended):
    config, path = ended
    weights, folder = checkpoint.load_weights(path, config), evaluation_folder(path)
    heads = {name: (folder / name).read_bytes() for name in ("robust.pt", "clean.pt")}
    before = size(path.parent)
    (path.parent / f".checkpoint.pt.{'0' * 32}").write_bytes(b"half")

    freed = shed(path, config)
    assert freed == before + 4 - size(path.parent)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == heads
    assert sorted(file.name for file in path.parent.iterdir()) == ["checkpoint.evaluation", "checkpoint.pt"]
    kept = checkpoint.load_weights(path, config)
    assert kept.keys() == {name for name in weights if not name.startswith("projector.")} < weights.keys()
    assert all(torch.equal(kept[name], weights[name]) for name in kept)
    numbers = sum(value.numel() * value.element_size() for value in kept.values())
    assert path.stat().st_size < numbers * 1.2 + 60_000, "little beside the weights"


def test_a_supervised_network_keeps_its_own_head(tiny_config, tmp_path):
    config = tiny_config(
        "supervised_pgd", evaluation__heads=["own"], evaluation__head="own", optimiser__epochs=1, adversary__steps=1
    )
    run(config, checkpoint=tmp_path / "checkpoint.pt")
    before = checkpoint.load_weights(tmp_path / "checkpoint.pt", config)
    assert shed(tmp_path / "checkpoint.pt", config) > 0
    assert checkpoint.load_weights(tmp_path / "checkpoint.pt", config).keys() == before.keys()


def test_shedding_twice_is_shedding_once(ended):
    config, path = ended
    shed(path, config)
    before = path.read_bytes()
    assert shed(path, config) == 0
    assert path.read_bytes() == before


def test_what_was_shed_cannot_be_trained_further(ended):
    config, path = ended
    shed(path, config)
    for use in (lambda: run(config, checkpoint=path), lambda: checkpoint.load(path, config)):
        with pytest.raises(CheckpointError, match="a trial that has ended"):
            use()


def test_another_trials_checkpoint_is_not_shed(ended):
    config, path = ended
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"optimiser\.epochs"):
        shed(path, override(config, {"optimiser.epochs": 7}))
    assert path.read_bytes() == before


def test_only_temporary_files_are_removed(tmp_path):
    kept = [".lock", "events.jsonl", ".checkpoint.pt.abc", f"checkpoint.pt.{'a' * 32}"]
    for name in [*kept, f".checkpoint.pt.{'a' * 32}"]:
        (tmp_path / name).write_bytes(b"12345")
    assert remove_unfinished(tmp_path) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    assert remove_unfinished(tmp_path / "nowhere") == 0
