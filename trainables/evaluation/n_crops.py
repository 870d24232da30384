"""Linear heads on mean embeddings of N views (arXiv 2501.03507, section 2.3.1 and Table 2).

Constants are evaluate_empssl.py's and func.py's (softsys4ai/CF-AMC-SSL at ff36114). b: images; views are crop-major,
as ``make_views`` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig, ViewsConfig
from trainables.data import (
    ImageSet,
    ViewParameters,
    apply_views,
    generator,
    in_order,
    make_views,
    sample_views,
    stream,
)
from trainables.data.augmentation import Colours
from trainables.data.crops import Crops
from trainables.evaluation.classifiers import Classifier
from trainables.evaluation.descent import Batch, descend
from trainables.evaluation.linear import STEP_SIZE
from trainables.models import Encoder
from trainables.precision import in_precision

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, BATCH_SIZE = 0.03, 0.9, 5e-5, 100
"""Of SGD, under a cosine by epochs [C]."""
BLOCK = 32
"""Images whose views are drawn together: a constant, lest a limit on memory change what is drawn."""


class CropsClassifier(Classifier):
    """The head reads the mean features of N views, cut and coloured as in pre-training.

    The views are drawn once and are the same for every image, so that this is one fixed, differentiable function of
    the image, which an attack may ask about any image at any time.
    """

    def __init__(self, encoder: Encoder, head: nn.Module, views: ViewsConfig, number: int, seed: int) -> None:
        super().__init__(encoder, head)
        self.number = number
        self.views = replace(views, number=number)
        self._seed = seed
        self._drawn: ViewParameters | None = None

    def cut(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) -> views (N * b, 3, h, w)."""
        if self._drawn is None:
            height, width = images.shape[-2:]
            drawn = sample_views(self.number, height, width, self.views, generator(self._seed, "crops"))
            self._drawn = _mapped(drawn, lambda values: values.to(images.device))
        return apply_views(images, _mapped(self._drawn, lambda v: v.repeat_interleave(len(images), 0)), self.views)

    def represent(self, images: Tensor) -> Tensor:
        return self.mean_features(self.cut(images))

    def mean_features(self, views: Tensor) -> Tensor:
        """(N * b, 3, h, w) -> (b, size)."""
        return _mean(self.encoder.features(views), self.number)

    def logits_of_views(self, views: Tensor) -> Tensor:
        """(N * b, 3, h, w) -> (b, classes)."""
        logits: Tensor = self.head(self.mean_features(views))
        return logits


def passes_per_image(classifier: nn.Module) -> int:
    """Passes through the encoder that one image costs; batches of images must be smaller by this factor."""
    return classifier.number if isinstance(classifier, CropsClassifier) else 1


def train_crops(classifier: CropsClassifier, images: ImageSet, config: EvaluationConfig, seed: int) -> None:
    """SGD on mean embeddings that are computed once, every image having N views of its own [C]."""
    features, labels = _features(classifier, images, config, seed), images.labels.to(classifier.device)
    _fit(
        classifier,
        lambda rows: F.cross_entropy(classifier.head(features[rows]), labels[rows]),
        lambda parts: parts,
        images=len(images),
        epochs=config.crops_epochs,
        seed=seed,
    )


def train_robust_crops(classifier: CropsClassifier, images: ImageSet, config: EvaluationConfig, seed: int) -> None:
    """The same on views drawn afresh for every batch and then attacked, as r-LE attacks whole images.

    Neither text nor code trains such a head. Here PGD moves each view by itself (crop space) up the loss of the mean
    embedding, with the constants of the ``robust`` head and for as many epochs.
    """
    attack = Attack(epsilon=config.head_epsilon, step_size=STEP_SIZE, steps=config.head_attack_steps)
    random = generator(seed, "head_views", device=classifier.device)
    size = max(1, config.attack_batch_size // classifier.number)
    attacked = in_precision(classifier.logits_of_views, config.attack_precision)

    def features_of(views: Tensor, labels: Tensor) -> Tensor:
        delta = adversaries.pgd(lambda moved: F.cross_entropy(attacked(moved), labels), views, attack)
        with torch.no_grad():
            return classifier.mean_features(views + delta)

    def loss(batch: ImageSet) -> Tensor:
        views = make_views(batch.images, classifier.views, random).unflatten(0, (classifier.number, -1))
        parts = zip(views.split(size, dim=1), batch.labels.split(size), strict=True)
        features = torch.cat([features_of(part.flatten(0, 1), labels) for part, labels in parts])
        return F.cross_entropy(classifier.head(features), batch.labels)

    def batches(parts: tuple[Tensor, ...]) -> Iterable[ImageSet]:
        return stream(images, parts, classifier.device)

    _fit(classifier, loss, batches, images=len(images), epochs=config.head_epochs, seed=seed)


@torch.no_grad()
def _features(classifier: CropsClassifier, images: ImageSet, config: EvaluationConfig, seed: int) -> Tensor:
    """Mean features (images, size), at most ``config.attack_batch_size`` views passing at a time."""
    random = generator(seed, "head_views", device=classifier.device)
    means = []
    for block in in_order(images, BLOCK, classifier.device):
        views = make_views(block.images, classifier.views, random).split(config.attack_batch_size)
        features = torch.cat([classifier.encoder.features(part) for part in views])
        means.append(_mean(features, classifier.number))
    return torch.cat(means)


def _fit(
    classifier: CropsClassifier,
    loss: Callable[[Batch], Tensor],
    batches: Callable[[tuple[Tensor, ...]], Iterable[Batch]],
    *,
    images: int,
    epochs: int,
    seed: int,
) -> None:
    optimiser = torch.optim.SGD(
        classifier.head.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    descend(
        loss,
        batches,
        images,
        optimiser,
        epochs=epochs,
        batch_size=BATCH_SIZE,
        random=generator(seed, "head", device=classifier.device),
        schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs),
    )


def _mean(features: Tensor, number: int) -> Tensor:
    """(N * b, size) -> (b, size)."""
    return features.view(number, -1, features.shape[1]).mean(0)


def _mapped(parameters: ViewParameters, change: Callable[[Tensor], Tensor]) -> ViewParameters:
    colours = parameters.colours and Colours(*map(change, parameters.colours))
    return ViewParameters(Crops(*map(change, parameters.crops)), colours)
