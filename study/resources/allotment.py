"""What a trial of each trainable holds of the machine, and whether one more fits beside those that run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.resources.needs import ResourceError

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one trial holds, and why so much."""

    cpus: float
    gpus: float
    why: str = "as asked"
    processes: int = 1
    """That the trial runs in, each with as much of both."""

    @property
    def gpu_share(self) -> float:
        """What GPU-minutes are multiplied by; on the CPU they are the trial's own minutes."""
        return self.gpus or 1.0

    @property
    def threads(self) -> int:
        """Of each process."""
        return max(1, int(self.cpus / self.processes + _ROUNDING))


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """The shares by trainable, of a machine or cluster that has so many cores and GPUs now."""

    shares: Mapping[str, Share]
    concurrent: int
    """So many trials run side by side, if all are the smallest."""
    at_most: int | None
    """Of them, by the study's wish, however large the cluster grows."""
    cpus: float
    gpus: float

    def of(self, trainable: str) -> Share:
        return self.shares[trainable]

    def has_room(self, running: Collection[str], now: tuple[float, float] | None = None) -> bool:
        """Whether a trial may begin beside those of the trainables ``running``: the smallest one would fit.

        ``now``: cores and GPUs of a cluster to which nodes have come, or that has lost some.
        """
        held = [self.shares[trainable] for trainable in running]
        if self.at_most is not None and len(held) >= self.at_most:
            return False
        return fits([*held, smallest(self.shares.values())], *(now or (self.cpus, self.gpus)))

    def to_json(self) -> dict[str, Any]:
        """For the manifest: what was decided, and why."""
        return {
            "trainables": {
                name: {"cpus": share.cpus, "gpus": share.gpus, "why": share.why} for name, share in self.shares.items()
            },
            "concurrent": self.concurrent,
        }


def allotment(shares: Mapping[str, Share], cpus: float, gpus: float, at_most: int | None) -> Allotment:
    """As many trials side by side as might fit, but not more than ``at_most``.

    Raises ``ResourceError`` for a share that does not fit even alone.
    """
    for share in shares.values():
        slots(share, cpus, gpus)
    most = slots(smallest(shares.values()), cpus, gpus)
    return Allotment(shares=shares, concurrent=min(most, at_most or most), at_most=at_most, cpus=cpus, gpus=gpus)


def smallest(shares: Iterable[Share]) -> Share:
    """No trial holds less than this, in cores or in GPUs."""
    known = list(shares)
    return Share(cpus=min(share.cpus for share in known), gpus=min(share.gpus for share in known))


def slots(share: Share, cpus: float, gpus: float) -> int:
    """How many trials with this share run side by side; ``ResourceError`` if not even one does.

    A share of a GPU never spans two GPUs.
    """
    by_cpu = int(cpus / share.cpus + _ROUNDING)
    if share.gpus == 0:
        found = by_cpu
    else:
        on_one = int(1 / share.gpus + _ROUNDING)
        found = min(by_cpu, int(gpus) * on_one if on_one else int(gpus / share.gpus))
    if found < 1:
        raise ResourceError(
            f"a trial asks for {share.cpus:g} cores and {share.gpus:g} GPUs (resources.cpus_per_trial, "
            f"gpus_per_trial), there are {cpus:g} and {int(gpus)}; ask for less"
        )
    return found


def fits(shares: Collection[Share], cpus: float, gpus: float) -> bool:
    """Whether trials with these shares can run at once: the largest first, each on the first GPU that has room."""
    if sum(share.cpus for share in shares) > cpus + _ROUNDING:
        return False
    free = [1.0] * int(gpus)
    return all(_take(wanted, free) for wanted in sorted((share.gpus for share in shares), reverse=True))


def _take(wanted: float, free: list[float]) -> bool:
    """Take ``wanted`` GPUs from those that are ``free``; whether there were enough."""
    count, part = max(1, int(wanted)), min(wanted, 1.0)
    with_room = [index for index, left in enumerate(free) if left >= part - _ROUNDING][:count]
    if wanted > 0 and len(with_room) < count:
        return False
    for index in with_room:
        free[index] -= part
    return True
