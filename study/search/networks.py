"""Trained networks that a study measures: brought from the study that trained them, and handed to its own trials.

What is brought is a trial's checkpoint and its heads, as links where the disk has them and else as copies. A study that
has begun therefore needs the one that trained its networks no more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.layout import StudyPaths, TrialPaths, ending, read_json, study_paths
from analysis.reading.written import PRETRAINED, config_of, written
from analysis.schema import TrialStatus
from search_spaces.listed import CONFIGURATION
from study.config import StudyConfig
from study.config.measurement import Measurement, Network
from study.files.storage import Storage
from study.search.by_hand import ORIGIN
from trainables.atomic import replacing
from trainables.checkpoint import digest, lasting, load_pretrained, load_weights
from trainables.config import TrialConfig, UserError
from trainables.metrics import Pretrained
from trainables.trial import evaluation_folder


def trained(study: str, number: int, config: TrialConfig, storage: str | None) -> Pretrained:
    """What the finished trial ``number`` of ``study``, of that ``config``, has trained. Raises ``UserError``."""
    trial = study_paths(study).trial(number)
    cost = written(trial.result)["cost"]
    share = cost.get("pretrain_gpu_share")
    with _checkpoint(study, trial, storage) as path:
        return Pretrained(
            weights=digest(lasting(load_weights(path, config), config)),
            forward_equivalents=cost["pretrain_forward_equivalents"],
            minutes=float(cost["pretrain_minutes"]),
            gpu_share=float(cost["gpu_share"] if share is None else share),
        )


def gather(paths: StudyPaths, config: StudyConfig) -> None:
    """Bring into the study's folder all that its trials need which have not begun; what is there stays as it is.

    Raises ``UserError`` for a network that is gone, or is another than it was.
    """
    if config.measures is None:
        return
    begun = set(_begun(paths))
    for network, wanted in zip(config.measures.configurations, config.measures.configs(), strict=True):
        here = paths.network(network.trial)
        if network.trial not in begun and not here.checkpoint.exists():
            _bring(config.measures, network, wanted, here, config.storage)


def chosen(measures: Measurement, params: Mapping[str, Any]) -> Network:
    """The network that a trial with these parameters measures."""
    return next(network for network in measures.configurations if network.trial == params[CONFIGURATION])


def marks(measures: Measurement, network: Network) -> dict[str, Any]:
    """What the ``config.json`` of a trial says of the network that it measures."""
    return {ORIGIN: measures.origin(network), PRETRAINED: asdict(network.known.pretrained)}


def hand_over(paths: StudyPaths, network: Network, number: int) -> None:
    """Put the network into the folder of trial ``number``, which is to measure it."""
    source, trial = paths.network(network.trial), paths.trial(number)
    for path in source.root.rglob("*.pt"):
        _link(path, trial.root / path.relative_to(source.root))


def spare(paths: StudyPaths, measures: Measurement, trial: TrialPaths) -> int:
    """Remove what was brought for ``trial`` where that has finished and holds it; the bytes freed, of links none.

    Raises ``UserError`` for a trial that holds it no more, and then it stays.
    """
    if (ending(trial) or {}).get("status") != TrialStatus.FINISHED:
        return 0
    network = chosen(measures, written(trial.config)["params"])
    here = paths.network(network.trial)
    if not here.root.exists():
        return 0
    load_pretrained(trial.checkpoint, config_of(trial), network.known.pretrained)
    files = {path: path.stat() for path in here.root.rglob("*.pt")}
    here.checkpoint.unlink(missing_ok=True)  # first: where it is, all is
    shutil.rmtree(here.root)
    return sum(found.st_size for found in files.values() if found.st_nlink == 1)


def _begun(paths: StudyPaths) -> Iterator[object]:
    """Numbers of the networks that a trial of this study has been handed."""
    for trial in paths.each_trial():
        with suppress(KeyError, TypeError):
            yield read_json(trial.config)["params"][CONFIGURATION]


def _bring(measures: Measurement, network: Network, wanted: TrialConfig, here: TrialPaths, storage: str | None) -> None:
    """The checkpoint comes last: where it is, all is."""
    there = study_paths(measures.study).trial(network.trial)
    with _checkpoint(measures.study, there, storage) as path:
        load_pretrained(path, wanted, network.known.pretrained)
        for name in _heads(there, wanted.evaluation.heads):
            if (there.root / name).exists():
                _link(there.root / name, here.root / name)
            elif storage:
                Storage(storage, measures.study).pull(here, name)
        _link(path, here.checkpoint)


def _heads(trial: TrialPaths, names: Iterable[str]) -> list[str]:
    folder = evaluation_folder(trial.checkpoint).name
    return [f"{folder}/{name}.pt" for name in names]


@contextmanager
def _checkpoint(study: str, trial: TrialPaths, storage: str | None) -> Iterator[Path]:
    """Where a trial's checkpoint is; one that is in ``storage`` alone is fetched for the while."""
    if storage is None or trial.checkpoint.exists():
        yield trial.checkpoint
        return
    with tempfile.TemporaryDirectory() as folder:
        fetched = TrialPaths(Path(folder) / trial.root.name)
        Storage(storage, study).pull(fetched, fetched.checkpoint.name)
        if not fetched.checkpoint.exists():
            raise UserError(
                f"{trial.checkpoint} is missing, in {storage} too; put back what the trial wrote there, or take another"
            )
        yield fetched.checkpoint


def _link(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    try:
        os.link(source, to)
    except OSError:  # another disk, or one without links
        with open(source, "rb") as file, replacing(to) as copy:
            shutil.copyfileobj(file, copy)
