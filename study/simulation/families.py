"""Synthetic families of learning curves, fixed before any rule was tried on them, on which schedulers are compared.

A trial is a point of the unit cube. ``strength`` is its adversary's: a stronger one costs clean accuracy and buys
robustness, so that the frontier is spanned by it. ``rate`` and ``weight`` decide its skill, ``pace`` how late it
learns, ``length`` how long its schedule is. With s in (0, 1] the share of its schedule, an accuracy rises from chance
to its end value by

    rise(s) = (1 - late) * (1 - (1 + 10 s)^-0.7) / (1 - 11^-0.7) + late * (1 - cos(pi s^1.5)) / 2,

a power law blended with a late rise such as a cosine of the learning rate gives. A probe sees 0.9 of the accuracy and
errs by a bias of its trial, as nearest neighbours differ from a trained head, and by the binomial noise of its images.
Every constant below is a choice, none is fitted to a measured curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from study.early_stopping.ranking import Floats
from study.simulation.curves import EPOCH_METRICS, Curve
from trainables.metrics import (
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
)

DIMENSIONS = ("strength", "rate", "weight", "pace", "length")
CHANCE = 0.1
PROBE_SHARE = 0.9
"""Of an accuracy that a probe sees."""
EPOCH_WORK = 100_000.0
"""Forward-equivalents of an epoch."""
EPOCH_MINUTES = 2.0
EVALUATION_MINUTES = 5.0
EVALUATION_IMAGES_EACH = 1000
SPEED_SPREAD = 0.15
"""Standard deviation of the logarithm of a trial's speed."""


class Pair(NamedTuple):
    """Clean accuracy and accuracy under PGD."""

    clean: float
    pgd: float


@dataclass(frozen=True, kw_only=True)
class Family:
    """How the curves of one family depend on the point."""

    name: str
    summary: str
    late: float = 0.2
    """Share of the late rise in every curve."""
    pace_late: float = 0.0
    """What ``pace`` adds to that share."""
    pace_gain: float = 0.0
    """Skill that a slow start buys: the share of skill that ``pace`` decides."""
    lag: float = 0.0
    """What ``strength`` adds to the share of the late rise, in both accuracies: robustness comes late."""
    collapse: float = 0.0
    """Share of its robustness that a trial at the highest ``rate`` loses over the last third of its schedule."""
    inverted: bool = False
    """Early accuracies are those of the opposite skill, and turn into the trial's own over the last third."""
    doublings: float = 0.0
    """By how many factors of two schedules differ in length."""
    length_gain: float = 0.0
    """Skill that the longest schedule has above the shortest."""
    epochs: int = 12
    """Of the shortest schedule."""
    images: tuple[int, int] = (500, 200)
    """Behind the two probes."""
    bias: float = 0.01
    """Standard deviation of each probe's bias."""
    optimum: tuple[float, float] = (0.6, 0.4)
    """Of ``rate`` and ``weight``."""
    width: float = 0.35
    """Of the optimum."""

    def curve(self, params: Mapping[str, float], stream: int) -> Curve:
        """The trial at ``params`` as it would be recorded; equal ``stream`` gives equal noise."""
        noise = np.random.default_rng(stream)
        epochs = round(self.epochs * 2 ** (self.doublings * params["length"]))
        minutes = EPOCH_MINUTES * math.exp(noise.normal(0, SPEED_SPREAD))
        biases = noise.normal(0, self.bias, 2)
        done = np.arange(1, epochs + 1)
        seen = np.clip(PROBE_SHARE * np.stack(self._at(params, done / epochs), axis=1) + biases, 0, 1)
        probes = noise.binomial(self.images, seen) / np.array(self.images)
        columns = (EPOCH_WORK * done, 60 * minutes * done, *probes.T)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        clean, pgd = noise.binomial(EVALUATION_IMAGES_EACH, self.end(params)) / EVALUATION_IMAGES_EACH
        metrics = {
            CLEAN_ACCURACY: float(clean),
            PGD_ACCURACY: float(pgd),
            GPU_MINUTES: minutes * epochs + EVALUATION_MINUTES,
            FORWARD_EQUIVALENTS: EPOCH_WORK * epochs,
            EVALUATION_IMAGES: float(EVALUATION_IMAGES_EACH),
        }
        return Curve(
            id=f"{self.name}/{stream}",
            trainable=self.name,
            params=dict(params),
            epochs=tuple(dict(zip(EPOCH_METRICS, row, strict=True)) for row in rows),
            metrics=metrics,
            config={},
        )

    def end(self, params: Mapping[str, float]) -> Pair:
        """The accuracies at the end of the schedule, without noise."""
        clean, pgd = self._at(params, np.ones(1))
        return Pair(float(clean[0]), float(pgd[0]))

    def skill(self, params: Mapping[str, float]) -> float:
        """In [0, 1]."""
        distance = ((params["rate"] - self.optimum[0]) ** 2 + (params["weight"] - self.optimum[1]) ** 2) / self.width**2
        skill = math.exp(-distance / 2) * (1 - self.pace_gain * (1 - params["pace"]))
        return skill * (1 - self.length_gain * (1 - params["length"]))

    def _at(self, params: Mapping[str, float], share: Floats) -> tuple[Floats, Floats]:
        """Both accuracies without noise where the trial has done ``share`` (n,) of its schedule."""
        own, strength = self.skill(params), params["strength"]
        turned = _smooth(3 * share - 2) if self.inverted else np.ones_like(share)
        quality = 0.3 + 0.7 * (turned * own + (1 - turned) * (1 - own))
        late = min(1.0, self.late + self.pace_late * params["pace"] + self.lag * strength)
        risen = quality * _rise(share, late)
        kept = 1 - self.collapse * params["rate"] * _smooth(3 * share - 2)
        return CHANCE + _clean(strength) * risen, _robust(strength) * risen * kept


