"""The only readers: a study's folder or MLflow -> the same ``Study``.

Both bring each trial down to its three files (``config.json``, ``events.jsonl``, ``result.json``) and share
everything after that. A file that is missing, torn or half-written costs its own cells and nothing else.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import constraints, labels
from analysis.layout import (
    ATTEMPT,
    ENDED,
    EPOCH,
    StudyPaths,
    TrialPaths,
    exclusion_of,
    note_of,
    read_events,
    read_json,
)
from analysis.reading.download import RunLink, StudyNotFoundError, download_study, run_link
from analysis.reading.manifest import objectives, read_manifest
from analysis.schema import TrialStatus
from trainables.harmless import harmless
from trainables.metrics import (
    ACCURACIES,
    ENDS,
    HEADLINES,
    TRUSTED,
    Accuracy,
    Direction,
    counted_by,
    head_figure,
    is_accuracy,
    is_possible,
)
from trainables.outcomes import Outcomes

PARAM = "param."
CONFIG = "config."
EXCLUDED = "excluded"
_ENDED = tuple(status.value for status in TrialStatus if status is not TrialStatus.RUNNING)
_BASE: dict[str, str] = {
    **dict.fromkeys(("number", "attempts", "epochs"), "int64"),
    **dict.fromkeys(("id", "trainable", "origin", "status", "reason", "verdict"), "str"),
    **dict.fromkeys(("violation", "excluded", "note", "device", "mlflow_run_id", "mlflow_url"), "str"),
    **dict.fromkeys(("seed", "started", "ended", "gpu_share"), "float64"),
}
_NO_RUN = RunLink("", "")


@dataclass(frozen=True)
class Study:
    """Everything a report needs, wherever it was read from.

    ``trials``: one row a trial, by number. ``number``, ``id``, ``trainable``, ``origin`` ("by hand", the recipe that it
    is, the trial of another study that it takes up, or whose network it measures; "" if the sampler drew it),
    ``status`` (``TrialStatus`` values), ``reason``, ``verdict`` (of the sanity checks, "" if none ran), ``violation``
    (the study's bounds that a finished trial exceeds, "" if none), ``excluded`` (why somebody took it out, "" if nobody
    did), ``note`` (that somebody made, "" if none),
    ``attempts``, ``epochs`` (done), ``seed``, ``started`` and ``ended`` (unix seconds, or NaN), ``gpu_share`` and
    ``device`` (that the last attempt held, NaN and "" if unknown),
    ``mlflow_run_id`` and ``mlflow_url`` ("" if unknown), searched dimensions as ``param.<name>`` (null as the word,
    missing where the trial has no such dimension), the trial's settings as ``config.<dotted path>``, and metrics under
    their own names (``trainables.metrics``), each of ``accuracies`` with the ends of its 95 % interval after its name.
    ``curves``: one row an epoch: ``trial``, ``epoch`` and the metrics of an ``EpochReport``.
    """

    name: str
    manifest: dict[str, Any]
    trials: pd.DataFrame
    curves: pd.DataFrame
    study_file: str = ""
    """The study file's YAML as launched; "" if it is not there."""
    outcomes: Mapping[str, Outcomes] = field(default_factory=dict)
    """By id, the figures of finished trials image by image, of those that recorded them."""
    attempts: pd.DataFrame = field(default_factory=lambda: _attempts_frame([]))
    """One row an attempt: ``trial``, a trial's ``number``, and when it ``began`` and was ``last`` heard of, or ended
    (unix seconds)."""

    @property
    def objectives(self) -> dict[str, Direction]:
        """What the study optimises; clean and PGD accuracy where the manifest does not tell."""
        return objectives(self.manifest)

    @property
    def accuracies(self) -> list[str]:
        """``ACCURACIES``, which trials may have whatever is optimised, what else of accuracies is optimised, and what
        attacks that packages bring leave of the head."""
        own = _own_figures(map(str, self.trials), self.evaluation.get("head"))
        return list(dict.fromkeys([*ACCURACIES, *filter(is_accuracy, self.objectives), *own]))

    @cached_property
    def finished(self) -> pd.DataFrame:
        """The trials that have finished and that nobody excluded: all that is compared rests on them."""
        return self.trials[(self.trials["status"] == TrialStatus.FINISHED) & (self.trials["excluded"] == "")]

    @property
    def standings(self) -> pd.Series[str]:
        """Of each trial its status, or that it is ``excluded``, however it ended; one that has not ended is not yet."""
        status = self.trials["status"]
        return status.mask(status.isin(_ENDED) & (self.trials["excluded"] != ""), EXCLUDED)

    @cached_property
    def feasible(self) -> pd.DataFrame:
        """The finished trials that keep the study's bounds."""
        return self.finished[self.finished["violation"] == ""]

    @cached_property
    def credible(self) -> pd.DataFrame:
        """The feasible trials that no sanity check flagged: what a frontier of accuracies can be built on."""
        return self.feasible[~self.feasible["verdict"].map(labels.is_flagged).astype(bool)]

    @property
    def evaluation(self) -> dict[str, Any]:
        """``head``, ``epsilon`` and ``split`` of the objectives' accuracies, as far as they are known."""
        return _mapping(self.manifest.get("evaluation"))

    @property
    def params(self) -> list[str]:
        """Names of the searched dimensions."""
        return [name.removeprefix(PARAM) for name in map(str, self.trials) if name.startswith(PARAM)]


