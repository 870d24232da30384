"""Every head that a trial asks for: trained or taken from an earlier attempt, attacked, checked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.checkpoint import FREE_TO_CHANGE, digest, lasting
from trainables.config import ConfigError, EvaluationConfig, TrialConfig, flatten
from trainables.data import ImageSet, draw_rows, identity
from trainables.evaluation.attack import Attack, find
from trainables.evaluation.auto_attack import Trace, run_auto_attack
from trainables.evaluation.auto_attack_official import STRENGTHS, Version
from trainables.evaluation.heads import train_head
from trainables.evaluation.n_crops import passes_per_image
from trainables.evaluation.own_attacks import Attacked, attacked
from trainables.evaluation.robustness import Measured, measure
from trainables.evaluation.sanity import check
from trainables.evaluation.saved_heads import load_head, save_head
from trainables.metrics import (
    AUTO_ATTACK_IMAGES,
    STANDARD,
    Accuracy,
    AutoAttackResult,
    HeadResult,
    auto_attack_metric,
    own_attack_metric,
)
from trainables.models import Encoder
from trainables.outcomes import Outcomes, packed

VERSIONS: Mapping[str, Version] = {"auto_attack": STANDARD, "torchattacks_10_steps": "torchattacks_10_steps"}
"""The attacks that are versions of AutoAttack, by their name in ``evaluation.attacks``."""

_HEADS_SETTINGS = (
    *("data.source", "data.image_size", "data.validation_fraction", "data.train_images", "views.", "evaluation.source"),
    *("evaluation.head_", "evaluation.crops_epochs", "evaluation.finetune_epochs", "evaluation.attack_precision"),
)

_ATTACKED = ("seed", "evaluation.source", "evaluation.split", "evaluation.images", "evaluation.epsilon")

Progress = Callable[[str], None]
"""Hears in words what is going on."""


@dataclass(frozen=True)
class Task:
    """What heads are trained and measured on; ``folder`` keeps what a killed evaluation had finished."""

    train: ImageSet
    queries: ImageSet
    classes: int
    folder: Path | None


@dataclass(frozen=True)
class Assessed:
    """``heads``: one result each, in the order of ``evaluation.heads``; ``outcomes``: theirs image by image."""

    heads: tuple[HeadResult, ...]
    outcomes: Outcomes


def assess(encoder: Encoder, config: TrialConfig, task: Task, progress: Progress = lambda _: None) -> Assessed:
    """Every head that ``config`` asks for."""
    found = [_assess(encoder, name, config, task, progress) for name in config.evaluation.heads]
    rows = {name: packed(right.cpu().numpy()) for _, by_figure in found for name, right in by_figure.items()}
    outcomes = Outcomes(identity=identity(task.queries), images=len(task.queries), rows=rows)
    return Assessed(tuple(result for result, _ in found), outcomes)


def check_attacks(evaluation: EvaluationConfig, classes: int) -> None:
    """``ConfigError``, before anything is trained, where what is asked for cannot attack a head of so many classes."""
    if evaluation.check_images or any(attack in evaluation.attacks for attack in VERSIONS):
        _need_pyautoattack()
    for attack, version in VERSIONS.items():
        if attack in evaluation.attacks:
            STRENGTHS[version].targets(classes)


def _need_pyautoattack() -> None:
    if find_spec("pyautoattack") is None:
        raise ConfigError(
            "AutoAttack and the checks of figures need the package pyautoattack; install it, or leave auto_attack out "
            "of evaluation.attacks and set evaluation.check_images to 0"
        )


def fingerprint(encoder: Encoder, config: TrialConfig) -> str:
    """Of all that a head depends on: the encoder's lasting weights, and the settings that heads are trained by."""
    return digest(lasting(encoder.state_dict(), config), heads_settings(config))


def heads_settings(config: TrialConfig) -> dict[str, object]:
    """The settings that heads are trained by, by dotted path."""
    leaves = flatten(config)
    return {path: value for path, value in leaves.items() if path.startswith(_HEADS_SETTINGS) or path == "seed"}


def _assess(
    encoder: Encoder, name: str, config: TrialConfig, task: Task, progress: Progress
) -> tuple[HeadResult, dict[str, Tensor]]:
    """The head's figures, and by their names which images they count; bool (n,)."""
    progress(f"{name} head")
    classifier = _head(encoder, name, config, task)
    progress(f"{name} head: gradient attacks")
    measured = measure(classifier, name, task.queries, config.evaluation, config.seed)
    attacks = [
        _auto_attack(classifier, measured, version, name, config, task, progress)
        for attack, version in VERSIONS.items()
        if attack in config.evaluation.attacks
    ]
    own = {
        own_attack_metric(name, attack.name): _own_attack(classifier, attack, name, config, task, progress)
        for attack in filter(None, map(find, config.evaluation.attacks))
    }
    result = replace(
        measured.result,
        auto_attack=tuple(attack for attack, _ in attacks),
        own_attacks=tuple(found.result for found in own.values()),
    )
    if config.evaluation.check_images:
        progress(f"{name} head: sanity checks")
        result = replace(result, verdict=check(classifier, task.queries, config.evaluation, config.seed))
    by_attack = (by_figure for _, by_figure in attacks)
    by_figure = dict(measured.by_figure) | {figure: found.right for figure, found in own.items()}
    return result, reduce(operator.or_, by_attack, by_figure)


