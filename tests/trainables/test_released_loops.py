"""The released scripts' training loops: their own ``main`` moved a small network, in float64, as ours moves it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from trainables.catalogue import find
from trainables.config import NetworkConfig
from trainables.descent import Descent
from trainables.losses import Losses
from trainables.models import Encoder, build
from trainables.parallel import ALONE

EPOCHS, REPLAYS = 2, 3
NETWORK = NetworkConfig(width=2, depth=10, pre_feature=8, projector_hidden=8, embedding=6)


def network(numbers: dict[str, Tensor]) -> Encoder:
    model = build(NETWORK, seed=1, image_size=8)
    begun = {name.removeprefix("init/"): value for name, value in numbers.items() if name.startswith("init/")}
    model.load_state_dict({**model.state_dict(), **begun})
    return model.double().train()


@pytest.mark.parametrize("name", ["emp_ssl", "pgd_emp_ssl", "cf_amc_ssl", "simclr", "robust_simclr", "simclr_free"])
def test_weights_and_statistics_end_where_the_released_loop_leaves_them(golden, tiny_config, name: str) -> None:
    """Order of passes, leaked gradients, what is kept from batch to batch, rate of every update, running statistics."""
    numbers = golden("released_loops")
    batches = numbers["views"].double()[:, : 2 if "simclr" in name else 3]
    changes: dict[str, Any] = {"optimiser__epochs": EPOCHS, "optimiser__batch_size": batches.shape[2]}
    config = tiny_config(name, "released_code", adversary__replays=REPLAYS, **changes)
    model = network(numbers)
    losses = Losses(model, find(name).pairing("released_code"), config.objective)
    descent = Descent(config, losses, batches.shape[2] * len(batches), ALONE)
    rates: list[float] = []
    descent.optimiser.register_step_pre_hook(lambda *_: rates.append(descent.rate))
    for epoch in range(1, EPOCHS + 1):
        descent.begin(epoch)
        for views in batches:
            descent.on(views, torch.arange(views.shape[1]), torch.Generator())
    assert rates == pytest.approx(numbers[f"{name}/rates"].tolist(), abs=1e-12)
    found = [value.norm() for key, value in model.state_dict().items() if "num_batches" not in key]
    torch.testing.assert_close(torch.stack(found), numbers[f"{name}/norms"], rtol=1e-7, atol=0)
