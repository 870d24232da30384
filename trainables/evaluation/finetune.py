"""Standard and adversarial linear and adversarial full finetuning: RobustSSL's ``slf``, ``alf`` and ``aff``.

Constants are finetuning.py's and finetuning_utils.py's (GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef) for CIFAR-10:
SGD, a zero head on the backbone's output, every image moved by up to an eighth of its edge over black and mirrored at
random. ``slf`` descends the cross-entropy, ``alf`` the same under PGD on it, ``aff`` TRADES (arXiv 1901.08573) on
DynACL's schedule. Elsewhere the code has others: linear heads on CIFAR-100 at 0.05, ``aff`` of ACL's networks for 100
epochs with falls at 40 and 60.

Two departures. The code starts TRADES' attack at normal noise of 0.001; here it starts uniformly within the ball, as
``alf``'s does. And the code means to finetune a dual-BatchNorm encoder from its trained norms but loads none, which
its ``strict=False`` hides; here they are as pre-training left them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables import adversaries
from trainables.adversaries import Attack
from trainables.config import EvaluationConfig
from trainables.data import ImageSet, generator, global_stream, pixels, shifted, stream
from trainables.evaluation.classifiers import Classifier
from trainables.evaluation.descent import descend
from trainables.models import branch

MOMENTUM, WEIGHT_DECAY = 0.9, 2e-4
STEPS, STEP_SIZE = 10, 2 / 255
TRADES_WEIGHT = 6.0


class Adversary(NamedTuple):
    attack: Attack
    random: torch.Generator

    def against(self, loss: adversaries.LossOfImages, images: Tensor) -> Tensor:
        """Adversarial images, found in whatever mode the network is in."""
        return images + adversaries.pgd(loss, images, self.attack, self.random)


class Recipe(NamedTuple):
    """What a protocol descends, how fast, and after how many fifths of the epochs the rate falls tenfold."""

    loss: Callable[[Classifier, Tensor, Tensor, Adversary], Tensor]
    learning_rate: float
    batch_size: int
    fifths: tuple[int, int]


def finetune(classifier: Classifier, name: str, images: ImageSet, config: EvaluationConfig, seed: int) -> None:
    """Train what is to be trained of ``classifier`` by the protocol called ``name``."""
    recipe, device = RECIPES[name], classifier.device
    attack = Attack(epsilon=config.head_epsilon, step_size=STEP_SIZE, steps=STEPS, random_start=True)
    adversary = Adversary(attack, generator(seed, name, "attack", device=device))
    shifts = generator(seed, name, "shifts", device=device)

    def loss(batch: ImageSet) -> Tensor:
        return recipe.loss(classifier, shifted(pixels(batch.images), shifts), batch.labels, adversary)

    classifier.learned.requires_grad_()
    parameters = classifier.learned.parameters()
    optimiser = torch.optim.SGD(parameters, lr=recipe.learning_rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    milestones = [-(-config.finetune_epochs * fifths // 5) for fifths in recipe.fifths]
    with global_stream(seed, name, "dropout", device=device):
        descend(
            loss,
            lambda parts: stream(images, parts, device),
            len(images),
            optimiser,
            epochs=config.finetune_epochs,
            batch_size=recipe.batch_size,
            random=generator(seed, name, "order", device=device),
            schedule=torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, gamma=0.1),
        )


def _standard(classifier: Classifier, images: Tensor, labels: Tensor, _: Adversary) -> Tensor:
    return F.cross_entropy(classifier(images), labels)


def _adversarial(classifier: Classifier, images: Tensor, labels: Tensor, adversary: Adversary) -> Tensor:
    attacked = adversary.against(lambda moved: F.cross_entropy(classifier(moved), labels), images)
    return F.cross_entropy(classifier(attacked), labels)


def _trades(classifier: Classifier, images: Tensor, labels: Tensor, adversary: Adversary) -> Tensor:
    """Cross-entropy on clean images, and six times the divergence of the adversarial prediction from the clean one.

    The adversary ascends that divergence in evaluation mode, the weights descend in training mode. Clean images take
    the clean norms of a dual-BatchNorm encoder, adversarial ones the others, which evaluation takes too.
    """
    classifier.eval()
    with torch.no_grad():
        settled = _clean(classifier, images)
    attacked = adversary.against(lambda moved: _divergence(classifier(moved), settled), images)
    classifier.train()
    logits = _clean(classifier, images)
    return F.cross_entropy(logits, labels) + TRADES_WEIGHT * _divergence(classifier(attacked), logits)


def _clean(classifier: Classifier, images: Tensor) -> Tensor:
    with branch(classifier, "clean"):
        logits: Tensor = classifier(images)
        return logits


def _divergence(moved: Tensor, clean: Tensor) -> Tensor:
    """KL(clean || moved) of the predictions, mean over images."""
    return F.kl_div(moved.log_softmax(1), clean.softmax(1), reduction="batchmean")


RECIPES = {
    "slf": Recipe(_standard, learning_rate=0.01, batch_size=512, fifths=(2, 4)),
    "alf": Recipe(_adversarial, learning_rate=0.01, batch_size=512, fifths=(2, 4)),
    "aff": Recipe(_trades, learning_rate=0.1, batch_size=128, fifths=(3, 4)),
}
