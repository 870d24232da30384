"""AutoAttack, verdict by verdict as its official code gives them, but resumable and without side effects.

Croce & Hein, arXiv 2003.01690; the order of attacks, batches and seeds is ``run_standard_evaluation``'s in pyautoattack
0.2.0. This module chooses the images, judges the examples and keeps the verdicts; the attacks are the official ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.config import AttackPrecision
from trainables.data import ImageSet, pixels
from trainables.evaluation import auto_attack_state
from trainables.evaluation.auto_attack_official import ATTACKS, STRENGTHS, Strength, Version, Victim, official_attack
from trainables.evaluation.auto_attack_state import Ledger
from trainables.evaluation.verdicts import classified_right
from trainables.precision import float32_convolutions

Progress = Callable[[str, int, int], None]
"""Hears the attack's name (or ``clean``), how many of its images are judged and how many it has; after each save."""

CLEAN = "clean"
TOLERANCE = 1e-6
"""By how much rounding may carry an adversarial example beyond epsilon."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """Verdicts image by image; every tensor is bool (n,) on the images' device."""

    clean: Tensor
    """Right on the clean image."""
    after: Mapping[str, Tensor]
    """Still right after each attack, in the order they ran."""
    survived: Tensor
    """Still right after the last one."""
    forward_equivalents: int
    """Work of all attempts; what a kill cut off is done again and counts once."""


def run_auto_attack(
    classifier: nn.Module,
    images: ImageSet,
    *,
    version: Version,
    epsilon: float,
    batch_size: int,
    precision: AttackPrecision,
    seed: int,
    state: Path | None = None,
    progress: Progress = lambda *_: None,
) -> Trace:
    """Attack ``images`` (uint8) within L-infinity ``epsilon`` of [0, 1]; each attack sees what the last one left.

    Under ``precision="float32"`` the verdicts are those of the official ``run_standard_evaluation``. What is found in
    another precision counts where a float32 forward pass confirms it: ``"tf32"`` looks for it with convolutions in
    TF32, torch's default and so the official code's; ``"bfloat16"`` attacks each batch under autocast first, and what
    withstands that in float32. The classifier stays in the mode it is in, which should be evaluation's.
    Continues from ``state`` if that file exists. Raises ``CheckpointError`` if it is another attack's, and
    ``ConfigError`` for a classifier of fewer than four classes.
    """
    strength = STRENGTHS[version]
    settings = {"version": version, "epsilon": epsilon, "batch_size": batch_size, "precision": precision, "seed": seed}
    identity = auto_attack_state.identify(classifier, images, settings | asdict(strength)) if state else {}
    ledger = auto_attack_state.load(state, identity) if state and state.exists() else Ledger()
    judge = _Judge(
        classifier=classifier,
        images=images,
        strength=strength,
        epsilon=epsilon,
        passes=("bfloat16", "float32") if precision == "bfloat16" else (precision,),
        seed=seed,
        ledger=ledger,
    )
    chunks = _chunks(ledger, len(images), batch_size)
    following = next(chunks, None)
    while following is not None:
        stage, chunk, of = following
        ledger.right[stage][chunk] = judge(stage, chunk)
        ledger.judged[stage] += len(chunk)
        if state:
            auto_attack_state.save(state, identity, ledger)
        if (following := next(chunks, None)) is not None:  # what it is at from now on, which may be another stage
            stage, _, of = following
        progress(stage, ledger.judged[stage], of)
    return _trace(ledger, images.labels.device)


def _chunks(ledger: Ledger, images: int, batch_size: int) -> Iterator[tuple[str, Tensor, int]]:
    """Stage, indices of a batch not judged yet, and the number of images that the stage judges."""
    before = torch.ones(images, dtype=torch.bool)
    for stage in (CLEAN, *ATTACKS):
        candidates = before.nonzero().flatten()
        before = ledger.right.setdefault(stage, before.clone())
        for first in range(ledger.judged.setdefault(stage, 0), len(candidates), batch_size):
            yield stage, candidates[first : first + batch_size], len(candidates)


def _trace(ledger: Ledger, device: torch.device) -> Trace:
    right = {stage: verdicts.to(device) for stage, verdicts in ledger.right.items()}
    clean = right.pop(CLEAN)
    return Trace(clean=clean, after=right, survived=right[ATTACKS[-1]], forward_equivalents=ledger.forward_equivalents)


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Says which images the classifier still gets right, and enters the work in the ledger."""

    classifier: nn.Module
    images: ImageSet
    strength: Strength
    epsilon: float
    passes: tuple[AttackPrecision, ...]
    seed: int
    ledger: Ledger

    def __call__(self, stage: str, chunk: Tensor) -> Tensor:
        """Bool (b,) on the CPU for the images at ``chunk``."""
        part = self.images.subset(chunk)
        verdict = Victim(self.classifier, "float32")
        with _undisturbed(self.classifier):
            if stage == CLEAN:
                right = classified_right(verdict(pixels(part.images)), part.labels)
                self.ledger.targets = self.strength.targets(verdict.classes)
            else:
                right = self._survivors(stage, verdict, pixels(part.images), part.labels)
        self.ledger.forward_equivalents += verdict.forward_equivalents
        return right.cpu()

    def _survivors(self, name: str, verdict: Victim, clean: Tensor, labels: Tensor) -> Tensor:
        """Every pass attacks what the last one left."""
        survived = torch.ones_like(labels, dtype=torch.bool)
        for precision in self.passes:
            rest = survived.nonzero().flatten()
            if len(rest):
                adversarial = self._attacked(name, precision, clean[rest], labels[rest])
                right = classified_right(verdict(adversarial), labels[rest])
                survived[rest] = right | ~_allowed(adversarial, clean[rest], self.epsilon)
        return survived

    def _attacked(self, name: str, precision: AttackPrecision, clean: Tensor, labels: Tensor) -> Tensor:
        victim = Victim(self.classifier, precision)
        attack = official_attack(name, victim, self.strength, self.ledger.targets, self.epsilon, self.seed)
        with float32_convolutions(tf32=precision == "tf32"):
            adversarial = attack.perturb(clean, labels)
        self.ledger.forward_equivalents += victim.forward_equivalents
        return adversarial


def _allowed(adversarial: Tensor, clean: Tensor, epsilon: float) -> Tensor:
    """An example outside the ball or the range of pixels breaks nothing, nor does one that is no number."""
    near = (adversarial - clean).abs() <= epsilon + TOLERANCE
    pixel = (adversarial >= 0) & (adversarial <= 1)
    return (near & pixel).flatten(1).all(dim=1)


@contextmanager
def _undisturbed(classifier: nn.Module) -> Iterator[None]:
    """The official code seeds the global generators of every device, and FAB leaves gradients in the weights."""
    learnt = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        try:
            for parameter in learnt:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in learnt:
                parameter.requires_grad_()
