"""The names of accuracies: what they say, which way they are better, and of which images they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from trainables.config import EvaluationConfig
from trainables.evaluation.expected import expected_metrics
from trainables.metrics import (
    ACCURACIES,
    AUTO_ATTACK_IMAGES,
    COSTS,
    EVALUATION_IMAGES,
    TRUSTED,
    Accuracy,
    AttackResult,
    Cost,
    HeadFigure,
    HeadResult,
    TrialResult,
    Verdict,
    chains,
    clean_of,
    counted_by,
    direction,
    head_figure,
    is_accuracy,
    is_attack_name,
    is_attacked,
    is_objective,
    is_share,
    own_attack_metric,
)

ALL_ATTACKS = ("pgd", "fgsm", "margin_pgd", "auto_attack", "torchattacks_10_steps")
EVERYTHING = EvaluationConfig(
    heads=("robust", "n_crops_32", "robust_n_crops_4"), attacks=ALL_ATTACKS, attack_epsilons=(8 / 255, 2.55 / 255)
)


def test_every_figure_of_a_head_says_what_it_is():
    names = [name for name in expected_metrics(EVERYTHING) if "_head/" in name]
    figures = [head_figure(name) for name in names]
    assert None not in figures
    assert len(set(figures)) == len(names)
    assert {(figure.head, figure.level) for figure in figures} == {*product(EVERYTHING.heads, (0.0, 2.55, 8.0))}
    assert head_figure("robust_head/pgd_2.55_zero") == HeadFigure("robust", "pgd", 2.55, "zero")
    assert head_figure("n_crops_32_head/clean") == HeadFigure("n_crops_32", "clean")


@pytest.mark.parametrize(
    "name",
    ["clean_accuracy_low", "train/probe_accuracy", "robust_head/pgd_8_zero_low", "robust_head/pgd_1.2.3_zero", "pgd"],
)
def test_what_is_no_accuracy_is_no_objective(name):
    assert not is_objective(name)
    with pytest.raises(ValueError, match=f"{name} is neither an accuracy nor a cost"):
        direction(name)


@pytest.mark.parametrize("attack", ["l2_pgd_128", "fog_3", "pgdlike", "autoattack", "rotation"])
def test_a_figure_under_a_packages_attack_is_told_by_its_name(attack):
    figure = head_figure(name := own_attack_metric("n_crops_32", attack))
    assert figure == HeadFigure("n_crops_32", attack)
    assert figure.own
    assert is_attack_name(attack)
    assert is_accuracy(name)
    assert is_attacked(name)
    assert is_share(name)
    assert direction(name) == "maximize"
    assert counted_by(name) == EVALUATION_IMAGES
    assert clean_of(name, "n_crops_32") == "clean_accuracy"


@pytest.mark.parametrize(
    "attack",
    [
        *("clean", "pgd", "fgsm", "crop_space_pgd", "auto_attack", "pgd_8_zero", "pgd_8", "pgd_8_soft", "fgsm_4_x"),
        *("l2_pgd_128_low", "fog_high", "L2", "a.b", "a b", "2d", ""),
    ],
)
def test_a_name_that_reads_as_another_figure_is_no_attack_of_a_package(attack):
    assert not is_attack_name(attack)
    figure = head_figure(f"robust_head/{attack}")
    assert figure is None or not figure.own


def test_accuracies_go_up_and_costs_down():
    accuracies = list(filter(is_accuracy, expected_metrics(EVERYTHING)))
    assert len(accuracies) == len(ACCURACIES) + len([name for name in expected_metrics(EVERYTHING) if "_head/" in name])
    assert {direction(name) for name in accuracies} == {"maximize"}
    assert {direction(name) for name in COSTS} == {"minimize"}
    assert all(map(is_share, accuracies))


def test_an_accuracy_knows_its_images_and_its_heads_clean_one():
    assert counted_by("robust_head/auto_attack_8_worst") == counted_by("auto_attack_accuracy") == AUTO_ATTACK_IMAGES
    assert counted_by("robust_head/torchattacks_10_steps_8") == AUTO_ATTACK_IMAGES
    assert counted_by("slf_head/pgd_8_zero") == counted_by("clean_accuracy") == EVALUATION_IMAGES
    assert clean_of("slf_head/pgd_8_zero", "robust") == "slf_head/clean"
    assert clean_of("slf_head/pgd_8_zero", "slf") == clean_of("pgd_accuracy", "robust") == "clean_accuracy"
    assert not any(map(is_attacked, ("clean_accuracy", "slf_head/clean", "gpu_minutes")))
    assert all(map(is_attacked, ("pgd_accuracy", "auto_attack_accuracy", "slf_head/fgsm_8")))


def test_chains_are_of_one_head_and_begin_with_the_weakest_attack():
    asked = [
        *("gpu_minutes", "slf_head/auto_attack_4_worst", "robust_head/pgd_16_zero", "auto_attack_accuracy"),
        *("slf_head/pgd_8_worst", "robust_head/pgd_4_zero", "pgd_accuracy", "slf_head/clean", "slf_head/pgd_8_zero"),
        *("robust_head/fgsm_16", "clean_accuracy", "robust_head/fog_3"),
    ]
    assert chains(asked) == [
        ["clean_accuracy", "pgd_accuracy", "auto_attack_accuracy"],
        ["robust_head/pgd_4_zero", "robust_head/fgsm_16", "robust_head/pgd_16_zero"],
        ["robust_head/fog_3"],
        ["slf_head/clean", "slf_head/pgd_8_zero", "slf_head/pgd_8_worst", "slf_head/auto_attack_4_worst"],
    ]


def test_a_trial_is_flagged_where_a_head_is_whose_figures_are_objectives():
    right = Accuracy(correct=1, images=2)
    attack = AttackResult(epsilon=8 / 255, steps=1, zero_start=right, random_start=right, worst=right)

    def head(name: str, *flags: str) -> HeadResult:
        return HeadResult(name=name, clean=right, attacks=(attack,), verdict=Verdict(checks={}, flags=flags, images=2))

    result = TrialResult(
        **{"head": "robust", "epsilon": 8 / 255, "split": "validation", "data": "", "classes": (), "device": "cpu"},
        **{"image_size": 8, "epochs": 1, "heads": (head("robust"), head("slf", "it hides its gradients"))},
        cost=Cost(
            pretrain_forward_equivalents=1, evaluation_forward_equivalents=1, pretrain_minutes=1, evaluation_minutes=1
        ),
    )
    judged = {heads: replace(result, also_judged=heads) for heads in ((), ("robust",), ("slf",))}
    verdicts = {heads: (one.verdict, one.metrics()[TRUSTED]) for heads, one in judged.items()}
    flagged = ("flagged: slf head: it hides its gradients", 0.0)
    assert verdicts == {(): ("trusted", 1.0), ("robust",): ("trusted", 1.0), ("slf",): flagged}
