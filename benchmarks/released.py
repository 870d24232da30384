"""How long does a training step take beside the authors' released code, on the same views from the same weights?

CF-AMC-SSL's free adversarial training: a batch of ``--images`` times ``--crops`` views, ``--replays`` passes of
ResNet-18. All sides are given views that are made already, and take turns, each in a process of its own.
``--reference`` is a checkout of softsys4ai/CF-AMC-SSL (ff36114), whose encoder, loss and optimiser are driven as
main_empssl_free_adv.py drives them.
Needs torch, torchvision and numpy.

    python -m benchmarks.released --reference ../CF-AMC-SSL > results/released.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measuring import about, default_device, spread, synchronise
from trainables import heap
from trainables.catalogue import default_config, find
from trainables.config import TrialConfig, override
from trainables.descent import Descent
from trainables.losses import Losses
from trainables.models import build
from trainables.parallel import ALONE

IMAGES = 50_000
"""Of the training set, which the learning rate's schedule depends on."""
RELEASED = "released"
SIDES: dict[str, dict[str, Any]] = {
    RELEASED: {},
    "float32": {},
    "bfloat16": {"compute.precision": "bfloat16"},
    "bfloat16, compiled": {"compute.precision": "bfloat16", "compute.compile": True},
}
"""Who steps, and with which of our settings."""
Step = Callable[[Tensor], list[float]]
"""From views (v, b, 3, h, w) to the loss of each replay."""


def config(options: argparse.Namespace, settings: dict[str, Any]) -> TrialConfig:
    shared = {
        "faithful_to": "released_code",
        "views.number": options.crops,
        "adversary.replays": options.replays,
        "adversary.epsilon": 8 / 255,
        "optimiser.batch_size": options.images,
        "optimiser.warmup_epochs": 0,
    }
    return override(default_config("cf_amc_ssl"), shared | settings)


def ours(config: TrialConfig, weights: dict[str, Tensor], device: torch.device) -> Step:
    if device.type == "cpu":
        heap.keep_freed()  # as a trial does
    model = build(config.network, 0).to(device)
    model.load_state_dict({name.replace("projection.", "projector."): value for name, value in weights.items()})
    losses = Losses(model.train(), find("cf_amc_ssl").pairing(config.faithful_to), config.objective, config.compute)
    descent = Descent(config, losses, IMAGES, ALONE)
    descent.begin(1)
    starts = torch.Generator(device)

    def step(views: Tensor) -> list[float]:
        labels = torch.zeros(views.shape[1], dtype=torch.long, device=device)
        return [float(loss.total) for loss in descent.on(views, labels, starts)]

    return step


def released(reference: Path, config: TrialConfig, device: torch.device) -> tuple[Step, dict[str, Tensor]]:
    """Its step and the weights that it begins with."""
    sys.path.insert(0, str(reference))
    network = importlib.import_module("model.model").encoder().to(device)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    rate = importlib.import_module("loss").TotalCodingRate(eps=config.objective.tcr_eps)
    optimiser = config.optimiser
    sgd = torch.optim.SGD(
        network.parameters(),
        lr=optimiser.learning_rate,
        momentum=optimiser.momentum,
        weight_decay=optimiser.weight_decay,
        nesterov=True,
    )
    lars = importlib.import_module("lars").LARSWrapper(sgd, eta=optimiser.lars_eta, clip=True, exclude_bias_n_norm=True)
    total = IMAGES // optimiser.batch_size * optimiser.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=total, eta_min=0)
    epsilon, step_size = config.adversary.epsilon, 1e-2
    kept: list[Tensor] = []

    def replay(data: Tensor, delta: Tensor) -> float:
        lars.zero_grad()
        parts = network(data + delta).chunk(config.views.number, dim=0)
        stacked = torch.stack(parts)
        similarity = torch.stack(
            [nn.functional.cosine_similarity(part, stacked.mean(dim=0), dim=1).mean() for part in stacked]
        ).mean()
        coding = torch.stack([rate(part) for part in parts]).mean()
        loss = config.objective.tcr_weight * coding - config.objective.invariance_weight * similarity
        loss.backward()
        lars.step()
        schedule.step()
        assert delta.grad is not None
        delta.data = (delta + step_size * delta.grad.detach().sign()).clamp(-epsilon, epsilon)
        delta.data = torch.clamp(data + delta.data, min=0, max=1) - data
        delta.grad.zero_()
        return loss.item()

    def step(views: Tensor) -> list[float]:
        data = views.flatten(0, 1)
        if not kept:
            kept.append(torch.zeros_like(data, requires_grad=True))
        return [replay(data, kept[0]) for _ in range(config.adversary.replays)]

    return step, weights


def serve(name: str, options: argparse.Namespace, parent: Connection) -> None:
    """Be the side ``name``: for each number that comes from ``parent`` one step, on views that the number decides."""
    device = torch.device(options.device)
    torch.manual_seed(0)
    plan = config(options, SIDES[name])
    step, weights = released(options.reference, plan, device)
    if name != RELEASED:
        step = ours(plan, weights, device)
    while (place := parent.recv()) is not None:
        random = torch.Generator().manual_seed(place)
        views = torch.rand(options.crops, options.images, 3, 32, 32, generator=random).to(device)
        parent.send(timed(step, views))


def timed(step: Step, views: Tensor) -> tuple[float, list[float]]:
    synchronise(views.device)
    began = time.perf_counter()
    losses = step(views)
    synchronise(views.device)
    return time.perf_counter() - began, losses


def in_turns(names: list[str], options: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each side's steps but the first, which warms up, and the losses of all."""
    context = multiprocessing.get_context("spawn")
    connections: dict[str, Connection] = {}
    for name in names:
        connections[name], theirs = context.Pipe()
        context.Process(target=serve, args=(name, options, theirs), daemon=True).start()
        theirs.close()  # so that a side that dies is heard of
    seconds: dict[str, list[float]] = {name: [] for name in names}
    losses: dict[str, list[float]] = {name: [] for name in names}
    for place in range(options.steps + 1):
        for name, connection in connections.items():
            connection.send(place)
            took, found = connection.recv()
            losses[name] += found
            if place:
                seconds[name].append(took)
            print(name, f"{took:.2f} s", found, file=sys.stderr, flush=True)
    for connection in connections.values():
        connection.send(None)
    return seconds, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--crops", type=int, default=16)
    parser.add_argument("--replays", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--compile", action="store_true", help="a further side: bfloat16 and compiled")
    options = parser.parse_args()
    names = list(SIDES) if options.compile else list(SIDES)[:-1]
    seconds, losses = in_turns(names, options)
    apart = [abs(one - other) / abs(other) for one, other in zip(losses["float32"], losses[RELEASED], strict=True)]
    found = {
        "settings": {key: str(value) for key, value in vars(options).items() if key != "reference"},
        **about(torch.device(options.device)),
        "seconds_a_step": {name: spread(values) for name, values in seconds.items()},
        "times_as_fast": {
            name: spread([theirs / own for theirs, own in zip(seconds[RELEASED], values, strict=True)])
            for name, values in seconds.items()
        },
        "losses": losses,
        "float32_loss_apart": {
            "first_replay": apart[0],
            "first_step": max(apart[: options.replays]),
            "most": max(apart),
        },
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
