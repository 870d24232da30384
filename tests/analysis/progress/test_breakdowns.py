"""Where training broke down, on curves whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.layout import ENDED, append_event
from analysis.progress.breakdowns import COLLAPSE, OVERFITTING, breakdowns, breakdowns_sentence
from analysis.reading.runs import Study, read_study
from trainables.pretrain import DivergedError

SOUND = [0.3, 0.5, 0.6, 0.65, 0.7]
ROBUST = [0.2, 0.3, 0.35, 0.4, 0.4]


def study(*trials: dict[str, Sequence[float]], **of_last: object) -> Study:
    """``of_last``: columns of the last one's row in ``Study.trials``."""
    rows = [
        pd.DataFrame(
            {"trial": number, "epoch": range(1, 6), **{f"train/{name}": values for name, values in one.items()}}
        )
        for number, one in enumerate(trials)
    ]
    known = {
        "reason": "",
        "excluded": "",
        "epochs": 5,
        "config.data.source": "cifar10",
        "config.adversary.name": "free",
    }
    table = [{"number": number} | known for number in range(len(trials) - 1)]
    table.append({"number": len(trials) - 1} | known | of_last)
    return Study("s", {}, pd.DataFrame(table), pd.concat(rows, ignore_index=True))


def found(of_last: Mapping[str, object] = {}, **curves: Sequence[float]) -> list[tuple[int, str]]:
    """Beside a sound trial, whose curve must not count for the other."""
    sound = {"probe_accuracy": SOUND, "probe_pgd_accuracy": ROBUST}
    rows = breakdowns(study(sound, sound | curves, **of_last))
    assert set(rows["trial"]) <= {1}
    return list(zip(rows["epoch"], rows["kind"], strict=True))


def test_robustness_lost_while_clean_accuracy_stays_is_overfitting() -> None:
    assert found(probe_pgd_accuracy=[0.2, 0.3, 0.35, 0.02, 0.0]) == [(4, OVERFITTING)]
    assert found(probe_pgd_accuracy=[0.2, 0.3, 0.35, 0.18, 0.2]) == [], "less than half is lost"
    assert found(probe_pgd_accuracy=[0.02, 0.05, 0.0, 0.0, 0.0]) == [], "there was nothing to lose"


def test_both_lost_is_collapse() -> None:
    lost = {"probe_accuracy": [0.3, 0.5, 0.6, 0.2, 0.1], "probe_pgd_accuracy": [0.2, 0.3, 0.35, 0.1, 0.1]}
    assert found(**lost) == [(4, COLLAPSE)]


def test_an_excluded_trial_is_not_counted() -> None:
    lost = {"probe_pgd_accuracy": [0.2, 0.3, 0.35, 0.02, 0.0]}
    assert found(**lost) == [(4, OVERFITTING)]
    assert found({"excluded": "wrong images"}, **lost) == []


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_pgd_far_above_fgsm_is_overfitting_whatever_the_losss_scale(scale: float) -> None:
    clean = np.array([-10.0, -11, -12, -13, -14]) * scale
    pgd = clean + 4 * scale
    fgsm = clean + np.array([3.5, 3.4, 3.5, 0.5, 0.2]) * scale
    assert found(loss_clean=clean, loss_fgsm=fgsm, loss_pgd=pgd) == [(4, OVERFITTING)]
    assert found(loss_clean=clean, loss_fgsm=clean + 0.5 * scale, loss_pgd=pgd) == [], "it was so from the start"


@pytest.mark.parametrize("epochs", [3, 0])
def test_a_training_that_diverged_is_collapse_at_the_last_epoch_that_it_reported(
    new_study: Callable[..., Any], epochs: int
) -> None:
    """As the worker leaves it: the trainer raises before it reports."""
    folder = new_study()
    trial = folder.begin(0, {})
    folder.epochs(trial, epochs)
    reason = f"{DivergedError.__name__}: the loss is nan in epoch {epochs + 1}; a smaller rate may help"
    append_event(trial, ENDED, 1, status="failed", reason=reason, metrics={})
    folder.failed(1, "OutOfMemoryError: no DivergedError: of this kind")
    rows = breakdowns(read_study(folder.paths))
    assert rows.to_dict("records") == [{"trial": 0, "epoch": max(epochs, 1), "kind": COLLAPSE}]


