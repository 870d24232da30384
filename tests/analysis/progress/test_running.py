"""What `study status` says of trials that run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.layout import ATTEMPT, read_json, write_json
from analysis.progress.running import running
from analysis.reading.runs import read_study


def test_each_running_trial_says_how_far_it_is_and_when_it_was_heard_of(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.finished(0, 0.9, 0.3)
    for number, epochs in ((1, 0), (2, 3), (3, 5)):
        trial = folder.begin(number, {})
        config = read_json(trial.config)
        write_json(trial.config, config | {"config": {"optimiser": {"epochs": 5}}})
        trial.events.write_text(f'{{"kind": "{ATTEMPT}", "attempt": 1, "time": 1000.0}}\n')
        if epochs:
            line = f'{{"kind": "epoch", "attempt": 1, "time": {1000.0 + epochs}, "epoch": {epochs}, "metrics": {{}}}}\n'
            trial.events.write_text(trial.events.read_text() + line)
    write_json(folder.paths.trial(3).progress, {"words": "robust head: gradient attacks", "time": 1050.0})
    assert [one.line(1060.0) for one in running(read_study(folder.paths), folder.paths)] == [
        "0001: before its first epoch's end; began 1 min 00 s ago; heard of 1 min 00 s ago",
        "0002: epoch 3 of 5; began 1 min 00 s ago; heard of 57 s ago",
        "0003: epoch 5 of 5, robust head: gradient attacks; began 1 min 00 s ago; heard of 10 s ago",
    ]
