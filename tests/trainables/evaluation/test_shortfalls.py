"""Numbers of images above what there is are told, with both numbers; what fits is not worth a word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainables.config import DataConfig, EvaluationConfig
from trainables.data import load
from trainables.evaluation.shortfalls import shortfalls

IMAGES = load(DataConfig(source="digits", train_images=200))
HERE = len(IMAGES.validation)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, []),
        ({"images": HERE, "head_images": 200}, []),
        ({"images": HERE + 1}, [f"evaluation.images is {HERE + 1} but the validation split has {HERE} images"]),
        ({"split": "test", "images": 5000}, ["images is 5,000 but the test split has 359 images; 359 are used"]),
        ({"head_images": 201}, ["evaluation.head_images is 201 but training leaves 200 images; 200 are used"]),
        ({"auto_attack_images": 5000}, []),
        (
            {"images": 30, "auto_attack_images": 31, "attacks": ("pgd", "auto_attack")},
            ["evaluation.auto_attack_images is 31 but the evaluation takes 30 images; 30 are used"],
        ),
    ],
)
def test_what_is_asked_for_and_not_there_is_told(settings: dict[str, object], words: list[str]) -> None:
    found = shortfalls(replace(EvaluationConfig(), **settings), IMAGES)
    assert len(found) == len(words)
    for line, expected in zip(found, words, strict=True):
        assert line.startswith("warning: evaluation.")
        assert expected in line