def _clean(strength: float) -> float:
    """Above chance, at full skill: 80 % clean without an adversary, 55 % against the strongest."""
    return 0.70 - 0.25 * strength**2


def _robust(strength: float) -> float:
    """At full skill: 2 % under attack without an adversary, 42 % against the strongest."""
    return 0.02 + 0.40 * math.sqrt(strength)


def _rise(share: Floats, late: float) -> Floats:
    early = (1 - (1 + 10 * share) ** -0.7) / (1 - 11**-0.7)
    risen: Floats = (1 - late) * early + late * (1 - np.cos(np.pi * share**1.5)) / 2
    return risen


def _smooth(share: Floats) -> Floats:
    """0 up to 0, 1 from 1 on, smooth between."""
    inside = np.clip(share, 0.0, 1.0)
    smooth: Floats = inside * inside * (3 - 2 * inside)
    return smooth


REPORTED = {
    family.name: family
    for family in (
        Family(name="power_law", summary="all rise alike, early ranks are final ranks but for noise", late=0.0),
        Family(name="late_rise", summary="half of the rise comes with the cosine's end", late=0.5),
        Family(
            name="crossing",
            summary="slow starters win: pace delays the rise and buys a third of the skill",
            pace_late=0.6,
            pace_gain=0.33,
        ),
        Family(name="robust_late", summary="the stronger the adversary, the later both accuracies rise", lag=0.6),
        Family(name="collapse", summary="high rates lose robustness over the last third", collapse=0.8),
        Family(
            name="noisy", summary="late rise under probes of 100 and 50 images", late=0.5, images=(100, 50), bias=0.02
        ),
        Family(
            name="schedules",
            summary="schedules of 6 to 48 epochs, the longer the better",
            epochs=6,
            doublings=3.0,
            length_gain=0.3,
            late=0.4,
        ),
        Family(
            name="misleading",
            summary="early ranks are the final ones reversed: stopping early must lose",
            inverted=True,
        ),
    )
}
"""The families that comparisons report."""

TUNING = {
    family.name: family
    for family in (
        Family(
            name="tuning_plain", summary="for choosing defaults", late=0.3, optimum=(0.3, 0.5), width=0.3, epochs=10
        ),
        Family(
            name="tuning_slow",
            summary="for choosing defaults",
            late=0.1,
            pace_late=0.4,
            pace_gain=0.25,
            lag=0.3,
            optimum=(0.5, 0.7),
            images=(300, 150),
            epochs=15,
        ),
        Family(
            name="tuning_lengths",
            summary="for choosing defaults",
            late=0.3,
            doublings=2.0,
            length_gain=0.2,
            collapse=0.4,
            bias=0.015,
            optimum=(0.4, 0.4),
            epochs=8,
        ),
    )
}
"""Families on which a rule's defaults may be chosen; they are never reported as evidence for it."""


def _drawn(number: int) -> Family:
    """A family whose constants nobody chose."""
    random = np.random.default_rng([DRAWN_SEED, number])
    return Family(
        name=f"drawn_{number}",
        summary="constants drawn at random",
        late=random.uniform(0, 0.6),
        pace_late=random.uniform(0, 0.6),
        pace_gain=random.uniform(0, 0.33),
        lag=random.uniform(0, 0.5),
        collapse=random.uniform(0, 0.6),
        doublings=float(random.integers(0, 4)),
        length_gain=random.uniform(0, 0.3),
        epochs=int(random.integers(5, 21)),
        bias=random.uniform(0.005, 0.02),
        optimum=(random.uniform(0.2, 0.8), random.uniform(0.2, 0.8)),
        width=random.uniform(0.25, 0.45),
    )


DRAWN_SEED = 2027
DRAWN = {family.name: family for family in map(_drawn, range(10))}
"""Held out: drawn after every default was chosen, and not looked at before."""
