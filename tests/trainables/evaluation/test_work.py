"""The closed forms of the evaluation's work against passes that were counted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from trainables.config import EvaluationConfig, TrialConfig, ViewsConfig
from trainables.data import ImageSet
from trainables.evaluation import measure, train_head
from trainables.evaluation.auto_attack import run_auto_attack
from trainables.evaluation.auto_attack_official import STRENGTHS, Strength
from trainables.evaluation.sanity import check_forward_equivalents
from trainables.evaluation.work import (
    evaluation_forward_equivalents,
    head_forward_equivalents,
    measure_forward_equivalents,
    planned_forward_equivalents,
    withstood_forward_equivalents,
)
from trainables.metrics import Accuracy, AutoAttackResult, HeadResult, OwnAttackResult

HEADS = ("clean", "robust", "n_crops_3", "robust_n_crops_2", "slf", "alf", "aff", "own")
CONFIG = EvaluationConfig(
    heads=HEADS,
    head_epochs=2,
    head_attack_steps=3,
    finetune_epochs=3,
    crops_epochs=4,
    attacks=("pgd", "fgsm", "margin_pgd"),
    attack_epsilons=(8 / 255, 16 / 255),
    attack_steps=2,
    attack_restarts=2,
    attack_batch_size=9,
)


@pytest.fixture
def passes(encoder, supervised):
    """Forward-equivalents of what passes either encoder, or a copy of it."""
    counted = []

    def count(backbone, inputs, output):
        # A pass whose output wants gradients goes back, to weights and inputs where the network trains.
        cost = 1 if not output.requires_grad else 3 if backbone.training else 2
        counted.append(cost * len(inputs[0]))

    encoder.backbone.register_forward_hook(count)
    supervised.backbone.register_forward_hook(count)
    return counted


@pytest.mark.parametrize("name", HEADS)
def test_work_is_what_passes_through_the_encoder(name, encoder, supervised, noise, passes):
    pretrained = supervised if name == "own" else encoder
    classifier = train_head(pretrained, name, noise(10), 3, CONFIG, ViewsConfig(), seed=0)
    assert sum(passes) == head_forward_equivalents(CONFIG, name, 10)
    passes.clear()
    measure(classifier, name, noise(5), CONFIG, seed=0)
    assert sum(passes) == measure_forward_equivalents(CONFIG, name, 5)


def test_defaults_cost_what_they_did():
    """PGD from zero and from a random start, 20 steps and a verdict each, at three radii."""
    config = EvaluationConfig()
    assert measure_forward_equivalents(config, "robust", 10) == 10 * (1 + 3 * 2 * 41)
    assert head_forward_equivalents(config, "robust", 10) == 10 * 20 * 11
    assert head_forward_equivalents(config, "clean", 10) == 10


def test_evaluation_adds_up_training_attacks_auto_attack_and_checks():
    all_right = Accuracy(correct=9, images=9)
    found = AutoAttackResult(
        version="standard",
        epsilon=8 / 255,
        clean=all_right,
        after={},
        accuracy=all_right,
        worst=all_right,
        forward_equivalents=1234,
    )
    views = {"clean": 1, "n_crops_3": 3}
    own = OwnAttackResult(name="noise_3", accuracy=all_right, forward_equivalents=567)
    heads = [
        HeadResult(name=name, clean=all_right, attacks=(), auto_attack=(found,), own_attacks=(own,)) for name in views
    ]
    expected = sum(
        head_forward_equivalents(CONFIG, name, 20)
        + measure_forward_equivalents(CONFIG, name, 9)
        + 1234
        + 567
        + passes * check_forward_equivalents(CONFIG, 9)
        for name, passes in views.items()
    )
    config = TrialConfig(trainable="cf_amc_ssl", evaluation=CONFIG)
    assert evaluation_forward_equivalents(config, 20, heads) == expected


@pytest.mark.parametrize("classes", [4, 12])
@pytest.mark.parametrize("strength", [Strength(apgd_steps=10, fab_steps=7, square_queries=30)])
def test_an_image_that_withstands_costs_what_auto_attack_spends_on_it(monkeypatch, classes, strength):
    monkeypatch.setitem(STRENGTHS, "standard", strength)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, classes)).eval()
    pixels = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        images = ImageSet(pixels, linear(pixels.float() / 255).argmax(1))
    trace = run_auto_attack(linear, images, version="standard", epsilon=1e-6, batch_size=3, precision="float32", seed=0)
    assert trace.survived.all(), "so small a radius breaks nothing"
    assert trace.forward_equivalents == 3 * withstood_forward_equivalents(strength, classes)


def test_a_plan_adds_up_heads_attacks_and_what_withstands():
    evaluation = replace(CONFIG, heads=("clean", "n_crops_3"), head="clean", auto_attack_images=8)
    planned = partial(planned_forward_equivalents, train_images=20, images=9, classes=10, withstanding=0.5)
    without = planned(TrialConfig(trainable="cf_amc_ssl", evaluation=evaluation))
    expected = sum(
        head_forward_equivalents(evaluation, name, 20)
        + measure_forward_equivalents(evaluation, name, 9)
        + passes * check_forward_equivalents(evaluation, 9)
        for name, passes in {"clean": 1, "n_crops_3": 3}.items()
    )
    assert without == expected
    attacked = replace(evaluation, attacks=("pgd", "fgsm", "margin_pgd", "auto_attack"))
    each = withstood_forward_equivalents(Strength(), 10)
    assert planned(TrialConfig(trainable="cf_amc_ssl", evaluation=attacked)) == expected + (1 + 3) * 4 * each
