"""What the trials that run do just now, and when they were last heard of."""

from __future__ import annotations

from typing import Any

from analysis import labels
from analysis.layout import StudyPaths, TrialPaths, read_events, read_json
from analysis.reading.runs import CONFIG, Study, number_or_nan
from analysis.schema import TrialStatus


def running_lines(study: Study, paths: StudyPaths, now: float) -> list[str]:
    """``0003: epoch 5 of 5, robust head: gradient attacks; heard of 12 s ago``; ``now`` in unix seconds."""
    running = study.trials[study.trials["status"] == TrialStatus.RUNNING]
    return [_line(trial, paths.trial(int(trial["number"])), now) for trial in running.to_dict("records")]


def _line(trial: dict[Any, Any], folder: TrialPaths, now: float) -> str:
    epochs = number_or_nan(trial.get(f"{CONFIG}optimiser.epochs"))
    done = f"epoch {trial['epochs']} of {epochs:g}" if trial["epochs"] else "before its first epoch's end"
    progress = read_json(folder.progress)
    doing = f", {progress['words']}" if progress.get("words") else ""
    times = [number_or_nan(told.get("time")) for told in (*read_events(folder)[-1:], progress) if told]
    heard = f"; heard of {labels.duration(max(0.0, now - max(times)))} ago" if times else ""
    asked = "; to be stopped by hand" if folder.stop_by_hand.exists() else ""
    return f"{labels.trial_number(folder.number)}: {done}{doing}{heard}{asked}"
