"""Whether studies may be set side by side, and wherein they differ, in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

import pandas as pd

from analysis import constraints, labels
from analysis.frontier.confirmed import confirms, reseeds
from analysis.frontier.measured import searches
from analysis.frontier.pareto import measured
from analysis.papers.agreement import HEAD_TRAINING, NETWORK_SIZE
from analysis.progress.so_far import with_costs
from analysis.reading.drawn import drawn, drawn_by_all, listed
from analysis.reading.manifest import own_attacks
from analysis.reading.runs import CONFIG, Study
from analysis.reading.study_file import learned_from
from analysis.reading.titles import images_of, short_title
from analysis.searched import changes
from analysis.searched.dimensions import searched_names
from trainables.config import UserError
from trainables.config.network import has_setting
from trainables.metrics import FORWARD_EQUIVALENTS, head_figure, is_of_auto_attack

_NETWORK = ("network.architecture", *NETWORK_SIZE)
_ARCHITECTURE = CONFIG + "network.architecture"
_ATTACK = ("evaluation.attack_steps", "evaluation.attack_step_size", "evaluation.attack_restarts")
_AUTO_ATTACK_IMAGES = "evaluation.auto_attack_images"
_SOURCES = ("data.source", "evaluation.source")
_IMAGE_SIZE = "data.image_size"
_HEAD, _SPLIT, _RADIUS = "evaluation.head", "evaluation.split", "evaluation.epsilon"
_SEARCHED = "searched"
TOLD = {*_NETWORK, *_ATTACK, *HEAD_TRAINING, *_SOURCES, _AUTO_ATTACK_IMAGES, _IMAGE_SIZE, _HEAD, _SPLIT, _RADIUS}
"""The settings that the sentences are of."""


class Comparability(NamedTuple):
    """``accuracies``: the objectives that all studies share. ``measured``: a sentence for each thing in which their
    figures were measured otherwise; ``studied``: for each in which the studies themselves differ, ``ran``: in which
    their runs do."""

    accuracies: tuple[str, ...]
    measured: tuple[str, ...]
    studied: tuple[str, ...]
    ran: tuple[str, ...]


Fact = Callable[[Study], str]
"""What is so of a study, in words; "" where that is not known."""


def comparability(studies: Sequence[Study]) -> Comparability:
    """Of two or more ``studies``.

    ``UserError`` where they were not measured on images of the same split, or where that is not known, and where they
    share no accuracy.
    """
    _check_splits(studies)
    shared = _shared(studies)
    own = [figure.attack for name in shared if (figure := head_figure(name)) and figure.own]
    facts = _MEASURED | ({"AutoAttack": _auto_attack} if any(map(is_of_auto_attack, shared)) else {})
    facts |= {f"Attack {name}": partial(_own_attack, name) for name in own}
    return Comparability(
        accuracies=shared,
        measured=_differing(facts, studies),
        studied=_differing(_STUDIED, drawn_by_all(studies)),
        ran=_differing(_RAN, studies),
    )


def own_bounds(studies: Sequence[Study]) -> str:
    """A sentence where not all have the same bounds now; "" where they have."""
    bounds = {constraints.words(constraints.readable(study.manifest.get("constraints"))) for study in studies}
    told = "Their bounds differ, and what is beyond its own study's bounds counts in no hypervolume and on no frontier."
    return told if len(bounds) > 1 else ""


def own_accuracies(studies: Sequence[Study]) -> str:
    """A sentence where accuracies are objectives of some of ``studies`` alone; "" where all have the same."""
    shared = _shared(studies)
    own = {study.name: [name for name in measured(study) if name not in shared] for study in studies}
    told = "; ".join(f"{', '.join(names)} of {study}" for study, names in own.items() if names)
    if not told:
        return ""
    return (
        f"Only {', '.join(shared)} {'is' if len(shared) == 1 else 'are'} compared, which all optimised. What some "
        f"alone did ({told}) enters no hypervolume and no frontier here, so that the searches are not ranked."
    )


def titles(studies: Sequence[Study]) -> dict[str, str]:
    """By name, what each accuracy is called where figures of all ``studies`` stand together: without a radius if they
    differ in that."""
    names = dict.fromkeys(name for study in studies for name in study.accuracies)
    found = {name: {short_title(name, study) for study in studies} for name in names}
    return {name: min(told).partition(" at ")[0] if len(told) > 1 else min(told) for name, told in found.items()}


def distinct(trials: pd.DataFrame, path: str) -> list[Any]:
    """The values that ``trials`` have of the setting ``path``, in order of appearance; ``None`` for one not set.

    Of those alone to which it means something: a transformer's config has a width, too, and no use for it.
    """
    column = _meant(trials, path).get(CONFIG + path, pd.Series(dtype=object))
    values = (None if pd.api.types.is_scalar(value) and pd.isna(value) else value for value in column)
    return list({str(value): value for value in values}.values())


def _meant(trials: pd.DataFrame, path: str) -> pd.DataFrame:
    section, _, name = path.rpartition(".")
    if section != "network" or _ARCHITECTURE not in trials:
        return trials
    return trials[[has_setting(str(architecture), name) for architecture in trials[_ARCHITECTURE]]]


def _check_splits(studies: Sequence[Study]) -> None:
    splits = {study.name: str(study.evaluation.get("split") or _text(study, _SPLIT)) for study in studies}
    for name, split in splits.items():
        if not split:
            raise UserError(f"it is not known on which images {name} was measured; see `study status {name}`")
    if len(set(splits.values())) > 1:
        told = ", ".join(f"{name} on the {split} split" for name, split in splits.items())
        raise UserError(f"validation and test figures do not compare ({told}); compare studies of one split")


def _shared(studies: Sequence[Study]) -> tuple[str, ...]:
    """The accuracies that are objectives of all, in the first one's order; ``UserError`` if there is none."""
    found = tuple(name for name in measured(studies[0]) if all(name in study.objectives for study in studies))
    if not found:
        told = "; ".join(f"{study.name}: {', '.join(study.objectives)}" for study in studies)
        raise UserError(f"no accuracy is an objective of all these studies ({told}); compare studies that share one")
    return found


