"""``study views``: what its sheets hold and say, of trainables, rows of the papers and trials."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from analysis.layout import EPOCH, StudyPaths, TrialPaths, append_event, write_json
from study import views
from study.commands import main as cli
from study.sheet import Sheet, lay_out
from trainables.catalogue import TRAINABLES
from trainables.config import UserError, to_dict
from trainables.leftovers import shed
from trainables.preview import preview
from trainables.trial import run

TINY: dict[str, Any] = {
    "data.source": "digits",
    "data.image_size": 8,
    "data.train_images": 200,
    "device": "cpu",
    "network.width": 4,
    "network.depth": 10,
    "network.projector_hidden": 16,
    "network.embedding": 8,
    "optimiser.batch_size": 20,
    "evaluation.images": 20,
    "evaluation.head_epochs": 1,
    "evaluation.head_attack_steps": 1,
    "evaluation.attack_steps": 1,
    "evaluation.check_images": 0,
}


def sheet_of(name: str, changes: dict[str, Any] | None = None, *, images: int = 2, columns: int = 8) -> Sheet:
    subject = views.find(name, TINY | (changes or {}))
    return views.sheet(subject, preview(subject.config, images, epoch=subject.epoch), columns)


@pytest.mark.parametrize("name", sorted(TRAINABLES))
def test_every_trainable_has_a_sheet(name):
    sheet = sheet_of(name)
    subject = views.find(name, TINY)
    attacked = subject.config.adversary.name != "none"
    assert {len(block.rows) for block in sheet.blocks} == {3 if attacked else 1}
    assert {len(row) for block in sheet.blocks for row in block.rows} == {len(sheet.heads)}
    assert ("against the untrained network" in sheet.caption[2]) is attacked
    assert (sheet.caption[2] == "Adversary: none.") is not attacked


def test_a_sheet_holds_the_views_themselves():
    subject = views.find("cf_amc_ssl", TINY | {"views.number": 3})
    seen = preview(subject.config, 2)
    block = views.sheet(subject, seen, 8).blocks[1]
    original, *cut = block.rows[0]
    assert isinstance(original, Tensor)
    assert torch.equal(original, seen.images[1])
    assert seen.perturbations is not None
    for view, perturbation, drawn, magnified in zip(
        seen.views, seen.perturbations, cut, block.rows[2][1:], strict=True
    ):
        assert isinstance(drawn, Tensor)
        assert isinstance(magnified, Tensor)
        assert torch.equal(drawn, (view[1] * 255).round().byte())
        assert ((magnified / 255 - 0.5) / 16 - perturbation[1]).abs().max() < 0.2 / 255
    assert block.title == f"class {seen.classes[1]}"


def test_captions_say_how_views_are_cut_and_perturbed():
    first, cut, adversary = sheet_of("cf_amc_ssl", {"adversary.epsilon": "4/255", "adversary.replays": 5}).caption
    assert first == "cf_amc_ssl, seed 0, epoch 1 of 10. Images: digits, 8x8 pixels, 10 classes."
    assert cut.startswith("Views: 16 an image, 8 of them shown; crops of 0.08 to 1 of the area")
    assert adversary.startswith("Adversary: free, m = 5 replays, epsilon 4/255, step 4/255; on these 2 images alone")
    assert "patches of 0.25 of the area" in sheet_of("emp_ssl", {"views.number": 2}).caption[1]
    padded = sheet_of("supervised_pgd").caption
    assert padded[1] == "Views: 1 an image; padded, moved by up to an eighth of an edge; colour as none."
    assert "PGD, 7 steps from a random start, epsilon 8/255, step 2/255" in padded[2]
    assert sheet_of("table1/cf_amc_ssl").caption[0].startswith("table1/cf_amc_ssl (cf_amc_ssl), seed 0")


def test_the_second_view_alone_is_perturbed_where_released_code_does_so():
    block = sheet_of("robust_simclr", {"faithful_to": "released_code"}).blocks[0]
    for row in block.rows[1:]:
        assert [type(cell) for cell in row] == [str, type(None), Tensor]


@pytest.mark.parametrize(("epsilon", "factor"), [(8 / 255, 16), (4 / 255, 32), (20 / 255, 6), (1.0, 1)])
def test_a_perturbation_is_magnified_to_the_whole_range(epsilon, factor):
    assert views.magnification(epsilon) == factor


@pytest.fixture
def trained(studies: Path) -> TrialPaths:
    """The finished trial s/3, two epochs long, with all of its checkpoint."""
    config = views.find("dynacl", TINY | _SHORT).config
    trial = StudyPaths(studies / "s").trial(3)
    write_json(trial.config, {"number": 3, "trainable": "dynacl", "params": {}, "config": to_dict(config)})
    run(config, checkpoint=trial.checkpoint, report=lambda done: append_event(trial, EPOCH, 1, epoch=done.epoch))
    return trial


_SHORT = {"optimiser.epochs": 2, "optimiser.warmup_epochs": 0, "views.strength_period": 1}


def test_of_a_trial_its_last_epochs_views_and_network_are_shown(trained):
    subject = views.find("s/3", {"device": "cpu"})
    seen = preview(subject.config, 2, epoch=subject.epoch, weights=subject.weights)
    first, cut, adversary = views.caption(subject, seen, 2)
    assert first.startswith("s/3 (dynacl), seed 0, epoch 2 of 2")
    assert cut.endswith("at strength 0.5.")
    assert adversary.endswith("against the network as trained to epoch 2.")
    shed(trained.checkpoint, subject.config)
    ended = views.find("s/3", {})
    assert ended.network.endswith("epoch 2, its projector drawn anew: an ended trial keeps none")
    assert not torch.equal(_attacked(subject), _attacked(ended))
    trained.checkpoint.unlink()
    assert views.find("s/3", {}).network == "the untrained network"


def _attacked(subject: views.Subject) -> Tensor:
    found = preview(subject.config, 2, epoch=subject.epoch, weights=subject.weights).adversarial
    assert found is not None
    return found


def test_a_trial_is_shown_as_it_is(studies):
    trial = StudyPaths(studies / "s").trial(0)
    write_json(trial.config, {"number": 0, "trainable": "simclr", "params": {}, "config": {}})
    with pytest.raises(UserError, match="s/0 was no valid draw"):
        views.find("s/0", {})
    with pytest.raises(UserError, match=r"views.number cannot be set, s/0 being what it is; set device, data.root"):
        views.find("s/0", {"views.number": 3})


@pytest.fixture
def study(monkeypatch, capsys, studies):
    """Runs the command in this process; gives its exit code and what it wrote."""

    def command(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["study", "views", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return command


def test_the_command_writes_one_png(study, tmp_path):
    path = tmp_path / "new" / "views.png"
    sets = [word for setting, value in TINY.items() for word in ("--set", f"{setting}={value}")]
    code, out, err = study("robust_simclr", *sets, "--images", 3, "-o", path)
    assert (code, out, err) == (0, f"{path}\n", "")
    assert [found.name for found in path.parent.iterdir()] == ["views.png"]
    layout = lay_out(sheet_of("robust_simclr", images=3))
    with Image.open(path) as image:
        assert (image.format, image.size) == ("PNG", (layout.width, layout.height))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cf_amc"], "unknown trainable 'cf_amc'"),
        (["s/7"], "no study named 's'"),
        (["table1/none"], "there is no 'table1/none'; name a trainable, a trial as STUDY/NUMBER, or a row"),
        (["table1/cf_amc_ssl", "--set", "trainable=simclr"], "trainable cannot be set; it is the row's"),
        (["cf_amc_ssl", "--set", "trainable=simclr"], "name it as the command's argument"),
        (["cf_amc_ssl", "--set", "views.nmber=3"], "did you mean views.number"),
        (["cf_amc_ssl", "--set", "data.source=folder:/none"], "/none is no folder"),
        (["cf_amc_ssl", "--set", "data.root=/none"], "data.download=true"),
        (["cf_amc_ssl", "--set", "data.source=digits", "--images", "1"], "choose 2 to 100"),
        (["simclr", "--set", "data.source=digits", "--set", "data.train_images=50"], "only 50 images train"),
        (["cf_amc_ssl", "-o", "views.jpg"], "views.jpg does not end in .png"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_file(study, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = study("-o", "views.png", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
