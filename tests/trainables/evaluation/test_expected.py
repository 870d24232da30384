"""What a trial will measure is known by name before it is trained, whatever its settings."""

from __future__ import annotations

from itertools import product

import pytest

from trainables.config import EvaluationConfig, TrialConfig
from trainables.evaluation.assess import Task, assess
from trainables.evaluation.expected import expected_metrics
from trainables.metrics import Cost, TrialResult

QUICK = {
    **{"head_epochs": 1, "crops_epochs": 1, "finetune_epochs": 1, "head_attack_steps": 1, "attack_steps": 1},
    **{"attack_batch_size": 12, "auto_attack_images": 3, "check_images": 0},
}
HEADS = [("clean", "robust", "robust_n_crops_2"), ("slf", "n_crops_2")]
ATTACKS = [("pgd",), ("pgd", "fgsm", "margin_pgd")]
RADII = (2 / 255, 8 / 255, 0.5 / 255)


@pytest.mark.parametrize(("heads", "attacks"), [*product(HEADS, ATTACKS)])
def test_the_names_are_those_of_a_trial_that_was_evaluated(encoder, noise, heads, attacks):
    evaluation = EvaluationConfig(heads=heads, head=heads[-1], attacks=attacks, attack_epsilons=RADII, **QUICK)
    assert expected_metrics(evaluation) == tuple(evaluated(encoder, noise, evaluation))


def test_autoattack_and_the_checks_have_names_too(encoder, noise):
    attacks = ("pgd", "auto_attack")
    evaluation = EvaluationConfig(attacks=attacks, attack_epsilons=(8 / 255,), **QUICK | {"check_images": 3})
    expected = expected_metrics(evaluation)
    assert expected == tuple(evaluated(encoder, noise, evaluation))
    assert {"auto_attack_accuracy", "robust_head/auto_attack_8", "trusted"} <= set(expected)


def test_attacks_of_packages_have_names_too(own_package, encoder, noise):
    evaluation = EvaluationConfig(heads=("robust", "slf"), attacks=("pgd", "noise_3"), **QUICK)
    expected = expected_metrics(evaluation)
    assert expected == tuple(evaluated(encoder, noise, evaluation))
    assert {"robust_head/noise_3", "slf_head/noise_3"} <= set(expected)


def evaluated(encoder, noise, evaluation: EvaluationConfig) -> dict[str, float]:
    config = TrialConfig(trainable="cf_amc_ssl", evaluation=evaluation)
    found = assess(encoder, config, Task(train=noise(12), queries=noise(6), classes=10, folder=None)).heads
    used = {"pretrain_forward_equivalents": 0, "evaluation_forward_equivalents": 0}
    return TrialResult(
        head=evaluation.head,
        epsilon=evaluation.epsilon,
        split=evaluation.split,
        heads=found,
        cost=Cost(**used, pretrain_minutes=0.0, evaluation_minutes=0.0),
        data="noise",
        classes=("a", "b", "c"),
        image_size=8,
        device="cpu",
        epochs=1,
    ).metrics()
