"""What came of chosen configurations, each over its seeds: of a confirmation on test images, of what is reseeded on the
search's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import labels
from analysis.frontier.pareto import non_dominated
from analysis.frontier.uncertainty import over_seeds
from analysis.layout import StudyPaths, read_json
from analysis.reading.manifest import is_reseeding
from analysis.reading.runs import PARAM, Study
from trainables.metrics import FORWARD_EQUIVALENTS, GPU_MINUTES, counted_by

SEARCHED = "searched."
"""Begins the names of what the search measured."""


def confirms(study: Study) -> dict[str, Any]:
    """What ``study`` confirms or reseeds, ``study``, ``seeds`` and ``configurations``; empty for any other."""
    found = study.manifest.get("confirms")
    return found if isinstance(found, dict) else {}


def reseeds(study: Study) -> bool:
    """Whether it trains another's configurations again on the images that these were searched on."""
    return is_reseeding(study.manifest)


def confirmations_of(paths: StudyPaths) -> list[str]:
    """Names of the studies beside ``paths`` that confirm it."""
    return [name for name, manifest in studies_of(paths, "confirms").items() if not is_reseeding(manifest)]


def reseedings_of(paths: StudyPaths) -> list[str]:
    """Names of the studies beside ``paths`` that reseed it."""
    return [name for name, manifest in studies_of(paths, "confirms").items() if is_reseeding(manifest)]


def seeds_of_reseedings(paths: StudyPaths) -> list[int]:
    """All seeds that ``reseedings_of`` has."""
    found = studies_of(paths, "confirms").values()
    return [int(seed) for manifest in found if is_reseeding(manifest) for seed in manifest["confirms"].get("seeds", [])]


def studies_of(paths: StudyPaths, key: str) -> dict[str, dict[str, Any]]:
    """Manifests by name of the studies beside ``paths`` that name it under ``key``."""
    manifests = {path.parent.name: read_json(path) for path in sorted(paths.root.parent.glob("*/study.json"))}
    return {
        name: manifest
        for name, manifest in manifests.items()
        if isinstance(told := manifest.get(key), dict) and told.get("study") == paths.name
    }


def confirmed(study: Study) -> pd.DataFrame:
    """One row a configuration, in the study's order.

    ``configuration`` (the id of the trial that is confirmed), ``trainable``, ``seeds`` (that have finished),
    ``planned`` (seeds that it is to be trained with), the mean of each of ``Study.accuracies`` with its interval as
    ``NAME_low`` and ``NAME_high`` (``uncertainty.over_seeds``), mean costs, ``verdict`` (trusted only if every seed
    is), ``credible`` (every seed is unflagged and within the study's bounds), ``optimal`` (credible, and no other such
    configuration's means are better in all objectives), what was searched as ``param.NAME``, and of what is reseeded
    the accuracies that the search measured as ``searched.NAME``. A figure is NaN while no seed has finished, and where
    one of those that have lacks it.
    """
    told = confirms(study)
    rows = [_row(study, str(told.get("study")), configuration) for configuration in told.get("configurations", [])]
    table = pd.DataFrame(rows or [_row(study, "", {"trial": -1})])[: len(rows)]
    values = table[list(study.objectives)].where(table["credible"]).to_numpy(dtype=float)
    return table.assign(optimal=non_dominated(values, list(study.objectives.values())))


def competing(study: Study, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """The trials that a frontier over ``metrics`` can be built on: credible, and with all of them measured.

    A confirmation's configurations stand or fall as a whole: what one seed lacks keeps the others off, too.
    """
    trials, column = study.finished, f"{PARAM}configuration"
    fit = trials["number"].isin(study.credible["number"])
    fit &= np.isfinite(trials[list(metrics)].to_numpy(dtype=float)).all(axis=1)
    if confirms(study) and column in trials:
        fit = fit.groupby(trials[column], dropna=False).transform("all")
    found: pd.DataFrame = trials[fit]
    return found


def seeds_of(study: Study, configuration: str) -> list[int]:
    """Numbers of the finished trials that trained the ``configuration`` of that id, one a seed."""
    column, trials = f"{PARAM}configuration", study.finished
    number = int(configuration.rpartition("/")[2])
    return trials.loc[trials[column] == number, "number"].tolist() if column in trials else []


def _row(study: Study, parent: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    number = int(configuration["trial"])
    trials = study.finished
    trials = trials[trials[f"{PARAM}configuration"] == number] if f"{PARAM}configuration" in trials else trials[:0]
    return {
        "configuration": f"{parent}/{labels.trial_number(number)}",
        "trainable": configuration.get("trainable", ""),
        "seeds": len(trials),
        "planned": len(confirms(study).get("seeds", [])),
        **_accuracies(trials, study.accuracies),
        "verdict": _verdict(trials),
        "credible": bool(trials["number"].isin(study.credible["number"]).all()),
        **{name: trials[name].mean(skipna=False) for name in (FORWARD_EQUIVALENTS, GPU_MINUTES)},
        **{SEARCHED + name: configuration.get("figures", {}).get(name, np.nan) for name in study.accuracies},
        **{PARAM + name: labels.choice(value) for name, value in configuration.get("params", {}).items()},
    }


def _accuracies(trials: pd.DataFrame, names: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in names:
        counted = counted_by(name)
        values = trials[name].tolist()
        images = trials[counted].dropna() if counted in trials else pd.Series(dtype=float)
        measured = len(images) and np.isfinite(values).all()
        interval = over_seeds(values, int(images.min())) if measured else (np.nan,) * 3
        found |= dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))
    return found


def _verdict(trials: pd.DataFrame) -> str:
    """``trusted``, or what the first flagged seed is flagged for; "" where nothing was checked."""
    verdicts = [str(verdict) for verdict in trials["verdict"] if verdict]
    flagged = [verdict for verdict in verdicts if labels.is_flagged(verdict)]
    return (flagged or verdicts or [""])[0]
