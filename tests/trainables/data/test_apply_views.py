"""Views from given parameters: reproducible, and differentiable in the image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainables.config import AugmentationName, ViewKind, ViewsConfig
from trainables.data import ViewParameters, apply_views, generator, make_views, sample_views
from trainables.data.colour import on_rows

KINDS: tuple[ViewKind, ...] = ("crops", "patches", "padded")
AUGMENTATIONS: tuple[AugmentationName, ...] = ("emp_ssl", "simclr", "none")
EDGE = 16


def images(count: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(count, 3, EDGE, EDGE, generator=generator(0, "images"), dtype=dtype)


def parameters(config: ViewsConfig, count: int = 6, seed: int = 0) -> ViewParameters:
    """As drawn, but every view is jittered, and every other operation meets a third of them."""
    drawn = sample_views(count, EDGE, EDGE, config, generator(seed))
    if drawn.colours is None:
        return drawn
    turn = torch.arange(count) % 3
    return drawn._replace(
        colours=drawn.colours._replace(
            jittered=torch.ones(count, dtype=torch.bool), grey=turn == 0, blurred=turn == 1, solarised=turn == 2
        )
    )


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_making_views_is_sampling_and_applying(kind: ViewKind, augmentation: AugmentationName) -> None:
    config = ViewsConfig(number=3, kind=kind, augmentation=augmentation)
    pixels = torch.randint(0, 256, (4, 3, EDGE, EDGE), dtype=torch.uint8, generator=generator(0, "batch"))
    drawn = sample_views(12, EDGE, EDGE, config, generator(5))
    views = [apply_views(pixels.float() / 255, drawn, config) for _ in range(2)]
    assert torch.equal(*views)
    assert torch.equal(views[0], make_views(pixels, config, generator(5)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["crops", "padded"])
def test_compiled_views_are_made_in_one_piece_and_are_the_same(kind: ViewKind) -> None:
    """As a GPU has them."""
    config = ViewsConfig(kind=kind, augmentation="simclr")
    given, pixels = parameters(config), images(dtype=torch.float32)
    compiled = torch.compile(apply_views, fullgraph=True)(pixels, given, config)
    torch.testing.assert_close(compiled, apply_views(pixels, given, config), rtol=0, atol=1e-5)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_finite_differences(kind: ViewKind, augmentation: AugmentationName) -> None:
    config = ViewsConfig(kind=kind, augmentation=augmentation)
    given = parameters(config)
    leaf = images().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply_views(x, given, config), leaf, eps=1e-7, atol=1e-5, fast_mode=True)
    (gradient,) = torch.autograd.grad(apply_views(leaf, given, config).sum(), leaf)
    assert (gradient != 0).float().mean() > 0.1


@pytest.mark.parametrize("operation", ["jittered", "grey", "blurred", "solarised"])
def test_each_operation_alone_has_its_full_jacobian(operation: str) -> None:
    config = ViewsConfig()
    drawn = sample_views(2, 4, 4, config, generator(1))
    assert drawn.colours is not None
    shares = {name: torch.tensor([name == operation, False]) for name in ("jittered", "grey", "blurred", "solarised")}
    given = drawn._replace(colours=drawn.colours._replace(**shares))
    leaf = images()[:, :, :4, :4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: apply_views(x, given, config), leaf, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_views_are_the_same_with_and_without_a_gradient_and_leave_the_images(kind: ViewKind) -> None:
    config = ViewsConfig(kind=kind)
    given, plain = parameters(config), images(dtype=torch.float32)
    before = plain.clone()
    without = apply_views(plain, given, config)
    with_gradient = apply_views(plain.requires_grad_(), given, config)
    assert with_gradient.requires_grad
    assert torch.equal(without, with_gradient)
    assert torch.equal(plain, before)


def test_double_precision_refines_single() -> None:
    config = ViewsConfig(number=3)
    given = parameters(config)
    double = apply_views(images(), given, config)
    assert double.dtype == torch.float64
    single = apply_views(images().float(), given, config)
    assert ((double - single).abs() < 1e-4).double().mean() > 0.999  # solarise's threshold may part the two


def test_rows_change_in_place_only_where_no_gradient_is_wanted() -> None:
    active = torch.tensor([True, False])
    plain = images()
    assert on_rows(active, torch.neg, plain).data_ptr() == plain.data_ptr()
    leaf = images().requires_grad_()
    changed = on_rows(active, torch.neg, leaf)
    changed.sum().backward()
    assert torch.equal(changed[0], -images()[0])
    assert leaf.grad is not None
    assert leaf.grad[:, 0, 0, 0].tolist() == [-1, 1]


def test_a_pixels_gradient_counts_the_views_that_show_it() -> None:
    config = ViewsConfig(kind="padded", augmentation="none")
    given = sample_views(6, EDGE, EDGE, config, generator(0))
    leaf = images().requires_grad_()
    (gradient,) = torch.autograd.grad(apply_views(leaf, given, config).sum(), leaf)
    expected = torch.zeros_like(gradient)
    for view, (top, left) in enumerate(zip(given.crops.top.tolist(), given.crops.left.tolist(), strict=True)):
        shown = [slice(max(corner, 0), EDGE + min(corner, 0)) for corner in (top, left)]
        expected[view % 2, :, shown[0], shown[1]] += 1
    assert torch.equal(gradient, expected)
    assert len(gradient.unique()) > 1