def read_study(paths: StudyPaths, pages: str | None = None) -> Study:
    """The study in its folder. ``StudyNotFoundError`` if there is no such folder.

    ``pages``: the address of MLflow's pages, if it is not the store's own or that of ``study ui``.
    """
    return Reader(paths, pages).read()


def read_mlflow(tracking_uri: str, name: str, pages: str | None = None) -> Study:
    """The same study, from an MLflow server or database; ``UserError`` if that or the study is not there."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        paths = StudyPaths(Path(folder) / name)
        links, manifest = download_study(tracking_uri, name, paths, pages), read_manifest(paths)
        bounds = constraints.readable(manifest.get("constraints"))
        trials = [_read_trial(paths, trial, links.get(trial.number, _NO_RUN), bounds) for trial in _trials(paths)]
        return _study(paths, trials, manifest)


class Reader:
    """Reads the study of a folder again and again, of its trials those alone whose files have changed since."""

    def __init__(self, paths: StudyPaths, pages: str | None = None) -> None:
        """``pages`` as in ``read_study``."""
        self._paths, self._pages = paths, pages
        self._known: dict[int, tuple[object, _Trial]] = {}

    def read(self) -> Study:
        """The study as it stands. ``StudyNotFoundError`` if there is no such folder."""
        if not self._paths.root.is_dir():
            raise StudyNotFoundError.beside(self._paths)
        manifest, links = read_manifest(self._paths), _tracked_runs(self._paths, self._pages)
        bounds = constraints.readable(manifest.get("constraints"))
        trials = [self._trial(trial, links.get(trial.number, _NO_RUN), bounds) for trial in _trials(self._paths)]
        return _study(self._paths, trials, manifest)

    def _trial(self, trial: TrialPaths, link: RunLink, bounds: constraints.Bounds) -> _Trial:
        files = (trial.config, trial.events, trial.result, trial.progress, trial.notes, trial.exclusions)
        state = (link, bounds, *map(_state, files))
        known = self._known.get(trial.number)
        if known is None or known[0] != state:
            known = self._known[trial.number] = (state, _read_trial(self._paths, trial, link, bounds))
        return known[1]


@dataclass(frozen=True)
class _Trial:
    """What the files of one trial say."""

    row: dict[str, Any]
    curve: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    outcomes: Outcomes | None


def _trials(paths: StudyPaths) -> list[TrialPaths]:
    return [trial for trial in paths.each_trial() if trial.root.is_dir()]


def _state(path: Path) -> tuple[int, ...] | None:
    """What is another after a file was written; ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_trial(paths: StudyPaths, trial: TrialPaths, link: RunLink, bounds: constraints.Bounds) -> _Trial:
    events = _events(trial)
    return _Trial(
        row=_trial_row(paths, trial, events, link, bounds),
        curve=_curve_rows(trial.number, events),
        attempts=_attempt_rows(trial, events),
        outcomes=_outcomes(events),
    )


def _study(paths: StudyPaths, trials: Sequence[_Trial], manifest: dict[str, Any]) -> Study:
    told, head = objectives(manifest), _mapping(manifest.get("evaluation")).get("head")
    rows = [trial.row | _intervals(trial.row, [*told, *_own_figures(trial.row, head)]) for trial in trials]
    return Study(
        name=paths.name,
        manifest=manifest,
        trials=_trials_frame(rows, _stated_parameters(manifest), list(told)),
        curves=_curves_frame([row for trial in trials for row in trial.curve]),
        study_file=harmless(paths.study_file.read_text("utf-8", "replace")) if paths.study_file.is_file() else "",
        outcomes={str(trial.row["id"]): trial.outcomes for trial in trials if trial.outcomes is not None},
        attempts=_attempts_frame([row for trial in trials for row in trial.attempts]),
    )


