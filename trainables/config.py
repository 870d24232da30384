"""What one trial does, as frozen values: every number of a run is a field here.

A ``TrialConfig`` is complete: two runs with equal configs compute the same.
Defaults are the paper's (arXiv 2501.03507) where it states them; a trainable's
own file sets what differs. Provenance: [P] paper text, [C] the authors' code
(softsys4ai/CF-AMC-SSL at ff36114), [A] our assumption.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

FaithfulTo = Literal["paper", "released_code"]
ViewKind = Literal["crops", "patches"]
AugmentationName = Literal["emp_ssl", "simclr", "none"]
ObjectiveName = Literal["emp_ssl", "nt_xent"]
AdversaryName = Literal["none", "pgd", "free"]
HeadName = Literal["clean", "robust"]
SplitName = Literal["validation", "test"]


class UserError(Exception):
    """A mistake its user can mend: one line that says what is wrong and what to do. Never a traceback."""


class ConfigError(UserError, ValueError):
    """A value that no trial can run with; the message names field, value and remedy."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


def _default(value: float | None, fallback: float) -> float:
    return fallback if value is None else value


def _one_of(name: str, value: object, choices: object) -> None:
    valid = get_args(choices)
    _require(value in valid, f"{name} is {value!r}; choose one of {', '.join(map(str, valid))}")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images, and which of them train, validate and test.

    ``source`` is ``digits``, ``cifar10``, ``cifar100`` or ``folder:PATH``.
    ``image_size`` is the edge in pixels that images are resized to; ``None`` keeps the source's own.
    """

    source: str = "cifar10"
    image_size: int | None = None
    root: str | None = None
    """Folder of downloads and decoded caches; ``None``: ``$ROBUST_SSL_DATA``, else ``~/.cache/robust-ssl-study``."""
    download: bool = False
    validation_fraction: float = 0.1
    """Share of the training images kept out of pre-training and heads, stratified by class, the same for every seed."""
    train_images: int | None = None
    """Use only so many training images (a stratified draw); ``None``: all."""

    def __post_init__(self) -> None:
        known = self.source in ("digits", "cifar10", "cifar100") or (
            self.source.startswith("folder:") and len(self.source) > len("folder:")
        )
        _require(known, f"data.source is {self.source!r}; choose digits, cifar10, cifar100 or folder:PATH")
        _require(
            self.image_size is None or self.image_size >= 8,
            f"data.image_size is {self.image_size}; it needs at least 8 pixels",
        )
        _require(
            0 <= self.validation_fraction < 1,
            f"data.validation_fraction is {self.validation_fraction}; it must lie in [0, 1)",
        )
        _require(
            self.train_images is None or self.train_images > 0,
            f"data.train_images is {self.train_images}; it must be positive",
        )


@dataclass(frozen=True, kw_only=True)
class ViewsConfig:
    """How many views an image gives, how they are cut, and how they are coloured."""

    number: int = 16
    kind: ViewKind = "crops"
    """``crops``: scale (0.08, 1), ratio (3/4, 4/3); ``patches``: scale and ratio fixed, (0.25, 0.25) and (1, 1) [C]."""
    scale_min: float | None = None
    scale_max: float | None = None
    """Smallest and largest share of the image's area that a view shows; ``None``: the kind's."""
    ratio_min: float | None = None
    ratio_max: float | None = None
    """Smallest and largest width / height of a view before it is resized; ``None``: the kind's."""
    augmentation: AugmentationName = "emp_ssl"

    def __post_init__(self) -> None:
        _one_of("views.kind", self.kind, ViewKind)
        _one_of("views.augmentation", self.augmentation, AugmentationName)
        _require(self.number >= 1, f"views.number is {self.number}; it must be at least 1")
        _require(
            0 < self.scale[0] <= self.scale[1] <= 1,
            f"views.scale_min, scale_max are {self.scale}; they must satisfy 0 < min <= max <= 1",
        )
        _require(
            0 < self.ratio[0] <= self.ratio[1],
            f"views.ratio_min, ratio_max are {self.ratio}; they must satisfy 0 < min <= max",
        )

    @property
    def scale(self) -> tuple[float, float]:
        low, high = (0.08, 1.0) if self.kind == "crops" else (0.25, 0.25)
        return _default(self.scale_min, low), _default(self.scale_max, high)

    @property
    def ratio(self) -> tuple[float, float]:
        low, high = (3 / 4, 4 / 3) if self.kind == "crops" else (1.0, 1.0)
        return _default(self.ratio_min, low), _default(self.ratio_max, high)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Backbone, ``pre_feature`` layer (what the linear heads read) and projector."""

    architecture: str = "resnet18"
    stem: Literal["cifar", "imagenet"] = "cifar"
    """``cifar``: 3x3 stride-1 convolution without max-pool [C]."""
    width: int = 64
    """Channels of the first stage; the later stages have 2, 4 and 8 times as many."""
    depth: int | None = None
    """Layers, to override the architecture's: 10 (one block a stage), 18 or 34; ``None`` keeps it."""
    pre_feature: int = 4096
    projector_hidden: int = 4096
    embedding: int = 1024

    def __post_init__(self) -> None:
        _one_of("network.stem", self.stem, Literal["cifar", "imagenet"])
        _require(self.depth in (None, 10, 18, 34), f"network.depth is {self.depth}; choose 10, 18 or 34")
        for name in ("width", "pre_feature", "projector_hidden", "embedding"):
            value = getattr(self, name)
            _require(value >= 1, f"network.{name} is {value}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Self-supervised loss and its weights."""

    name: ObjectiveName = "emp_ssl"
    invariance_weight: float = 200.0
    tcr_weight: float = 1.0
    tcr_eps: float = 0.2
    temperature: float = 0.07

    def __post_init__(self) -> None:
        _one_of("objective.name", self.name, ObjectiveName)
        for name in ("invariance_weight", "tcr_weight"):
            value = getattr(self, name)
            _require(value >= 0, f"objective.{name} is {value}; it must not be negative")
        for name in ("tcr_eps", "temperature"):
            value = getattr(self, name)
            _require(value > 0, f"objective.{name} is {value}; it must be positive")


@dataclass(frozen=True, kw_only=True)
class AdversaryConfig:
    """L-infinity perturbation of the training views; lengths are in pixel units of [0, 1]."""

    name: AdversaryName = "free"
    epsilon: float = 8 / 255
    step_size: float | None = None
    """``None``: epsilon for ``free`` (paper, Algorithm 1), 1e-2 for ``pgd`` and for ``free`` in the released code."""
    steps: int = 5
    """Gradient steps of ``pgd``."""
    replays: int = 3
    """m: how often ``free`` replays a batch, each time one update of weights and perturbation."""
    random_start: bool | None = None
    """``None``: as the trainable's source has it."""

    def __post_init__(self) -> None:
        _one_of("adversary.name", self.name, AdversaryName)
        _require(0 < self.epsilon <= 1, f"adversary.epsilon is {self.epsilon}; it must lie in (0, 1], 8/255 say")
        _require(
            self.step_size is None or self.step_size > 0,
            f"adversary.step_size is {self.step_size}; it must be positive",
        )
        _require(self.steps >= 1, f"adversary.steps is {self.steps}; it must be at least 1")
        _require(self.replays >= 1, f"adversary.replays is {self.replays}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """SGD with Nesterov momentum under LARS with clipping, cosine to 0 without warm-up [C]."""

    epochs: int = 10
    """Passes over the data loader; a ``free`` pass makes ``replays`` gradient passes."""
    batch_size: int = 100
    learning_rate: float = 0.3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    lars_eta: float = 0.005

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, f"optimiser.epochs is {self.epochs}; it must be at least 1")
        _require(self.batch_size >= 2, f"optimiser.batch_size is {self.batch_size}; it must be at least 2")
        _require(self.learning_rate > 0, f"optimiser.learning_rate is {self.learning_rate}; it must be positive")
        _require(0 <= self.momentum < 1, f"optimiser.momentum is {self.momentum}; it must lie in [0, 1)")
        _require(self.weight_decay >= 0, f"optimiser.weight_decay is {self.weight_decay}; it must not be negative")
        _require(self.lars_eta > 0, f"optimiser.lars_eta is {self.lars_eta}; it must be positive")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Linear heads on the frozen encoder's ``pre_feature`` and the attacks against them.

    ``clean`` head: trained on clean features; ``robust`` head (r-LE): each batch replaced by PGD against
    encoder and head. Every accuracy of one point on a frontier comes from ``head``.
    """

    heads: tuple[HeadName, ...] = ("robust",)
    head: HeadName = "robust"
    """The head whose accuracies are the study's objectives; one of ``heads``."""
    split: SplitName = "validation"
    images: int | None = None
    """Evaluate on so many images of the split; ``None``: all."""
    head_epochs: int = 20
    head_batch_size: int = 256
    head_learning_rate: float = 3e-4
    head_epsilon: float = 8 / 255
    head_attack_steps: int = 5
    head_images: int | None = None
    """Train the heads on so many training images; ``None``: all."""
    attack_epsilons: tuple[float, ...] = (4 / 255, 8 / 255, 16 / 255)
    epsilon: float = 8 / 255
    """The radius of ``pgd_accuracy``; one of ``attack_epsilons``. Never a searched dimension."""
    attack_steps: int = 20
    attack_step_size: float = 1e-2
    attack_batch_size: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, "heads", tuple(self.heads))
        object.__setattr__(self, "attack_epsilons", tuple(self.attack_epsilons))
        for head in self.heads:
            _one_of("evaluation.heads", head, HeadName)
        _one_of("evaluation.split", self.split, SplitName)
        _require(
            self.head in self.heads, f"evaluation.head is {self.head!r}; choose one of evaluation.heads {self.heads}"
        )
        _require(
            any(abs(self.epsilon - value) < 1e-9 for value in self.attack_epsilons),
            f"evaluation.epsilon is {self.epsilon}; choose one of evaluation.attack_epsilons {self.attack_epsilons}",
        )
        _require(
            all(0 < value <= 1 for value in (*self.attack_epsilons, self.head_epsilon)),
            f"evaluation.attack_epsilons, head_epsilon are {self.attack_epsilons}, {self.head_epsilon}; "
            "each must lie in (0, 1]",
        )
        for name in ("head_epochs", "head_batch_size", "head_attack_steps", "attack_steps", "attack_batch_size"):
            value = getattr(self, name)
            _require(value >= 1, f"evaluation.{name} is {value}; it must be at least 1")
        for name in ("images", "head_images"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"evaluation.{name} is {value}; it must be at least 1")
        for name in ("head_learning_rate", "attack_step_size"):
            value = getattr(self, name)
            _require(value > 0, f"evaluation.{name} is {value}; it must be positive")


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that one trial computes is a function of this value."""

    trainable: str
    seed: int = 0
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
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self) -> None:
        _one_of("faithful_to", self.faithful_to, FaithfulTo)
        _require(self.seed >= 0, f"seed is {self.seed}; it must not be negative")
        device_known = self.device in ("auto", "cpu", "cuda") or self.device.removeprefix("cuda:").isdigit()
        _require(device_known, f"device is {self.device!r}; choose auto, cpu, cuda or cuda:N")


def to_dict(config: TrialConfig) -> dict[str, Any]:
    """Nested plain dict of ``config``: JSON- and YAML-ready, the inverse of ``from_dict``."""
    return typing.cast(dict[str, Any], _plain(dataclasses.asdict(config)))


def from_dict(values: Mapping[str, Any]) -> TrialConfig:
    """The config that ``values`` describe; unknown keys and wrong types raise ``ConfigError``."""
    return typing.cast(TrialConfig, _build(TrialConfig, values, ""))


def flatten(config: TrialConfig) -> dict[str, Any]:
    """``{"views.number": 16, ...}``: every leaf by its dotted path, in declaration order."""
    return _flatten(to_dict(config), "")


def override(config: TrialConfig, changes: Mapping[str, Any]) -> TrialConfig:
    """``config`` with leaves replaced by dotted path, ``{"adversary.replays": 5}``.

    Raises ``ConfigError`` for a path that does not exist, naming the valid ones.
    """
    values = to_dict(config)
    valid = _flatten(values, "")
    for path, value in changes.items():
        if path not in valid:
            raise ConfigError(f"unknown setting {path!r}; {_nearest(path, list(valid))}")
        *parents, leaf = path.split(".")
        node = values
        for parent in parents:
            node = node[parent]
        node[leaf] = value
    return from_dict(values)


def _nearest(path: str, valid: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(path, valid, n=3, cutoff=0.5) or [
        known for known in valid if known.split(".")[-1] == path.split(".")[-1]
    ]
    return f"did you mean {', '.join(close)}?" if close else f"valid settings: {', '.join(valid)}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _flatten(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            leaves |= _flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


def _build(kind: Any, values: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(kind)
    unknown = [key for key in values if key not in hints]
    if unknown:
        raise ConfigError(f"unknown setting {prefix + unknown[0]!r}; {_nearest(prefix + unknown[0], list(hints))}")
    return kind(**{key: _convert(hints[key], value, prefix + key) for key, value in values.items()})


def _convert(hint: Any, value: Any, path: str) -> Any:
    """``value`` as the annotation ``hint`` wants it: ints and ``"8/255"`` serve as floats, lists as tuples."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} is {value!r}; it must be a mapping of settings")
        return _build(hint, value, f"{path}.")
    if get_origin(hint) in (types.UnionType, typing.Union):
        inner = [option for option in get_args(hint) if option is not type(None)]
        return None if value is None and len(inner) < len(get_args(hint)) else _convert(inner[0], value, path)
    if get_origin(hint) is Literal:
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{path} is {value!r}; it must be a list")
        return tuple(_convert(get_args(hint)[0], item, path) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?/0*[1-9]\d*", value):
        numerator, denominator = value.split("/")
        return float(numerator) / float(denominator)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{path} is {value!r}; it must be {_kind_name(hint)}")
    return value


def _kind_name(hint: Any) -> str:
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(hint, str(hint))
