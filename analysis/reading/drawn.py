"""Which of the trainables that a study lists it has drawn: with few trials not all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.reading.runs import Study


def listed(study: Study) -> list[str]:
    """The trainables that its file lists, sorted; those of its trials where its manifest does not tell."""
    return sorted(map(str, study.manifest.get("trainables") or drawn(study)))


def drawn(study: Study) -> set[str]:
    """The trainables of its trials, as far as they are known."""
    return set(study.trials["trainable"]) - {""}


def drawn_by_all(studies: Sequence[Study]) -> list[Study]:
    """``studies`` without the trials of a trainable that another one, which has begun, lists and has not drawn: what it
    would have had there is not known."""
    undrawn = {name for study in studies if drawn(study) for name in set(listed(study)) - drawn(study)}
    return [replace(study, trials=study.trials[~study.trials["trainable"].isin(undrawn)]) for study in studies]