def _head(encoder: Encoder, name: str, config: TrialConfig, task: Task) -> nn.Module:
    """The head as an earlier attempt left it, or trained now."""
    if task.folder is None:
        return train_head(encoder, name, task.train, task.classes, config.evaluation, config.views, config.seed)
    path, identity = task.folder / f"{name}.pt", fingerprint(encoder, config)
    kept = load_head(path, encoder, name, task.classes, config.views, config.seed, identity)
    if kept is not None:
        return kept
    classifier = train_head(encoder, name, task.train, task.classes, config.evaluation, config.views, config.seed)
    save_head(path, classifier, identity)
    return classifier


def _own_attack(
    classifier: nn.Module, attack: Attack, name: str, config: TrialConfig, task: Task, progress: Progress
) -> Attacked:
    return attacked(
        classifier,
        attack,
        task.queries,
        config.evaluation,
        config.seed,
        progress=lambda done: progress(f"{name} head: {attack.name}: {done} of {len(task.queries)} images"),
    )


def _auto_attack(
    classifier: nn.Module,
    measured: Measured,
    version: Version,
    name: str,
    config: TrialConfig,
    task: Task,
    progress: Progress,
) -> tuple[AutoAttackResult, dict[str, Tensor]]:
    """Its figures, and by their names which of all images they count; bool (n,)."""
    evaluation = config.evaluation
    rows = draw_rows(task.queries.labels, evaluation.auto_attack_images)
    passes = passes_per_image(classifier)
    trace = run_auto_attack(
        classifier,
        task.queries.subset(rows),
        version=version,
        epsilon=evaluation.epsilon,
        batch_size=max(1, evaluation.auto_attack_batch_size // passes),
        precision=evaluation.auto_attack_precision,
        seed=config.seed,
        state=_state(classifier, version, name, config, task),
        progress=lambda attack, done, of: progress(f"{name} head: AutoAttack, {attack}: {done} of {of} images"),
    )
    others = _survivors(measured, evaluation)[rows.to(trace.survived.device)]
    counted = {
        auto_attack_metric(name, version, evaluation.epsilon): trace.survived,
        auto_attack_metric(name, version, evaluation.epsilon, "worst"): trace.survived & others,
        AUTO_ATTACK_IMAGES: torch.ones_like(others),
    }
    everywhere = {figure: _among(right, rows, len(task.queries)) for figure, right in counted.items()}
    return _result(trace, others, version, evaluation, passes), everywhere


def _among(right: Tensor, rows: Tensor, images: int) -> Tensor:
    """Of all ``images``; bool (n,)."""
    among = torch.zeros(images, dtype=torch.bool)
    among[rows] = right.cpu()
    return among


def _state(classifier: nn.Module, version: Version, name: str, config: TrialConfig, task: Task) -> Path | None:
    """Where AutoAttack keeps its progress; under other settings, or on another head, it begins anew elsewhere."""
    if task.folder is None:
        return None
    settings = {
        path: value
        for path, value in flatten(config).items()
        if path in _ATTACKED
        or (path.startswith(("data.", "views.", "evaluation.auto_attack_")) and path not in FREE_TO_CHANGE)
    }
    return task.folder / f"{name}.{version}.{digest(classifier.state_dict(), settings)[:16]}.pt"


def _survivors(measured: Measured, evaluation: EvaluationConfig) -> Tensor:
    """Which images every gradient attack at the headline radius left right; bool (n,)."""
    return next(kept for epsilon, kept in measured.survivors.items() if abs(epsilon - evaluation.epsilon) < 1e-9)


def _result(trace: Trace, others: Tensor, version: str, evaluation: EvaluationConfig, passes: int) -> AutoAttackResult:
    return AutoAttackResult(
        version=version,
        epsilon=evaluation.epsilon,
        clean=Accuracy.of(trace.clean),
        after={attack: Accuracy.of(kept) for attack, kept in trace.after.items()},
        accuracy=Accuracy.of(trace.survived),
        worst=Accuracy.of(trace.survived & others),
        forward_equivalents=trace.forward_equivalents * passes,
    )