def _differing(facts: dict[str, Fact], studies: Sequence[Study]) -> tuple[str, ...]:
    """``Image size: 16 pixels in a; 32 pixels in b, c.``, of each fact that is not the same wherever it is known."""
    sentences = []
    for title, fact in facts.items():
        owners: dict[str, list[str]] = {}
        for study in studies:
            if text := fact(study):
                owners.setdefault(text, []).append(study.name)
        if len(owners) > 1:
            told = "; ".join(f"{text} in {', '.join(names)}" for text, names in owners.items())
            sentences.append(f"{title}: {told}.")
    return tuple(sentences)


def _data(study: Study) -> str:
    """``digits``; of a folder of images its name without the path; with the heads' data set where that is another."""
    source, heads = (distinct(study.trials, path) for path in _SOURCES)
    return ", ".join([*map(_source, source), *(f"heads on {_source(value)}" for value in heads if value is not None)])


def _source(value: object) -> str:
    return PurePath(str(value).removeprefix("folder:")).name


def _image_size(study: Study) -> str:
    """As set, or where it is left to the images, as the manifest describes them."""
    described = re.search(r"\d+x\d+ pixels", str(study.manifest.get("data")))
    own = described[0] if described else "that of the images"
    sizes = (own if size is None else f"{size:.0f}x{size:.0f} pixels" for size in distinct(study.trials, _IMAGE_SIZE))
    return ", ".join(dict.fromkeys(sizes))


def _radius(study: Study) -> str:
    radius = study.evaluation.get("epsilon")
    return labels.epsilon(radius) if isinstance(radius, int | float) else ""


def _attack(study: Study) -> str:
    steps, size, restarts = (_text(study, path) for path in _ATTACK)
    return f"PGD-{steps} in steps of {size}, random starts: {restarts}" if steps else ""


def _auto_attack(study: Study) -> str:
    images = _text(study, _AUTO_ATTACK_IMAGES)
    return f"on {'all' if images == labels.ABSENT else images} of the images" if images else ""


def _own_attack(name: str, study: Study) -> str:
    """``group-ssl 0.3.1, source 1f00ba47``: the package that an attack was of."""
    found = own_attacks(study.manifest).get(name)
    if found is None:
        return ""
    source = found.get("sha256")
    return f"{found.get('distribution')} {found.get('version')}" + (f", source {str(source)[:8]}" if source else "")


def _named(*paths: str) -> Fact:
    """``stem cifar, width searched``: the settings ``paths`` that its trials have."""

    def fact(study: Study) -> str:
        varied = searched_names(study)
        found = {path.rpartition(".")[2]: _SEARCHED if path in varied else _text(study, path) for path in paths}
        return ", ".join(f"{name} {text}" for name, text in found.items() if text)

    return fact


def _text(study: Study, path: str) -> str:
    return " or ".join(labels.param(path, value) for value in distinct(study.trials, path))


def _drawn(study: Study) -> str:
    """``all``, or where some that are listed were not drawn, those that were."""
    found = sorted(drawn(study))
    return "all" if found and found == listed(study) else ", ".join(found)


def _spent(study: Study) -> str:
    trials = with_costs(study)
    work = labels.cost(float(trials[FORWARD_EQUIVALENTS].sum()))
    return f"{work} forward-equivalents by {labels.counted(len(trials), 'trial')}"


def _learned_from(study: Study) -> str:
    sources = learned_from(study)
    return "" if sources is None else ", ".join(sources) or "none"


def _manifest(*keys: str) -> Fact:
    """What stands under ``keys`` of a manifest, the one within the other."""

    def fact(study: Study) -> str:
        found: Any = study.manifest
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return "" if found is None else str(found)

    return fact


def _kind(study: Study) -> str:
    """Of what a study's points are, in words."""
    if searches(study):
        return "a search's trials"
    if reseeds(study):
        return "means over seeds of what was chosen"
    return "a confirmation's means over seeds" if confirms(study) else "networks that are measured again"


_MEASURED: dict[str, Fact] = {
    "Data set": _data,
    "Image size": _image_size,
    "Head": lambda study: str(study.evaluation.get("head") or ""),
    "Training of the head": _named(*HEAD_TRAINING),
    "Attack radius": _radius,
    "Attack": _attack,
    "Evaluated images": images_of,
}
_STUDIED: dict[str, Fact] = {
    "Kind": _kind,
    "Trainables": lambda study: ", ".join(listed(study)),
    "Network": _named(*_NETWORK),
    "Objectives": lambda study: ", ".join(study.objectives),
    "Bounds": lambda study: changes.over_time(study.manifest, "constraints"),
    "Sampler": lambda study: changes.over_time(study.manifest, "sampler"),
    "Scheduler": lambda study: changes.over_time(study.manifest, "scheduler"),
    "Warm start": _learned_from,
}
_RAN: dict[str, Fact] = {
    "Trainables drawn": _drawn,
    "Seed": _manifest("seed"),
    "Seeds": _manifest("confirms", "seeds"),
    "Hardware": _manifest("environment", "hardware"),
    "Budget spent": _spent,
}
