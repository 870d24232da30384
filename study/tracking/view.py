"""What MLflow should show of a study, as a pure function of the study's folder."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from analysis import constraints, labels, layout, schema
from analysis.layout import StudyPaths, TrialPaths
from analysis.pages import run_page, trials_page
from analysis.reading.manifest import is_reseeding, objectives
from analysis.schema import MLFLOW_STATUS, TrialStatus
from analysis.searched import changes
from trainables.metrics import GPU_MINUTES, PGD_ACCURACY, is_attacked

FINAL_STEP = 0
"""MLflow draws a metric that never passes step 0 as bars that compare runs; epochs, from 1, become lines."""
REASON_LENGTH = 1000


class Span(NamedTuple):
    """When a run began and ended, in Unix milliseconds; ``ended_ms`` is ``None`` while it runs."""

    started_ms: int
    ended_ms: int | None


class Point(NamedTuple):
    """One number of one run."""

    key: str
    value: float
    timestamp_ms: int
    step: int


@dataclass(frozen=True, kw_only=True)
class RunView:
    """What one run holds. ``points`` has one entry for each event of the trial, in order."""

    identity: tuple[str, str]
    """The tag that finds this run among its experiment's."""
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    points: Sequence[Sequence[Point]] = ()
    files: Sequence[Path] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Artifacts that are no file of the folder, by name."""
    status: str
    span: Span


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a study has found, for its parent run to say: in Markdown, and its frontier as CSV."""

    note: str
    frontier: str


def trial_view(
    paths: StudyPaths, trial: TrialPaths, manifest: Mapping[str, Any], best: Set[int] | None = None
) -> RunView | None:
    """The child run of one trial; ``None`` until its first event. ``best``: the frontier, where that is known."""
    events = layout.read_events(trial)
    if not events:
        return None
    stored = layout.read_json(trial.config)
    status, reason = _standing(events, stored)
    trainable = str(stored.get("trainable", "unknown"))
    return RunView(
        identity=(schema.TRIAL_ID, paths.trial_id(trial.number)),
        name=f"{trial.number:04d} {trainable}",
        tags=_trial_tags(paths, trial, manifest, stored, events)
        | ({schema.REASON: reason} if reason else {})
        | _on_frontier(trial.number, status, best),
        params=_params(stored),
        points=_points(events),
        files=[path for path in (trial.config, trial.events, trial.result) if path.exists()],
        texts={schema.ENVIRONMENT_ARTIFACT: _environment(manifest, events)},
        status=MLFLOW_STATUS[status],
        span=Span(_milliseconds(events[0]), None if status is TrialStatus.RUNNING else _milliseconds(events[-1])),
    )


def study_view(
    paths: StudyPaths, manifest: Mapping[str, Any], trials: Iterable[Span], *, live: bool, found: Found | None = None
) -> RunView:
    """The parent run; it is RUNNING while the study is ``live`` or has a trial that can still be resumed.

    The report, megabytes with what draws it, and the frontier are sent when the study is not ``live``.
    """
    files = (paths.manifest, paths.study_file, *(() if live else (paths.report,)))
    return RunView(
        identity=(schema.ROLE, "study"),
        name=paths.name,
        tags={
            schema.ROLE: "study",
            schema.STUDY: paths.name,
            schema.NOTE: found.note if found else description(paths.name, manifest),
            **_of_another(manifest),
            **_commit(manifest),
        },
        files=[path for path in files if path.exists()],
        texts={schema.FRONTIER_ARTIFACT: found.frontier} if found and not live else {},
        status="RUNNING" if (span := _study_span(manifest, list(trials), live)).ended_ms is None else "FINISHED",
        span=span,
    )


def _study_span(manifest: Mapping[str, Any], trials: Sequence[Span], live: bool) -> Span:
    starts = [trial.started_ms for trial in trials]
    ends = [trial.ended_ms for trial in trials if trial.ended_ms is not None]
    started = int(manifest["created"] * 1000) if "created" in manifest else min(starts, default=int(time.time() * 1000))
    open_ended = live or not ends or len(ends) < len(starts)
    return Span(started, None if open_ended else max(ends))


def description(name: str, manifest: Mapping[str, Any], link: str = "", other_id: str | None = None) -> str:
    """Short Markdown for somebody who opens the study in MLflow for the first time; folded, its first line shows.

    ``other_id``: of the experiment whose trials are confirmed or measured, where the store has it.
    """
    facts = {
        "Trainables": ", ".join(map(str, manifest.get("trainables", []))),
        "Objectives": ", ".join(f"{direction} `{name}`" for name, direction in objectives(manifest).items()),
        "Budget": labels.budget(manifest.get("budget")),
        "Confirms": _chosen(manifest.get("confirms"), other_id),
        "Measures": _chosen(manifest.get("measures"), other_id),
        "Bounds": constraints.words(constraints.readable(manifest.get("constraints"))),
        "Search": _search(manifest),
        "Changed": changes.told(manifest),
        "Data": str(manifest.get("data", "")),
        "Evaluation": _evaluation(manifest.get("evaluation", {})),
    }
    lines = [f"- {title}: {value}" for title, value in facts.items() if value]
    title = f"**{name}**: {_kind(manifest)} of robust self-supervised learning. {link}".rstrip()
    return "\n".join([title, "", *lines, "", READING.format(headline=_headline(objectives(manifest)))])


