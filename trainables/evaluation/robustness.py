"""Clean accuracy and what gradient attacks leave of it, image by image (arXiv 2501.03507, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, generator, in_order, pixels
from trainables.evaluation.n_crops import CropsClassifier, passes_per_image
from trainables.evaluation.verdicts import classified_right
from trainables.metrics import Accuracy, AttackResult, HeadResult, attack_metric, head_clean_metric, pgd_metric
from trainables.precision import in_precision

LossOfLogits = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A head's figures, and image by image what they count."""

    result: HeadResult
    clean: Tensor
    """Which images are classified right; bool (n,)."""
    survivors: Mapping[float, Tensor]
    """By radius, which of ``clean`` no attack on the image turned; bool (n,)."""
    by_figure: Mapping[str, Tensor]
    """All of them, by the names of the figures that count them, bool (n,)."""


class Target(NamedTuple):
    """Labelled images as an adversary meets them: whole, or as views after they were cut."""

    images: ImageSet
    batch_size: int
    inputs: Callable[[Tensor], Tensor]
    """From whole images to what is moved."""
    logits: Callable[[Tensor], Tensor]
    """From what is moved to logits."""
    ascended: Callable[[Tensor], Tensor]
    """The same as the attack computes them."""

    @classmethod
    def whole(cls, classifier: nn.Module, images: ImageSet, config: EvaluationConfig) -> Target:
        """``images`` as they are, in batches of at most ``config.attack_batch_size`` views, or one image's."""
        size = max(1, config.attack_batch_size // passes_per_image(classifier))
        return cls(images, size, lambda image: image, classifier, in_precision(classifier, config.attack_precision))

    def right(self) -> Tensor:
        """Which images are classified right; bool (n,)."""
        return self.right_where(lambda inputs, _: inputs)

    def right_where(self, moved: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Which images are classified right as what ``moved`` makes of inputs and labels, batch by batch; bool (n,)."""
        return torch.cat([self._judge(moved(inputs, labels), labels) for inputs, labels in self._batches()])

    def right_after(self, attack: Attack, loss: LossOfLogits, random: torch.Generator) -> Tensor:
        """Which images are classified right where PGD up ``loss`` ends; bool (n,)."""

        def moved(inputs: Tensor, labels: Tensor) -> Tensor:
            return inputs + adversaries.pgd(lambda x: loss(self.ascended(x), labels), inputs, attack, random)

        return self.right_where(moved)

    @torch.no_grad()
    def _judge(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return classified_right(self.logits(inputs), labels)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in in_order(self.images, self.batch_size, self.images.device):
            yield self.inputs(pixels(batch.images)), batch.labels


def measure(classifier: nn.Module, name: str, images: ImageSet, config: EvaluationConfig, seed: int) -> Measured:
    """The head's figures on ``images``: clean, and under each gradient attack of ``config.attacks`` at every radius.

    Of an ``n_crops`` head the same again in crop space, as evaluate_empssl.py (ff36114) has it: each view is perturbed
    by itself after it was cut and coloured. Batches hold at most ``config.attack_batch_size`` views, or one image's.
    """
    whole = Target.whole(classifier, images, config)
    clean = whole.right()
    found = {epsilon: _attacked(whole, epsilon, config, seed) for epsilon in config.attack_epsilons}
    crops = {}
    if isinstance(classifier, CropsClassifier):
        of_views = classifier.logits_of_views
        attacked = in_precision(of_views, config.attack_precision)
        views = Target(images, whole.batch_size, classifier.cut, of_views, attacked)
        crops = {epsilon: _attacked(views, epsilon, config, seed, "crops") for epsilon in config.attack_epsilons}
    result = HeadResult(
        name=name,
        clean=Accuracy.of(clean),
        attacks=tuple(_result(epsilon, config, clean, right) for epsilon, right in found.items()),
        crop_space_attacks=tuple(_result(epsilon, config, clean, right) for epsilon, right in crops.items()),
    )
    survivors = {epsilon: _everywhere(clean, *right.values()) for epsilon, right in found.items()}
    in_crops = {epsilon: _everywhere(clean, *right.values()) for epsilon, right in crops.items()}
    return Measured(
        result=result,
        clean=clean,
        survivors=survivors,
        by_figure={
            head_clean_metric(name): clean,
            **{figure: right for epsilon in found for figure, right in _figures(name, epsilon, found[epsilon])},
            **{pgd_metric(name, epsilon, "worst"): right for epsilon, right in survivors.items()},
            **{attack_metric(name, "crop_space_pgd", epsilon): right for epsilon, right in in_crops.items()},
        },
    )


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean lead of the best wrong logit over the right one; its slope stays where the cross-entropy saturates."""
    right = labels[:, None]
    return (logits.scatter(1, right, -torch.inf).amax(dim=1) - logits.gather(1, right).squeeze(1)).mean()


def _attacked(target: Target, epsilon: float, config: EvaluationConfig, seed: int, *purpose: str) -> dict[str, Tensor]:
    """Which images are right after each attack alone; all run on all images, so each count stands by itself."""
    random = generator(seed, "attack", f"{epsilon:.6f}", *purpose, device=target.images.device)
    pgd = Attack(epsilon=epsilon, step_size=config.attack_step_size, steps=config.attack_steps)
    from_random = replace(pgd, random_start=True)
    restarts = [target.right_after(from_random, F.cross_entropy, random) for _ in range(config.attack_restarts)]
    right = {"zero_start": target.right_after(pgd, F.cross_entropy, random), "random_start": _everywhere(*restarts)}
    if "fgsm" in config.attacks:
        right["fgsm"] = target.right_after(replace(pgd, step_size=epsilon, steps=1), F.cross_entropy, random)
    if "margin_pgd" in config.attacks:
        right["margin"] = target.right_after(pgd, margin_loss, random)
    return right


def _figures(head: str, epsilon: float, right: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """What ``_attacked`` found, by the names of the figures that count it."""
    yield pgd_metric(head, epsilon, "zero"), right["zero_start"]
    yield pgd_metric(head, epsilon, "random"), right["random_start"]
    for attack, key in (("fgsm", "fgsm"), ("margin_pgd", "margin")):
        if key in right:
            yield attack_metric(head, attack, epsilon), right[key]


def _result(epsilon: float, config: EvaluationConfig, clean: Tensor, right: Mapping[str, Tensor]) -> AttackResult:
    figures = {name: Accuracy.of(verdicts) for name, verdicts in right.items()}
    worst = Accuracy.of(_everywhere(clean, *right.values()))
    return AttackResult(epsilon=epsilon, steps=config.attack_steps, worst=worst, **figures)


def _everywhere(*verdicts: Tensor) -> Tensor:
    return torch.stack(verdicts).all(dim=0)
