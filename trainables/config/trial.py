"""The whole of a trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trainables.config.checks import one_of, require
from trainables.config.compute import ComputeConfig
from trainables.config.data import DataConfig, ViewsConfig
from trainables.config.evaluation import EvaluationConfig
from trainables.config.method import AdversaryConfig, CoresetConfig, ObjectiveConfig, OptimiserConfig
from trainables.config.network import NetworkConfig

FaithfulTo = Literal["paper", "released_code"]


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that one trial computes is a function of this value."""

    trainable: str
    """The method, by its name in ``trainables.catalogue``."""
    seed: int = 0
    """Of all that is drawn: weights, the order of images, views, random starts, heads and attacks."""
    faithful_to: FaithfulTo = "paper"
    """``paper``: what the text says; ``released_code``: what the authors' scripts do, deviations included."""
    device: str = "auto"
    """``auto``: the first GPU if there is one, else the CPU; ``cpu``, ``cuda``, ``cuda:1``."""
    data: DataConfig = field(default_factory=DataConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    coreset: CoresetConfig = field(default_factory=CoresetConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        one_of("faithful_to", self.faithful_to, FaithfulTo)
        require(self.seed >= 0, f"seed is {self.seed}; it must not be negative")
        device_known = self.device in ("auto", "cpu", "cuda") or self.device.removeprefix("cuda:").isdigit()
        require(device_known, f"device is {self.device!r}; choose auto, cpu, cuda or cuda:N")