def _search(manifest: Mapping[str, Any]) -> str:
    return f"{labels.sampler(manifest['sampler'])}, seed {manifest.get('seed')}" if "sampler" in manifest else ""


def other_study(manifest: Mapping[str, Any]) -> str | None:
    """The study whose trials are trained again or measured; ``None`` for a search."""
    listed = manifest.get("confirms") or manifest.get("measures") or {}
    study: str | None = listed.get("study")
    return study


def _kind(manifest: Mapping[str, Any]) -> str:
    if other_study(manifest) is None:
        return "a hyperparameter study"
    if "confirms" not in manifest:
        return "networks measured again, a study"
    reseeded = "chosen configurations under new seeds, a study"
    return reseeded if is_reseeding(manifest) else "a confirmation on test images"


def _chosen(listed: Mapping[str, Any] | None, experiment_id: str | None) -> str:
    if not listed or listed.get("study") is None:
        return ""
    trials = ", ".join(str(configuration["trial"]) for configuration in listed["configurations"])
    link = f"[{listed['study']}]({trials_page(experiment_id)})" if experiment_id else str(listed["study"])
    seeds = f", with seeds {', '.join(map(str, listed['seeds']))}" if listed.get("seeds") else ""
    return f"{link}, trials {trials}{seeds}"


def _evaluation(evaluation: Mapping[str, Any]) -> str:
    head, radius, split = (evaluation.get(key) for key in ("head", "epsilon", "split"))
    parts = {f"{head} head": head, f"epsilon {(radius or 0) * 255:g}/255": radius, f"{split} images": split}
    return ", ".join(words for words, known in parts.items() if known)


READING = (
    "Each child run is one trial. On the experiment's Runs page, *Views* > *Trials* shows parameters beside "
    "accuracies, best `{headline}` first; the chart view draws `train/...` against epochs. FINISHED trials have "
    "final accuracies, FAILED and KILLED ones say why in the tag `trial.reason`. "
    "Those on the frontier have `trial.frontier` = yes, as of the last time the study ended or was synchronised; the "
    "parent run, named as the study, opens on the frontier and holds the report."
)


def experiment_tags(
    name: str,
    manifest: Mapping[str, Any],
    params: Iterable[str],
    experiment_id: str | None = None,
    other_id: str | None = None,
    parent_id: str | None = None,
) -> dict[str, str]:
    """Tags that make MLflow's page of the experiment useful at once: kind, headline metric, table of trials."""
    directions = objectives(manifest)
    headline = _headline(directions)
    link = f"[Table of trials]({trials_page(experiment_id)})" if experiment_id else ""
    if experiment_id and parent_id:
        link += f", [the study with its frontier and report]({run_page(experiment_id, parent_id)})"
    greater = directions[headline] == "maximize"
    created = manifest.get("created")
    columns, best_first = _columns(list(directions), params), _sorted_by(f"metrics.`{headline}`", ascending=not greater)
    nested = _sorted_by("attributes.start_time", ascending=True)  # MLflow shows children so in no other order
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": headline,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(greater),
        schema.NOTE: description(name, manifest, link, other_id),
        "mlflow.sharedViewState.trials": _view("Trials", created, best_first | columns),
        "mlflow.sharedViewState.study": _view("Study", created, nested | columns),
        **({schema.CREATED: str(created)} if created else {}),
    }


def _headline(objectives: Iterable[str]) -> str:
    """The objective by which trials are sorted at first: an accuracy under attack where there is one."""
    return min(objectives, key=lambda name: (name != PGD_ACCURACY, not is_attacked(name)))


def _columns(metrics: Sequence[str], params: Iterable[str]) -> dict[str, Any]:
    """MLflow's run table hides parameters, metrics and tags by default; a saved view of the experiment shows them."""
    columns = [f"params.`{name}`" for name in sorted(params)]
    columns += [f"metrics.`{name}`" for name in dict.fromkeys([*metrics, GPU_MINUTES])]
    columns += [f"tags.`{name}`" for name in (schema.FRONTIER, schema.VERDICT, schema.EXCLUDED, schema.REASON)]
    return {"selectedColumns": columns}


def _sorted_by(key: str, *, ascending: bool) -> dict[str, Any]:
    return {"orderByKey": key, "orderByAsc": ascending}


