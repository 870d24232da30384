"""The study file: what to search, what to hold, how much to spend. Every fault of a file is reported at once."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from ruamel.yaml import YAML

from search_spaces.build import UNLISTED, build, draft
from search_spaces.faults import Fault, SpaceError, few_nearest, nearest
from search_spaces.leaves import SIZES
from search_spaces.space import SearchSpace
from study.config.bounds import bound_faults, in_short
from study.config.confirmation import Confirmation
from study.config.file import StudyFileError, fault_of, lines, read_study_file
from study.config.listed import Listed
from study.config.measured import measured_faults
from study.config.measurement import Measurement
from study.config.names import Objectives, Sources, Starts, Trainables, folder_name, storage_uri
from study.config.revealed import can_be_revealed, of_its_own, placed
from study.config.sections import Budget, EarlyStopping, Resources, Sampling, Section, Tracking, by_name
from study.config.settings import Settings, flatten_settings
from study.config.start import start_params
from study.config.warm_start_source import check_source, is_study
from study.config.yaml_tree import with_fractions, with_levels
from study.samplers.by_name import NUMBERS, not_a_grid
from trainables.catalogue import TRAINABLES
from trainables.config import ConfigError, FaithfulTo, TrialConfig
from trainables.metrics import (
    ACCURACIES,
    CLEAN_ACCURACY,
    EVALUATION_FORWARD_EQUIVALENTS,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
    Direction,
    direction,
    is_accuracy,
)
from trainables.recipes import RECIPES

Repeats = Literal["redraw", "new_seed"]


class StudyConfig(Section):
    """One study, as its file says."""

    name: Annotated[str, AfterValidator(folder_name)]
    """Of its folder, and of its experiment in MLflow."""
    trainables: Trainables
    """The methods to search."""
    faithful_to: FaithfulTo = "paper"
    """Whom to follow where a source's text and its code differ."""
    settings: Annotated[dict[str, Any], BeforeValidator(flatten_settings)] = {}
    """Settings of trials by dotted path, held for every trainable that has them; after ``NAME.``, for that one."""
    space: Annotated[dict[str, Any], BeforeValidator(with_fractions)] = {}
    """Settings by dotted path, or dimensions by name: each with its range, its choices or one value; under a
    trainable's name, for it alone; ``unlisted: fixed`` holds all dimensions that are not listed."""
    objectives: Objectives = [CLEAN_ACCURACY, PGD_ACCURACY]
    """What is optimised: accuracies up, also heads' as ``robust_head/pgd_16_worst``, and costs down."""
    constraints: Annotated[dict[str, Any], BeforeValidator(in_short)] = {}
    """By metric the most that a trial may use or, as ``{at_least: 0.7}``, what it must reach, and ``trusted: true``:
    what misses one is on no frontier."""
    sampler: Annotated[Sampling, BeforeValidator(by_name)] = Sampling()
    """What proposes configurations; its name alone stands for it with its defaults."""
    scheduler: Annotated[EarlyStopping, BeforeValidator(by_name)] = EarlyStopping(name="none")
    """Early stopping; its name alone stands for it with its defaults."""
    repeats: Repeats = "redraw"
    """A draw that is measured already: ``redraw`` another, or run it again with a ``new_seed``."""
    seed: int = Field(default=0, ge=0)
    """Of the sampler; that of the trials is ``settings.seed``."""
    budget: Budget
    resources: Resources = Resources()
    start_from: Starts = []
    """What to begin with: rows of the papers' tables, ``table1/cf_amc_ssl`` say, and of studies, named as under
    ``warm_start``, the frontier, ``older``, or a trial, ``older/3``."""
    warm_start: Sources = []
    """Studies whose finished trials the sampler learns from: names, folders, or ``mlflow:URI#EXPERIMENT``."""
    tracking: Tracking = Tracking()
    storage: Annotated[str, AfterValidator(storage_uri)] | None = None
    """Where trials' files go too, for nodes that share no disk: ``s3://BUCKET/FOLDER`` say; ``None``: nowhere."""
    confirms: Confirmation | None = None
    """Instead of a search: chosen configurations of another study, as ``study confirm`` writes them."""
    measures: Measurement | None = None
    """Instead of a search: trained networks of another study, as ``study measure`` writes them."""

    @classmethod
    def load(
        cls,
        path: Path | str,
        overrides: Mapping[str, Any] | None = None,
        *,
        misfits: Callable[[SearchSpace], Iterable[str]] = lambda _: (),
    ) -> Self:
        """The study in the file at ``path``, with ``overrides`` by dotted path: ``{"settings.network.width": 16}``.

        Raises ``StudyFileError`` with every fault of file and overrides. To these are added those that ``misfits``,
        which is asked only then, finds between the data and the space of what is in order.
        """
        tree = read_study_file(Path(path), overrides or {})
        try:
            config, faults = cls.model_validate(tree.values), []
        except ValidationError as error:
            faults = [fault_of(item, cls) for item in error.errors()]
            config = _partial(cls, tree.values, [fault.path for fault in faults])
        unheeded = () if any("scheduler" in fault.path for fault in faults) else _unheeded(config, overrides or {})
        unclear = any(fault.path[:1] == ("trainables",) for fault in faults)
        further = _whichever_is_meant(config, tree.values, faults) if unclear else config.faults()
        faults += [*further, *unheeded]
        if not faults and not tree.faults:
            return config
        clear = not tree.faults and config.listed is None and can_be_revealed(faults)
        found = of_its_own(misfits(config.draft()[0]), faults) if clear else ()
        raise StudyFileError(lines(tree, faults, placed(tree, found)))

    def check(self) -> None:
        """Raise ``SpaceError`` with every fault of a study that no file has told."""
        if faults := self.faults():
            raise SpaceError(faults)

    def with_warm_start(self, sources: list[str]) -> Self:
        """Learning from ``sources`` too; ``StudyFileError`` for one that names no study."""
        try:
            more = [check_source(source) for source in sources]
        except ValueError as error:
            raise StudyFileError(f"--warm-start: {error}") from error
        return self.model_copy(update={"warm_start": list(dict.fromkeys([*self.warm_start, *more]))})

    @property
    def objectives_with_directions(self) -> dict[str, Direction]:
        return {name: direction(name) for name in self.objectives}

    @property
    def strategy(self) -> dict[str, Any]:
        """How the space is searched, as manifest and database have it: what an extension may change beside ranges. Of a
        sampler without numbers of its own the name alone."""
        numbers = self.sampler.numbers
        return {
            "sampler": {"name": self.sampler.name, **numbers} if numbers else self.sampler.name,
            "constraints": dict(self.constraints),
            "scheduler": self.scheduler.model_dump(),
        }

    @property
    def kind(self) -> str:
        """The key of what is run instead of a search; "" for a search."""
        return "confirms" if self.confirms is not None else "measures" if self.measures is not None else ""

    @property
    def listed(self) -> Listed[Any] | None:
        """What is run instead of a search."""
        return self.confirms or self.measures

    def base_configs(self) -> dict[str, TrialConfig]:
        """Each trainable's config with the study's settings and none of its search; ``SpaceError`` with every fault."""
        configs, faults = self._held.configs()
        if faults:
            raise SpaceError(faults)
        return configs

    def search_space(self) -> SearchSpace:
        """The space that the study searches; ``SpaceError`` with every fault."""
        if self.listed is not None:
            return self.listed.space()
        configs = self.base_configs()
        return build(configs.values(), self.space, self._held.settled())

    def draft(self) -> tuple[SearchSpace, list[Fault]]:
        """The space without what is wrong with it, and that."""
        return draft(self._held.configs()[0].values(), self.space, self._held.settled())

    def faults(self) -> list[Fault]:
        """What does not fit together although each part is well formed."""
        return list(self._faults())

    def to_yaml(self) -> str:
        """A study file that loads to an equal config, with every default written out, and radii as 8/255."""
        text = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(with_levels(self.model_dump(exclude_none=True)), text)
        return text.getvalue()

    @cached_property
    def _held(self) -> Settings:
        return Settings(self.trainables, self.faithful_to, self.settings)

    def _faults(self) -> Iterator[Fault]:
        if self.listed is not None:
            yield from self._listed_faults(self.listed)
            return
        yield from self._share_faults()
        yield from self._budget_faults()
        yield from self._sampler_faults()
        yield from self._scheduler_faults()
        configs, held = self._held.configs()
        yield from (fault.under("settings") for fault in held)
        space, searched = self.draft()
        yield from (fault.under("space") for fault in searched)
        yield from self._unknown_recipes()
        if all(fault.path != (UNLISTED,) for fault in searched):
            yield from self._start_faults(space, whole=not held and not searched)
            yield from self._grid_faults(space)
            yield from self._work_faults(space)
        evaluated = not any("evaluation." in str(fault.path[0]) for fault in held)
        yield from bound_faults(self.constraints, configs.values() if evaluated else ())
        yield from measured_faults(self.objectives, configs.values()) if evaluated else ()

    def _budget_faults(self) -> Iterator[Fault]:
        if self.budget.least_gain is not None and not any(map(is_accuracy, self.objectives)):
            message = f"gain is told from accuracies; add an objective of {', '.join(ACCURACIES)}, or drop least_gain"
            yield Fault(("budget", "least_gain"), message)

    def _sampler_faults(self) -> Iterator[Fault]:
        name = self.sampler.name
        for number in self.sampler.numbers.keys() - NUMBERS.get(name, {}).keys():
            owners = " or ".join(owner for owner, numbers in NUMBERS.items() if number in numbers)
            message = f"sampler.{number} means nothing to {name}; drop it, or let sampler.name be {owners}"
            yield Fault(("sampler", number), message)

    def _scheduler_faults(self) -> Iterator[Fault]:
        name = self.scheduler.name
        if name != "none" and not any(map(is_accuracy, self.objectives)):
            yield Fault(("scheduler",), f"{name} compares accuracies; add an objective of {', '.join(ACCURACIES)}")
        for number in self.scheduler.unheeded:
            message = f"scheduler.{number} means nothing to {name}; drop it, or let scheduler.name be halving"
            yield Fault(("scheduler", number), message)

    def _grid_faults(self, space: SearchSpace) -> Iterator[Fault]:
        for trainable, name in space.continuous if self.sampler.name == "grid" else ():
            own = self.space.get(trainable)
            path = (trainable, name) if isinstance(own, Mapping) and name in own else (name,)
            yield Fault(("space", *path), not_a_grid(name))

    def _work_faults(self, space: SearchSpace) -> Iterator[Fault]:
        searched = [name for part in space.parts for name, _ in part.searched if name in SIZES]
        for key in ("objectives", "constraints") if searched else ():
            for name in {FORWARD_EQUIVALENTS, EVALUATION_FORWARD_EQUIVALENTS} & {*getattr(self, key)}:
                message = f"{name} counts passes of one network, and {searched[0]} varies it; take {GPU_MINUTES}"
                yield Fault((key, name) if key == "constraints" else (key,), message)

    def _share_faults(self) -> Iterator[Fault]:
        for key in ("gpus_per_trial", "cpus_per_trial"):
            asked = getattr(self.resources, key)
            for name in asked if isinstance(asked, dict) else ():
                if name not in self.trainables:
                    message = f"{key} names {name!r}, which is not among the study's trainables; "
                    yield Fault(("resources", key, name), message + nearest(name, self.trainables))

    def _listed_faults(self, listed: Listed[Any]) -> Iterator[Fault]:
        faults = list(listed.faults())
        yield from (fault.under(self.kind) for fault in faults)
        yield from () if faults else measured_faults(self.objectives, listed.configs())
        for key in ("settings", "space", "start_from"):
            if getattr(self, key):
                yield Fault((key,), f"{key} means nothing beside {self.kind}, whose configurations are whole; drop it")
        if self.budget.least_gain is not None:
            message = f"budget.least_gain means nothing beside {self.kind}, which searches nothing; drop it"
            yield Fault(("budget", "least_gain"), message)
        if None not in (self.confirms, self.measures):
            yield Fault(("measures",), "a study confirms or measures, and not both; drop one")

    def _unknown_recipes(self) -> Iterator[Fault]:
        for index, name in enumerate(self.start_from):
            if name not in RECIPES and not is_study(name):
                remedy = few_nearest(name, RECIPES, "study reproduce --list")
                folder = "a study's folder is named as ./FOLDER or absolutely"
                yield Fault(("start_from", index), f"unknown recipe {name!r}; {remedy}; {folder}")

    def _start_faults(self, space: SearchSpace, *, whole: bool) -> Iterator[Fault]:
        """``whole``: nothing is missing of ``space``; else of what it holds a recipe's values alone are compared."""
        for index, name in enumerate(self.start_from):
            try:
                if name in RECIPES:
                    start_params(space, name)
            except ConfigError as error:
                if whole or isinstance(error, SpaceError):
                    yield Fault(("start_from", index), f"recipe {name} lies outside the study: {error}")


