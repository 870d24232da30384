"""What a study looks like on disk: paths, events and how they are written. Writers and readers share it.

    STUDIES/                      $ROBUST_SSL_STUDIES or ./studies
      mlflow.db, mlflow-artifacts/   the default tracking store
      NAME/
        study.yaml                the study file as launched, with overrides applied
        study.json                manifest: objectives, search space, evaluation, data, versions
        optuna.db                 the truth about the search
        optuna-before-1.db        what that was before the study's search was first changed
        extension.json            an extension that is decided and not yet complete
        warm-start.json           trials of other studies that the search learns from, and those that were refused
        start.json                trials of other studies that the search begins with
        tracking.json             experiment and run ids, and what has been delivered
        probe.json                memory and speed of its trainables, where `auto` asked for them
        stop.json                 a request to end, for the driver
        covered.json              {"why": ..., "of": [0, ...]}: the space held nothing more beside these trials
        added-ID.json             configurations that somebody added by hand, until the driver has taken them
        driver-errors.txt         tracebacks of what Ray Tune fell over, though the study went on
        .lock                     held by the driver
        networks/0003/            what trial 3 of another study has left of its network, which this one measures
        report.html
        figures/                  for papers, as `study figures` writes them
        trials/0007/
          config.json             the TrialConfig
          events.jsonl            one JSON object a line, appended: the truth about the trial
          checkpoint.pt           newest state, replaced each epoch; of a finished trial, its weights
          checkpoint.evaluation/  heads, and how far an evaluation has come
          result.json             the TrialResult, written once
          rungs.json              what early stopping made of the trial, rung by rung
          stop.json               {"reason": ...}: early stopping has the trial end at its newest report
          notes.jsonl             {"time": ..., "text": ...} a line, appended: what somebody noted; the newest counts
          excluded.jsonl          the same: why somebody took the trial out; an empty text takes it in again
          stop-by-hand.json       somebody has the trial end as soon as it can
          progress.json           what its evaluation does just now, in words; gone when the trial ends
          hang.txt                where every thread was when the trial was ended because it had hung
          error.txt               traceback of a trial that failed by its own fault

Files that are replaced are written under a temporary name, flushed to disk, then renamed.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.atomic import replacing
from trainables.harmless import harmless

RESERVED = {
    "mlflow.db": "MLflow's database",
    "mlflow-artifacts": "MLflow's folder of files",
    "reproduce": "the folder of `study reproduce`",
}
"""What lies beside the studies in their folder, and what it is: no study can be called so."""


@dataclass(frozen=True)
class TrialPaths:
    """Where one trial keeps its files."""

    root: Path

    @property
    def number(self) -> int:
        return int(self.root.name)

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def notes(self) -> Path:
        return self.root / "notes.jsonl"

    @property
    def exclusions(self) -> Path:
        return self.root / "excluded.jsonl"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint.pt"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def rungs(self) -> Path:
        return self.root / "rungs.json"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def stop_by_hand(self) -> Path:
        return self.root / "stop-by-hand.json"

    @property
    def progress(self) -> Path:
        return self.root / "progress.json"

    @property
    def hang(self) -> Path:
        return self.root / "hang.txt"


@dataclass(frozen=True)
class StudyPaths:
    """Where one study keeps its files; ``root`` is absolute and its last part is the study's name."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def study_file(self) -> Path:
        return self.root / "study.yaml"

    @property
    def manifest(self) -> Path:
        return self.root / "study.json"

    @property
    def optuna(self) -> Path:
        return self.root / "optuna.db"

    @property
    def optuna_next(self) -> Path:
        """The database in the making of a study that is extended."""
        return self.root / "optuna-next.db"

    def optuna_before(self, change: int) -> Path:
        """The database as it was before the search's change of that number, from 1."""
        return self.root / f"optuna-before-{change}.db"

    @property
    def extension(self) -> Path:
        """An extension that is decided and may not be complete; there only while ``study extend`` works."""
        return self.root / "extension.json"

    @property
    def warm_start(self) -> Path:
        return self.root / "warm-start.json"

    @property
    def start(self) -> Path:
        return self.root / "start.json"

    @property
    def tracking(self) -> Path:
        return self.root / "tracking.json"

    @property
    def networks(self) -> Path:
        return self.root / "networks"

    def network(self, number: int) -> TrialPaths:
        """What trial ``number`` of another study has left of its network, for this study to measure."""
        return TrialPaths(self.networks / f"{number:04d}")

    @property
    def probe(self) -> Path:
        return self.root / "probe.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def stop(self) -> Path:
        return self.root / "stop.json"

    @property
    def covered(self) -> Path:
        return self.root / "covered.json"

    def added(self, request: str) -> Path:
        """What a request of that id adds by hand."""
        return self.root / f"added-{request}.json"

    def each_added(self) -> list[Path]:
        """In the order of their ids."""
        return sorted(self.root.glob("added-*.json"))

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def supervisor_lock(self) -> Path:
        return self.root / ".supervisor.lock"

    @property
    def trials(self) -> Path:
        return self.root / "trials"

    def trial(self, number: int) -> TrialPaths:
        return TrialPaths(self.trials / f"{number:04d}")

    def trial_id(self, number: int) -> str:
        """The one id that ties folder, Optuna and MLflow together."""
        return f"{self.name}/{number:04d}"

    def each_trial(self) -> Iterator[TrialPaths]:
        """Every trial that has a folder, in order; one that is called otherwise, ``7`` say, is nobody's."""
        if self.trials.is_dir():
            for folder in sorted(self.trials.iterdir()):
                if folder.name.isdecimal() and folder == self.trial(int(folder.name)).root:
                    yield TrialPaths(folder)


