"""What a trial's end leaves over: state that only a running trial needs, on a disk that hundreds of trials share."""

from __future__ import annotations

from pathlib import Path

from trainables import checkpoint as checkpoints
from trainables.atomic import unfinished
from trainables.config import TrialConfig
from trainables.trial import evaluation_folder


def shed(checkpoint: Path, config: TrialConfig) -> int:
    """Keep of an ended trial its encoder and its heads; the bytes freed. A second time frees nothing.

    The projector (but for a supervised network's, which is its head), the optimiser's state, the free perturbation,
    the coreset's rows and AutoAttack's progress go, and with them the possibility to train or to attack further:
    ``checkpoint.load`` says so. No process may be writing these files. Raises ``CheckpointError`` if ``checkpoint``
    is not this trial's.
    """
    folder = evaluation_folder(checkpoint)
    before = size(checkpoint) + size(folder)
    if checkpoint.exists():
        checkpoints.shed(checkpoint, config)
    heads = {f"{name}.pt" for name in config.evaluation.heads}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in heads:
            path.unlink()
    return before - size(checkpoint) - size(folder) + remove_unfinished(checkpoint.parent)


def remove_unfinished(folder: Path) -> int:
    """Remove what killed writers left in ``folder``; the bytes freed. No process may be writing there."""
    freed = 0
    for path in list(unfinished(folder)):
        freed += size(path)
        path.unlink(missing_ok=True)
    return freed


def size(path: Path) -> int:
    """Bytes in a file, or in the files of a folder; 0 of what is not there."""
    if path.is_dir():
        return sum(size(each) for each in path.iterdir())
    return path.stat().st_size if path.exists() else 0
