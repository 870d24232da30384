"""What attacks that packages bring leave of a head, image by image, and the work that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables import packages
from trainables.config import EvaluationConfig
from trainables.config.checks import require
from trainables.cost import FORWARD, TO_INPUTS
from trainables.data import ImageSet, global_stream
from trainables.evaluation.attack import Attack, Logits
from trainables.evaluation.n_crops import passes_per_image
from trainables.evaluation.robustness import Target
from trainables.metrics import Accuracy, OwnAttackResult


class Attacked(NamedTuple):
    """A figure, and which images it counts; bool (n,)."""

    result: OwnAttackResult
    right: Tensor


def attacked(
    classifier: nn.Module,
    attack: Attack,
    images: ImageSet,
    config: EvaluationConfig,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Attacked:
    """What ``attack`` by itself leaves right of ``images``; ``progress`` hears before each batch how many are done.

    Each batch has a random stream of its own. Raises ``PackageError`` where the attack raises, or gives what are no
    images.
    """
    target = Target.whole(classifier, images, config)
    logits, done = _Counted(target.ascended), 0

    def moved(inputs: Tensor, labels: Tensor) -> Tensor:
        nonlocal done
        progress(done)
        with global_stream(seed, "attack", attack.name, done, device=inputs.device):
            found = perturbed(attack, logits, inputs, labels)
        done += len(inputs)
        return found

    right = target.right_where(moved)
    work = passes_per_image(classifier) * (logits.work + FORWARD * len(images))
    return Attacked(OwnAttackResult(name=attack.name, accuracy=Accuracy.of(right), forward_equivalents=work), right)


def perturbed(attack: Attack, logits: Logits, images: Tensor, labels: Tensor) -> Tensor:
    """What ``attack`` makes of ``images``; it works on copies, and whether gradients are kept is its own to set.

    Raises ``PackageError``.
    """
    with packages.answering("attack", attack.name), torch.enable_grad():
        found = attack.perturb(logits, images.clone(), labels.clone())
        return _checked(found, images)


def _checked(found: object, images: Tensor) -> Tensor:
    """``found`` without a graph; ``ConfigError`` where they are not images such as ``images``."""
    wanted = f"it must be {_words(images)}, as it was given"
    kind = _words(found) if isinstance(found, Tensor) else f"of type {type(found).__name__}"
    require(isinstance(found, Tensor) and kind == _words(images), f"what it gives is {kind}; {wanted}")
    assert isinstance(found, Tensor)
    found = found.detach()
    require(bool(found.isfinite().all()), "what it gives is not finite")
    low, high = float(found.min()), float(found.max())
    require(low >= 0 and high <= 1, f"what it gives goes from {low:.7g} to {high:.7g}; clamp it to [0, 1]")
    return found


def _words(images: Tensor) -> str:
    return f"a tensor of shape {tuple(images.shape)}, {images.dtype}, on {images.device}"


class _Counted:
    """Logits, with the ``work`` of their images' passes, forward and back.

    A backward pass is one through the logits of one call. A second derivative's way back through the first is not seen,
    and of many gradients at once (``torch.func.vmap``) one is.
    """

    def __init__(self, logits: Logits) -> None:
        self._logits = logits
        self.work = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.work += FORWARD * len(images)
        logits = self._logits(images)
        if logits.requires_grad:
            logits.register_hook(partial(self._back, len(images)))
        return logits

    def _back(self, images: int, _gradient: Tensor) -> None:
        self.work += TO_INPUTS * images
