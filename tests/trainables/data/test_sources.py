from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torchvision.datasets import CIFAR10, CIFAR100

from trainables.config import DataConfig
from trainables.data import DataError, in_blank, load
from trainables.data.store import data_root


def test_digits_are_bytes_in_three_equal_channels() -> None:
    splits = load(DataConfig(source="digits", image_size=8, validation_fraction=0.0))
    images = torch.cat([splits.train.images, splits.test.images])
    assert images.dtype == torch.uint8
    assert images.shape == (1797, 3, 8, 8)
    assert torch.equal(images[:, :1].expand(-1, 3, -1, -1), images)
    original = np.round(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, original.reshape(1797, -1))) == sorted(map(bytes, images[:, 0].reshape(1797, -1).numpy()))


def test_digits_have_16_pixels_and_a_fixed_stratified_test_set() -> None:
    first, second = (
        load(DataConfig(source="digits", validation_fraction=fraction, train_images=cap))
        for fraction, cap in ((0.1, None), (0.3, 100))
    )
    assert first.description == ("digits, 16x16 pixels, 10 classes: 1294 training, 144 validation, 359 test images")
    assert first.classes == tuple("0123456789")
    assert torch.equal(first.test.images, second.test.images)
    assert torch.equal(first.test.labels, second.test.labels)
    shares = torch.bincount(first.test.labels) / torch.bincount(torch.from_numpy(load_digits().target))
    assert (shares - 0.2).abs().max() < 0.01
    assert torch.bincount(second.train.labels).tolist() == [10] * 10


def test_image_sets_move_and_take_subsets() -> None:
    images = load(DataConfig(source="digits", train_images=20)).train
    part = images.to("cpu").subset(torch.tensor([3, 1]))
    assert len(part) == 2
    assert torch.equal(part.images, images.images[[3, 1]])
    assert torch.equal(part.labels, images.labels[[3, 1]])


def test_the_data_root_is_the_option_then_the_variable_then_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBUST_SSL_DATA", str(tmp_path / "variable"))
    assert data_root(DataConfig(root="~/mine")) == Path("~/mine").expanduser()
    assert data_root(DataConfig()) == tmp_path / "variable"
    monkeypatch.delenv("ROBUST_SSL_DATA")
    assert data_root(DataConfig()) == Path("~/.cache/robust-ssl-study").expanduser()


def write_cifar(home: Path, dataset: type[CIFAR10], monkeypatch: pytest.MonkeyPatch) -> np.ndarray[Any, Any]:
    """A tiny data set in CIFAR's own format, its checksums told to torchvision; returns the training pixels."""
    home.mkdir(parents=True)
    random = np.random.default_rng(0)
    label_key = "labels" if dataset is CIFAR10 else "fine_labels"
    pixels = []

    def store(name: str, content: dict[str, Any]) -> list[str]:
        (home / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((home / name).read_bytes()).hexdigest()]

    def batch(name: str) -> list[str]:
        data = random.integers(0, 256, (20, 3072), dtype=np.uint8)
        pixels.append(data)
        return store(name, {"data": data, label_key: [index % 4 for index in range(20)]})

    monkeypatch.setattr(dataset, "train_list", [batch(name) for name, _ in dataset.train_list])
    monkeypatch.setattr(dataset, "test_list", [batch(name) for name, _ in dataset.test_list])
    meta_name, checksum = store(dataset.meta["filename"], {dataset.meta["key"]: ["ant", "bee", "cat", "dog"]})
    monkeypatch.setattr(dataset, "meta", dataset.meta | {"filename": meta_name, "md5": checksum})
    return np.concatenate(pixels[:-1])


@pytest.mark.parametrize(("source", "dataset"), [("cifar10", CIFAR10), ("cifar100", CIFAR100)])
def test_cifar_is_read_from_torchvisions_folder(
    source: str, dataset: type[CIFAR10], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = write_cifar(tmp_path / dataset.base_folder, dataset, monkeypatch)
    config = DataConfig(source=source, root=str(tmp_path), validation_fraction=0.0)
    splits = load(config)
    assert splits.classes == ("ant", "bee", "cat", "dog")
    assert torch.equal(splits.train.images, torch.from_numpy(pixels).view(-1, 3, 32, 32))
    assert len(splits.test) == 20
    smaller = load(DataConfig(source=source, root=str(tmp_path), image_size=16))
    assert smaller.train.images.shape[1:] == (3, 16, 16)


def test_cifar_is_downloaded_only_on_demand(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar10 is not in .*; add --set data.download=true, or set data.root"):
        load(DataConfig(source="cifar10", root=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_moved_into_place_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "served" / CIFAR10.base_folder, CIFAR10, monkeypatch)
    monkeypatch.setattr(
        CIFAR10,
        "download",
        lambda self: (tmp_path / "served" / self.base_folder).rename(Path(self.root) / self.base_folder),
    )
    assert len(load(DataConfig(source="cifar10", root=str(tmp_path / "data"), download=True)).test) == 20
    assert [path.name for path in (tmp_path / "data").iterdir()] == [CIFAR10.base_folder]


def test_a_failed_download_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(self: CIFAR10) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(CIFAR10, "download", unreachable)
    with pytest.raises(DataError, match=r"could not be downloaded \(.*no route to host.*set data.root"):
        load(DataConfig(source="cifar10", root=str(tmp_path), download=True))
    assert list(tmp_path.iterdir()) == []


def test_damaged_cifar_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / CIFAR10.base_folder, CIFAR10, monkeypatch)
    (tmp_path / CIFAR10.base_folder / "data_batch_1").write_bytes(b"half")
    with pytest.raises(DataError, match=r"is incomplete or damaged; remove it and add --set data.download=true"):
        load(DataConfig(source="cifar10", root=str(tmp_path)))


@pytest.mark.parametrize(("source", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_of_images_that_would_be_downloaded_there_are_as_many_black_ones(
    source: str, classes: int, tmp_path: Path
) -> None:
    config = DataConfig(source=source, root=str(tmp_path), download=True)
    with in_blank():
        splits = load(config)
        with pytest.raises(DataError, match="is not in"):
            load(replace(config, download=False))
    told = f"{source}, 32x32 pixels, {classes} classes: 45000 training, 5000 validation, 10000 test images"
    assert splits.description == told
    assert len(splits.classes) == classes
    assert splits.train.labels.bincount().tolist() == [45000 // classes] * classes
    assert not any(tmp_path.iterdir())
