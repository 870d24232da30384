"""What a running study shows: a live table of the frontier on a terminal, elsewhere one line a trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from analysis import labels
from analysis.constraints import violation
from analysis.schema import TrialStatus
from search_spaces.listed import CONFIGURATION
from study.config import Budget, StudyConfig
from study.execution.standing import Standing
from study.samplers.trials import metrics_of, status_of
from study.say import say
from study.search.searcher import Search
from trainables.metrics import (
    ACCURACIES,
    AUTO_ATTACK_ACCURACY,
    AUTO_ATTACK_IMAGES,
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
    TRUSTED,
    is_accuracy,
    is_of_auto_attack,
)

REDRAW_S = 0.25
STILL_S = 10.0
"""After so long without news the clock is shown anew."""
_ALWAYS = (CLEAN_ACCURACY, PGD_ACCURACY, GPU_MINUTES)
_SHOWN = {
    CLEAN_ACCURACY: "clean",
    PGD_ACCURACY: "PGD",
    AUTO_ATTACK_ACCURACY: "AutoAttack",
    GPU_MINUTES: "minutes",
    FORWARD_EQUIVALENTS: "forwards",
}
"""In short; a head's figure goes by its own name."""


class Progress:
    """Draws from the search; nothing here changes it. A context manager: the live table ends with it."""

    def __init__(self, console: Console, config: StudyConfig) -> None:
        self._console, self._config = console, config
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._drawn = 0.0
        self._outlook: Budget | None = config.budget

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def began(self, search: Search) -> None:
        """The driver is ready; a first trial may take hours to end."""
        if self._live:
            self._draw(search)
            return
        name, told = self._config.name, self._told(Standing.read(search))
        how = f"study status {name} shows its trials, study stop {name} ends it in order"
        say(self._console, f"{name} runs: {told}; {how}")

    def update(self, search: Search) -> None:
        """Something changed; eyes need it a few times a second at most, and drawing it asks Optuna's database."""
        if self._live and time.monotonic() - self._drawn > REDRAW_S:
            self._draw(search)

    def expect(self, search: Search, outlook: Budget | None) -> None:
        """The time left is told by ``outlook`` from now on, and trials that run count anyway; ``None``: no more."""
        self._outlook = outlook
        self._draw(search)

    def still(self, search: Search) -> None:
        """Nothing need have changed but the time."""
        if self._live and time.monotonic() - self._drawn > STILL_S:
            self._draw(search)

    def ended(self, search: Search, number: int) -> None:
        """Trial ``number`` has ended; terminals show it in the table."""
        if self._live:
            self._draw(search)
            return
        standing = Standing.read(search)
        trial = next(trial for trial in standing.trials if trial.number == number)
        optimal = number in {best.number for best in search.frontier(standing.trials)}
        stated = {name: bound for name, bound in self._config.constraints.items() if name != TRUSTED}  # flagged says it
        beyond = violation(stated, metrics_of(trial))
        words = [
            trial_line(trial, optimal, beyond, self._origin(trial), self._config.objectives),
            standing.ended(self._config.budget),
            *self._left(standing),
        ]
        say(self._console, "  ".join(words))

    def _origin(self, trial: FrozenTrial) -> str:
        """Of a chosen trial its id in the other study."""
        listed, number = self._config.listed, trial.params.get(CONFIGURATION)
        return "" if listed is None or number is None else f"{listed.study}/{labels.trial_number(number)}"

    def _draw(self, search: Search) -> None:
        if self._live:
            standing = Standing.read(search)
            lines = [self._told(standing), *standing.began()]
            table = frontier_table(search.frontier(standing.trials), len(standing.finished), self._config)
            self._live.update(Group(table, *map(Text, lines)), refresh=True)
            self._drawn = time.monotonic()

    def _told(self, standing: Standing) -> str:
        return "; ".join([standing.counts(self._config.budget), *self._left(standing)])

    def _left(self, standing: Standing) -> list[str]:
        return standing.left(self._outlook) if self._outlook else []


def trial_line(
    trial: FrozenTrial, optimal: bool, beyond: str = "", origin: str = "", objectives: Sequence[str] = ()
) -> str:
    """``trial 0007 (first/0003)  cf_amc_ssl  clean 61.0%  PGD 38.0%  minutes 1.2  on the frontier so far``."""
    metrics = metrics_of(trial)
    words = [
        f"trial {trial.number:04d}" + (f" ({origin})" if origin else ""),
        str(trial.user_attrs.get("trainable", "")),
    ]
    if status_of(trial) is TrialStatus.FINISHED:
        words += [f"{_SHOWN.get(name, name)} {_cell(name, metrics)}" for name in _columns(trial, objectives)]
        words += ["on the frontier so far"] if optimal else []
        words += [f"beyond its bounds: {beyond}"] if beyond else []
        words += [] if metrics.get(TRUSTED, 1.0) else ["flagged by its sanity checks"]
    else:
        words += [f"{trial.user_attrs.get('status')}: {trial.user_attrs.get('reason')}"]
    return "  ".join(words)


def frontier_table(best: Sequence[FrozenTrial], finished: int, config: StudyConfig) -> Table:
    """The trials that no other of those ``finished`` dominates so far."""
    table = Table(title=f"{config.name}: frontier after {finished} finished trials", title_justify="left")
    table.add_column("trial")
    table.add_column("trainable")
    columns = [name for name in _in_order(config.objectives) if name in (*config.objectives, *_ALWAYS)]
    for name in columns:
        table.add_column(_SHOWN.get(name, name), justify="right")
    for trial in best:
        cells = [_cell(name, metrics_of(trial)) for name in columns]
        table.add_row(f"{trial.number:04d}", str(trial.user_attrs.get("trainable", "")), *cells)
    return table


def _in_order(objectives: Sequence[str]) -> list[str]:
    """Accuracies, those of heads among them, and costs."""
    return list(dict.fromkeys([*ACCURACIES, *filter(is_accuracy, objectives), *_SHOWN]))


def _columns(trial: FrozenTrial, objectives: Sequence[str]) -> list[str]:
    return [name for name in _in_order(objectives) if name in metrics_of(trial) and name != FORWARD_EQUIVALENTS]


def _cell(name: str, metrics: dict[str, float]) -> str:
    if name not in metrics:
        return labels.ABSENT
    if is_accuracy(name):
        return f"{metrics[name]:.1%}{_of_fewer(name, metrics)}"
    return labels.cost(metrics[name])


def _of_fewer(name: str, metrics: dict[str, float]) -> str:
    """How many images AutoAttack saw, where PGD saw more: its accuracy may then be the higher one."""
    images = metrics.get(AUTO_ATTACK_IMAGES)
    fewer = is_of_auto_attack(name) and images is not None and images < metrics.get(EVALUATION_IMAGES, images)
    return f" of {images:.0f} images" if fewer else ""
