"""Every setting of a trial that may vary, searched by its dotted path where no dimension has a name for it.

None has a range of its own: each varies only where a study asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from search_spaces import methods
from search_spaces.catalogue import DIMENSIONS
from search_spaces.dimension import Dimension, always
from search_spaces.faults import nearest
from trainables.adversaries import resolve
from trainables.config import WEIGHTS, TrialConfig, leaf_types, weight
from trainables.config.documented import meanings
from trainables.config.leaves import open_leaves
from trainables.wording import near

SAME_FOR_ALL: Mapping[str, str] = {
    "data": "it decides which images are learned and measured",
    "evaluation": "it decides what an accuracy means",
}
"""Sections that points of one frontier must share, and why."""
_WITHOUT_EFFECT = "it changes no result but for rounding; set it under settings"
_ANOTHER_METHOD = "it makes another method of a trainable, with dimensions of its own; set it, in a study for each"
_NOT_SEARCHED: Mapping[str, str] = {
    "trainable": "the study's trainables are",
    "faithful_to": "it is a key of the study",
    "seed": "it is chance and no setting; repeats: new_seed, `study reseed` and `study confirm` vary it",
    **{name: f"{why}, which must be the same for all trials; set it" for name, why in SAME_FOR_ALL.items()},
    **dict.fromkeys(("device", "compute", "network.recompute"), _WITHOUT_EFFECT),
    "optimiser.micro_batches": "it is for want of memory; resources.on_out_of_memory cuts batches, or set it",
    **dict.fromkeys(("objective.name", "adversary.name", "coreset.name"), _ANOTHER_METHOD),
}
"""Leaves and sections that no study searches, and why."""


def _random_start(config: TrialConfig) -> bool:
    return resolve(config.adversary, config.objective.name, config.faithful_to).random_start


_BELONGS: Mapping[str, Callable[[TrialConfig], bool]] = {
    "views.ratio_min": methods.cuts,
    "views.ratio_max": methods.cuts,
    "network.dual_batch_norm": methods.branches,
    "network.projector_hidden": methods.projects,
    "network.projector_layers": methods.projects,
    "network.embedding": methods.projects,
    "objective.tcr_eps": methods.reads("tcr_eps"),
    "objective.reweighting": methods.reads("reweighting"),
    "adversary.random_start": methods.attacked,
    "coreset.warmup_epochs": methods.selects,
    "coreset.interval": methods.selects,
    "coreset.validation_fraction": methods.selects,
    "coreset.divergence": methods.selects_by_robustness,
    "coreset.validation_steps": methods.selects_by_robustness,
    "coreset.batch_steps": methods.selects_by_robustness,
    "coreset.learning_rate": methods.selects_by_robustness,
}
"""Who has it, where not every trainable does."""
_READ: Mapping[str, Callable[[TrialConfig], Any]] = {
    "views.ratio_min": lambda config: config.views.ratio[0],
    "views.ratio_max": lambda config: config.views.ratio[1],
    "adversary.random_start": _random_start,
}
"""What a leaf that is left open comes to."""
_NAMES = {dimension.path: dimension.name for dimension in DIMENSIONS.values()}


def _leaf(path: str, kind: type) -> Dimension:
    return Dimension(
        name=path,
        summary=meanings().get(path, "a weight of its objective's own").removesuffix("."),
        path=path,
        kind=kind,
        default=lambda _: None,
        belongs=_BELONGS.get(path, always),
        read=_READ.get(path),
        may_be_null=path in open_leaves() and path not in _READ,
    )


def deciding(path: str) -> Dimension | None:
    """What a study searches the leaf ``path`` by; ``None`` where none does."""
    if weight(path) is not None:
        return _weight(path)
    return DIMENSIONS[_NAMES[path]] if path in _NAMES else LEAVES.get(path)


def why_not(path: str) -> str | None:
    """Why no study searches the leaf or section ``path``; ``None`` if one may, or if there is none."""
    return _NOT_SEARCHED.get(path) or _NOT_SEARCHED.get(path.partition(".")[0])


LEAVES: dict[str, Dimension] = {
    path: _leaf(path, kind) for path, kind in leaf_types().items() if path not in _NAMES and why_not(path) is None
}
"""By path, in the order of ``TrialConfig``."""
SIZES = tuple(
    path
    for path in LEAVES
    if path.startswith("network.") and path not in ("network.dropout", "network.dual_batch_norm")
)
"""On which depend what a network needs of memory, and the work of its forward pass, which costs are counted in."""
SEARCHABLE: dict[str, Dimension] = {**DIMENSIONS, **LEAVES}
"""All that a study may search but for weights, by name, in the order of tables and of drawing."""


def is_searchable(name: str) -> bool:
    """Whether some trainable may have such a dimension; weights of its own are its objective's business."""
    return name in SEARCHABLE or weight(name) is not None


def searchable(name: str) -> Dimension:
    """The dimension of that name; ``KeyError`` if there is none."""
    return _weight(name) if weight(name) is not None else SEARCHABLE[name]


def dimensions(base: TrialConfig) -> list[Dimension]:
    """Of a trainable, given by its base config: its objective's own weights come last."""
    own = (_weight(WEIGHTS + name) for name in base.objective.weights)
    return [*(dimension for dimension in SEARCHABLE.values() if dimension.belongs(base)), *own]


@cache
def _weight(path: str) -> Dimension:
    return replace(_leaf(path, float), belongs=lambda config: weight(path) in config.objective.weights)


def weights_in_words(bases: Iterable[TrialConfig]) -> str:
    """What to do about a weight that none of ``bases`` has."""
    known = {base.objective.name: base.objective.weights for base in bases if base.objective.weights}
    return "; ".join(f"weights of {name} are {', '.join(found)}" for name, found in known.items()) or "drop it"


def unsearchable(name: str, others: Iterable[str]) -> str:
    """What is wrong with ``name``, which is no dimension, and the remedy; ``others``: what else is valid there."""
    if name in _NAMES:
        return f"{name} is searched as {_NAMES[name]}: {DIMENSIONS[_NAMES[name]].summary}"
    if reason := why_not(name):
        return f"{name} is not searched: {reason}"
    if section := [path for path in LEAVES if path.startswith(f"{name}.")]:
        return f"{name} is a section of settings; name what varies by its path, {section[0]} say"
    return f"unknown dimension {name!r}; {_meant(name, others)}"


def _meant(name: str, others: Iterable[str]) -> str:
    spellings = {path: path for path in LEAVES} | _NAMES
    section, _, leaf = name.rpartition(".")
    alike = [spelling for path, spelling in spellings.items() if path.rpartition(".")[2] == leaf]
    if alike:
        return f"did you mean {' or '.join(alike)}?"
    if close := near(name, spellings, 1) if section else []:
        return f"did you mean {spellings[close[0]]}?"
    return f"{nearest(name, others)}; or a setting by its path, optimiser.weight_decay say"
