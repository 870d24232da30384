"""Where training broke down, on curves whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from analysis.breakdowns import COLLAPSE, OVERFITTING, breakdowns, breakdowns_sentence
from analysis.runs import Study

SOUND = [0.3, 0.5, 0.6, 0.65, 0.7]
ROBUST = [0.2, 0.3, 0.35, 0.4, 0.4]


def study(*trials: dict[str, Sequence[float]]) -> Study:
    rows = [
        pd.DataFrame(
            {"trial": number, "epoch": range(1, 6), **{f"train/{name}": values for name, values in one.items()}}
        )
        for number, one in enumerate(trials)
    ]
    return Study("s", {}, pd.DataFrame(), pd.concat(rows, ignore_index=True))


def found(**curves: Sequence[float]) -> list[tuple[int, str]]:
    """Beside a sound trial, whose curve must not count for the other."""
    sound = {"probe_accuracy": SOUND, "probe_pgd_accuracy": ROBUST}
    rows = breakdowns(study(sound, sound | curves))
    assert set(rows["trial"]) <= {1}
    return list(zip(rows["epoch"], rows["kind"], strict=True))


def test_robustness_lost_while_clean_accuracy_stays_is_overfitting() -> None:
    assert found(probe_pgd_accuracy=[0.2, 0.3, 0.35, 0.02, 0.0]) == [(4, OVERFITTING)]
    assert found(probe_pgd_accuracy=[0.2, 0.3, 0.35, 0.18, 0.2]) == [], "less than half is lost"
    assert found(probe_pgd_accuracy=[0.02, 0.05, 0.0, 0.0, 0.0]) == [], "there was nothing to lose"


def test_both_lost_is_collapse() -> None:
    lost = {"probe_accuracy": [0.3, 0.5, 0.6, 0.2, 0.1], "probe_pgd_accuracy": [0.2, 0.3, 0.35, 0.1, 0.1]}
    assert found(**lost) == [(4, COLLAPSE)]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_pgd_far_above_fgsm_is_overfitting_whatever_the_losss_scale(scale: float) -> None:
    clean = np.array([-10.0, -11, -12, -13, -14]) * scale
    pgd = clean + 4 * scale
    fgsm = clean + np.array([3.5, 3.4, 3.5, 0.5, 0.2]) * scale
    assert found(loss_clean=clean, loss_fgsm=fgsm, loss_pgd=pgd) == [(4, OVERFITTING)]
    assert found(loss_clean=clean, loss_fgsm=clean + 0.5 * scale, loss_pgd=pgd) == [], "it was so from the start"


def test_a_loss_that_is_no_number_any_more_is_collapse_and_one_never_measured_is_not() -> None:
    assert found(loss=[1, 0.9, np.nan, np.nan, np.nan]) == [(3, COLLAPSE)]
    assert found(loss=[1, 0.9, np.inf, 0.8, 0.7]) == [(3, COLLAPSE)]
    assert found(loss=[np.nan] * 5) == []


def test_studies_without_curves_have_no_breakdowns() -> None:
    empty = Study("s", {}, pd.DataFrame(), pd.DataFrame(columns=["trial", "epoch"]).astype("int64"))
    assert breakdowns(empty).empty
    assert breakdowns_sentence(breakdowns(empty)) == "No trial shows catastrophic overfitting or collapse."


def test_the_sentence_names_trials_and_epochs() -> None:
    rows = pd.DataFrame({"trial": [3, 12], "epoch": [7, 4], "kind": OVERFITTING})
    words = "2 trials show catastrophic overfitting: 0003 from epoch 7, 0012 from epoch 4."
    assert breakdowns_sentence(rows) == words
    assert breakdowns_sentence(rows[:1].assign(kind=COLLAPSE)) == "1 trial shows collapse: 0003 from epoch 7."
