from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_sample_image
from torch import Tensor
from torchvision import transforms

from trainables.config import AugmentationName, ViewKind, ViewsConfig
from trainables.data import apply_views, generator, make_views, shifted
from trainables.data.augmentation import AUGMENTATIONS, Augmentation, sample_colours

WHOLE = {"scale_min": 1.0, "scale_max": 1.0, "ratio_min": 1.0, "ratio_max": 1.0}


def batch(count: int, height: int = 32, width: int = 32) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator(0, "batch"))


def photograph(edge: int) -> Tensor:
    """uint8 (3, edge, edge) from a colourful photograph."""
    pixels = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)
    return transforms.functional.resize(transforms.functional.center_crop(pixels, 400), [edge, edge])


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(8, 20),
    st.integers(8, 20),
    st.sampled_from(["emp_ssl", "simclr", "none"]),
    st.sampled_from(["crops", "patches", "padded"]),
)
def test_views_have_their_shape_and_stay_in_range(
    count: int, number: int, height: int, width: int, augmentation: AugmentationName, kind: str
) -> None:
    config = ViewsConfig(number=number, augmentation=augmentation, kind=kind)  # type: ignore[arg-type]
    views = make_views(batch(count, height, width), config, generator(0))
    assert views.shape == (number * count, 3, height, width)
    assert views.dtype == torch.float32
    assert ((views >= 0) & (views <= 1)).all()


def test_views_are_crop_major() -> None:
    images = torch.arange(5, dtype=torch.uint8).mul(50)[:, None, None, None].expand(5, 3, 16, 16)
    views = make_views(images, ViewsConfig(number=3, augmentation="none"), generator(0))
    torch.testing.assert_close(views, images.float().div(255).repeat(3, 1, 1, 1))


def test_views_of_the_whole_image_are_the_image_or_its_mirror() -> None:
    images = batch(20)
    views = make_views(images, ViewsConfig(number=4, augmentation="none", **WHOLE), generator(0))
    original = images.float().div(255).repeat(4, 1, 1, 1)
    kept, mirrored = ((views == candidate).flatten(1).all(1) for candidate in (original, original.flip(3)))
    assert (kept ^ mirrored).all()
    assert 0 < kept.sum() < len(views)


def test_equal_generators_give_equal_views_and_the_global_one_is_left_alone() -> None:
    images, config = batch(6), ViewsConfig(number=3)
    state = torch.get_rng_state()
    first, second = (make_views(images, config, generator(4, "views", 1)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, make_views(images, config, generator(4, "views", 2)))


def test_a_generator_moves_on_between_batches() -> None:
    images, random = batch(6), generator(0)
    assert not torch.equal(*(make_views(images, ViewsConfig(number=2), random) for _ in range(2)))


def test_images_are_left_as_they_are() -> None:
    images = batch(6)
    before = images.clone()
    make_views(images, ViewsConfig(number=1), generator(0))
    assert torch.equal(images, before)


def test_views_of_one_image_differ() -> None:
    views = make_views(batch(1).expand(2, 3, 32, 32), ViewsConfig(number=8), generator(0))
    assert len({tuple(view.flatten().tolist()) for view in views}) == 16


@pytest.mark.parametrize("name", ["emp_ssl", "simclr"])
def test_colour_parameters_follow_torchvisions_law(name: AugmentationName) -> None:
    augmentation, count = AUGMENTATIONS[name], 20_000
    assert isinstance(augmentation, Augmentation)
    colours = sample_colours(count, augmentation, generator(0))
    for share in ("jittered", "grey", "blurred", "solarised"):
        expected = getattr(augmentation, share)
        assert abs(getattr(colours, share).float().mean() - expected) < 5 * (0.25 / count) ** 0.5
    low, high = torch.tensor([0.6, 0.6, 0.6, -augmentation.hue]), torch.tensor([1.4, 1.4, 1.4, augmentation.hue])
    assert ((colours.factors >= low) & (colours.factors <= high)).all()
    torch.testing.assert_close(colours.factors.amin(0), low, atol=1e-3, rtol=0)
    torch.testing.assert_close(colours.factors.amax(0), high, atol=1e-3, rtol=0)
    torch.testing.assert_close(colours.factors.mean(0), (low + high) / 2, atol=1e-2, rtol=0)
    orders, frequency = colours.order.unique(dim=0, return_counts=True)
    assert len(orders) == 24
    assert (frequency - count / 24).abs().max() < 5 * (count / 24) ** 0.5


AUTHORS = {
    "emp_ssl": transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.2)], p=0.8),
            transforms.RandomGrayscale(0.2),
            transforms.RandomApply([transforms.GaussianBlur(13, (0.1, 2.0))], p=0.1),
            transforms.RandomSolarize(128 / 255, 0.1),
        ]
    ),
    "simclr": transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            transforms.RandomGrayscale(0.2),
        ]
    ),
}


