"""Work of the evaluation in forward-equivalents, from the config alone, so that it can be known before it is spent."""

from __future__ import annotations

from collections.abc import Iterable

from trainables.config import EvaluationConfig, TrialConfig
from trainables.cost import FORWARD, TO_ALL, TO_INPUTS
from trainables.evaluation.auto_attack_official import ATTACKS, STRENGTHS, Strength
from trainables.evaluation.finetune import STEPS
from trainables.evaluation.heads import crops_of
from trainables.evaluation.sanity import check_forward_equivalents
from trainables.metrics import HeadResult


def head_forward_equivalents(config: EvaluationConfig, name: str, images: int) -> int:
    """Work of training the head called ``name`` on ``images`` images."""
    if name == "own":
        return 0
    if name in ("clean", "slf") or name.startswith("n_crops"):
        epochs = config.finetune_epochs if name == "slf" else 1  # the others compute their features once
        return images * _views(name) * epochs * FORWARD
    if name == "aff":
        # One pass for the clean prediction, an attack on it, and two passes that train.
        return images * config.finetune_epochs * (FORWARD + _attack(STEPS) + 2 * (FORWARD + TO_ALL))
    if name == "alf":
        return images * config.finetune_epochs * (_attack(STEPS) + FORWARD)
    return images * _views(name) * config.head_epochs * (_attack(config.head_attack_steps) + FORWARD)


def radius_forward_equivalents(config: EvaluationConfig, name: str, images: int) -> int:
    """Work of all gradient attacks at one radius on ``images`` images, and of judging each."""
    pgd = _attack(config.attack_steps) + FORWARD
    runs = (1 + config.attack_restarts + ("margin_pgd" in config.attacks)) * pgd
    if "fgsm" in config.attacks:
        runs += _attack(1) + FORWARD
    spaces = 1 if crops_of(name) is None else 2
    return images * _views(name) * spaces * runs


def measure_forward_equivalents(config: EvaluationConfig, name: str, images: int) -> int:
    """Work of ``measure``: clean, and every attack at every radius."""
    clean = images * _views(name) * FORWARD
    return clean + len(config.attack_epsilons) * radius_forward_equivalents(config, name, images)


def evaluation_forward_equivalents(config: TrialConfig, train_images: int, heads: Iterable[HeadResult]) -> int:
    """Work behind the results of ``heads``, trained on ``train_images`` images; of sanity checks the most it can be."""
    return sum(
        head_forward_equivalents(config.evaluation, head.name, train_images)
        + measure_forward_equivalents(config.evaluation, head.name, head.clean.images)
        + sum(found.forward_equivalents for found in head.auto_attack)
        + sum(found.forward_equivalents for found in head.own_attacks)
        + _views(head.name) * check_forward_equivalents(config.evaluation, head.clean.images)
        for head in heads
    )


def planned_forward_equivalents(
    config: TrialConfig, train_images: int, images: int, classes: int, withstanding: float
) -> int:
    """Work of an evaluation that has not begun, on ``images`` images of ``classes`` classes.

    The share ``withstanding`` of AutoAttack's images is taken to cost all it can, the others nothing. Packages' attacks
    are left out: what they ask of the network is known when they have run.
    """
    evaluation = config.evaluation
    attacked = min(images, evaluation.auto_attack_images or images) if "auto_attack" in evaluation.attacks else 0
    withstood = round(withstanding * attacked) * withstood_forward_equivalents(STRENGTHS["standard"], classes)
    return sum(
        head_forward_equivalents(evaluation, name, train_images)
        + measure_forward_equivalents(evaluation, name, images)
        + _views(name) * (check_forward_equivalents(evaluation, images) + withstood)
        for name in evaluation.heads
    )


def withstood_forward_equivalents(strength: Strength, classes: int) -> int:
    """What AutoAttack spends on an image that withstands it: as the official code counts, and a verdict each."""
    targets = strength.targets(classes)
    apgd = _attack(strength.apgd_steps) + 3
    fab = strength.fab_steps * (_attack(1) + FORWARD) + 3
    spent = apgd + (targets * apgd + 1) + (targets * fab + 1) + (strength.square_queries + 3)
    return spent + (1 + len(ATTACKS)) * FORWARD


def _attack(steps: int) -> int:
    return steps * (FORWARD + TO_INPUTS)


def _views(name: str) -> int:
    return crops_of(name) or 1
