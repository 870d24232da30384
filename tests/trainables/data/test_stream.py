from __future__ import annotations

import resource
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.config import DataConfig
from trainables.data import DataError, ImageSet, draw, generator, in_order, place, stream
from trainables.data.decode import decoded
from trainables.data.stratify import train_and_validation

CPU, META = torch.device("cpu"), torch.device("meta")


class Watched(ImageSet):
    """Counts as large, and notes which thread reads which images."""

    reads: list[tuple[str, list[int]]]

    @property
    def is_large(self) -> bool:
        return True

    def subset(self, indices: Tensor) -> ImageSet:
        self.reads.append((threading.current_thread().name, indices.tolist()))
        return ImageSet(self.stored[indices], self.labels[indices])


def noise(count: int = 40, kind: type[ImageSet] = ImageSet) -> ImageSet:
    images = torch.randint(0, 256, (count, 3, 4, 6), dtype=torch.uint8, generator=generator(0, "images"))
    images = kind(images, torch.arange(count))
    if isinstance(images, Watched):
        object.__setattr__(images, "reads", [])
    return images


def pool_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("shared_bytes", [2**30, 0])
@pytest.mark.parametrize("part", [False, True])
def test_batches_are_the_images_in_the_order_given(
    part: bool, shared_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.data.images.SHARED_BYTES", shared_bytes)
    images = noise()
    if part:
        images = images.subset(torch.randperm(40, generator=generator(1))[:24])
    order = torch.randperm(24, generator=generator(2)).view(6, 4)
    batches = list(stream(images, order, CPU))
    assert len(batches) == 6
    for row, batch in zip(order, batches, strict=True):
        assert torch.equal(batch.images, images.images[row])
        assert torch.equal(batch.labels, images.labels[row])
    assert pool_threads() == []


@pytest.mark.parametrize("shared_bytes", [2**30, 0])
def test_all_images_come_in_order_with_a_short_last_batch(shared_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.data.images.SHARED_BYTES", shared_bytes)
    batches = list(in_order(noise(), 12, CPU))
    assert [len(batch) for batch in batches] == [12, 12, 12, 4]
    assert torch.equal(torch.cat([batch.images for batch in batches]), noise().images)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), torch.arange(40))


def test_small_sets_on_the_device_are_read_without_a_thread() -> None:
    batches = in_order(noise(), 12, CPU)
    next(batches)
    assert pool_threads() == []


def test_large_sets_are_read_by_one_thread_two_batches_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered: list[object] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            ordered.append(arguments)
            return super().submit(function, *arguments, **named)

    monkeypatch.setattr("trainables.data.ahead.ThreadPoolExecutor", Pool)
    images = noise(kind=Watched)
    assert isinstance(images, Watched)
    for used, batch in enumerate(in_order(images, 4, CPU), start=1):
        assert len(batch) == 4
        assert len(ordered) == min(used + 2, 10)
        assert len(pool_threads()) == 1
    names = {name for name, _ in images.reads}
    assert len(names - {threading.main_thread().name}) == len(names) == 1
    assert [row for _, rows in images.reads for row in rows] == list(range(40))


def test_batches_of_another_device_are_sent_there() -> None:
    batches = stream(noise(), torch.arange(24).view(6, 4), META)
    batch = next(batches)
    assert len(pool_threads()) == 1
    assert (batch.device, batch.stored.device, batch.images.shape) == (META, META, (4, 3, 4, 6))
    assert len(list(batches)) == 5


def test_leaving_early_leaves_no_thread() -> None:
    for _ in stream(noise(kind=Watched), torch.arange(40).view(10, 4), CPU):
        break
    assert pool_threads() == []


def test_an_error_of_the_user_leaves_no_thread() -> None:
    with pytest.raises(DataError):  # noqa: PT012
        for _ in stream(noise(kind=Watched), torch.arange(40).view(10, 4), CPU):
            raise DataError("the user gives up")
    assert pool_threads() == []


def test_an_error_of_the_thread_is_raised_after_the_batches_before_it() -> None:
    order = torch.tensor([[0, 1], [2, 3], [4, 99], [5, 6]])
    batches = stream(noise(kind=Watched), order, CPU)
    assert [next(batches).labels.tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(IndexError, match="99"):
        next(batches)
    assert pool_threads() == []


def free_memory(amount: int, monkeypatch: pytest.MonkeyPatch, share: float = 1.0) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (amount, 2**60))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: share)


