"""NT-Xent and its supervised form (SimCLR, arXiv 2002.05709; SupCon, arXiv 2004.11362).

Both are one formula: every view is an anchor, its positives are the other views of its image (NT-Xent) or of its
class (SupCon), everything else is a negative.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.objectives.objective import Loss, Objective, Weights

BASE_TEMPERATURE = 0.07
"""The released code scales its loss by temperature / 0.07 (softsys4ai/CF-AMC-SSL at ff36114, main_simclr.py)."""


def contrastive(embeddings: Tensor, temperature: float, labels: Tensor | None = None) -> Tensor:
    """Mean contrastive loss scaled by temperature / 0.07; (v, b, d), labels (b,) or None -> scalar."""
    return temperature / BASE_TEMPERATURE * contrastive_per_anchor(embeddings, temperature, labels).mean()


def contrastive_per_anchor(embeddings: Tensor, temperature: float, labels: Tensor | None = None) -> Tensor:
    """Unscaled loss of every anchor, ACL's per-sample NT-Xent among them; (v, b, d) L2-normalised -> (v, b).

    With two views and no labels an anchor's loss is -log(exp(s_pos / t) / sum of exp(s / t) over all others); several
    positives are averaged outside the logarithm.
    """
    v, b, _ = embeddings.shape
    anchors = embeddings.flatten(0, 1)
    itself = torch.eye(v * b, dtype=torch.bool, device=anchors.device)
    logits = (anchors @ anchors.T / temperature).masked_fill(itself, float("-inf"))
    log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
    identity = torch.arange(b, device=anchors.device) if labels is None else labels
    owner = identity.repeat(v)
    positive = (owner[:, None] == owner[None, :]) & ~itself
    mean_positive = log_probability.masked_fill(~positive, 0.0).sum(dim=1) / positive.sum(dim=1)
    return -mean_positive.view(v, b)


def plain(embeddings: Tensor, _labels: Tensor, weights: Weights) -> Loss:
    """Without the authors' scale of temperature / 0.07."""
    return Loss(contrastive_per_anchor(embeddings, weights["temperature"]).mean(), {})


def _unlabelled(embeddings: Tensor, _labels: Tensor, weights: Weights) -> Loss:
    return Loss(contrastive(embeddings, weights["temperature"]), {})


def _labelled(embeddings: Tensor, labels: Tensor, weights: Weights) -> Loss:
    return Loss(contrastive(embeddings, weights["temperature"], labels), {})


NT_XENT = Objective(
    name="nt_xent",
    summary="the two views of an image find each other among all others",
    source="arXiv 2002.05709; softsys4ai/CF-AMC-SSL at ff36114, main_simclr.py",
    loss=_unlabelled,
    settings=("temperature",),
    views=2,
    random_start=True,
)
SUP_CON = Objective(
    name="sup_con",
    summary="the views of a class find each other among all others",
    source="arXiv 2004.11362",
    loss=_labelled,
    settings=("temperature",),
    fewest_views=2,
    reads_labels=True,
)