def test_a_trial_collapses_once() -> None:
    lost = [0.3, 0.5, 0.6, 0.2, 0.1]
    assert found({"reason": "DivergedError: the loss is inf"}, probe_accuracy=lost) == [(4, COLLAPSE)]
    assert found({"reason": "DivergedError: the loss is inf"}) == [(5, COLLAPSE)]


@pytest.mark.parametrize(
    ("accuracies", "of_last", "expected"),
    [
        ([0.1] * 5, {}, [(1, COLLAPSE)]),
        ([0.12, 0.2, 0.11, 0.12, 0.09], {}, [(3, COLLAPSE)]),  # 60 of 500: Wilson's interval from 0.094
        ([0.1, 0.1, 0.1, 0.1, 0.2], {}, []),  # it has only begun slowly
        ([0.2, 0.2, 0.2, 0.12, 0.12], {}, []),  # two epochs are no end
        ([0.14] * 5, {}, []),  # 70 of 500: from 0.112
        ([0.14] * 5, {"evaluation_images": 100.0}, [(1, COLLAPSE)]),  # 14 of 100: from 0.085
        ([0.05] * 5, {"config.data.source": "cifar100"}, []),
        ([0.012] * 5, {"config.data.source": "cifar100"}, [(1, COLLAPSE)]),
        ([0.02] * 5, {"config.evaluation.source": "cifar100"}, []),  # heads' and probe's data; 10 of 500: from 0.0109
        ([0.1] * 5, {"config.data.source": "folder:/birds"}, []),  # of how many classes is not known
        ([np.nan] * 5, {}, []),
    ],
)
def test_a_probe_at_chance_to_the_end_is_collapse(
    accuracies: list[float], of_last: dict[str, object], expected: list[tuple[int, str]]
) -> None:
    assert found(of_last, probe_accuracy=accuracies, probe_pgd_accuracy=[0.05] * 5) == expected


@pytest.mark.parametrize(
    ("robust", "pgd", "of_last", "expected"),
    [
        ([0.0] * 5, 9.0, {}, [(1, OVERFITTING)]),
        ([0.2, 0.0, 0.01, 0.0, 0.0], 9.0, {}, [(2, OVERFITTING)]),
        ([0.0, 0.0, 0.0, 0.0, 0.05], 9.0, {}, []),  # it has only begun so
        ([0.05] * 5, 9.0, {}, []),
        ([0.0] * 5, 1.6, {}, []),  # a weak adversary: FGSM finds what PGD does at its radius
        ([0.0] * 5, 9.0, {"config.adversary.name": "none"}, []),  # nor was it to be robust
        ([0.3, 0.3, 0.0, 0.0, 0.0], 9.0, {"config.adversary.name": "none"}, []),
    ],
)
def test_no_robustness_from_the_start_is_overfitting_where_pgd_does_far_more_than_fgsm(
    robust: list[float], pgd: float, of_last: dict[str, object], expected: list[tuple[int, str]]
) -> None:
    losses = {"loss_clean": [1.0] * 5, "loss_fgsm": [1.5] * 5, "loss_pgd": [pgd] * 5}
    assert found(of_last, probe_accuracy=[0.8] * 5, probe_pgd_accuracy=robust, **losses) == expected


def test_little_accuracy_has_no_robustness_to_lose() -> None:
    losses = {"loss_clean": [1.0] * 5, "loss_fgsm": [1.5] * 5, "loss_pgd": [9.0] * 5}
    assert found(probe_accuracy=[0.25] * 5, probe_pgd_accuracy=[0.0] * 5, **losses) == []


def test_studies_without_curves_have_no_breakdowns(new_study: Callable[..., Any]) -> None:
    empty = read_study(new_study().paths)
    assert breakdowns(empty).empty
    assert breakdowns_sentence(breakdowns(empty)) == "No trial shows catastrophic overfitting or collapse."


def test_the_sentence_names_trials_and_epochs() -> None:
    rows = pd.DataFrame({"trial": [3, 12], "epoch": [7, 4], "kind": OVERFITTING})
    words = "2 trials show catastrophic overfitting: 0003 from epoch 7, 0012 from epoch 4."
    assert breakdowns_sentence(rows) == words
    assert breakdowns_sentence(rows[:1].assign(kind=COLLAPSE)) == "1 trial shows collapse: 0003 from epoch 7."