def _events(trial: TrialPaths) -> list[dict[str, Any]]:
    """Of a trial whose events are there and cannot be read: an end that says so, and hides no other trial."""
    try:
        return read_events(trial)
    except OSError as error:
        reason = f"{trial.events.name} cannot be read: {error.strerror}"
        return [{"kind": ENDED, "status": TrialStatus.FAILED, "reason": reason}]


def _trial_row(
    paths: StudyPaths, trial: TrialPaths, events: list[dict[str, Any]], link: RunLink, bounds: constraints.Bounds
) -> dict[str, Any]:
    config, result = read_json(trial.config), read_json(trial.result)
    settings = _leaves(_mapping(config.get("config")))
    ending, newest = _ending(events), _newest_attempt(events)
    found = _mapping(ending.get("metrics")) or _mapping(result.get("metrics"))
    metrics = {name: _measured(name, value) for name, value in found.items()}
    status = _status(ending)
    return {
        "number": trial.number,
        "id": paths.trial_id(trial.number),
        "trainable": str(config.get("trainable") or settings.get("trainable", "")),
        "origin": str(config.get("origin") or ""),
        "status": status,
        "reason": str(ending.get("reason") or ""),
        "verdict": str(result.get("verdict") or _verdict(metrics)),
        "violation": constraints.violation(bounds, metrics) if status == TrialStatus.FINISHED else "",
        "excluded": exclusion_of(trial),
        "note": note_of(trial),
        "attempts": max((event["attempt"] for event in events if isinstance(event.get("attempt"), int)), default=0),
        "epochs": max(map(_epoch, events), default=0),
        "seed": number_or_nan(settings.get("seed")),
        "started": min((number_or_nan(event.get("time")) for event in events), default=float("nan")),
        "ended": number_or_nan(ending.get("time")),
        "gpu_share": number_or_nan(newest.get("gpu_share")),
        "device": str(newest.get("device") or ""),
        "mlflow_run_id": link.run_id,
        "mlflow_url": link.url,
        **{PARAM + name: labels.choice(value) for name, value in _leaves(_mapping(config.get("params"))).items()},
        **{CONFIG + path: value for path, value in settings.items()},
        **metrics,
    }


def _own_figures(metrics: Iterable[str], head: object) -> list[str]:
    """Those of ``head`` among ``metrics`` under attacks that packages bring."""
    figures = {name: head_figure(name) for name in metrics}
    return [name for name, figure in figures.items() if figure and figure.own and figure.head == head]