def test_auto_places_images_on_the_device_up_to_a_quarter_of_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise()
    free_memory(4 * images.bytes, monkeypatch)
    assert place(images, META, "auto").device == META
    free_memory(4 * images.bytes - 1, monkeypatch)
    assert place(images, META, "auto") is images
    free_memory(2**60, monkeypatch, share=(4 * images.bytes - 1) / 2**60)
    assert place(images, META, "auto") is images, "a trial that may take less than is free counts its own share"


def test_placement_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise()
    free_memory(0, monkeypatch)
    assert place(images, META, "device").device == META
    free_memory(2**60, monkeypatch)
    assert place(images, META, "host") is images


@pytest.mark.parametrize("placement", ["auto", "device", "host"])
def test_on_the_cpu_nothing_moves(placement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise()
    free_memory(0, monkeypatch)
    assert place(images, CPU, placement) is images  # type: ignore[arg-type]


def write_sparse_cache(cache: Path, shape: tuple[int, ...], marks: dict[int, int]) -> None:
    """A decoded cache of black images that takes no disk; the images ``marks`` names begin with its values."""
    cache.mkdir()
    with open(cache / "images.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start, length = file.tell(), int(np.prod(shape[1:]))
        file.truncate(start + shape[0] * length)
        for row, value in marks.items():
            file.seek(start + row * length)
            file.write(bytes([value]))
    np.save(cache / "readable.npy", np.ones(shape[0], dtype=np.bool))


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_a_mapped_set_is_divided_drawn_from_and_streamed_without_being_read(tmp_path: Path) -> None:
    count, marks = 40_000, {5: 50, 20_001: 60, 39_999: 70}
    write_sparse_cache(tmp_path / "cache", (count, 3, 224, 224), marks)
    pixels, _ = decoded([], None, tmp_path / "cache", progress=False)
    before = peak_memory()
    whole = ImageSet(torch.from_numpy(pixels), torch.arange(count) % 10)
    train, validation = train_and_validation(whole, DataConfig(validation_fraction=0.001))
    some = draw(train, 30_000)
    assert (len(train), len(validation), len(some)) == (39_960, 40, 30_000)
    assert all(part.stored.data_ptr() == whole.stored.data_ptr() for part in (train, some))
    assert some.rows is not None
    assert train.rows is not None
    places = [int((train.rows == row).nonzero()) for row in marks]
    (batch,) = stream(place(train, CPU, "auto"), torch.tensor([places]), CPU)
    assert batch.images[:, 0, 0, 0].tolist() == list(marks.values())
    assert batch.images.sum() == sum(marks.values())
    assert next(in_order(some, 8, CPU)).images.shape == (8, 3, 224, 224)
    assert peak_memory() - before < 2**30 < whole.bytes / 5


def test_a_mapped_set_may_be_larger_than_the_memory(tmp_path: Path) -> None:
    count = 2**40 // (3 * 1024**2)
    write_sparse_cache(tmp_path / "cache", (count, 3, 1024, 1024), {count - 1: 9})
    pixels, readable = decoded([], None, tmp_path / "cache", progress=False)
    assert len(pixels) == len(readable) == count
    assert (pixels[-1, 0, 0, 0], pixels[-1, 0, 0, 1], pixels[0, 0, 0, 0]) == (9, 0, 0)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_gpu
@pytest.mark.parametrize("order_device", ["cpu", "cuda"])
@pytest.mark.parametrize("placement", ["auto", "device", "host"])
def test_a_gpu_sees_the_same_batches_wherever_the_images_live(placement: str, order_device: str) -> None:
    device = torch.device("cuda")
    images = noise(1000)
    order = torch.randperm(1000, generator=generator(3)).view(50, 20)
    placed = place(images, device, placement)  # type: ignore[arg-type]
    assert placed.device.type == ("cpu" if placement == "host" else "cuda")
    for row, batch in zip(order, stream(placed, order.to(order_device), device), strict=True):
        assert batch.device.type == "cuda"
        assert torch.equal(batch.images.cpu(), images.images[row])
        assert torch.equal(batch.labels.cpu(), images.labels[row])
