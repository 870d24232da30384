from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from trainables.config import DataConfig
from trainables.data import DataError, load
from trainables.data.decode import _decode_all as decode_all
from trainables.data.store import publish

CLASSES = ("cat", "dog", "emu")


def picture(seed: int, width: int = 12, height: int = 12) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def save(image: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def damage(path: Path) -> None:
    path.write_bytes(b"no image")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes, ten training and four test images each."""
    root = tmp_path / "animals"
    for label, name in enumerate(CLASSES):
        for index in range(14):
            split = "train" if index < 10 else "test"
            save(picture(100 * label + index), root / split / name / f"{index:02d}.png")
    return root


@pytest.fixture
def config(folder: Path, tmp_path: Path) -> Callable[..., DataConfig]:
    def build(**changes: object) -> DataConfig:
        values = {"source": f"folder:{folder}", "root": str(tmp_path / "data"), "validation_fraction": 0.0}
        return DataConfig(**(values | changes))  # type: ignore[arg-type]

    return build


def decoding_is_forbidden(*_: object, **__: object) -> None:
    raise AssertionError("an image was decoded")


def test_images_and_labels_are_the_files(folder: Path, config: Callable[..., DataConfig]) -> None:
    splits = load(config(validation_fraction=0.2))
    assert splits.classes == CLASSES
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (24, 6, 12)
    assert splits.description == "folder animals, 12x12 pixels, 3 classes: 24 training, 6 validation, 12 test images"
    assert splits.warnings == ()
    expected = {
        np.asarray(Image.open(path)).transpose(2, 0, 1).tobytes(): CLASSES.index(path.parent.name)
        for path in folder.glob("train/*/*")
    }
    found = {
        image.numpy().tobytes(): int(label)
        for part in (splits.train, splits.validation)
        for image, label in zip(part.images, part.labels, strict=True)
    }
    assert found == expected
    assert splits.train.images.dtype == torch.uint8
    assert splits.train.labels.dtype == torch.int64


def test_val_serves_as_test_only_where_there_is_no_test(folder: Path, config: Callable[..., DataConfig]) -> None:
    shutil.copytree(folder / "train", folder / "val")
    assert len(load(config()).test) == 12
    shutil.rmtree(folder / "test")
    assert len(load(config()).test) == 30


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("P", "png"), ("RGBA", "png"), ("LA", "png"), ("1", "bmp"), ("CMYK", "jpg")]
)
def test_other_modes_become_rgb(folder: Path, config: Callable[..., DataConfig], mode: str, suffix: str) -> None:
    image = Image.new("RGB", (12, 12), (255, 255, 255)).convert(mode)
    save(image, folder / "train" / "cat" / f"zz.{suffix}")
    splits = load(config())
    assert splits.warnings == ()
    assert len(splits.train) == 31
    assert (splits.train.images[10] == 255).all()


def test_palette_transparency_and_16_bit_grey_become_rgb(folder: Path, config: Callable[..., DataConfig]) -> None:
    palette = Image.new("RGB", (12, 12), (255, 0, 0)).convert("P")
    palette.save(folder / "train" / "cat" / "zy.png", transparency=b"\x00" * 256)
    save(Image.fromarray(np.full((12, 12), 0x8042, dtype=np.uint16)), folder / "train" / "cat" / "zz.png")
    images = load(config()).train.images
    assert images[10, :, 0, 0].tolist() == [255, 0, 0]
    assert (images[11] == 0x80).all()


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (12, 12), (7, 9), (61, 33)])
def test_image_size_is_torchvisions_resize_and_centre_crop(
    folder: Path, config: Callable[..., DataConfig], width: int, height: int
) -> None:
    """Up to the whole pixels that torchvision rounds its intermediate size and corner to."""
    gradient = np.stack(np.broadcast_arrays(np.arange(width) * 4, np.arange(height)[:, None] * 4, 99), axis=2)
    image = Image.fromarray(gradient.astype(np.uint8))
    save(image, folder / "train" / "cat" / "zz.png")
    ours = load(config(image_size=10)).train.images[10]
    theirs = transforms.CenterCrop(10)(transforms.Resize(10)(image))
    difference = ours.int() - torch.from_numpy(np.asarray(theirs).astype(int)).permute(2, 0, 1)
    assert difference.abs().max() <= 4 * max(1, min(width, height) / 10)


def test_images_need_not_be_square_if_all_have_one_size(tmp_path: Path, config: Callable[..., DataConfig]) -> None:
    root = tmp_path / "wide"
    for split in ("train", "test"):
        for name in CLASSES:
            save(picture(0, width=20, height=10), root / split / name / "0.png")
    splits = load(config(source=f"folder:{root}"))
    assert splits.train.images.shape == (3, 3, 10, 20)
    assert ", 20x10 pixels," in splits.description


def test_different_sizes_ask_for_image_size(folder: Path, config: Callable[..., DataConfig]) -> None:
    odd = save(picture(0, width=13), folder / "train" / "emu" / "99.png")
    with pytest.raises(DataError) as caught:
        load(config())
    assert str(caught.value) == (f"{odd} has 13x12 pixels, others 12x12; set data.image_size to bring all to one size")
    assert not list((folder.parent / "data").glob("decoded/*"))
    assert len(load(config(image_size=12)).train) == 31


def test_imagenets_layout_is_read_at_224_pixels(tmp_path: Path, config: Callable[..., DataConfig]) -> None:
    sizes = [(500, 375), (333, 500), (224, 224), (120, 90), (640, 231)]
    for part, count in (("train", 5), ("val", 2)):
        for label, name in enumerate(("n01440764", "n01443537")):
            for index, (width, height) in enumerate(sizes[:count]):
                wave = np.sin(np.arange(width) * 3 / min(width, height)) * 60 + 120 + 20 * label
                image = Image.fromarray(np.broadcast_to(wave[:, None], (height, width, 3)).astype(np.uint8))
                save(image, tmp_path / "imagenet" / part / name / f"{name}_{index}.JPEG")
    splits = load(config(source=f"folder:{tmp_path / 'imagenet'}", image_size=224))
    assert splits.description == (
        "folder imagenet, 224x224 pixels, 2 classes: 10 training, 0 validation, 4 test images"
    )
    assert splits.warnings == ()
    assert splits.train.labels.tolist() == [0] * 5 + [1] * 5
    assert splits.test.labels.tolist() == [0, 0, 1, 1]
    for row, (width, height) in enumerate(sizes):
        left = (width - min(width, height)) / 2
        columns = left + (np.arange(224) + 0.5) * min(width, height) / 224 - 0.5
        expected = np.sin(columns * 3 / min(width, height)) * 60 + 120
        assert np.abs(splits.train.images[row].numpy() - expected).max() < 8


def test_decoding_stays_four_images_a_thread_ahead_of_the_writer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(folder.glob("train/*/*.png"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    taken = []

    class Watched(list[Path]):
        def __iter__(self) -> Iterator[Path]:
            for path in files:
                taken.append(path)
                yield path

    images = decode_all(Watched(files), (3, 12, 12), None)
    for used in range(1, len(files) + 1):
        pixels = next(images)
        assert pixels is not None
        assert np.array_equal(pixels.transpose(1, 2, 0), np.asarray(Image.open(files[used - 1])))
        assert len(taken) == min(used + 8, len(files))


def test_unreadable_images_are_left_out_and_named(
    folder: Path, config: Callable[..., DataConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(7):
        damage(folder / "train" / "cat" / f"{index:02d}.png")
    whole = (folder / "test" / "dog" / "10.png").read_bytes()
    (folder / "test" / "dog" / "10.png").write_bytes(whole[: len(whole) // 2])
    for _ in ("decoded", "from the cache"):
        splits = load(config())
        assert (len(splits.train), len(splits.test)) == (23, 11)
        assert torch.bincount(splits.train.labels).tolist() == [3, 10, 10]
        assert splits.warnings == (
            "8 of 42 images cannot be read: train/cat/00.png, train/cat/01.png, train/cat/02.png, train/cat/03.png, "
            "train/cat/04.png and 3 more",
        )
        assert capsys.readouterr().err == f"warning: {splits.warnings[0]}\n"


def test_a_class_without_a_readable_image_is_refused(folder: Path, config: Callable[..., DataConfig]) -> None:
    for path in (folder / "test" / "dog").iterdir():
        damage(path)
    with pytest.raises(DataError, match=r"no image of class folder .*/test/dog can be read"):
        load(config())


def test_nothing_readable_is_refused(folder: Path, config: Callable[..., DataConfig]) -> None:
    for path in folder.glob("*/*/*"):
        damage(path)
    with pytest.raises(DataError, match="none of 42 images can be read"):
        load(config())


def remove(*parts: str) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root.joinpath(*parts))


def empty(*parts: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        for path in root.joinpath(*parts).iterdir():
            path.rename(path.with_suffix(".txt"))

    return spoil


def one_class(root: Path) -> None:
    for path in [*root.glob("*/dog"), *root.glob("*/emu")]:
        shutil.rmtree(path)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (remove(), r"/animals is no folder; give one that holds train/ and test/"),
        (remove("train"), r"/animals has no train/; make it"),
        (remove("test"), r"/animals has no test/ or val/; make it"),
        (one_class, r"/animals/train has 1 class folders; at least 2 are needed"),
        (remove("test", "dog"), r"class 'dog' is in .*/train but not in .*/test; both need the same"),
        (remove("train", "emu"), r"class 'emu' is in .*/test but not in .*/train; both need the same"),
        (empty("train", "cat"), r"class folder .*/train/cat holds no images; fill or remove it"),
    ],
)
def test_a_wrong_layout_is_one_clear_line(
    folder: Path, config: Callable[..., DataConfig], spoil: Callable[[Path], None], complaint: str
) -> None:
    spoil(folder)
    with pytest.raises(DataError, match=complaint) as caught:
        load(config())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_links_that_lead_nowhere_are_one_clear_line(
    folder: Path, config: Callable[..., DataConfig], target: str
) -> None:
    """The second in circles."""
    link = folder / "train" / "cat" / "link.png"
    link.symlink_to(target)
    with pytest.raises(DataError, match=rf"{link}.* cannot be read \(.*\); repair or remove it"):
        load(config())


def test_a_file_that_the_system_refuses_once_is_not_left_out_for_good(
    folder: Path, config: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, refused = Image.open, str(folder / "train" / "cat" / "00.png")

    def busy(path: str, *args: Any) -> Image.Image:
        if str(path) == refused:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", busy)
        with pytest.raises(DataError, match=rf"{refused} cannot be read \(Too many open files\)"):
            load(config())
    assert load(config()).warnings == ()


def test_hidden_and_foreign_files_are_not_images(folder: Path, config: Callable[..., DataConfig]) -> None:
    (folder / "train" / "cat" / ".DS_Store").write_bytes(b"x")
    (folder / "train" / "cat" / "notes.txt").write_text("x")
    (folder / "train" / ".cache").mkdir()
    save(picture(5), folder / "train" / "cat" / "more" / "below.png")
    splits = load(config())
    assert len(splits.train) == 31
    assert splits.warnings == ()


def test_the_second_start_decodes_nothing(config: Callable[..., DataConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(config())
    monkeypatch.setattr(Image, "open", decoding_is_forbidden)
    second = load(config())
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.test.labels, second.test.labels)


def test_a_changed_folder_or_size_is_decoded_anew(folder: Path, config: Callable[..., DataConfig]) -> None:
    before = load(config()).train.images.clone()
    replaced = save(picture(12345), folder / "train" / "cat" / "00.png")
    after = load(config()).train.images
    assert not torch.equal(before[0], after[0])
    assert torch.equal(after[0], torch.from_numpy(np.asarray(Image.open(replaced)).copy()).permute(2, 0, 1))
    assert torch.equal(before[1:], after[1:])
    assert load(config(image_size=8)).train.images.shape[-1] == 8


def test_writing_into_images_leaves_the_cache_alone(config: Callable[..., DataConfig]) -> None:
    first = load(config())
    kept = first.train.images.clone()
    first.train.images.zero_()
    assert torch.equal(load(config()).train.images, kept)


def test_progress_is_shown_only_on_demand(
    config: Callable[..., DataConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    load(config(image_size=8))
    assert capsys.readouterr().err == ""
    load(config(), progress=True)
    assert capsys.readouterr().err.endswith("\rdecoding 42 images: 100%\n")


def test_an_unusable_data_root_is_one_clear_line(tmp_path: Path, config: Callable[..., DataConfig]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot keep decoded images in .*; set data.root"):
        load(config(root=str(tmp_path / "file")))


def test_trials_that_decode_at_once_agree(config: Callable[..., DataConfig], tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def start(_: int) -> bytes:
        together.wait()
        return load(config()).train.images.numpy().tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(start, range(4)))) == 1
    assert_one_cache(tmp_path / "data" / "decoded")


@pytest.mark.slow
def test_processes_that_decode_at_once_agree(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from trainables.config import DataConfig; from trainables.data import load; sys.stdin.read(1);"
        f"splits = load(DataConfig(source='folder:{folder}', root='{tmp_path / 'data'}'));"
        "print(splits.train.images.float().mean().item())"
    )
    command = [sys.executable, "-c", code]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({process.communicate("x")[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0, 0]
    assert_one_cache(tmp_path / "data" / "decoded")


def assert_one_cache(folder: Path) -> None:
    (cache,) = folder.iterdir()
    assert sorted(path.name for path in cache.iterdir()) == ["images.npy", "readable.npy"]
    assert cache.stat().st_mode == folder.stat().st_mode


def test_the_second_to_publish_yields(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "value").write_text(name)
        publish(tmp_path / name, tmp_path / "published")
    assert (tmp_path / "published" / "value").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["published"]


def test_a_failed_publication_is_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="No such file"):
        publish(tmp_path / "folder", tmp_path / "absent" / "published")