def studies_folder() -> Path:
    """Absolute folder that holds the studies: ``$ROBUST_SSL_STUDIES``, else ``./studies``."""
    return Path(os.environ.get("ROBUST_SSL_STUDIES", "studies")).absolute()


def studies_in(folder: Path) -> list[StudyPaths]:
    """By name."""
    return sorted((StudyPaths(path.parent) for path in folder.glob("*/study.json")), key=lambda paths: paths.name)


def study_paths(name: str) -> StudyPaths:
    return StudyPaths(studies_folder() / name)


def default_tracking_uri(studies: Path) -> str:
    return f"sqlite:///{studies / 'mlflow.db'}"


# Events: {"kind": ..., "time": unix seconds, "attempt": from 1, ...}
ATTEMPT = "attempt"
"""+ host, node (Ray's, or null), gpus (ids of those there that the trial holds or shares), pid, device, gpu_share,
resumed_epoch: an attempt began, from that epoch's checkpoint (0: anew; the last where nothing is to be trained)."""
EPOCH = "epoch"
"""+ epoch, metrics: an EpochReport; its checkpoint is already on disk."""
LOST = "lost"
"""+ reason, excuse: an attempt died with its process. With an excuse (a node went) it is not the trial's failure."""
PAUSED = "paused"
"""The driver ended in order and the attempt with it: a later driver goes on with the trial. + reason, where both were
killed: when the attempt was last heard of."""
ENDED = "ended"
"""+ status (schema.TrialStatus), reason, metrics, fault (for a failed one), outcomes (of a finished one, its figures
image by image: ``trainables.outcomes``): the last event of a trial."""
OUT_OF_MEMORY = "out_of_memory"
"""+ peak_memory_gib, limit_gib, recompute, micro_batches, trained, reason: memory did not suffice, activations
recomputed or kept, in training or (``trained``) after it; the attempt may go on. Of a CPU no figures: null."""


NOTE_LENGTH = 1000
"""Letters of a note or a reason: it stands in tables and under a pointer, and a tracking server's database has an
end."""
_ODD = re.compile(rb"\\[bfru]|[\x7f-\xff]")
"""In JSON, of what may be no plain text: most lines have none of it."""
_SYNC = getattr(os, "fdatasync", os.fsync)
"""After it the line and the file's length are on the disk; for the time of the change no report need wait."""


def append_event(trial: TrialPaths, kind: str, attempt: int, **values: Any) -> None:
    """Append one event and flush it to disk; a line torn by an earlier crash is closed first."""
    with _appended(trial.events, _event(kind, attempt, values)) as file:
        _SYNC(file)


