"""Which trials no other trial beats: Pareto dominance, the frontier of a study, hypervolume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainables.metrics import Direction, is_accuracy

if TYPE_CHECKING:  # the live progress needs non_dominated alone, without pandas
    import pandas as pd

    from analysis.reading.runs import Study


class Reference(NamedTuple):
    """The point down to which a hypervolume is measured; figures under different versions do not compare."""

    version: int
    accuracy: float
    """The worst that each accuracy counts from."""


REFERENCE = Reference(version=1, accuracy=0.0)


def dominates(one: ArrayLike, other: ArrayLike, directions: Sequence[Direction]) -> bool:
    """Whether ``one`` (k,) is nowhere worse than ``other`` (k,) and better somewhere; NaN dominates nothing."""
    gain = (np.asarray(one, dtype=float) - np.asarray(other, dtype=float)) * _signs(directions)
    return bool((gain >= 0).all() and (gain > 0).any())


def non_dominated(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.bool_]:
    """Mask (n,) of the rows of ``values`` (n, k) that no other row dominates.

    A row with NaN or infinity is never among them and dominates nothing: a trial with a broken figure is no
    candidate. Equal rows do not dominate each other, so all of them stay: each is a trial worth seeing.
    """
    rows = _rows(values, directions)
    mask: NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=1))
    if mask.any():
        mask[mask] = moocore.is_nondominated(rows[mask], maximise=_maximised(directions), keep_weakly=True)
    return mask


def hypervolume(values: ArrayLike, directions: Sequence[Direction], reference: Sequence[float]) -> float:
    """Volume that the rows of ``values`` (n, k) dominate down to ``reference`` (k,); 0 without a finite row.

    Comparable only at an equal ``reference``, which is therefore the caller's to fix, never the data's worst.
    """
    rows = _rows(values, directions)
    rows = rows[np.isfinite(rows).all(axis=1)]
    return float(moocore.hypervolume(rows, ref=list(reference), maximise=_maximised(directions))) if len(rows) else 0.0


def frontier(study: Study) -> pd.DataFrame:
    """``best`` of the study's credible trials: finished, within its bounds, and not flagged."""
    return best(study, study.credible)


def best(study: Study, trials: pd.DataFrame) -> pd.DataFrame:
    """Those of ``trials`` with every objective finite that no other of them dominates.

    Best first objective first. Columns as in ``Study.trials``; trials with equal objectives are all kept.
    """
    names = list(study.objectives)
    return in_order(study, trials[non_dominated(trials[names].to_numpy(dtype=float), list(study.objectives.values()))])


def in_order(study: Study, trials: pd.DataFrame) -> pd.DataFrame:
    """``trials``, the best in the study's first objective first."""
    ascending = [direction == "minimize" for direction in study.objectives.values()]
    by = [*study.objectives, "number"]
    return trials.sort_values(by, ascending=[*ascending, True]).reset_index(drop=True)


def measured(study: Study) -> list[str]:
    """The objectives that hypervolume is measured in: the accuracies.

    Costs have no natural worst value, so no reference point would make their hypervolume comparable.
    """
    return [name for name in study.objectives if is_accuracy(name)]


def study_hypervolume(study: Study, points: pd.DataFrame | None = None) -> float | None:
    """Hypervolume of the study's ``measured`` accuracies from accuracy 0, a share of the unit cube; ``None`` if it has
    none. Of its credible trials, or of ``points``, which have these accuracies."""
    names = measured(study)
    values = (study.credible if points is None else points)[names].to_numpy(dtype=float)
    return hypervolume(values, ["maximize"] * len(names), [REFERENCE.accuracy] * len(names)) if names else None


def _rows(values: ArrayLike, directions: Sequence[Direction]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=float).reshape(-1, len(directions))


def _maximised(directions: Sequence[Direction]) -> list[bool]:
    return [direction == "maximize" for direction in directions]


def _signs(directions: Sequence[Direction]) -> NDArray[np.float64]:
    return np.where(_maximised(directions), 1.0, -1.0)
