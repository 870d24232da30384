"""Heads on mean embeddings of views: what they compute, and what moves in each of the two spaces of attack."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainables.config import EvaluationConfig, ViewsConfig
from trainables.data import ImageSet, generator, pixels, sample_views
from trainables.data.views import ViewParameters
from trainables.evaluation import measure, train_head
from trainables.evaluation.heads import untrained
from trainables.evaluation.n_crops import CropsClassifier

COLOURED = ViewsConfig(augmentation="emp_ssl")
UNCUT = ViewsConfig(scale_min=1, scale_max=1, ratio_min=1, ratio_max=1, augmentation="none")


class Stub(nn.Module):
    """An encoder whose features are a given function of a view."""

    def __init__(self, features) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.zeros(()))
        self.features = features


def crops_classifier(features, views: ViewsConfig, number: int, seed: int = 0) -> CropsClassifier:
    return CropsClassifier(Stub(features), nn.Identity(), views, number, seed)


@pytest.mark.parametrize("views", [COLOURED, ViewsConfig(kind="padded", augmentation="simclr")])
def test_gradients_flow_through_cutting_and_colouring(views):
    classifier = crops_classifier(lambda view: view.flatten(1), views, 16)
    images = torch.rand(1, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = torch.rand(16, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert classifier.cut(images).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda x: (weights * classifier.cut(x)).sum(), images.requires_grad_(), eps=1e-7)


def test_image_is_the_mean_of_its_views(encoder, noise):
    views = pixels(noise(4).images)
    classifier = untrained(encoder, "n_crops_4", 3, COLOURED, seed=3)
    drawn = sample_views(4, 8, 8, COLOURED, generator(3, "crops"))
    expected = torch.zeros(4, 3)
    for view in range(4):
        for row in range(4):
            one = ViewParameters(*(type(part)(*(values[view : view + 1] for values in part)) for part in drawn))
            alone = crops_classifier(None, COLOURED, 1)
            alone._drawn = one
            expected[row] += classifier.head(encoder.features(alone.cut(views[row : row + 1])))[0] / 4
    torch.testing.assert_close(classifier(views), expected)
    torch.testing.assert_close(classifier(views[2:]), expected[2:])


def test_head_trains_on_views_of_each_image(encoder):
    dark, light = torch.full((20, 3, 8, 8), 30, dtype=torch.uint8), torch.full((20, 3, 8, 8), 220, dtype=torch.uint8)
    images = ImageSet(torch.cat([dark, light]), torch.arange(40) // 20)
    passed = []
    encoder.backbone.register_forward_hook(lambda _, inputs, __: passed.append(len(inputs[0])))
    views = ViewsConfig(augmentation="none")
    config = EvaluationConfig(attack_batch_size=50, crops_epochs=30)
    classifier = train_head(encoder, "n_crops_4", images, 2, config, views, seed=0)
    assert sum(passed) == 4 * 40
    assert max(passed) <= 50
    assert (classifier(pixels(images.images)).argmax(1) == images.labels).all()


@pytest.mark.parametrize("name", ["n_crops_3", "robust_n_crops_3"])
def test_memory_does_not_change_the_head(name, encoder, noise):
    def weight(size: int) -> Tensor:
        config = EvaluationConfig(attack_batch_size=size, crops_epochs=2, head_epochs=2, head_attack_steps=1)
        return train_head(encoder, name, noise(50), 3, config, COLOURED, seed=0).head.weight

    torch.testing.assert_close(weight(7), weight(500))


def test_image_space_attack_stays_within_the_radius_of_the_image(encoder, noise):
    images = noise(8)
    classifier = untrained(encoder, "n_crops_3", 3, COLOURED, seed=0)
    config = EvaluationConfig(attack_batch_size=12, attack_epsilons=(8 / 255,), attack_steps=4)
    whole, views = [], []
    classifier.register_forward_hook(lambda _, inputs, __: whole.append(inputs[0].detach()))
    encoder.backbone.register_forward_hook(lambda _, inputs, __: views.append(len(inputs[0])))
    measure(classifier, "n_crops_3", images, config, seed=0)
    moved, clean = torch.cat(whole), pixels(images.images)
    nearest = (moved[:, None] - clean).abs().amax(dim=(2, 3, 4)).amin(dim=1)
    assert 7.9 / 255 < float(nearest.max()) < 8 / 255 + 1e-6
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert set(views) == {12}


def lopsided(view: Tensor) -> Tensor:
    """How much brighter the left half is: the mirrored view cancels whatever is done to the image."""
    left, right = view[..., :2].mean(dim=(1, 2, 3)), view[..., 2:].mean(dim=(1, 2, 3))
    return torch.stack([torch.full_like(left, 1 / 255), left - right], dim=1)


def test_crop_space_attack_does_what_no_attack_on_the_image_can():
    seed = next(
        seed for seed in range(99) if sample_views(2, 4, 4, UNCUT, generator(seed, "crops")).crops.flipped.sum() == 1
    )
    classifier = crops_classifier(lopsided, UNCUT, 2, seed)
    images = ImageSet(torch.full((5, 3, 4, 4), 100, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64))
    config = EvaluationConfig(attacks=("pgd", "fgsm", "margin_pgd"), attack_epsilons=(8 / 255,), attack_batch_size=3)
    measured = measure(classifier, "n_crops_2", images, config, seed=0)
    (on_image,), (on_crops,) = measured.result.attacks, measured.result.crop_space_attacks
    assert on_image.worst.correct == measured.result.clean.correct == 5
    assert measured.survivors[8 / 255].all()
    assert on_crops.zero_start == on_crops.random_start == on_crops.fgsm == on_crops.margin == on_crops.worst
    assert on_crops.worst.correct == 0


def test_crop_space_attack_is_the_stronger_one(encoder, noise):
    config = EvaluationConfig(attack_epsilons=(2 / 255, 8 / 255), attack_steps=5, crops_epochs=100)
    views = ViewsConfig(augmentation="none")
    classifier = train_head(encoder, "n_crops_4", noise(60), 3, config, views, seed=0)
    result = measure(classifier, "n_crops_4", noise(60), config, seed=0).result
    for on_image, on_crops in zip(result.attacks, result.crop_space_attacks, strict=True):
        assert on_crops.worst.correct <= on_image.worst.correct
    assert result.crop_space_attacks[0].worst.correct < result.clean.correct


def test_heads_on_whole_images_have_no_crop_space(encoder, noise):
    config = EvaluationConfig(head_epochs=1, attack_steps=1)
    classifier = train_head(encoder, "clean", noise(9), 3, config, COLOURED, seed=0)
    assert measure(classifier, "clean", noise(9), config, seed=0).result.crop_space_attacks == ()
