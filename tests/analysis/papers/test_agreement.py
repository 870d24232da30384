"""What must be equal before ours and the published figures are ranked together: each setting by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analysis.papers import published
from analysis.papers.agreement import OURS, departures, of_point, of_trial
from analysis.reading.runs import CONFIG, read_study

AS_PUBLISHED = {"data.source": "cifar10", "data.validation_fraction": 0.0, "evaluation.split": "test"}


def trial(new_study: Callable[..., Any], **settings: Any) -> dict[Any, Any]:
    """As the readers give one that was measured as published, but for ``settings``."""
    study = new_study()
    study.begin(0, {}, settings=AS_PUBLISHED | settings)
    (found,) = read_study(study.paths).trials.to_dict("records")
    return found


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("data.source", "cifar10-lt", "another data set"),
        ("data.image_size", 64, "other training images"),
        ("data.train_images", 5000, "other training images"),
        ("data.validation_fraction", 0.1, "other training images"),
        ("network.architecture", "resnet34", "another network"),
        ("network.stem", "imagenet", "another size of network"),
        ("network.width", 16, "another size of network"),
        ("network.depth", 2, "another size of network"),
        ("network.pre_feature", 512, "another size of network"),
        ("evaluation.head", "n_crops_32", "another head"),
        ("evaluation.source", "folder:/others", "other images to evaluate on"),
        ("evaluation.split", "validation", "other images to evaluate on"),
        ("evaluation.images", 1000, "other images to evaluate on"),
        ("evaluation.head_images", 1000, "a head trained otherwise"),
        ("evaluation.head_epochs", 5, "a head trained otherwise"),
        ("evaluation.head_batch_size", 64, "a head trained otherwise"),
        ("evaluation.head_learning_rate", 1e-2, "a head trained otherwise"),
        ("evaluation.head_epsilon", 4 / 255, "a head trained otherwise"),
        ("evaluation.head_attack_steps", 1, "a head trained otherwise"),
        ("evaluation.attack_steps", 10, "another attack"),
        ("evaluation.attack_step_size", 2 / 255, "another attack"),
    ],
)
def test_each_setting_that_departs_is_named(
    new_study: Callable[..., Any], path: str, value: object, words: str
) -> None:
    agrees = trial(new_study)
    assert departures(agrees) == ()
    changed = agrees | {CONFIG + path: value}
    assert departures(changed) == (words,)
    assert of_trial(changed) == OURS
    unknown = {name: known for name, known in agrees.items() if name != CONFIG + path}
    assert departures(unknown) == (words,), "what is not known does not agree"


def test_a_trial_agrees_with_the_rows_of_its_own_data_and_network(new_study: Callable[..., Any]) -> None:
    found = trial(new_study, **{"data.source": "cifar100", "network.architecture": "resnet50"})
    alike = {point.table for point in published.POINTS if of_point(point) == of_trial(found)}
    assert alike == {"Table 5"}
    assert of_trial(found)[0] == "CIFAR-100"


def test_a_clean_head_agrees_with_clean_heads_alone(new_study: Callable[..., Any]) -> None:
    found = trial(new_study, **{"evaluation.heads": ["clean"], "evaluation.head": "clean"})
    alike = {(point.table, point.head_name) for point in published.POINTS if of_point(point) == of_trial(found)}
    assert alike == {("Table 2", "clean"), ("Table 3", "clean")}