@contextmanager
def appending_event(trial: TrialPaths, kind: str, attempt: int, **values: Any) -> Iterator[None]:
    """``append_event``, whose line others can read in the block and which is flushed to disk by its end.

    For a block that waits for somebody else: the disk takes as long as a message to the driver and its answer.
    """
    with _appended(trial.events, _event(kind, attempt, values)) as file, ThreadPoolExecutor(1) as beside:
        flushed = beside.submit(_SYNC, file)
        yield
        flushed.result()


def append_note(trial: TrialPaths, text: str) -> None:
    """Note ``text`` of a trial in the place of what was noted before, as ``note_of`` tells it; "" notes nothing."""
    _append_text(trial.notes, text)


def note_of(trial: TrialPaths) -> str:
    """What was noted of the trial last, in a line that steers no terminal, cut at ``NOTE_LENGTH``; "" if nothing was,
    or it cannot be read."""
    try:
        return _newest_text(trial.notes)
    except OSError:
        return ""


def append_exclusion(trial: TrialPaths, reason: str) -> None:
    """Take a trial out of all that is computed of its study, for that ``reason``; "" takes it in again."""
    _append_text(trial.exclusions, reason)


def exclusion_of(trial: TrialPaths) -> str:
    """Why somebody took the trial out, as ``note_of`` tells a note; "" if it counts. One whose file cannot be read does
    not: what nobody can vouch for stands on no frontier."""
    try:
        return _newest_text(trial.exclusions)
    except OSError as error:
        return f"{trial.exclusions.name} cannot be read: {error.strerror}"


def exclusions(paths: StudyPaths) -> dict[int, str]:
    """By number, why trials of a study were taken out."""
    reasons = {trial.number: exclusion_of(trial) for trial in paths.each_trial()}
    return {number: reason for number, reason in reasons.items() if reason}


def _append_text(path: Path, text: str) -> None:
    with _appended(path, {"time": time.time(), "text": text}) as file:
        _SYNC(file)


def _newest_text(path: Path) -> str:
    """ "" where there is no such file; ``OSError`` for one that cannot be read."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return ""
    texts = (parse_object(line).get("text") for line in reversed(lines))
    return in_a_line(next((text for text in texts if isinstance(text, str)), ""))[:NOTE_LENGTH].rstrip()


def in_a_line(text: str) -> str:
    """The words of ``text``, none of which steers a terminal."""
    return " ".join(harmless(text).split())


def _event(kind: str, attempt: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "time": time.time(), "attempt": attempt, **values}


@contextmanager
def _appended(path: Path, values: Mapping[str, Any]) -> Iterator[int]:
    """The file, open, with one line more that need not be on the disk yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(finite(values)) + "\n"
    with open(path, "ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())
        file.flush()
        yield file.fileno()


def read_events(trial: TrialPaths) -> list[dict[str, Any]]:
    """The trial's events in order; a torn line is skipped, a trial without a file has none.

    Raises ``OSError`` for a file that is there and cannot be read: the trial may be further than anybody would guess.
    """
    try:
        lines = trial.events.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines if (event := _parse(line)) is not None]


def ending(trial: TrialPaths) -> dict[str, Any] | None:
    """The event that ended the trial; ``None`` while it runs."""
    return ending_of(read_events(trial))


def ending_of(events: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The one among a trial's events that ended it."""
    return next((event for event in reversed(events) if event["kind"] == ENDED), None)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = _from_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "kind" in event else None


def _from_json(text: bytes) -> Any:
    """What ``text`` says, in words that can be written again and shown: "?" for half a character, as the names of files
    have, and what steers a terminal written out."""
    value = json.loads(text)
    if not _ODD.search(text):
        return value
    return _shown(json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {harmless(key): _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return harmless(value) if isinstance(value, str) else value


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` or leave it as it was; never half of either."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    write_atomically(path, json.dumps(finite(value), indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in ``path``; empty if the file is missing, unreadable, half-written or no object."""
    try:
        return parse_object(path.read_bytes())
    except OSError:  # what one file lacks costs its own values and nothing else
        return {}


def parse_object(text: bytes) -> dict[str, Any]:
    """The JSON object in ``text``; empty if there is none."""
    try:
        value = _from_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become the strings "NaN", "Infinity", "-Infinity", which float() reads."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
