"""How far adversarial representations lie from clean ones: the divergences of arXiv 2302.03857, section 3.

Formulas as released (GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef, RCS.py); means are over all elements.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def kl_min_max(clean: Tensor, adversarial: Tensor) -> Tensor:
    """KL divergence of rows scaled to [0, 1]; (b, d), (b, d) -> scalar."""
    return _kl(_min_max(clean) + 1e-8, _min_max(adversarial) + 1e-8)


def js_softmax(clean: Tensor, adversarial: Tensor) -> Tensor:
    """Divergence of both rows' softmax from their mixture; (b, d), (b, d) -> scalar."""
    p, q = F.softmax(clean, dim=1), F.softmax(adversarial, dim=1)
    mixture = (p + q) / 2
    return (_kl(mixture, p) + _kl(mixture, q)) / 2


def _kl(target: Tensor, approximation: Tensor) -> Tensor:
    return F.kl_div(approximation.log(), target, reduction="sum") / target.numel()


def _min_max(rows: Tensor) -> Tensor:
    shifted = rows - rows.min(dim=1, keepdim=True).values
    return shifted / shifted.max(dim=1, keepdim=True).values
