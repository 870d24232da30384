"""``tracking.json``: where a study is in MLflow, and how many events of each trial are there."""

from __future__ import annotations

import copy
import json
from typing import Any

from analysis.layout import StudyPaths, read_events, write_json
from analysis.pages import redact


class Ledger:
    """Saves repeated work, and lets readers link to runs without asking MLflow.

    Nothing depends on it: delivering with an empty ledger gives the same runs.
    """

    def __init__(self, paths: StudyPaths) -> None:
        self._paths = paths
        self._stored = _read(paths)
        self._values = copy.deepcopy(self._stored)

    @property
    def experiment_id(self) -> str | None:
        """The study's experiment, once something was delivered."""
        found = self._values.get("experiment_id")
        return None if found is None else str(found)

    def is_at(self, uri: str) -> bool:
        """Whether what was delivered last went to ``uri``: numbers of experiments mean nothing elsewhere."""
        return bool(self._values.get("uri") == redact(uri))

    def point_to(self, uri: str, experiment_id: str) -> None:
        """What was delivered to any other place does not count here."""
        place = {"uri": redact(uri), "experiment_id": experiment_id}
        if any(self._values.get(key) != value for key, value in place.items()):
            self._values = {**place, "parent_run_id": None, "runs": {}, "delivered": {}}

    def forget_deliveries(self) -> None:
        self._values["delivered"] = {}

    def set_parent(self, run_id: str) -> None:
        self._values["parent_run_id"] = run_id

    def set_run(self, number: int, run_id: str) -> None:
        """A trial's run; deliveries to another run of that trial do not count."""
        if self._values["runs"].get(f"{number:04d}") != run_id:
            self._values["runs"][f"{number:04d}"] = run_id
            self._values["delivered"].pop(f"{number:04d}", None)

    @property
    def parent(self) -> str | None:
        """The study's own run, once something was delivered."""
        found = self._values.get("parent_run_id")
        return None if found is None else str(found)

    @property
    def runs(self) -> dict[int, str]:
        """Of the trials that have one."""
        return {int(number): str(run) for number, run in self._values.get("runs", {}).items()}

    def run(self, number: int) -> str | None:
        """A trial's run, if it has one."""
        found = self._values.get("runs", {}).get(f"{number:04d}")
        return None if found is None else str(found)

    def delivered(self, number: int) -> int:
        return int(self._values.get("delivered", {}).get(f"{number:04d}", 0))

    def set_delivered(self, number: int, events: int) -> None:
        self._values["delivered"][f"{number:04d}"] = events

    def undelivered(self) -> int:
        """Events of the study's folder that MLflow does not have."""
        trials = self._paths.each_trial()
        return sum(max(0, len(read_events(trial)) - self.delivered(trial.number)) for trial in trials)

    def save(self) -> None:
        if self._values != self._stored:
            write_json(self._paths.tracking, self._values)
            self._stored = copy.deepcopy(self._values)


def _read(paths: StudyPaths) -> dict[str, Any]:
    try:
        values = json.loads(paths.tracking.read_text())
    except (FileNotFoundError, ValueError):  # unreadable is as good as absent: everything is delivered again
        return {}
    return values if isinstance(values, dict) else {}
