"""Whether a robustness figure can be believed, or its attack only failed (after arXiv 1902.06705 and 1802.00420).

PGD is challenged by attacks that should find nothing beyond it: more steps, one step, random noise, queries without
gradients, larger radii.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, draw, generator, pixels
from trainables.evaluation.n_crops import passes_per_image
from trainables.evaluation.sanity_rules import Clean, challenge_flags, clean_flags, count, radius_flags
from trainables.evaluation.verdicts import classified_right
from trainables.metrics import Verdict

LARGE_EPSILON = 0.5
"""Every image's ball then holds the same grey image: an attack that works leaves at most one class."""
CROSSING = 2.5
"""How many radii the steps at the large radius add up to, at least (arXiv 1706.06083)."""
QUERIES = 200
NOISE_DRAWS = 10
"""Half of them uniform in the ball, half in its corners."""

Perturb = Callable[[Tensor, Tensor], Tensor]
"""From images (b, 3, h, w) in [0, 1] and labels (b,) to perturbed images."""


class Challenger(NamedTuple):
    """Perturbations within the figure's radius that should break no image that PGD left."""

    name: str
    title: str
    perturbs: tuple[Perturb, ...]


class Bench(NamedTuple):
    """The checked images, and the classifier that they put to the test. Masks of images are bool (n,)."""

    classifier: nn.Module
    images: ImageSet
    batch_size: int

    def clean(self) -> Clean:
        rows = torch.arange(len(self.images), device=self.images.labels.device)
        found = [_look(self.classifier, *self.batch(part)) for part in rows.split(self.batch_size)]
        return Clean(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def after(self, right: Tensor, *perturbs: Perturb) -> Tensor:
        """``right`` without the images that any of ``perturbs`` breaks; only images still right are perturbed."""
        right = right.clone()
        for perturb in perturbs:
            for rows in right.nonzero().squeeze(1).split(self.batch_size):
                if len(rows) > 0:
                    images, labels = self.batch(rows)
                    perturbed = perturb(images, labels)
                    with torch.no_grad():
                        right[rows] = classified_right(self.classifier(perturbed), labels)
        return right

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        part = self.images.subset(rows)
        return pixels(part.images), part.labels

    def random(self, seed: int, purpose: str) -> torch.Generator:
        return generator(seed, "check", purpose, device=self.images.labels.device)


def check(classifier: nn.Module, images: ImageSet, config: EvaluationConfig, seed: int) -> Verdict:
    """Whether the PGD accuracy on ``images`` at ``config.epsilon`` can be believed.

    ``classifier`` maps (b, 3, h, w) in [0, 1] to logits (b, classes) and is in evaluation mode. Runs on a stratified
    draw of ``config.check_images``, at least 1. ``checks`` holds ``clean``; ``pgd``: what PGD from zero and from a
    random start leaves; ``pgd_doubled``, ``fgsm``, ``noise``, ``square``: what PGD and that one leave; ``worst``: what
    all leave; ``pgd_4`` and so on: what PGD from zero leaves at that radius in 255ths.
    """
    size = max(1, config.attack_batch_size // passes_per_image(classifier))
    bench = Bench(classifier, draw(images, config.check_images), size)
    clean = bench.clean()
    radii = {radius: bench.after(clean.right, _pgd(classifier, _attack(config, radius))) for radius in _radii(config)}
    from_random = _pgd(classifier, _attack(config, config.epsilon, random_start=True), bench.random(seed, "start"))
    left = bench.after(_at(radii, config.epsilon), from_random)
    after = {challenger: bench.after(left, *challenger.perturbs) for challenger in _challengers(bench, config, seed)}
    # A constant guess of the commonest class is right so often.
    chance = float(bench.images.labels.bincount().max()) / len(bench.images)
    flags = (
        *clean_flags(clean, chance),
        *challenge_flags(left, {found.title: right for found, right in after.items()}, f"PGD-{config.attack_steps}"),
        *radius_flags(radii, chance),
    )
    return Verdict(checks=_accuracies(clean, left, radii, after), flags=flags, images=len(bench.images))


def described(config: EvaluationConfig) -> dict[str, str]:
    """What each of ``check``'s accuracies is of, in words, by its name and in its order."""
    pgd, epsilon = f"PGD-{config.attack_steps}", f"{config.epsilon * 255:g}/255"
    words = {"clean": "no attack", "pgd": f"{pgd} at {epsilon}, from the image and from a random start"}
    words |= {_at_radius(radius): f"{pgd} at {radius * 255:g}/255, from the image" for radius in _radii(config)}
    words[_at_radius(LARGE_EPSILON)] += ": no more than chance may be left"
    words |= {name: f"{pgd}, then {title}, at {epsilon}" for name, title in _titles(config).items()}
    return words | {"worst": f"all of these at {epsilon}"}


def check_forward_equivalents(config: EvaluationConfig, images: int) -> int:
    """The most that ``check`` does on ``images`` evaluated images, in passes of the classifier: if none breaks."""

    def attacked(steps: int) -> int:
        return 2 * steps + 1

    pgd = (len(_radii(config)) + 1) * attacked(config.attack_steps) + attacked(2 * config.attack_steps)
    # Square judges the images it is given, its first stripes and its result, and the bench judges that again.
    square = QUERIES + 4
    return min(config.check_images, images) * (2 + pgd + attacked(1) + NOISE_DRAWS + square)


def _accuracies(
    clean: Clean, left: Tensor, radii: dict[float, Tensor], after: dict[Challenger, Tensor]
) -> dict[str, float]:
    named = {"clean": clean.right, "pgd": left}
    named |= {_at_radius(radius): right for radius, right in radii.items()}
    named |= {challenger.name: right for challenger, right in after.items()}
    named["worst"] = torch.stack(list(after.values())).all(dim=0)
    return {name: count(right) / len(right) for name, right in named.items()}


def _challengers(bench: Bench, config: EvaluationConfig, seed: int) -> tuple[Challenger, ...]:
    classifier, epsilon, steps = bench.classifier, config.epsilon, 2 * config.attack_steps
    doubled = Attack(epsilon=epsilon, step_size=config.attack_step_size, steps=steps)
    fgsm = Attack(epsilon=epsilon, step_size=epsilon, steps=1)
    random = bench.random(seed, "noise")
    noise = tuple(_noise(epsilon, random, corners=number % 2 == 1) for number in range(NOISE_DRAWS))
    square = _square(classifier, epsilon, bench.random(seed, "square").initial_seed())
    perturbs = {
        "pgd_doubled": (_pgd(classifier, doubled),),
        "fgsm": (_pgd(classifier, fgsm),),
        "noise": noise,
        "square": (square,),
    }
    return tuple(Challenger(name, title, perturbs[name]) for name, title in _titles(config).items())


def _titles(config: EvaluationConfig) -> dict[str, str]:
    return {
        "pgd_doubled": f"PGD-{2 * config.attack_steps}",
        "fgsm": "FGSM",
        "noise": f"random noise ({NOISE_DRAWS} draws)",
        "square": f"Square ({QUERIES} queries)",
    }


def _at_radius(radius: float) -> str:
    return f"pgd_{radius * 255:g}"


def _pgd(classifier: nn.Module, attack: Attack, random: torch.Generator | None = None) -> Perturb:
    def perturb(images: Tensor, labels: Tensor) -> Tensor:
        return images + adversaries.pgd(lambda x: F.cross_entropy(classifier(x), labels), images, attack, random)

    return perturb


def _noise(epsilon: float, random: torch.Generator, *, corners: bool) -> Perturb:
    anywhere = Attack(epsilon=epsilon, step_size=epsilon, steps=0, random_start=True)

    def perturb(images: Tensor, _: Tensor) -> Tensor:
        delta = adversaries.start(images, anywhere, random)
        return images + (adversaries.project(epsilon * delta.sign(), images, epsilon) if corners else delta)

    return perturb


def _square(classifier: nn.Module, epsilon: float, seed: int) -> Perturb:
    """Square (arXiv 1912.00049), the official code; it seeds the global random state, which is put back."""

    def perturb(images: Tensor, labels: Tensor) -> Tensor:
        from pyautoattack.square import SquareAttack

        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            attack = SquareAttack(classifier, n_queries=QUERIES, eps=epsilon, seed=seed, device=images.device)
            perturbed: Tensor = attack.perturb(images, labels)
        return perturbed

    return perturb


def _radii(config: EvaluationConfig) -> tuple[float, ...]:
    return tuple(sorted({*config.attack_epsilons, LARGE_EPSILON}))


def _at(radii: dict[float, Tensor], epsilon: float) -> Tensor:
    return radii[min(radii, key=lambda radius: abs(radius - epsilon))]


def _attack(config: EvaluationConfig, epsilon: float, *, random_start: bool = False) -> Attack:
    """The figure's own attack; from the large radius on its steps grow so that they cross the ball.

    There too it starts from the image: noise that strong breaks an image by itself and puts no gradient to the test.
    """
    step_size = config.attack_step_size
    if epsilon >= LARGE_EPSILON:
        step_size = max(step_size, CROSSING * epsilon / config.attack_steps)
    return Attack(epsilon=epsilon, step_size=step_size, steps=config.attack_steps, random_start=random_start)


def _look(classifier: nn.Module, images: Tensor, labels: Tensor) -> Clean:
    images.requires_grad_()
    logits = classifier(images)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels), images)
    slope = gradient.flatten(1)
    sloped = slope.isfinite().all(dim=1) & (slope != 0).any(dim=1)
    return Clean(classified_right(logits, labels), logits.isfinite().all(dim=1), sloped)