def _intervals(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
    """Of the heads' figures among ``names``, of which a trial writes down the shares alone."""
    found: dict[str, float] = {}
    for name in filter(is_accuracy, names):
        share, images = (row.get(metric, math.nan) for metric in (name, counted_by(name)))
        if f"{name}{ENDS[1]}" not in row and math.isfinite(share) and math.isfinite(images):
            ends = Accuracy.of_share(share, images).interval()
            found |= {f"{name}{end}": value for end, value in zip(ENDS[1:], ends, strict=True)}
    return found


def _measured(name: str, value: object) -> float:
    """NaN for what no trial can have measured: one figure must not keep a study from being read."""
    number = number_or_nan(value)
    return number if is_possible(name, number) else float("nan")


def _ending(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The event that ended the trial; empty while it runs, also when it was taken up again after an end."""
    marks = [event for event in events if event["kind"] in (ATTEMPT, ENDED)]
    return marks[-1] if marks and marks[-1]["kind"] == ENDED else {}


def _outcomes(events: list[dict[str, Any]]) -> Outcomes | None:
    """``None`` where the trial's end does not tell them, or not soundly: its figures stand without them."""
    try:
        return Outcomes.from_dict(_ending(events)["outcomes"])
    except (KeyError, ValueError):
        return None


def _verdict(metrics: Mapping[str, float]) -> str:
    """In words, where the trial left its figures alone."""
    return "flagged: its figures are not trusted" if metrics.get(TRUSTED) == 0 else ""


def _newest_attempt(events: list[dict[str, Any]]) -> dict[str, Any]:
    return next((event for event in reversed(events) if event["kind"] == ATTEMPT), {})


def _status(ending: Mapping[str, Any]) -> str:
    if not ending:
        return TrialStatus.RUNNING.value
    status = ending.get("status")
    return str(status) if status in list(TrialStatus) else TrialStatus.FAILED.value


def _epoch(event: Mapping[str, Any]) -> int:
    """Epochs that are done when ``event`` happens, as far as it tells."""
    found = event.get("epoch" if event["kind"] == EPOCH else "resumed_epoch")
    return found if isinstance(found, int) else 0


def _is_epoch(event: Mapping[str, Any]) -> bool:
    return event["kind"] == EPOCH and isinstance(event.get("epoch"), int)


def _curve_rows(number: int, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an epoch; one that a resumed attempt did again counts as first reported, which is what MLflow shows."""
    rows = {
        event["epoch"]: {
            "trial": number,
            "epoch": event["epoch"],
            **{name: _measured(name, value) for name, value in _mapping(event.get("metrics")).items()},
        }
        for event in reversed(events)
        if _is_epoch(event)
    }
    return [rows[epoch] for epoch in sorted(rows)]


def _attempt_rows(trial: TrialPaths, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An evaluation writes no events: of the newest attempt it tells by itself when that was last heard of."""
    times: dict[int, list[float]] = {}
    for event in events:
        if isinstance(event.get("attempt"), int) and math.isfinite(time := number_or_nan(event.get("time"))):
            times.setdefault(event["attempt"], []).append(time)
    if times and math.isfinite(heard := number_or_nan(read_json(trial.progress).get("time"))):
        newest = times[max(times)]
        newest.append(max(heard, *newest))
    return [{"trial": trial.number, "began": min(own), "last": max(own)} for own in times.values()]


def _stated_parameters(manifest: Mapping[str, Any]) -> list[str]:
    """In the manifest's order, which does not depend on what was drawn first."""
    return [*_mapping(_mapping(manifest.get("space")).get("parameters"))]


def _trials_frame(rows: list[dict[str, Any]], stated: Sequence[str], objectives: Sequence[str]) -> pd.DataFrame:
    """Columns: the fixed ones, then parameters, those that are ``stated`` first, settings, ``HEADLINES``,
    ``objectives`` and what else was measured, each in order of appearance."""
    always = list(dict.fromkeys([*HEADLINES, *objectives]))
    seen = list(dict.fromkeys(name for row in rows for name in row if name not in (*_BASE, *always)))
    first = [PARAM + name for name in stated if PARAM + name in seen]
    params = [*first, *(name for name in seen if name.startswith(PARAM) and name not in first)]
    config = [name for name in seen if name.startswith(CONFIG)]
    metrics = [name for name in seen if name not in {*params, *config}]
    frame = pd.DataFrame(rows, columns=[*_BASE, *params, *config, *always, *metrics])
    return frame.astype(_BASE | dict.fromkeys(always, "float64"))


def _curves_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    metrics = dict.fromkeys(name for row in rows for name in row if name not in ("trial", "epoch"))
    frame = pd.DataFrame(rows, columns=["trial", "epoch", *metrics])
    return frame.astype({"trial": "int64", "epoch": "int64"})


def _attempts_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["trial", "began", "last"])
    return frame.astype({"trial": "int64", "began": "float64", "last": "float64"})


def _tracked_runs(paths: StudyPaths, pages: str | None) -> dict[int, RunLink]:
    """What ``tracking.json`` knows of the trials' runs."""
    tracking = read_json(paths.tracking)
    uri, experiment = str(tracking.get("uri") or ""), str(tracking.get("experiment_id") or "")
    runs = _mapping(tracking.get("runs"))
    known = {int(number): str(run) for number, run in runs.items() if number.isdecimal()}
    return {number: run_link(uri, experiment, run, pages) for number, run in known.items()}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            leaves |= _leaves(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = _fixed(value)
    return leaves


def _fixed(value: Any) -> Any:
    """Lists at any depth as tuples, and mappings in them as pairs: values must be hashable to be counted."""
    if isinstance(value, dict):
        return tuple((key, _fixed(item)) for key, item in value.items())
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


def number_or_nan(value: object) -> float:
    """``value`` as a float; NaN for what is none. Event files spell NaN and infinities as text."""
    try:
        return float(value) if isinstance(value, int | float | str) else float("nan")
    except (ValueError, OverflowError):
        return float("nan")


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
