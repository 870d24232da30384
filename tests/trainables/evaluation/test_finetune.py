"""RobustSSL's protocols: what they start with, what they train on, and what they leave alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.config import ConfigError, EvaluationConfig, NetworkConfig, ViewsConfig
from trainables.data import ImageSet, pixels
from trainables.evaluation import finetune, measure, train_head
from trainables.evaluation.finetune import RECIPES, STEPS
from trainables.evaluation.heads import untrained
from trainables.models import build

VIEWS = ViewsConfig()


def finetuned(encoder, name, images, epochs=1):
    return train_head(encoder, name, images, 3, EvaluationConfig(finetune_epochs=epochs), VIEWS, seed=0)


@pytest.mark.parametrize("name", RECIPES)
def test_head_starts_at_zero_on_the_backbones_output(name, encoder, noise):
    classifier = untrained(encoder, name, 3, VIEWS, seed=0)
    assert classifier.head.in_features == encoder.backbone_size != encoder.features_size
    assert not classifier(pixels(noise(4).images)).any()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slf", [0.01] * 10 + [0.001] * 10 + [0.0001] * 5),
        ("alf", [0.01] * 10 + [0.001] * 10 + [0.0001] * 5),
        ("aff", [0.1] * 15 + [0.01] * 5 + [0.001] * 5),
    ],
)
def test_rate_falls_where_the_code_has_it(name, expected, encoder, noise, monkeypatch):
    rates, step = [], torch.optim.SGD.step

    def watched(optimiser, *args):
        (group,) = optimiser.param_groups
        assert (group["momentum"], group["weight_decay"]) == (0.9, 2e-4)
        rates.append(group["lr"])
        return step(optimiser, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    monkeypatch.setattr(finetune, "STEPS", 1)
    train_head(encoder, name, noise(3), 3, EvaluationConfig(), VIEWS, seed=0)
    assert rates == pytest.approx(expected)


def test_batches_and_steps_are_as_the_code_has_them():
    assert {name: recipe.batch_size for name, recipe in RECIPES.items()} == {"slf": 512, "alf": 512, "aff": 128}
    assert (STEPS, finetune.STEP_SIZE) == (10, 2 / 255)


def test_images_are_moved_over_black_and_mirrored(encoder):
    lit = torch.full((200, 3, 16, 16), 200, dtype=torch.uint8)
    lit[..., :8] = 100
    seen = []
    encoder.backbone.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    finetuned(encoder, "slf", ImageSet(lit, torch.zeros(200, dtype=torch.int64)))
    (images,) = seen
    black = (images == 0).all(dim=1)
    assert (
        (black.all(dim=2).sum(dim=1).unique().tolist()) == (black.all(dim=1).sum(dim=1).unique().tolist()) == [0, 1, 2]
    )
    mirrored = images[:, 0, 8, 3] > images[:, 0, 8, 12]
    assert 60 < int(mirrored.sum()) < 140


@pytest.mark.parametrize("name", ["alf", "aff"])
def test_attack_stays_within_the_radius_and_in_evaluation_mode(name, encoder, noise):
    seen = []
    encoder.backbone.register_forward_hook(
        lambda module, inputs, _: seen.append((module.training, inputs[0].detach().clone()))
    )
    finetuned(encoder, name, noise(10))
    clean_passes = {"alf": 0, "aff": 1}[name]
    attacked, training = seen[clean_passes : clean_passes + STEPS], seen[clean_passes + STEPS :]
    assert [mode for mode, _ in seen] == [False] * (clean_passes + STEPS) + [name == "aff"] * len(training)
    assert len(training) == {"alf": 1, "aff": 2}[name]
    centre = training[0][1] if name == "aff" else None
    for _, moved in [*attacked, training[-1]]:
        assert 0 <= float(moved.min()) <= float(moved.max()) <= 1
        if centre is not None:
            assert 1 / 255 < float((moved - centre).abs().max()) < 8 / 255 + 1e-6
    assert float((training[-1][1] - attacked[0][1]).abs().max()) < 16 / 255 + 1e-6


def test_full_finetuning_descends_trades():
    """L = CE(f(x), y) + 6 KL(f(x) || f(x')), and the attack ascends the second term (arXiv 1901.08573, equation 5)."""
    random = torch.Generator().manual_seed(0)
    classifier = nn.Linear(5, 3).requires_grad_()
    with torch.no_grad():
        classifier.weight.normal_(generator=random)
    clean, moved, labels = torch.rand(4, 5, generator=random), torch.rand(4, 5, generator=random), torch.arange(4) % 3
    ascended = []

    class Stub:
        def against(self, loss, images):
            assert images is clean
            ascended.append(loss(moved))
            return moved

    p, q = classifier(clean).softmax(1), classifier(moved).softmax(1)
    divergence = (p * (p / q).log()).sum(1).mean()
    loss = finetune.RECIPES["aff"].loss(classifier, clean, labels, Stub())
    torch.testing.assert_close(ascended[0], divergence)
    torch.testing.assert_close(loss, -p[torch.arange(4), labels].log().mean() + 6 * divergence)


def test_full_finetuning_leaves_the_given_encoder_alone(encoder, noise):
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    classifier = finetuned(encoder.train(), "aff", noise(20), epochs=3)
    assert encoder.training
    assert all(parameter.requires_grad for parameter in encoder.parameters())
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())
    after = classifier.encoder.backbone.state_dict()
    moved = [not torch.equal(before[f"backbone.{key}"], value) for key, value in after.items()]
    assert all(moved)
    assert not classifier.training


def test_full_finetuning_learns_what_an_attack_cannot_undo(encoder):
    levels = torch.tensor([60, 190, 125], dtype=torch.uint8).repeat(16)
    images = ImageSet(levels[:, None, None, None].expand(-1, 3, 8, 8).contiguous(), torch.arange(48) % 3)
    config = EvaluationConfig(finetune_epochs=20, attack_steps=5, attack_epsilons=(8 / 255,))
    classifier = train_head(encoder, "aff", images, 3, config, VIEWS, seed=0)
    assert measure(classifier, "aff", images, config, seed=0).result.attacks[0].worst.correct == 48


def test_clean_and_adversarial_images_take_their_own_norms(noise):
    network = NetworkConfig(width=4, depth=10, pre_feature=16, projector_hidden=16, embedding=8, dual_batch_norm=True)
    encoder = build(network, seed=0, image_size=8)
    classifier = finetuned(encoder, "aff", noise(20))
    norm = classifier.encoder.backbone.bn1
    assert int(norm.clean.num_batches_tracked) == int(norm.adversarial.num_batches_tracked) == 1
    assert norm.active == "adversarial"
    assert not torch.equal(norm.clean.running_mean, norm.adversarial.running_mean)


def test_dropout_depends_on_the_seed_alone(encoder, noise):
    encoder.backbone = nn.Sequential(encoder.backbone, nn.Dropout(0.5))
    heads = []
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        heads.append(finetuned(encoder, "aff", noise(12)).head.weight)
        assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*heads)


def test_own_classifier_is_measured_as_it_is(supervised, noise):
    images = pixels(noise(5).images)
    classifier = train_head(supervised, "own", noise(5), 3, EvaluationConfig(), VIEWS, seed=0)
    assert torch.equal(classifier(images), supervised.eval()(images))


def test_an_encoder_without_a_classifier_has_no_own_head(encoder, noise):
    with pytest.raises(ConfigError, match="own"):
        train_head(encoder, "own", noise(5), 3, EvaluationConfig(), VIEWS, seed=0)
