"""Whether studies are runs of one search: their study files differ in seed, name and means alone, and they were changed
alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.frontier.confirmed import confirms
from analysis.frontier.measured import measures, searches
from analysis.reading.runs import Study
from analysis.reading.study_file import written
from analysis.searched.changes import changes, told
from trainables.config import UserError

_EACH_ITS_OWN = {"name", "seed", "budget", "resources", "tracking", "storage", "confirms", "measures"}
"""Keys of a study file that say who a run is, how far it went, and where."""


def check_runs(studies: Sequence[Study]) -> None:
    """``UserError`` unless ``studies``, one or more, can be runs of one search, as far as their files tell.

    Of confirmations, or of what is measured again: of the searches of one kind, each of another.
    """
    names = ",".join(study.name for study in studies)
    if len({(bool(confirms(study)), bool(measures(study))) for study in studies}) > 1:
        raise UserError(
            f"{names}: a comma joins searches, or confirmations, or what is measured again; put the others on a side "
            "of their own"
        )
    files = [written(study) for study in studies]
    if unlike := [key for key in files[0] if key not in _EACH_ITS_OWN and not _agree(key, files)]:
        raise UserError(
            f"{names} are no runs of one search, for their study files differ in {', '.join(unlike)}; "
            "a comma joins those that differ by their seed alone, a space sets others against each other"
        )
    _check_changes(names, studies)
    _check_seeds(names, studies)


def seed_of(study: Study) -> object:
    """What tells a run from others of its search; of a confirmation or measurement, the study that it is of."""
    return (confirms(study) or measures(study)).get("study") or study.manifest.get("seed")


def _check_changes(names: str, studies: Sequence[Study]) -> None:
    """What a study file says now need not have held for all of its trials."""
    made = [_changes(study) for study in studies]
    if any(one != made[0] for one in made):
        each = "; ".join(f"{study.name} {told(study.manifest) or 'was not'}" for study in studies)
        raise UserError(
            f"{names} are no runs of one search, for they were not changed alike ({each}); leave out those that differ"
        )


def _changes(study: Study) -> list[tuple[int | None, dict[str, Any]]]:
    """After how many trials what was replaced: numbers have gaps, and not everywhere the same."""
    begun = study.trials["number"]
    return [
        (
            None if change.trial is None else int((begun < change.trial).sum()),
            {part: old for part, (old, _) in change.parts.items()},
        )
        for change in changes(study.manifest)
    ]


def _check_seeds(names: str, studies: Sequence[Study]) -> None:
    seeds = [seed_of(study) for study in studies]
    if again := [seed for seed in seeds if seed is not None and seeds.count(seed) > 1]:
        of_one = "train again" if confirms(studies[0]) else "measure"
        what = "have the same seed" if searches(studies[0]) else f"{of_one} the same study"
        raise UserError(f"{names}: two of them {what}, {again[0]}, and say no more than one of them; leave one out")


def _agree(key: str, files: Sequence[Mapping[str, Any]]) -> bool:
    """Where both have it: an older file lacks what is new since."""
    told = [file[key] for file in files if key in file]
    return all(value == told[0] for value in told)
