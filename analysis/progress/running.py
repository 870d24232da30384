"""What the trials that run do just now, and when they were last heard of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import labels
from analysis.layout import StudyPaths, TrialPaths, read_json
from analysis.reading.runs import CONFIG, Study, number_or_nan
from analysis.schema import TrialStatus


@dataclass(frozen=True, kw_only=True)
class Running:
    """A trial that runs; times in unix seconds, NaN where they are not known."""

    number: int
    epoch: int
    """Epochs done."""
    epochs: float
    """Of so many."""
    doing: str
    """What its evaluation does, in words; "" while it trains."""
    began: float
    heard: float
    stopped_by_hand: bool
    """Whether somebody asked for that."""

    def line(self, now: float) -> str:
        """``0003: epoch 5 of 5, robust head: gradient attacks; began 3 min 20 s ago; heard of 12 s ago``."""
        done = f"epoch {self.epoch} of {self.epochs:g}" if self.epoch else "before its first epoch's end"
        doing = f", {self.doing}" if self.doing else ""
        times = "".join(
            f"; {what} {labels.duration(max(0.0, now - time))} ago"
            for what, time in (("began", self.began), ("heard of", self.heard))
            if math.isfinite(time)
        )
        asked = "; to be stopped by hand" if self.stopped_by_hand else ""
        return f"{labels.trial_number(self.number)}: {done}{doing}{times}{asked}"


def running(study: Study, paths: StudyPaths) -> list[Running]:
    """The trials that run, by number."""
    trials = study.trials[study.trials["status"] == TrialStatus.RUNNING]
    newest = study.attempts.drop_duplicates("trial", keep="last").set_index("trial")
    return [
        _running(trial, paths.trial(int(trial["number"])), newest["last"].get(trial["number"], math.nan))
        for trial in trials.to_dict("records")
    ]


def _running(trial: dict[Any, Any], folder: TrialPaths, heard: float) -> Running:
    progress = read_json(folder.progress)
    return Running(
        number=folder.number,
        epoch=int(trial["epochs"]),
        epochs=number_or_nan(trial.get(f"{CONFIG}optimiser.epochs")),
        doing=str(progress.get("words") or ""),
        began=number_or_nan(trial["started"]),
        heard=float(np.fmax(heard, number_or_nan(progress.get("time")))),
        stopped_by_hand=folder.stop_by_hand.exists(),
    )
