from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainables.config import DataConfig
from trainables.data import DataError, ImageSet, generator
from trainables.data.stratify import divide, stratified_order, train_and_validation

LABELS = st.lists(st.integers(0, 4), min_size=6, max_size=120).map(torch.tensor)


def numbered(labels: Tensor) -> ImageSet:
    """Images whose pixels spell their own index, so that a set of images can be told from another."""
    index = torch.arange(len(labels))
    pixels = torch.stack([index % 256, index // 256, torch.zeros_like(index)], dim=1).to(torch.uint8)
    return ImageSet(pixels[:, :, None, None].repeat(1, 1, 2, 2), labels)


def indices(images: ImageSet) -> list[int]:
    red, green = images.images[:, 0, 0, 0].long(), images.images[:, 1, 0, 0].long()
    return (red + 256 * green).tolist()


def config(**changes: object) -> DataConfig:
    return DataConfig(source="digits", **changes)  # type: ignore[arg-type]


@given(LABELS, st.integers(0, 9))
def test_the_order_is_a_permutation_with_proportional_prefixes(labels: Tensor, seed: int) -> None:
    order = stratified_order(labels, generator(seed))
    assert sorted(order.tolist()) == list(range(len(labels)))
    classes = len(labels.unique())
    for length in range(len(labels) + 1):
        counts = torch.bincount(labels[order[:length]], minlength=5)
        fair = torch.bincount(labels, minlength=5) * length / len(labels)
        assert (counts - fair).abs().max() <= classes / 2 + 1


@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 9))
def test_equally_frequent_classes_stay_within_one(per_class: int, classes: int, seed: int) -> None:
    labels = torch.arange(classes).repeat(per_class)
    order = stratified_order(labels, generator(seed))
    for length in range(len(labels) + 1):
        counts = torch.bincount(labels[order[:length]], minlength=classes)
        assert counts.max() - counts.min() <= 1


@given(LABELS, st.floats(0, 0.9))
def test_training_and_validation_part_the_images(labels: Tensor, fraction: float) -> None:
    images = numbered(labels)
    train, validation = train_and_validation(images, config(validation_fraction=fraction))
    assert len(validation) == round(fraction * len(images))
    assert sorted(indices(train) + indices(validation)) == list(range(len(images)))
    for part in (train, validation):
        assert torch.equal(part.labels, labels[torch.tensor(indices(part), dtype=torch.int64)])


@given(LABELS, st.data())
def test_smaller_caps_take_subsets_and_leave_validation_alone(labels: Tensor, data: st.DataObject) -> None:
    images = numbered(labels)
    whole, validation = train_and_validation(images, config(validation_fraction=0.2))
    large = data.draw(st.integers(1, len(whole)))
    small = data.draw(st.integers(1, large))
    parts = [train_and_validation(images, config(validation_fraction=0.2, train_images=cap)) for cap in (small, large)]
    assert [len(train) for train, _ in parts] == [small, large]
    assert set(indices(parts[0][0])) <= set(indices(parts[1][0])) <= set(indices(whole))
    assert all(indices(part) == indices(validation) for _, part in parts)


def test_validation_is_stratified_and_always_the_same() -> None:
    images = numbered(torch.arange(10).repeat(50))
    first, second = (divide(images, 0.1, "validation")[1] for _ in range(2))
    assert torch.bincount(first.labels).tolist() == [5] * 10
    assert indices(first) == indices(second)
    assert indices(first) != indices(divide(images, 0.1, "another purpose")[1])


def test_fraction_zero_leaves_validation_empty() -> None:
    train, validation = train_and_validation(numbered(torch.arange(2).repeat(5)), config(validation_fraction=0.0))
    assert (len(train), len(validation)) == (10, 0)
    assert validation.images.shape == (0, 3, 2, 2)
    assert validation.images.dtype == torch.uint8


def test_more_training_images_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match=r"data.train_images is 99, but validation leaves 9; lower it"):
        train_and_validation(numbered(torch.arange(2).repeat(5)), config(train_images=99))


def test_nothing_left_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match=r"data.validation_fraction is 0.99; it takes all 4 training images"):
        train_and_validation(numbered(torch.arange(2).repeat(2)), config(validation_fraction=0.99))
