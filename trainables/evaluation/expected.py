"""What a trial will measure, by name, before it is trained."""

from __future__ import annotations

from trainables.config import EvaluationConfig
from trainables.evaluation.assess import VERSIONS
from trainables.evaluation.heads import crops_of
from trainables.metrics import (
    Accuracy,
    AttackResult,
    AutoAttackResult,
    Cost,
    HeadResult,
    OwnAttackResult,
    TrialResult,
    Verdict,
)

_ANY = Accuracy(correct=0, images=1)


def expected_metrics(evaluation: EvaluationConfig) -> tuple[str, ...]:
    """The metrics of a trial that is evaluated so, in the order in which its result names them.

    They are those of a result that has its form and no figures; memory, which only a GPU tells, is not among them.
    """
    result = TrialResult(
        head=evaluation.head,
        epsilon=evaluation.epsilon,
        split=evaluation.split,
        heads=tuple(_head(name, evaluation) for name in evaluation.heads),
        cost=Cost(
            pretrain_forward_equivalents=0,
            evaluation_forward_equivalents=0,
            pretrain_minutes=0.0,
            evaluation_minutes=0.0,
        ),
        data="",
        classes=(),
        image_size=0,
        device="",
        epochs=0,
    )
    return tuple(result.metrics())


def _head(name: str, evaluation: EvaluationConfig) -> HeadResult:
    attacks = tuple(_attack(epsilon, evaluation) for epsilon in evaluation.attack_epsilons)
    return HeadResult(
        name=name,
        clean=_ANY,
        attacks=attacks,
        crop_space_attacks=attacks if crops_of(name) else (),
        auto_attack=tuple(
            _auto_attack(version, evaluation) for attack, version in VERSIONS.items() if attack in evaluation.attacks
        ),
        own_attacks=tuple(
            OwnAttackResult(name=attack, accuracy=_ANY, forward_equivalents=0) for attack in evaluation.own_attacks
        ),
        verdict=Verdict(checks={}, flags=(), images=1) if evaluation.check_images else None,
    )


def _attack(epsilon: float, evaluation: EvaluationConfig) -> AttackResult:
    return AttackResult(
        epsilon=epsilon,
        steps=evaluation.attack_steps,
        zero_start=_ANY,
        random_start=_ANY,
        worst=_ANY,
        fgsm=_ANY if "fgsm" in evaluation.attacks else None,
        margin=_ANY if "margin_pgd" in evaluation.attacks else None,
    )


def _auto_attack(version: str, evaluation: EvaluationConfig) -> AutoAttackResult:
    return AutoAttackResult(
        version=version,
        epsilon=evaluation.epsilon,
        clean=_ANY,
        after={},
        accuracy=_ANY,
        worst=_ANY,
        forward_equivalents=0,
    )
