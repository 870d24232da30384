"""Models that hide their gradients are flagged for what they do; honest ones, robust or not, never are."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import DataConfig, EvaluationConfig
from trainables.data import ImageSet, generator
from trainables.data.digits import read_digits
from trainables.evaluation import sanity
from trainables.evaluation.sanity import check, check_forward_equivalents, described
from trainables.metrics import Verdict

EPSILON = 32 / 255
DIGITS = EvaluationConfig(epsilon=EPSILON, attack_epsilons=(16 / 255, EPSILON, 64 / 255))

REASONS = {
    "chance": "not clearly better than chance",
    "finite": "are not finite",
    "slope": "has no slope",
    "doubled": r"^PGD-\d+ broke",
    "fgsm": "FGSM broke",
    "noise": r"random noise \(10 draws\) broke",
    "square": r"Square \(200 queries\) broke",
    "rise": "accuracy rises",
    "large": r"survive a radius of 0\.5",
}


def reasons(verdict: Verdict) -> set[str]:
    return {name for name, words in REASONS.items() for flag in verdict.flags if re.search(words, flag)}


@cache
def digits() -> Any:
    return read_digits(DataConfig(source="digits", image_size=8))


def fitted(*, attacked: bool) -> nn.Module:
    """A small network on 8x8 digits, trained for a second with or without PGD."""
    images, labels = digits().train.images / 255, digits().train.labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    random = torch.Generator().manual_seed(0)
    attack = Attack(epsilon=EPSILON, step_size=EPSILON / 2, steps=3)
    for _ in range(10):
        for rows in torch.randperm(len(images), generator=random).split(100):
            x, y = images[rows], labels[rows]
            if attacked:
                x = x + adversaries.pgd(lambda z, y=y: F.cross_entropy(network(z), y), x, attack)
            optimiser.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimiser.step()
    return network.eval()


@pytest.fixture(scope="module")
def robust() -> nn.Module:
    return fitted(attacked=True)


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    return fitted(attacked=False)


class Before(nn.Module):
    """``network`` on images that ``change`` met first."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.change = network, change

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(self.change(images))
        return logits


class Scaled(nn.Module):
    def __init__(self, network: nn.Module, factor: float) -> None:
        super().__init__()
        self.network, self.factor = network, factor

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images) * self.factor
        return logits


def quantised(images: Tensor) -> Tensor:
    """Four levels: no slope anywhere."""
    return (images * 3).round() / 3


def straight_through(images: Tensor) -> Tensor:
    return images + (quantised(images) - images).detach()


def rippled(images: Tensor) -> Tensor:
    """Moves no pixel by more than 1/300, but turns the sign of nearly every other slope."""
    return images + 10 / 3000 * torch.sin(3000 * images)


def test_an_honest_robust_model_is_trusted(robust):
    verdict = check(robust, digits().test, DIGITS, seed=0)
    assert verdict.trusted, verdict
    assert verdict.images == 128
    found = verdict.checks
    assert found["clean"] > 0.9
    assert found["pgd"] > 0.4
    assert found["clean"] > found["pgd_16"] > found["pgd_32"] > found["pgd_64"] > found["pgd_127.5"] == 0
    assert found["worst"] <= found["square"] <= found["pgd"] <= found["pgd_32"]
    assert list(described(DIGITS)) == list(found), "every check is put in words"
    assert found["worst"] == min(found[name] for name in ("pgd_doubled", "fgsm", "noise", "square", "worst"))


def test_an_honest_model_without_robustness_is_trusted_too(plain, robust):
    verdict = check(plain, digits().test, DIGITS, seed=0)
    assert verdict.trusted, verdict
    assert verdict.checks["pgd"] < check(robust, digits().test, DIGITS, seed=0).checks["pgd"] - 0.2


@pytest.mark.parametrize(
    ("mask", "certain"),
    [
        (lambda network: Before(network, quantised), {"slope", "large"}),
        (lambda network: Scaled(network, 1e4), {"slope", "square", "large"}),
        (lambda network: Before(network, rippled), {"square", "large"}),
    ],
    ids=["quantised", "saturated", "rippled"],
)
def test_hidden_gradients_are_flagged(robust, plain, mask, certain):
    for network in (robust, plain):
        verdict = check(mask(network), digits().test, DIGITS, seed=0)
        assert verdict.checks["pgd"] > 0.9
        assert certain <= reasons(verdict) <= certain | {"square", "noise", "fgsm"}, verdict