def _view(name: str, created: float | None, state: Mapping[str, Any]) -> str:
    milliseconds = int((created or 0) * 1000)
    view = {"name": name, "createdAt": milliseconds, "updatedAt": milliseconds, "state": json.dumps(state)}
    return json.dumps(view)


def _standing(events: Sequence[Mapping[str, Any]], stored: Mapping[str, Any]) -> tuple[TrialStatus, str]:
    """How the trial stands, and why: as its last ``ended`` event says, unless an attempt began after it."""
    marks = [event for event in events if event["kind"] in (layout.ATTEMPT, layout.ENDED)]
    if marks and marks[-1]["kind"] == layout.ENDED:
        reason = str(marks[-1].get("reason") or "") or _not_finite(_values(marks[-1]))
        return TrialStatus(marks[-1]["status"]), reason[:REASON_LENGTH]
    if not stored:
        return TrialStatus.STOPPED, "config.json cannot be read: the trial cannot be resumed"
    return TrialStatus.RUNNING, ""


def _not_finite(metrics: Mapping[str, float]) -> str:
    names = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
    return f"not finite: {', '.join(names)}" if names else ""


def _trial_tags(
    paths: StudyPaths,
    trial: TrialPaths,
    manifest: Mapping[str, Any],
    stored: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    result = layout.read_json(trial.result)
    evaluation = manifest.get("evaluation", {}) | stored.get("config", {}).get("evaluation", {})
    tags = {
        schema.ROLE: "trial",
        schema.STUDY: paths.name,
        schema.TRIAL_ID: paths.trial_id(trial.number),
        schema.TRIAL_NUMBER: trial.number,
        schema.TRAINABLE: stored.get("trainable"),
        schema.ATTEMPTS: max(event["attempt"] for event in events),
        schema.INSTEAD_OF: stored.get("instead_of"),
        schema.ORIGIN: stored.get("origin"),
        schema.HEAD: evaluation.get("head"),
        schema.SPLIT: evaluation.get("split"),
        schema.EPSILON: evaluation.get("epsilon"),
        schema.DATA: result.get("data", manifest.get("data")),
        schema.VERDICT: result.get("verdict"),
        schema.EXCLUDED: layout.exclusion_of(trial) if trial.exclusions.exists() else None,
        schema.NOTE: layout.note_of(trial) if trial.notes.exists() else None,
    }
    named = {key: str(value) for key, value in tags.items() if value is not None}
    return named | _of_another(manifest, stored.get("params", {}).get("configuration")) | _commit(manifest)


def _on_frontier(number: int, status: TrialStatus, best: Set[int] | None) -> dict[str, str]:
    if best is None or status is not TrialStatus.FINISHED:
        return {}
    return {schema.FRONTIER: "yes" if number in best else "no"}


def _of_another(manifest: Mapping[str, Any], number: object = None) -> dict[str, str]:
    """The study that a study confirms or measures, or of one of its trials the trial that it repeats or measures."""
    if (study := other_study(manifest)) is None:
        return {}
    tag = schema.CONFIRMS if "confirms" in manifest else schema.MEASURES
    return {tag: f"{study}/{labels.trial_number(number)}" if isinstance(number, int) else study}


def _commit(manifest: Mapping[str, Any]) -> dict[str, str]:
    commit = manifest.get("environment", {}).get("git_commit")
    return {"mlflow.source.git.commit": str(commit)} if commit else {}


def _params(stored: Mapping[str, Any]) -> dict[str, str]:
    seed = stored.get("config", {}).get("seed")
    drawn = {name: labels.choice(value) for name, value in stored.get("params", {}).items()}
    named = {**drawn, "trainable": stored.get("trainable"), "seed": seed}
    return {name: labels.plain_text(value) for name, value in named.items() if value is not None}


def _environment(manifest: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    attempts = [event for event in events if event["kind"] == layout.ATTEMPT]
    used = {key: attempts[-1].get(key) for key in ("device", "gpu_share")} if attempts else {}
    return json.dumps({**manifest.get("environment", {}), **used}, indent=2) + "\n"


def _points(events: Sequence[Mapping[str, Any]]) -> list[list[Point]]:
    """Numbers of each event; an epoch that a resumed attempt ran again counts once, as first reported."""
    seen: set[int] = set()
    points: list[list[Point]] = []
    for event in events:
        if event["kind"] != layout.EPOCH:
            points.append(_numbers(event, FINAL_STEP))
            continue
        points.append([] if event["epoch"] in seen else _numbers(event, event["epoch"]))
        seen.add(event["epoch"])
    return points


def _numbers(event: Mapping[str, Any], step: int) -> list[Point]:
    time_ms = _milliseconds(event)
    return [Point(name, value, time_ms, step) for name, value in _values(event).items() if math.isfinite(value)]


def _values(event: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in (event.get("metrics") or {}).items() if value is not None}


def _milliseconds(event: Mapping[str, Any]) -> int:
    return int(event["time"] * 1000)