@pytest.mark.parametrize("name", ["emp_ssl", "simclr"])
def test_pixels_have_the_moments_of_torchvisions_transforms(name: AugmentationName) -> None:
    image, draws = photograph(16), 3000
    config = ViewsConfig(number=draws, augmentation=name, **WHOLE)
    ours = make_views(image[None], config, generator(0, name))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pixels = image.float() / 255
        theirs = torch.stack([AUTHORS[name](pixels) for _ in range(draws)])
    for moment in (torch.mean, torch.std):
        per_view = [moment(views, dim=(2, 3)) for views in (ours, theirs)]
        spread = torch.cat(per_view).std(0) * (2 / draws) ** 0.5
        assert ((per_view[0].mean(0) - per_view[1].mean(0)).abs() < 4.5 * spread).all()
    torch.testing.assert_close(ours.std(0), theirs.std(0), atol=0.025, rtol=0)


def test_padded_views_are_shifted_images() -> None:
    images, config = batch(6), ViewsConfig(number=4, kind="padded", augmentation="none")
    expected = shifted(images.float().div(255).repeat(4, 1, 1, 1), generator(3))
    assert torch.equal(make_views(images, config, generator(3)), expected)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_gpu
@pytest.mark.parametrize("kind", ["crops", "padded"])
def test_views_on_a_gpu_never_wait_for_it(kind: ViewKind) -> None:
    images, random, config = batch(10).cuda(), generator(0, device="cuda"), ViewsConfig(number=2, kind=kind)
    make_views(images, config, random)
    torch.cuda.set_sync_debug_mode("error")
    try:
        make_views(images, config, random, strength=0.5)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_gpu
@pytest.mark.parametrize("kind", ["crops", "padded"])
@pytest.mark.parametrize("name", ["emp_ssl", "simclr", "none"])
def test_a_gpu_makes_the_views_of_the_cpu(name: AugmentationName, kind: ViewKind) -> None:
    images, config = batch(10), ViewsConfig(number=4, kind=kind, augmentation=name)
    here = make_views(images, config, generator(0))
    there = make_views(images.cuda(), config, generator(0))
    close = (here - there.cpu()).abs() < 1e-4
    assert close.float().mean() > 0.999  # a pixel at solarise's threshold may fall on either side
    drawn_there = [make_views(images.cuda(), config, generator(0, device="cuda")) for _ in range(2)]
    assert torch.equal(*drawn_there)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("augmentation", "kind"),
    [
        ("emp_ssl", "crops"),
        *(pytest.param(*of, marks=pytest.mark.exhaustive) for of in [("simclr", "padded"), ("none", "patches")]),
    ],
)
def test_compiled_views_differ_by_rounding(augmentation: AugmentationName, kind: ViewKind) -> None:
    config = ViewsConfig(number=3, augmentation=augmentation, kind=kind)
    compiled = torch.compile(apply_views, fullgraph=True)
    plain, fused = (make_views(batch(20), config, generator(0), apply=apply) for apply in (apply_views, compiled))
    torch.testing.assert_close(fused, plain, rtol=0, atol=2e-5)