def test_gradients_passed_straight_through_unmask(plain):
    verdict = check(Before(plain, straight_through), digits().test, DIGITS, seed=0)
    assert verdict.trusted, verdict
    assert verdict.checks["pgd"] < 0.7


class Slanted(nn.Module):
    """Class 1 where <w, x - 1/2> > 0: away from black and white, a radius r turns what lies within r |w|_1."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def margins(self, images: Tensor) -> Tensor:
        return (self.weights * (images - 0.5)).sum(dim=(1, 2, 3))

    def forward(self, images: Tensor) -> Tensor:
        margins = self.margins(images)
        return torch.stack([-margins, margins], dim=1)


@pytest.mark.parametrize("seed", range(20))
def test_honest_figures_are_exact_and_trusted_whatever_is_drawn(seed):
    random = torch.Generator().manual_seed(seed)
    model = Slanted(torch.randn(3, 4, 4, generator=random))
    stored = torch.randint(100, 156, (90, 3, 4, 4), generator=random, dtype=torch.uint8)
    labels = (model.margins(stored / 255) > 0).long()
    labels = torch.where(torch.rand(90, generator=random) < 0.1, 1 - labels, labels)
    config = EvaluationConfig(check_images=90, attack_batch_size=40, attack_epsilons=(2 / 255, 8 / 255))
    verdict = check(model, ImageSet(stored, labels), config, seed)
    assert verdict.trusted, verdict
    signed = (2 * labels - 1) * model.margins(stored / 255) / model.weights.abs().sum()
    for name, radius in {"clean": 0, "pgd_2": 2 / 255, "pgd_8": 8 / 255, "pgd": 8 / 255, "worst": 8 / 255}.items():
        assert verdict.checks[name] == pytest.approx(float((signed > radius).float().mean()))
    assert verdict.checks["pgd_127.5"] == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("part", range(20))
def test_honest_networks_are_trusted_whatever_is_drawn(robust, plain, part):
    every = digits().test
    drawn = every.subset(torch.randperm(len(every), generator=torch.Generator().manual_seed(part))[:64])
    for network in (robust, plain):
        verdict = check(network, drawn, DIGITS, seed=part)
        assert verdict.trusted, verdict


DARK, BRIGHT = 64, 191


def two_greys(count: int) -> ImageSet:
    """Dark images of class 0 and bright ones of class 1, in turn."""
    labels = torch.arange(count) % 2
    levels = torch.where(labels == 1, BRIGHT, DARK).to(torch.uint8)
    return ImageSet(levels[:, None, None, None].expand(-1, 3, 4, 4).contiguous(), labels)


def zeros(count: int) -> ImageSet:
    """Dark images of class 0."""
    return ImageSet(two_greys(2 * count).images[::2], torch.zeros(count, dtype=torch.int64))


class Greys(nn.Module):
    """Right on ``two_greys`` where ``margin`` of the perturbation (b, 3, h, w) -> (b,) is positive."""

    def __init__(self, margin: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.mean(dim=(1, 2, 3)) > 0.5).float()
        base = (DARK + (BRIGHT - DARK) * bright) / 255
        margin = (2 * bright - 1) * self.margin(images - base[:, None, None, None])
        return torch.stack([-margin, margin], dim=1)


def upwards(mean: Tensor, right: Tensor) -> Tensor:
    """Margin 1 or -1 as ``right`` says, but its slope leads attacks to brighter images."""
    return 2 * right.float() - 1 - (mean - mean.detach())


def mean(delta: Tensor) -> Tensor:
    return delta.mean(dim=(1, 2, 3))


def weak_at_many_short_steps(delta: Tensor) -> Tensor:
    """Only where the mean rose by 5 to 7 levels: eight steps of 0.75 lead there, four do not, nor one of 8."""
    level = mean(delta) * 255
    return upwards(level, (level < 5) | ((level > 7) & (level < 30)))


def weak_at_one_long_step(delta: Tensor) -> Tensor:
    """Short steps turn back from a ridge; one as long as the radius of 8 levels lands behind it."""
    level = mean(delta) * 255
    return torch.where(level < 1, 50 - level, torch.where(level < 6, 50 + level, -1 - level))


def weak_at_random(delta: Tensor) -> Tensor:
    """A tenth of all points, scattered everywhere, is wrong; the slope leads past them into a corner."""
    level = mean(delta) * 255
    unlucky = (delta.double().sum(dim=(1, 2, 3)) * 1e5 + 0.5).remainder(1) < 0.1
    return upwards(level, ~unlucky & (level < 30))


def weak_at_a_middle_radius(delta: Tensor) -> Tensor:
    level = mean(delta) * 255
    return upwards(level, (level < 5) | ((level > 12) & (level < 30)))


@pytest.mark.parametrize(
    ("margin", "expected", "flag"),
    [
        (weak_at_many_short_steps, {"doubled"}, "PGD-8 broke 40 of 40 images that PGD-4 left (40 checked)"),
        (weak_at_one_long_step, {"fgsm"}, "FGSM broke 40 of 40 images that PGD-4 left (40 checked)"),
        (weak_at_random, {"noise", "square"}, "random noise (10 draws) broke "),
        (weak_at_a_middle_radius, {"rise"}, "accuracy rises from 0 to 40 of 40 images as the radius grows from 8/255 "),
    ],
    ids=["doubled", "fgsm", "noise", "rise"],
)
def test_each_challenger_finds_what_it_is_there_for(margin, expected, flag):
    step_size = (0.75 if margin is weak_at_many_short_steps else 4) / 255
    config = EvaluationConfig(attack_steps=4, attack_step_size=step_size)
    verdict = check(Greys(margin), two_greys(40), config, seed=0)
    assert verdict.checks["clean"] == 1
    assert reasons(verdict) == expected, verdict
    assert any(found.startswith(flag) for found in verdict.flags)


def test_the_figure_counts_the_random_start_too():
    """The image itself lies on a summit, where the slope is 0 and PGD from zero stays."""
    verdict = check(Greys(lambda delta: 1e-4 - mean(delta**2)), two_greys(40), EvaluationConfig(), seed=0)
    assert verdict.checks["pgd_8"] == 1
    assert verdict.checks["pgd"] == 0


class Blind(nn.Module):
    """Sees nothing and says class 0; a black first pixel makes it say nothing at all."""

    def forward(self, images: Tensor) -> Tensor:
        seen = 0 * images.sum(dim=(1, 2, 3))
        broken = images[:, 0, 0, 0] == 0
        return torch.stack([seen + 1, seen.masked_fill(broken, float("nan"))], dim=1)


def test_a_model_at_chance_has_nothing_to_believe():
    untrained, images = nn.Sequential(nn.Flatten(), nn.Linear(192, 10)).eval(), digits().test
    order = torch.randperm(len(images), generator=generator(0, "labels by chance"))
    by_chance = ImageSet(images.images, images.labels[order])
    assert "chance" in reasons(check(untrained, by_chance, DIGITS, seed=0))
    assert reasons(check(Blind(), two_greys(40), DIGITS, seed=0)) == {"chance", "slope"}


def test_a_model_that_is_always_wrong_is_checked_too():
    images = two_greys(40)
    wrong = ImageSet(images.images, 1 - images.labels)
    verdict = check(Greys(lambda delta: 1 - mean(delta)), wrong, DIGITS, seed=0)
    assert reasons(verdict) == {"chance"}
    assert set(verdict.checks.values()) == {0.0}


def test_logits_that_are_no_numbers_are_flagged():
    images = two_greys(40)
    images.images[3] = 0
    verdict = check(Blind(), images, DIGITS, seed=0)
    assert "the logits of 1 of 40 clean images are not finite" in verdict.flags


def test_a_slope_that_is_no_number_is_none():
    def margin(delta: Tensor) -> Tensor:
        return 1 + mean((delta - delta.detach()).abs().sqrt())

    verdict = check(Greys(margin), two_greys(40), DIGITS, seed=0)
    assert "the loss of 40 of 40 rightly classified images has no slope for an attack to follow" in verdict.flags


def test_one_image_shows_nothing():
    verdict = check(Greys(lambda delta: 0.02 - mean(delta)), two_greys(1), EvaluationConfig(), seed=0)
    assert (verdict.images, reasons(verdict)) == (1, {"chance"})


def test_only_so_many_images_are_checked(plain):
    config = EvaluationConfig(check_images=20, attack_steps=2)
    assert check(plain, digits().test, config, seed=0).images == 20


def test_the_verdict_depends_on_the_seed_alone():
    state, model, images = torch.get_rng_state(), Greys(weak_at_random), two_greys(40)
    verdicts = [check(model, images, EvaluationConfig(attack_steps=2), seed) for seed in (0, 1, 2, 0)]
    assert verdicts[0] == verdicts[3]
    assert len({verdict.checks["noise"] for verdict in verdicts}) > 1
    assert torch.equal(state, torch.get_rng_state())


def test_the_classifier_is_left_as_it_was(plain):
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    for weights in plain.parameters():
        weights.grad = None
    check(plain, digits().test, EvaluationConfig(check_images=20, attack_steps=1), seed=0)
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())
    assert all(weights.requires_grad and weights.grad is None for weights in plain.parameters())


class Watched(nn.Module):
    """Counts the passes of ``network`` and keeps what it was shown."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.passes = network, 0
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.passes += len(images)
        self.seen.append(images.detach())
        logits = self.network(images)
        if logits.requires_grad and images.requires_grad:
            logits.register_hook(self._backward)
        return logits

    def _backward(self, gradient: Tensor) -> None:
        self.passes += len(gradient)


