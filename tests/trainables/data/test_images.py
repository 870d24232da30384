from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.data import ImageSet, draw, generator
from trainables.data.stratify import divide


@pytest.fixture(params=[2**30, 0], ids=["copied", "shared"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test twice: once with sets that are copied when divided, once with sets that count as large."""
    monkeypatch.setattr("trainables.data.images.SHARED_BYTES", request.param)
    return "shared" if request.param == 0 else "copied"


def noise(count: int) -> ImageSet:
    images = torch.randint(0, 256, (count, 3, 4, 6), dtype=torch.uint8, generator=generator(0, "images"))
    return ImageSet(images, torch.arange(count) % 5)


def assert_same(part: ImageSet, whole: ImageSet, indices: Tensor) -> None:
    assert len(part) == len(indices)
    assert part.size == (4, 6)
    assert part.bytes == 72 * len(indices)
    assert torch.equal(part.images, whole.images[indices])
    assert torch.equal(part.labels, whole.labels[indices])


def test_a_subset_of_a_subset_holds_the_images_asked_for(kept: str) -> None:
    whole = noise(40)
    first, second = torch.tensor([30, 2, 2, 17, 8]), torch.tensor([3, 0])
    assert_same(whole.subset(first), whole, first)
    assert_same(whole.subset(first).subset(second), whole, torch.tensor([17, 30]))
    assert_same(whole.subset(first[:0]), whole, first[:0])


def test_only_large_sets_share_their_storage(kept: str) -> None:
    whole = noise(40)
    part = divide(whole, 0.5, "half")[0].subset(torch.arange(3))
    assert (part.stored.data_ptr() == whole.stored.data_ptr()) == (kept == "shared")
    assert (part.rows is None) == (kept == "copied")


def test_a_set_is_large_from_its_own_size_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.data.images.SHARED_BYTES", 72 * 10)
    whole = noise(40)
    assert whole.subset(torch.arange(9)).rows is None
    assert whole.subset(torch.arange(10)).rows is not None
    assert whole.subset(torch.arange(20)).subset(torch.arange(5)).rows is None


def test_draws_are_the_same_whether_copied_or_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = noise(100)
    copied = [*divide(whole, 0.2, "validation"), draw(whole, 30)]
    monkeypatch.setattr("trainables.data.images.SHARED_BYTES", 0)
    for one, other in zip(copied, [*divide(whole, 0.2, "validation"), draw(whole, 30)], strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_a_set_that_is_there_already_stays_as_it_is(kept: str) -> None:
    part = noise(40).subset(torch.arange(4))
    assert part.to("cpu") is part


def test_what_moves_are_the_sets_own_images_alone(kept: str) -> None:
    moved = noise(40).subset(torch.arange(7)).to("meta")
    assert moved.rows is None
    assert moved.stored.shape == (7, 3, 4, 6)
    assert moved.stored.dtype == torch.uint8
    assert moved.stored.device.type == moved.labels.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_receives_the_images(kept: str) -> None:
    whole = noise(1000)
    indices = torch.randperm(1000, generator=generator(0))[:600]
    there = whole.subset(indices).to("cuda")
    assert there.device.type == "cuda"
    assert_same(there.to("cpu"), whole, indices)
    assert_same(there.subset(torch.arange(5)).to("cpu"), whole, indices[:5])
