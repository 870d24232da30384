"""EMP-SSL's two terms: views of an image agree, images spread (arXiv 2304.03977; arXiv 2501.03507, section 2.1).

The formulas are those of the released code (softsys4ai/CF-AMC-SSL at ff36114, main_empssl.py, loss.py); the paper
writes the same terms with a trace and sums in place of the means, and eps squared in place of eps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.objectives.objective import Loss, Objective, Weights


def invariance(embeddings: Tensor) -> Tensor:
    """Minus the mean cosine similarity of each view to its image's mean embedding; (v, b, d) -> scalar in [-1, 1]."""
    return -F.cosine_similarity(embeddings, embeddings.mean(dim=0, keepdim=True), dim=-1).mean()


def total_coding_rate(embeddings: Tensor, eps: float) -> Tensor:
    """Minus half the log-determinant of I + d / (b eps) Z^T Z, mean over views; (v, b, d) -> scalar <= 0.

    det(I_d + a Z^T Z) = det(I_b + a Z Z^T), so the smaller side is taken, all views in one batched Cholesky.
    """
    _, b, d = embeddings.shape
    embeddings = embeddings.double() if embeddings.dtype == torch.float64 else embeddings.float()
    gram = embeddings @ embeddings.mT if b <= d else embeddings.mT @ embeddings
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factor, _ = torch.linalg.cholesky_ex(identity + d / (b * eps) * gram)
    half_logdet: Tensor = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -half_logdet.mean()


def _loss(embeddings: Tensor, _labels: Tensor, weights: Weights) -> Loss:
    agreement, spread = invariance(embeddings), total_coding_rate(embeddings, weights["tcr_eps"])
    total = weights["invariance_weight"] * agreement + weights["tcr_weight"] * spread
    return Loss(total, {"invariance": agreement, "tcr": spread})


OBJECTIVE = Objective(
    name="emp_ssl",
    summary="views agree with their image's mean embedding, images spread",
    source="arXiv 2304.03977; softsys4ai/CF-AMC-SSL at ff36114, loss.py",
    loss=_loss,
    settings=("invariance_weight", "tcr_weight", "tcr_eps"),
)
