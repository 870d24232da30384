"""What a study looks like in MLflow: tags, statuses, artifacts. Writer and readers share it.

Metric names come from ``trainables.metrics``; parameters are a trial's searched dimensions by name plus
``trainable`` and ``seed``. An experiment is named as its study; its parent run stands for the study, each child
run for one trial, found again by the tag ``TRIAL_ID``.
"""

from __future__ import annotations

from enum import StrEnum


class TrialStatus(StrEnum):
    """How a trial stands; the same words in events, tables and reports."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


class TrialFault(StrEnum):
    """What made a trial fail."""

    ERROR = "error"
    TIMEOUT = "timeout"
    LOST = "lost"
    OUT_OF_MEMORY = "out_of_memory"


BY_HAND = "by hand"
"""The reason of a trial that somebody stopped, and the origin of one that somebody added."""

TIME_LIMIT = "the time limit of"
"""How the reason of a trial begins that the study's wall minutes stopped."""

MLFLOW_STATUS = {
    TrialStatus.RUNNING: "RUNNING",
    TrialStatus.FINISHED: "FINISHED",
    TrialStatus.FAILED: "FAILED",
    TrialStatus.STOPPED: "KILLED",
}

STUDY = "study.name"
CREATED = "study.created"  # on the experiment: unix seconds, tells studies of one name apart
ROLE = "study.role"  # "study" on the parent run, "trial" on its children
CONFIRMS = "study.confirms"  # on a confirmation's runs: the study, on a trial's the trial "<study>/<number>"
MEASURES = "study.measures"  # the same on the runs of a study that measures again what another has trained
TRIAL_ID = "trial.id"  # "<study>/<number>"
TRIAL_NUMBER = "trial.number"
TRAINABLE = "trial.trainable"
REASON = "trial.reason"  # why a trial failed or was stopped
FRONTIER = "trial.frontier"  # "yes" or "no" on finished trials, as of the study's last end or synchronisation
ATTEMPTS = "trial.attempts"
INSTEAD_OF = "trial.instead_of"  # number of the trial that ran out of memory, whose batch this one cuts smaller
ORIGIN = (
    "trial.origin"  # "by hand", a recipe, the trial that it began with or measures; absent where the sampler drew it
)
HEAD = "evaluation.head"
SPLIT = "evaluation.split"
EPSILON = "evaluation.epsilon"
EXCLUDED = "trial.excluded"  # why somebody took the trial out; empty after it was taken in again
DATA = "evaluation.data"
VERDICT = "evaluation.verdict"  # "trusted" or "flagged: why"; absent where no sanity checks ran

NOTE = "mlflow.note.content"  # what a page says at its top, in Markdown: of the study, or what was noted of a trial

CONFIG_ARTIFACT = "config.json"
ENVIRONMENT_ARTIFACT = "environment.json"
CURVES_ARTIFACT = "events.jsonl"
MANIFEST_ARTIFACT = "study.json"
STUDY_FILE_ARTIFACT = "study.yaml"
REPORT_ARTIFACT = "report.html"
FRONTIER_ARTIFACT = "frontier.csv"

UI_ADDRESS = "http://127.0.0.1:5000"
"""Where ``study ui`` serves the pages of a local database."""
