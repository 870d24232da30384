from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.config import DataConfig, EvaluationConfig, TrialConfig
from trainables.data import DataError, ImageSet, heads_data, load


def trial(data: DataConfig, source: str | None) -> TrialConfig:
    return TrialConfig(trainable="cf_amc_ssl", data=data, evaluation=EvaluationConfig(source=source))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of ten training and two test images, larger than the digits and not square."""
    for split, count in (("train", 10), ("test", 2)):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / "shades" / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = np.full((30, 40, 3), 100 * label + index, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "shades" / split / name / f"{index}.png")
    return tmp_path / "shades"


def test_heads_see_the_other_source_at_the_pretraining_size_without_its_cap(folder: Path, tmp_path: Path) -> None:
    data = DataConfig(source="digits", root=str(tmp_path), train_images=15, validation_fraction=0.2, placement="host")
    pretraining = load(data)
    config = heads_data(trial(data, f"folder:{folder}"), pretraining.train)
    assert config == DataConfig(
        source=f"folder:{folder}", root=str(tmp_path), image_size=16, validation_fraction=0.2, placement="host"
    )
    heads = load(config)
    assert heads.train.size == pretraining.train.size == (16, 16)
    assert (len(pretraining.train), len(heads.train), len(heads.validation), len(heads.test)) == (15, 16, 4, 4)
    assert heads.classes == ("dark", "light")
    assert torch.equal(heads.train.images.float().mean((1, 2, 3)) >= 100, heads.train.labels == 1)


def test_without_another_source_the_heads_see_what_pretraining_saw() -> None:
    data = DataConfig(source="digits", train_images=15)
    assert heads_data(trial(data, None), load(data).train) is data


def test_the_folder_may_be_pretrained_on_and_the_digits_follow_its_size(folder: Path, tmp_path: Path) -> None:
    data = DataConfig(source=f"folder:{folder}", root=str(tmp_path), image_size=24)
    heads = load(heads_data(trial(data, "digits"), load(data).train))
    assert heads.test.size == (24, 24)
    assert len(heads.classes) == 10


def test_wide_pretraining_images_are_refused() -> None:
    wide = ImageSet(torch.zeros(2, 3, 10, 20, dtype=torch.uint8), torch.arange(2))
    with pytest.raises(DataError, match=r"'digits', .* have 20x10 pixels; set data.image_size"):
        heads_data(trial(DataConfig(), "digits"), wide)
