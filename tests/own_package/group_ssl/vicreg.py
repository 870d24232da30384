"""VICReg: views agree, every dimension varies, no two dimensions vary together (arXiv 2105.04906).

As in facebookresearch/vicreg, main_vicreg.py, for any number of views.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.objectives import Loss, Objective, Weights


def invariance(embeddings: Tensor) -> Tensor:
    """Mean squared difference of two views, over their pairs; (v, b, d) -> scalar."""
    first, second = torch.triu_indices(len(embeddings), len(embeddings), 1, device=embeddings.device)
    return F.mse_loss(embeddings[first], embeddings[second])


def variance(embeddings: Tensor) -> Tensor:
    """How far a dimension's standard deviation over the images stays below 1, in the mean; (v, b, d) -> scalar."""
    return F.relu(1 - (embeddings.var(dim=1) + 1e-4).sqrt()).mean()


def covariance(embeddings: Tensor) -> Tensor:
    """Squared covariances of two dimensions over the images, a d-th of their sum, over views; (v, b, d) -> scalar."""
    _, b, d = embeddings.shape
    centred = embeddings - embeddings.mean(dim=1, keepdim=True)
    square = (centred.mT @ centred / (b - 1)).pow(2)
    return (square.sum() - square.diagonal(dim1=1, dim2=2).sum()) / d


def loss(embeddings: Tensor, _labels: Tensor, weights: Weights) -> Loss:
    terms = {
        "invariance": invariance(embeddings),
        "variance": variance(embeddings),
        "covariance": covariance(embeddings),
    }
    return Loss(torch.stack([weights[name] * term for name, term in terms.items()]).sum(), terms)


OBJECTIVE = Objective(
    name="vicreg",
    summary="views agree, dimensions vary, and not together",
    source="arXiv 2105.04906; facebookresearch/vicreg, main_vicreg.py",
    loss=loss,
    weights={"invariance": 25.0, "variance": 25.0, "covariance": 1.0},
    embeddings="plain",
    fewest_views=2,
)
