"""What an epoch ends with: the loss on one batch, clean, after one step and after several."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from trainables.losses import Losses
from trainables.monitor import monitor

EPSILON = 0.1
GREY = torch.full((2, 3, 3, 2, 2), 0.5)


def test_one_step_goes_too_far_where_several_find_the_summit() -> None:
    """A hill 0.3 radii away: FGSM ends 0.7 behind it, PGD's steps of half a radius no more than half of one."""
    summits = EPSILON * 0.3

    def ascended(views: Tensor, _labels: Tensor) -> Tensor:
        return -(((views - GREY - summits) / EPSILON) ** 2).mean()

    losses = cast(Losses, SimpleNamespace(model=nn.Identity(), ascended=ascended))
    random: Any = torch.Generator().manual_seed(0)
    clean, one, several = monitor(losses, GREY, torch.arange(3), EPSILON, random)
    assert clean == pytest.approx(-(0.3**2), rel=1e-4)
    assert one == pytest.approx(-(0.7**2), rel=1e-4)
    assert -(0.5**2) < several < -0.01
