"""The study file: what to search, what to hold, how much to spend. Every fault of a file is reported at once."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML

from analysis.layout import RESERVED, study_paths
from search_spaces.faults import Fault, SpaceError, nearest
from search_spaces.space import SearchSpace
from study.bounds import bound_faults
from study.confirmation import Confirmation
from study.halving import Rule
from study.samplers import SamplerName, not_a_grid
from study.settings import Settings, flatten_settings
from study.shares import Gpus, Remedy, cpus_asked, gpus_asked
from study.study_file import StudyFileError, fault_of, lines, read_study_file
from study.tracking_uri import TrackingError, resolve_uri
from study.warm_start_source import check_source, plain_sources
from study.yaml_tree import with_fractions
from trainables.config import ConfigError, FaithfulTo, TrialConfig, UserError
from trainables.metrics import ACCURACIES, CLEAN_ACCURACY, OBJECTIVES, PGD_ACCURACY, Direction

SchedulerName = Literal["none", "halving"]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


def _folder_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}; use up to 100 of A-Z a-z 0-9 . _ - and begin with no dot")
    if name in RESERVED:
        raise ValueError(f"name is {name!r}, which is a file or folder beside the studies; choose another")
    return name


def _trainable(name: str) -> str:
    from trainables.catalogue import TRAINABLES

    return _known("trainable", name, TRAINABLES)


def _objective(name: str) -> str:
    return _known("objective", name, OBJECTIVES)


def _recipe(name: str) -> str:
    from trainables.recipes import RECIPES

    return _known("recipe", name, RECIPES)


def _known(kind: str, name: str, valid: Mapping[str, object]) -> str:
    if name not in valid:
        raise ValueError(f"unknown {kind} {name!r}; {nearest(name, valid)}")
    return name


def _distinct(names: list[str]) -> list[str]:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{', '.join(sorted(twice))} is listed twice; keep one")
    return names


def _tracking_uri(uri: str) -> str:
    """``uri``, a database's path absolute: a later resume may stand in another folder."""
    try:
        resolved = resolve_uri(uri, study_paths("any"))
    except TrackingError as error:
        raise ValueError(str(error)) from error
    return resolved if uri.startswith("sqlite:") else uri


def _storage(uri: str) -> str:
    from study.storage import check_storage

    try:
        check_storage(uri)
    except UserError as error:
        raise ValueError(str(error)) from error
    return uri


