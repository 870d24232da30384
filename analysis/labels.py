"""How names and figures read to people: one spelling for tables, plots and the report."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from trainables.harmless import harmless
from trainables.metrics import FORWARD_EQUIVALENTS, GPU_MINUTES, is_accuracy

ALL_TRAINABLES = "all trainables"
"""What stands for them together, in menus and tables."""
HOLLOW = "hollow: flagged, or beyond the study's bounds"
"""What the legend says of marks that stand on no frontier."""
HOLLOW_SEED = f"{HOLLOW}, or another seed of its configuration is"
"""The same of a confirmation's trials."""
PGD_STARTS = (
    "PGD starts from the image itself, as published; the worst PGD, which is a study's PGD accuracy, counts every "
    "start, zero and random."
)
COSTS = {FORWARD_EQUIVALENTS: "forward-equivalents", GPU_MINUTES: "GPU-minutes"}
"""What a sentence calls them."""
_BUDGETED = {"trials": "trial", "wall_minutes": "wall minute", "gpu_hours": "GPU-hour"}
"""What a budget's limits count."""
ABSENT = "–"  # noqa: RUF001  a dash for a figure that there is not


NULL = "null"
"""The word for a choice of no value, which is one: what a trial does not have is missing."""


def choice(value: object) -> object:
    """A searched value, with the word for that which is none."""
    return NULL if value is None else value


def epsilon(value: float) -> str:
    """``8/255`` for 0.03137: radii and steps are spoken of in pixel levels."""
    return f"{value * 255:.3g}/255"


def budget(limits: object) -> str:
    """``24 trials, 90 wall minutes, 1 GPU-hour, least gain 2 %`` for a manifest's ``budget``; "" if it sets no limit,
    or cannot be read."""
    if not isinstance(limits, dict):
        return ""
    numbers = {kind: limit for kind, limit in limits.items() if type(limit) in (int, float) and limit}
    gain = numbers.pop("least_gain", None)
    told = [counted(limit, _BUDGETED.get(kind, str(kind))) for kind, limit in numbers.items()]
    return ", ".join([*told, *([f"least gain {gain * 100:g} %"] if gain else [])])


def sampler(stated: object) -> str:
    """``tpe``, ``nsga2 (population 20)`` for a manifest's ``sampler``; "" if there is none, a torn one as it is."""
    if not isinstance(stated, dict) or "name" not in stated:
        return "" if stated is None else str(stated)
    numbers = [f"{name.replace('_', ' ')} {number}" for name, number in stated.items() if name != "name"]
    return " ".join([str(stated["name"]), *([f"({', '.join(numbers)})"] if numbers else [])])


def counted(number: float, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    text = amount(number)
    return f"{text} {noun}" if text == "1" else f"{text} {noun}s"


def amount(number: float) -> str:
    """``22.6``, ``0.25``, ``1440``: hours, minutes or things, in three digits, and whole where there are more."""
    return f"{float(f'{number:.3g}'):g}" if abs(number) < 1000 else f"{number:.0f}"


def all_begun(number: float, noun: str, of: str = "") -> str:
    """``all 12 configurations of the grid were begun``, ``its one trial was begun``."""
    return f"its one {noun}{of} was begun" if number == 1 else f"all {counted(number, noun)}{of} were begun"


def listed(noun: str, names: Sequence[object]) -> str:
    """``trial 3``, ``trials 3, 12``."""
    return f"{noun}{'s' if len(names) != 1 else ''} {', '.join(map(str, names))}"


def trainings(trials: Sequence[object], study: str, seeds: Sequence[object]) -> str:
    """``trials 0003, 0012 of first, each with seeds 1, 2``, of ``trials`` as they are written."""
    each = "each " if len(trials) > 1 else ""
    return f"{listed('trial', trials)} of {study}, {each}with {listed('seed', seeds)}"


def is_length(name: str) -> bool:
    """Whether a setting is a distance between images, or several."""
    last = name.rpartition(".")[2]
    return last == "step_size" or last.endswith(("epsilon", "epsilons"))


def is_flagged(verdict: str) -> bool:
    """Whether a trial's sanity checks objected to its robustness figures."""
    return verdict.startswith("flagged")


def percent(value: float) -> str:
    return f"{value * 100:.1f}" if math.isfinite(value) else ABSENT


def percent_interval(value: float, low: float, high: float) -> str:
    """``75.9 [74.1, 77.6]``; the value alone where its interval is not known."""
    if math.isfinite(low) and math.isfinite(high) and math.isfinite(value):
        return f"{percent(value)} [{percent(low)}, {percent(high)}]"
    return percent(value)


def points(gain: float, low: float, high: float) -> str:
    """``+1.20 [+0.31, +2.09]``, a difference of shares in percentage points; alone where its interval is not known."""
    mean, *ends = (f"{value * 100:+.2f}" for value in (gain, low, high))
    return f"{mean} [{', '.join(ends)}]" if math.isfinite(low) and math.isfinite(high) else mean


def cost(value: float, digits: int = 3) -> str:
    """``1.23 M``: so many digits and the power of a thousand, for any number that may be large."""
    if not math.isfinite(value):
        return ABSENT
    rounded = float(f"{value:.{digits}g}")  # first: 999.6 is 1 k
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(rounded) >= size:
            return f"{rounded / size:.{digits}g} {unit}"
    return f"{rounded:.{digits}g}"


def share(value: float, digits: int = 3) -> str:
    """``61.5 %``."""
    return f"{value * 100:.{digits}g} %" if math.isfinite(value) else ABSENT


def metric(name: str, value: float) -> str:
    return percent(value) if is_accuracy(name) else cost(value)


def param(name: str, value: object) -> str:
    """A setting's value, short: radii in pixel levels, other numbers with three digits, ``true`` and ``false``."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(param(name, item) for item in value)}]"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT if value is None else plain_text(value)
    if not math.isfinite(value):
        return ABSENT
    if is_length(name):
        return epsilon(value)
    return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.3g}"


def plain_text(value: object) -> str:
    """What a value of a setting is called, as a study file has it."""
    return str(value).lower() if isinstance(value, bool) else harmless(str(value))


def trial_number(number: int) -> str:
    return f"{number:04d}"


def excluded(trial: str, reason: str) -> str:
    """Of a ``STUDY/NUMBER`` that somebody took out, what that keeps from being done with it, and the remedy."""
    return f"trial {trial} is excluded: {reason}; take it in again with: study exclude {trial} --undo"


def parse_trial(name: str) -> tuple[str, int] | None:
    """Study and number that ``first/3``, or ``first/0003``, names; ``None`` for what names no trial."""
    study, _, number = name.rpartition("/")
    return (study, int(number)) if study and "/" not in study and number.isdecimal() else None


def href(url: str) -> str:
    """``url`` where it is a web address, else "": what is not one could be a script."""
    return url if re.match(r"https?://", url) else ""


def moment(seconds: float) -> str:
    """``2026-11-29 14:05 UTC``, of unix seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC" if math.isfinite(seconds) else ABSENT


def duration(seconds: float) -> str:
    """``2 h 05 min``, ``3 min 20 s``, ``12 s``."""
    if not math.isfinite(seconds):
        return ABSENT
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"
