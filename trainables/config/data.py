"""Which images, and the views they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainables.config.checks import at_most, one_of, require

ViewKind = Literal["crops", "patches", "padded"]
AugmentationName = Literal["emp_ssl", "simclr", "none"]
Placement = Literal["auto", "device", "host"]


def check_source(name: str, source: str) -> None:
    """``ConfigError`` unless ``source`` is a data set's name or ``folder:PATH``."""
    known = source in ("digits", "cifar10", "cifar100") or (
        source.startswith("folder:") and len(source) > len("folder:")
    )
    require(known, f"{name} is {source!r}; choose digits, cifar10, cifar100 or folder:PATH")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images, and which of them train, validate and test."""

    source: str = "cifar10"
    """``digits``, ``cifar10``, ``cifar100`` or ``folder:PATH``."""
    image_size: int | None = None
    """Edge in pixels that images are resized to; ``None``: the source's own."""
    root: str | None = None
    """Folder of downloads and decoded caches; ``None``: ``$ROBUST_SSL_DATA``, else ``~/.cache/robust-ssl-study``."""
    download: bool = False
    """Whether a trial may fetch CIFAR where it is not at hand."""
    validation_fraction: float = 0.1
    """Share of the training images kept out of pre-training and heads, stratified by class, the same for every seed."""
    train_images: int | None = None
    """Use only so many training images (a stratified draw); ``None``: all."""
    placement: Placement = "auto"
    """``device``: all images live there as uint8; ``host``: they stay mapped from the disk and batches are sent ahead;
    ``auto``: on the device while they take at most a quarter of its free memory. Never changes what is computed."""

    def __post_init__(self) -> None:
        check_source("data.source", self.source)
        one_of("data.placement", self.placement, Placement)
        require(
            self.image_size is None or self.image_size >= 8,
            f"data.image_size is {self.image_size}; it needs at least 8 pixels",
        )
        at_most(self, "data", 1024, "a batch of larger images and their views fits no GPU", "image_size")
        require(
            0 <= self.validation_fraction < 1,
            f"data.validation_fraction is {self.validation_fraction}; it must lie in [0, 1)",
        )
        require(
            self.train_images is None or self.train_images > 0,
            f"data.train_images is {self.train_images}; it must be positive",
        )


@dataclass(frozen=True, kw_only=True)
class ViewsConfig:
    """How many views an image gives, how they are cut, and how they are coloured."""

    number: int = 16
    """Views that an image gives."""
    kind: ViewKind = "crops"
    """``crops``: scale (0.08, 1), ratio (3/4, 4/3); ``patches``: scale and ratio fixed, (0.25, 0.25) and (1, 1) [C];
    ``padded``: the image in its own scale, moved by up to an eighth of its edge over black (4 of 32 pixels)."""
    scale_min: float | None = None
    """Smallest share of the image's area that a view shows; ``None``: the kind's."""
    scale_max: float | None = None
    """Largest share of the image's area that a view shows; ``None``: the kind's."""
    ratio_min: float | None = None
    """Smallest width / height of a view before it is resized; ``None``: the kind's."""
    ratio_max: float | None = None
    """Largest width / height of a view before it is resized; ``None``: the kind's."""
    augmentation: AugmentationName = "emp_ssl"
    """Flips and colour: EMP-SSL's, SimCLR's, or the views as they are cut."""
    strength_period: int | None = None
    """Augmentation weakens by steps every so many epochs, towards the plain image at the schedule's end (DynACL,
    arXiv 2303.01289); ``None``: full strength throughout."""

    def __post_init__(self) -> None:
        one_of("views.kind", self.kind, ViewKind)
        one_of("views.augmentation", self.augmentation, AugmentationName)
        if self.kind == "padded":
            for name in ("scale_min", "scale_max", "ratio_min", "ratio_max"):
                value = getattr(self, name)
                require(
                    value is None, f"views.{name} is {value}, but a padded view keeps the image's scale; leave it out"
                )
        require(self.number >= 1, f"views.number is {self.number}; it must be at least 1")
        at_most(self, "views", 10_000, "no paper cuts more than some hundred from an image", "number")
        require(
            self.strength_period is None or self.strength_period >= 1,
            f"views.strength_period is {self.strength_period}; it must be at least 1 epoch",
        )
        require(
            0 < self.scale[0] <= self.scale[1] <= 1,
            f"views.scale_min, scale_max are {self.scale}; they must satisfy 0 < min <= max <= 1",
        )
        require(
            0 < self.ratio[0] <= self.ratio[1],
            f"views.ratio_min, ratio_max are {self.ratio}; they must satisfy 0 < min <= max",
        )

    @property
    def scale(self) -> tuple[float, float]:
        low, high = {"crops": (0.08, 1.0), "patches": (0.25, 0.25), "padded": (1.0, 1.0)}[self.kind]
        return _default(self.scale_min, low), _default(self.scale_max, high)

    @property
    def ratio(self) -> tuple[float, float]:
        low, high = (3 / 4, 4 / 3) if self.kind == "crops" else (1.0, 1.0)
        return _default(self.ratio_min, low), _default(self.ratio_max, high)


def _default(value: float | None, fallback: float) -> float:
    return fallback if value is None else value