def stubborn(images: Tensor) -> Tensor:
    """Class 0 by far, but with a slope."""
    mean = images.mean(dim=(1, 2, 3))
    return torch.stack([9 + mean, 0 * mean], dim=1)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("epsilons", [(8 / 255,), (4 / 255, 8 / 255, 0.5)])
def test_work_is_known_where_nothing_breaks(steps, epsilons):
    model, config = Watched(stubborn), EvaluationConfig(attack_steps=steps, attack_epsilons=epsilons, check_images=12)
    check(model, zeros(20), config, seed=0)
    assert model.passes == check_forward_equivalents(config, 20) == check_forward_equivalents(config, 12)
    assert check_forward_equivalents(config, 5) * 12 == check_forward_equivalents(config, 12) * 5


def test_broken_images_cost_less(robust):
    model = Watched(robust)
    check(model, digits().test, DIGITS, seed=0)
    assert 0 < model.passes < 0.9 * check_forward_equivalents(DIGITS, 128)


def test_every_attack_stays_in_its_ball_and_among_the_pixels(monkeypatch):
    epsilon = 100 / 255
    monkeypatch.setattr(sanity, "LARGE_EPSILON", epsilon)
    model = Watched(stubborn)
    check(model, zeros(1), EvaluationConfig(epsilon=epsilon, attack_epsilons=(epsilon,)), seed=0)
    seen = torch.cat(model.seen)
    assert ((seen >= 0) & (seen <= 1)).all()
    assert (seen - DARK / 255).abs().max() == pytest.approx(epsilon, abs=1e-6)


def test_noise_is_uniform_and_of_corners():
    """Long steps and Square's queries end in corners: inside are a random start and half of the noise."""
    model, epsilon = Watched(stubborn), 8 / 255
    config = EvaluationConfig(attack_epsilons=(epsilon,), attack_steps=1, attack_step_size=1.0)
    check(model, zeros(1), config, seed=0)
    shares = torch.cat(model.seen).sub(DARK / 255).abs().flatten(1) / epsilon
    assert ((shares > 0.01) & (shares < 0.99)).any(dim=1).sum() == 1 + sanity.NOISE_DRAWS // 2


def test_queries_depend_on_the_seed():
    models = [Watched(stubborn), Watched(stubborn)]
    for seed, model in enumerate(models):
        check(model, zeros(1), EvaluationConfig(attack_steps=1), seed)
    first, second = (torch.cat(model.seen[-sanity.QUERIES :]) for model in models)
    assert not torch.equal(first, second)


def test_images_that_are_many_views_pass_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(sanity, "passes_per_image", lambda classifier: 8)
    model, config = Watched(stubborn), EvaluationConfig(check_images=10, attack_batch_size=32, attack_steps=1)
    check(model, zeros(10), config, seed=0)
    assert max(len(images) for images in model.seen) == 4