Names = Annotated[list[Annotated[str, AfterValidator(_objective)]], Field(min_length=1), AfterValidator(_distinct)]
Trainables = Annotated[list[Annotated[str, AfterValidator(_trainable)]], Field(min_length=1), AfterValidator(_distinct)]
Recipes = Annotated[list[Annotated[str, AfterValidator(_recipe)]], AfterValidator(_distinct)]
Sources = Annotated[
    list[Annotated[str, AfterValidator(check_source)]], BeforeValidator(plain_sources), AfterValidator(_distinct)
]
Repeats = Literal["redraw", "new_seed"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Budget(_Section):
    """How much a study may spend; whichever ends first ends it."""

    trials: int | None = Field(default=None, gt=0)
    wall_minutes: Positive | None = None
    gpu_hours: Positive | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.trials is None and self.wall_minutes is None and self.gpu_hours is None:
            raise ValueError("budget is empty; give trials, wall_minutes or gpu_hours")
        return self


class Resources(_Section):
    """What one trial holds, and how many run at a time."""

    gpus_per_trial: Annotated[Gpus | dict[str, Gpus] | None, BeforeValidator(gpus_asked)] = None
    """For all trainables or by trainable; ``auto``: as measured; ``None``: one if the machine has a GPU, else none."""
    cpus_per_trial: Annotated[float | dict[str, float], BeforeValidator(cpus_asked)] = 1.0
    """For all trainables or by trainable, 1 for those that are not named."""
    processes_per_trial: int | None = Field(default=None, gt=0)
    """Across which a trial's batches are divided, with the same result; ``None``: one a GPU, on the CPU one."""
    max_concurrent: int | None = Field(default=None, gt=0)
    max_failures: int = Field(default=3, ge=0)
    """How often a trial is tried again after its worker was lost; a node that went away does not count."""
    silence_minutes: Positive = 240.0
    """A trial with no new epoch and no progress of its evaluation for so long hangs, and is ended."""
    minimum_free_gib: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """With less room on the studies' disk the study pauses: a full disk takes the running trials with it."""
    on_out_of_memory: Annotated[list[Remedy], AfterValidator(_distinct)] = ["recompute", "micro_batches"]
    """``recompute``: activations are recomputed, which changes no figure; ``micro_batches``: a trial that is short of
    memory all the same fails, and another begins whose batch is cut in two, then in four."""


class Tracking(_Section):
    """Where MLflow lives."""

    uri: Annotated[str, AfterValidator(_tracking_uri)] | None = None
    """``None``: a database beside the studies."""
    offline: bool = False


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class EarlyStopping(_Section):
    """Which trials end before their schedule does; ``study.halving`` says what the numbers mean."""

    name: SchedulerName = "halving"
    eta: float = Field(default=Rule.eta, gt=1, allow_inf_nan=False)
    rungs: int = Field(default=Rule.rungs, gt=0)
    spread: float = Field(default=Rule.spread, gt=1, allow_inf_nan=False)
    minimum: int = Field(default=Rule.minimum, gt=1)
    errors: float = Field(default=Rule.errors, ge=0, allow_inf_nan=False)

    @property
    def rule(self) -> Rule:
        return Rule(**self.model_dump(exclude={"name"}))


def early_stopping(values: Mapping[str, Any]) -> EarlyStopping:
    """Halving with some of its numbers replaced; ``StudyFileError`` names every bad one."""
    try:
        return EarlyStopping.model_validate(values)
    except ValidationError as error:
        faults = [fault_of(item, EarlyStopping) for item in error.errors()]
        raise StudyFileError("\n".join(f"--set {fault.path[0]}: {fault.message}" for fault in faults)) from error


class StudyConfig(_Section):
    """One study, as its file says."""

    name: Annotated[str, AfterValidator(_folder_name)]
    trainables: Trainables
    faithful_to: FaithfulTo = "paper"
    settings: Annotated[dict[str, Any], BeforeValidator(flatten_settings)] = {}
    """Leaves of ``TrialConfig`` by dotted path, held for every trainable that has them; after ``NAME.``, for one."""
    space: Annotated[dict[str, Any], BeforeValidator(with_fractions)] = {}
    """What ``search_spaces.build`` takes: dimension -> range, choices or value; trainable -> the same for it alone."""
    objectives: Names = [CLEAN_ACCURACY, PGD_ACCURACY]
    constraints: dict[str, Any] = {}
    """Upper bounds on what a trial uses, by metric, and ``trusted: true``: what exceeds one is on no frontier."""
    sampler: SamplerName = "tpe"
    scheduler: Annotated[EarlyStopping, BeforeValidator(_by_name)] = EarlyStopping(name="none")
    """Early stopping; its name alone stands for it with its defaults."""
    repeats: Repeats = "redraw"
    """A draw that is measured already: ``redraw`` another, or run it again with a ``new_seed``."""
    seed: int = Field(default=0, ge=0)
    budget: Budget
    resources: Resources = Resources()
    start_from: Recipes = []
    warm_start: Sources = []
    """Studies whose finished trials the sampler learns from; ``warm_start_source`` says how they are named."""
    tracking: Tracking = Tracking()
    storage: Annotated[str, AfterValidator(_storage)] | None = None
    """Where trials' files go too, for nodes that share no disk: ``s3://BUCKET/FOLDER`` say; ``None``: nowhere."""
    confirms: Confirmation | None = None
    """Instead of a search: chosen configurations of another study, as ``study confirm`` writes them."""

    @classmethod
    def load(cls, path: Path | str, overrides: Mapping[str, Any] | None = None) -> Self:
        """The study in the file at ``path``, with ``overrides`` by dotted path: ``{"settings.network.width": 16}``.

        Raises ``StudyFileError`` with every fault of file and overrides.
        """
        tree = read_study_file(Path(path), overrides or {})
        try:
            config, faults = cls.model_validate(tree.values), []
        except ValidationError as error:
            faults = [fault_of(item, cls) for item in error.errors()]
            config = _partial(cls, tree.values, {fault.path[0] for fault in faults if fault.path})
        faults += config.faults()
        if faults or tree.faults:
            raise StudyFileError(lines(tree, faults))
        return config

    def with_warm_start(self, sources: list[str]) -> Self:
        """Learning from ``sources`` too; ``StudyFileError`` for one that names no study."""
        try:
            more = [check_source(source) for source in sources]
        except ValueError as error:
            raise StudyFileError(f"--warm-start: {error}") from error
        return self.model_copy(update={"warm_start": list(dict.fromkeys([*self.warm_start, *more]))})

    @property
    def objectives_with_directions(self) -> dict[str, Direction]:
        return {name: OBJECTIVES[name] for name in self.objectives}

    def base_configs(self) -> dict[str, TrialConfig]:
        """Each trainable's config with the study's settings and none of its search; ``SpaceError`` with every fault."""
        configs, faults = self._held.configs()
        if faults:
            raise SpaceError(faults)
        return configs

    def search_space(self) -> SearchSpace:
        """The space that the study searches; ``SpaceError`` with every fault."""
        from search_spaces.build import build

        if self.confirms is not None:
            return self.confirms.space()
        return build(self.base_configs().values(), self.space, self._held.settled())

    def faults(self) -> list[Fault]:
        """What does not fit together although each part is well formed."""
        return list(self._faults())

    def to_yaml(self) -> str:
        """A study file that loads to an equal config, with every default written out."""
        text = io.StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(self.model_dump(exclude_none=True), text)
        return text.getvalue()

    @cached_property
    def _held(self) -> Settings:
        return Settings(self.trainables, self.faithful_to, self.settings)

    def _faults(self) -> Iterator[Fault]:
        from search_spaces.build import build

        if self.confirms is not None:
            yield from self._confirmation_faults(self.confirms)
            return
        yield from self._share_faults()
        if self.scheduler.name == "halving" and not set(self.objectives) & set(ACCURACIES):
            yield Fault(("scheduler",), f"halving compares accuracies; add an objective of {', '.join(ACCURACIES)}")
        configs, faults = self._held.configs()
        yield from (fault.under("settings") for fault in faults)
        try:
            space = build(configs.values(), self.space, self._held.settled())
        except SpaceError as error:
            yield from (fault.under("space") for fault in error.faults)
        else:
            yield from self._start_faults(space)
            yield from self._grid_faults(space)
        yield from bound_faults(self.constraints, configs.values())

    def _grid_faults(self, space: SearchSpace) -> Iterator[Fault]:
        for trainable, name in space.continuous if self.sampler == "grid" else ():
            own = self.space.get(trainable)
            path = (trainable, name) if isinstance(own, Mapping) and name in own else (name,)
            yield Fault(("space", *path), not_a_grid(name))

    def _share_faults(self) -> Iterator[Fault]:
        for key in ("gpus_per_trial", "cpus_per_trial"):
            asked = getattr(self.resources, key)
            for name in asked if isinstance(asked, dict) else ():
                if name not in self.trainables:
                    message = f"{key} names {name!r}, which is not among the study's trainables; "
                    yield Fault(("resources", key, name), message + nearest(name, self.trainables))

    def _confirmation_faults(self, confirms: Confirmation) -> Iterator[Fault]:
        yield from (fault.under("confirms") for fault in confirms.faults())
        for key in ("settings", "space", "start_from"):
            if getattr(self, key):
                yield Fault((key,), f"{key} means nothing beside confirms, whose configurations are whole; drop it")

    def _start_faults(self, space: SearchSpace) -> Iterator[Fault]:
        from study.start import start_params

        for index, name in enumerate(self.start_from):
            try:
                start_params(space, name)
            except ConfigError as error:
                yield Fault(("start_from", index), f"recipe {name} lies outside the study: {error}")


def _partial(cls: type[StudyConfig], values: Mapping[str, Any], bad: set[str | int]) -> Any:
    """What can still be checked when some keys are malformed: the rest, against all trainables if those are unclear."""
    from trainables.catalogue import TRAINABLES

    good = {key: value for key, value in values.items() if key in cls.model_fields and key not in bad}
    if "trainables" not in good:
        good |= {"trainables": list(TRAINABLES), "sampler": "tpe"}
    return cls.model_validate({"name": "unnamed", "budget": {"trials": 1}} | good)