def _partial(cls: type[StudyConfig], values: Mapping[str, Any], bad: Iterable[tuple[str | int, ...]]) -> Any:
    """What can still be checked when some keys are malformed: the rest, against all trainables if those are unclear."""
    good = copy.deepcopy({key: value for key, value in values.items() if key in cls.model_fields})
    while True:
        for path in bad:
            _drop(good, path)
        if "trainables" not in good:
            good |= {"trainables": list(TRAINABLES), "sampler": "tpe"}
        try:
            return cls.model_validate({"name": "unnamed", "budget": {"trials": 1}} | good)
        except ValidationError as error:  # of a section that is not well formed without what was dropped
            bad = [item["loc"][:1] for item in error.errors()]


def _whichever_is_meant(config: StudyConfig, values: Mapping[str, Any], known: Iterable[Fault]) -> list[Fault]:
    """The faults of ``config``, which has all trainables because those of ``values`` are unclear, that each of them has
    by itself, at the same key or above: what one refuses may be right for those that are meant."""
    bad = [fault.path for fault in known if fault.path[0] != "trainables"]
    alone = (_partial(type(config), {**values, "trainables": [name]}, bad).faults() for name in config.trainables)
    paths = [{fault.path for fault in faults} for faults in alone]
    return [
        fault
        for fault in config.faults()
        if all(any(fault.path[: len(path)] == path for path in found) for found in paths)
    ]


def _drop(values: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Take the key at ``path`` away, or the nearest above it; with a name all that may depend on it."""
    owner: Any = values
    for key, below in pairwise(path):
        if below == "name" or not isinstance(owner.get(key), dict) or below not in owner[key]:
            break
        owner = owner[key]
    else:
        key = path[-1]
    owner.pop(key, None)


def _unheeded(config: StudyConfig, overrides: Mapping[str, Any]) -> Iterator[Fault]:
    """A scheduler that stops nobody heeds none of its numbers."""
    for key in overrides:
        section, _, number = key.partition(".")
        if section == "scheduler" and number not in ("", "name") and config.scheduler.name == "none":
            message = f"{config.name} ends no trial early; add --set scheduler.name=halving, or leave it out"
            yield Fault((section, number), message)
