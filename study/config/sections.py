"""The sections of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from study.config.file import StudyFileError, fault_of
from study.config.names import distinct, tracking_uri
from study.config.shares import Gpus, Remedy, cpus_asked, gpus_asked
from study.early_stopping.rungs import Rule
from study.early_stopping.scheduler import SchedulerName
from study.samplers.by_name import SamplerName

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """What is written is all that is meant: no other keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Budget(Section):
    """How much a study may spend; whichever ends first ends it."""

    trials: int | None = Field(default=None, gt=0)
    """How many trials begin."""
    wall_minutes: Positive | None = None
    """Since the launch; what runs then is stopped."""
    gpu_hours: Positive | None = None
    """Of all trials together; each counts by the share of a GPU that it holds."""
    least_gain: float | None = Field(default=None, gt=0, lt=1)
    """The search ends before, where a quarter more trials are unlikely to add this share to the hypervolume."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.trials is None and self.wall_minutes is None and self.gpu_hours is None:
            raise ValueError("budget sets no limit; give trials, wall_minutes or gpu_hours")
        return self


class Resources(Section):
    """What one trial holds, and how many run at a time."""

    gpus_per_trial: Annotated[Gpus | dict[str, Gpus] | None, BeforeValidator(gpus_asked)] = None
    """For all trainables or by trainable; ``auto``: as measured; ``None``: one if the machine has a GPU, else none."""
    cpus_per_trial: Annotated[float | dict[str, float], BeforeValidator(cpus_asked)] = 1.0
    """For all trainables or by trainable, 1 for those that are not named."""
    processes_per_trial: int | None = Field(default=None, gt=0)
    """Across which a trial's batches are divided, with the same result; ``None``: one a GPU, on the CPU one."""
    max_concurrent: int | None = Field(default=None, gt=0)
    """Trials that run side by side; ``None``: as many as there is room for."""
    max_failures: int = Field(default=3, ge=0)
    """How often a trial is tried again after its worker was lost; a node that went away does not count."""
    silence_minutes: Positive = 240.0
    """A trial with no new epoch and no progress of its evaluation for so long hangs, and is ended."""
    minimum_free_gib: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """With less room on the studies' disk the study pauses: a full disk takes the running trials with it."""
    on_out_of_memory: Annotated[list[Remedy], AfterValidator(distinct)] = ["recompute", "micro_batches"]
    """``recompute``: activations are recomputed, which changes no figure; ``micro_batches``: a trial that is short of
    memory all the same fails, and another begins whose batch is cut in two, then in four."""


class Tracking(Section):
    """Where MLflow lives."""

    uri: Annotated[str, AfterValidator(tracking_uri)] | None = None
    """``None``: a database beside the studies."""
    offline: bool = False
    """Leave MLflow for a later ``study sync``."""


def by_name(value: Any) -> Any:
    return value if isinstance(value, Mapping | Section) else {"name": value}


class Sampling(Section):
    """What proposes configurations."""

    name: SamplerName = "tpe"
    """``grid`` wants values or steps."""
    startup_trials: int | None = Field(default=None, ge=1)
    """Of ``tpe`` and ``gp``: how many end, of ``gp`` of each trainable, before it learns from them,
    those of a warm start included; ``None``: 10."""
    population: int | None = Field(default=None, ge=2)
    """Of ``nsga2`` and ``nsga3``: finished trials that make a generation, of which the first is drawn at random;
    ``None``: 10."""

    @property
    def numbers(self) -> dict[str, int]:
        """Those that are set."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


class EarlyStopping(Section):
    """Which trials end before their schedule does; ``study.early_stopping`` says what the numbers mean."""

    name: Literal["none", SchedulerName] = "halving"
    """``halving``: end those early that have no chance of the frontier; ``asha``: all but the best of each rung;
    ``none``: nobody. Where only numbers are given it is ``halving``."""
    eta: float = Field(default=Rule.eta, gt=1, le=100)
    rungs: int = Field(default=Rule.rungs, gt=0, le=20)
    spread: float = Field(default=Rule.spread, gt=1, le=100)
    minimum: int = Field(default=Rule.minimum, gt=1)
    best: float = Field(default=Rule.best, ge=0, le=1)
    finished: int = Field(default=Rule.finished, gt=0)
    loss: float = Field(default=Rule.loss, ge=0, lt=1)

    @property
    def rule(self) -> Rule:
        return Rule(**self.model_dump(exclude={"name"}))

    @property
    def unheeded(self) -> list[str]:
        """The numbers that are not as they are by default and that ``asha`` has no use for."""
        ours = ("best", "finished", "loss") if self.name == "asha" else ()
        return [number for number in ours if getattr(self, number) != getattr(Rule, number)]


def early_stopping(values: Mapping[str, Any]) -> EarlyStopping:
    """Halving with some of its numbers replaced; ``StudyFileError`` names every bad one."""
    try:
        return EarlyStopping.model_validate(values)
    except ValidationError as error:
        faults = [fault_of(item, EarlyStopping) for item in error.errors()]
        raise StudyFileError("\n".join(f"--set {fault.path[0]}: {fault.message}" for fault in faults)) from error
