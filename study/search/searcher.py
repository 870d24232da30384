"""The search of one study: which trial comes next and what became of each. No Ray in here.

Optuna's storage is the truth about the search, a trial's folder the truth about the trial: an outcome is read from
the folder and told to Optuna, never the other way round. A search that is opened again first hands out the trials
that have begun and not ended, under their numbers, so that nothing is trained twice and nothing is lost.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Self

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from analysis import constraints, labels
from analysis.layout import StudyPaths, ending, exclusions, finite
from analysis.reading.written import config_of
from analysis.schema import TrialFault, TrialStatus
from search_spaces.ranges import same_point
from search_spaces.space import SearchSpace
from search_spaces.work import Total
from study.config import StudyConfig
from study.resources.probe import pace
from study.samplers.points import grid_points
from study.samplers.trials import (
    OUTSIDE,
    REFUSED,
    REPEATS,
    begun,
    frontier,
    is_own,
    metrics_of,
    minutes_of,
    missing,
    state_of,
    status_of,
    usual_minutes,
)
from study.search.budget import Spent, keeps_the_rest, no_more_trials, out_of_time
from study.search.by_hand import enqueued, origin
from study.search.folders import judged, ran_short_trained, record_end, share_of, trainable_of, write_config
from study.search.foreknown import TRIES, Foreknown
from study.search.gains import Gains
from study.search.losses import judge
from study.search.micro_batches import INSTEAD_OF, MICRO_BATCHES, as_marked, cut_smaller, mark
from study.search.networks import chosen, hand_over, marks
from study.search.observed import join_generation, observe
from study.search.queue import enqueue_added, enqueue_beginning
from study.search.repeats import Tried
from study.search.storage import SearchError, open_storage, open_study, release
from trainables.config import ConfigError, TrialConfig

FAILURES_IN_A_ROW = 20
"""So many failed trials of one driver with none between that succeeded end a search: something is wrong with all."""

REPEATS_IN_A_ROW = 100
"""So many draws of configurations that need not run again end a search: its space holds nothing new."""

REPEATS_BEFORE_A_RANDOM_ONE = 10
"""After so many of them one is drawn at random from those that have not run: the sampler does not see them."""

REFUSALS_IN_A_ROW = 10
"""After so many draws beyond the bounds one is drawn at random from those within: the sampler does not see them."""

KEEP_TIME_S = 60.0
"""A killed driver's clock is late by at most so much."""


@dataclass(frozen=True)
class Assignment:
    """One trial to run; ``resumed`` when an earlier driver had already handed it out."""

    number: int
    trainable: str
    resumed: bool = False


class Later(Enum):
    """No trial may begin before one that runs has ended."""

    LATER = "later"


LATER: Final = Later.LATER


class Search:
    """Ask for the next trial, tell what became of it. Every call leaves the storage and the folders consistent."""

    def __init__(
        self,
        paths: StudyPaths,
        config: StudyConfig,
        space: SearchSpace,
        storage: RDBStorage,
        total: Total | None = None,
    ) -> None:
        self._paths = paths
        self._config = config
        self._space = space
        self._storage = storage
        self._study = open_study(config, space, storage)
        self._hear()
        self._unfinished: deque[int] = deque()
        self._handed_out: dict[int, Trial] = {}
        self._ended_before: frozenset[int] = frozenset()
        self._opened = self._kept = time.monotonic()
        self._fruitless: str | None = None
        self._foreknown = Foreknown.of(config.constraints, total) if total else None
        self._total = total
        self._pace = pace(paths, config, space) if total and config.budget.gpu_hours else {}
        self._gains = Gains(paths, config.budget.least_gain)
        self._minutes_before = float(self._study.user_attrs.get("wall_minutes", 0.0))

    @classmethod
    def open(cls, paths: StudyPaths, config: StudyConfig, space: SearchSpace, total: Total | None = None) -> Self:
        """Create the search, or go on with it. Raises ``SearchError`` where storage and study file disagree.

        With ``total`` no draw is trained whose work is known to lie beyond the study's bounds.
        """
        storage = open_storage(paths.optuna)
        try:
            search = cls(paths, config, space, storage, total)
            enqueue_beginning(search._study, paths, config, space)
            observe(search._study, paths, config, space)
            search.reconcile()
            search._ended_before = frozenset(trial.number for trial in search.trials() if trial.state.is_finished())
        except BaseException:
            release(storage)
            raise
        return search

    def ask(self) -> Assignment | Later | None:
        """The next trial, its ``config.json`` on disk; ``None`` when the budget or the space is exhausted.

        ``LATER`` while trials that run are likely to use the rest of the budget, or are all that is left of the space.
        """
        if self.out_of_time():
            return None
        self._hear()
        while self._unfinished:
            trial = self._trial(self._unfinished.popleft())
            if assignment := self._known(trial):
                return assignment
            if not self._refused(trial) and (assignment := self._begin(trial)):
                return assignment
        for repeats in range(REPEATS_IN_A_ROW):
            spent = self._spent_of_budget()
            if self._no_more_trials(spent):
                return None
            self._fruitless = self._fruitless or self._nothing_new(spent)
            if self.hopeless():
                return None
            if keeps_the_rest(self._config.budget, spent) or self._is_covered(spent.trials, running=True):
                return LATER
            enqueue_added(self._study, self._paths, self._space, 1)
            if repeats % REPEATS_BEFORE_A_RANDOM_ONE == REPEATS_BEFORE_A_RANDOM_ONE - 1:
                self._enqueue_untried()
            if (drawn := self._draw()) is None:
                return None
            if assignment := self._begin(drawn):
                return assignment
        if self.running():  # what it was drawn as may be free again when that has ended
            return LATER
        self._fruitless = (
            f"{REPEATS_IN_A_ROW} draws in a row were of configurations that have been tried; widen the ranges with "
            f"`study extend {self._paths.name} --set space...`, or launch with repeats: new_seed"
        )
        return None

    def tell(
        self,
        number: int,
        status: TrialStatus,
        metrics: Mapping[str, float] | None,
        reason: str | None = None,
        fault: str | None = None,
    ) -> None:
        """Record how a trial ended; a second telling changes nothing.

        A finished trial whose objectives are not all there and finite counts as failed, a stopped one keeps its
        last metrics as an attribute: neither is ever a point on a frontier. ``fault`` is the kind of a failure. Of a
        trial outside the space as it is now Optuna is told nothing that its sampler would heed.
        """
        frozen = self._frozen(number)
        if frozen.state.is_finished():
            return
        values = {name: float(value) for name, value in (metrics or {}).items()}
        if status is TrialStatus.FINISHED and (lacking := missing(self._config.objectives, values)):
            status, reason = TrialStatus.FAILED, lacking
        self._mark(frozen, status=str(status), reason=reason, metrics=values, fault=fault)
        state = TrialState.FAIL if OUTSIDE in frozen.user_attrs else state_of(status, fault, reason)
        objectives = [values[name] for name in self._config.objectives] if state is TrialState.COMPLETE else None
        self._constrain(number, constraints.excess(self._config.constraints, values, fault))
        self._study.tell(number, objectives, state=state)
        self._save_clock()

    def settle(
        self,
        number: int,
        *,
        lost: str | None = None,
        status: TrialStatus = TrialStatus.FAILED,
        fault: TrialFault | None = None,
    ) -> bool:
        """Tell a trial's outcome as its folder has it; whether it has ended.

        ``lost`` says why a trial without an end will never have one: that becomes its end, with ``status`` and
        ``fault``.
        """
        trial = self._paths.trial(number)
        ended = ending(trial)
        if ended is None and lost is None:
            return False
        if ended is None:
            ended = record_end(trial, status, str(lost), fault)
        frozen = self._frozen(number)
        if frozen.state.is_finished():
            return True  # an attempt that ended after its trial was given up
        self._mark(frozen, gpu_share=share_of(trial))
        if ended.get("fault") == TrialFault.OUT_OF_MEMORY and not ran_short_trained(trial):
            self._cut_batch(number)
        self.tell(number, TrialStatus(ended["status"]), ended.get("metrics"), ended.get("reason"), ended.get("fault"))
        return True

    def reconcile(self) -> None:
        """Compare what Optuna believes with the folders; what has not ended is handed out again.

        An end that Optuna was told and that a damaged folder has lost is written there again.
        """
        known = {trial.number: trial for trial in self.trials()}
        for folder in self._paths.each_trial():
            if (trial := known.get(folder.number)) is None:
                raise SearchError(
                    f"{folder.root} is unknown to {self._paths.optuna}; put back the database it was made with"
                )
            if trial.state.is_finished() and ending(folder) is None:
                told = trial.user_attrs
                record_end(folder, status_of(trial), told.get("reason"), told.get("fault"), metrics_of(trial))
        self._unfinished.clear()
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state is TrialState.RUNNING and REPEATS in trial.user_attrs:
                self._repeat(self._trial(trial.number), self._frozen(trial.user_attrs[REPEATS]))
            if trial.state is TrialState.RUNNING and REFUSED in trial.user_attrs:
                self._study.tell(trial.number, state=TrialState.FAIL)
        for trial in self.trials():
            if trial.state is TrialState.RUNNING and not self._settle_or_give_up(trial.number):
                self._unfinished.append(trial.number)

    def write_down(self) -> None:
        """See to it that every trial that was begun has a configuration on disk, and what was added is enqueued."""
        enqueue_added(self._study, self._paths, self._space)
        for number in self._unfinished:
            trial = self._trial(number)
            if self._known(trial) is None and not self._refused(trial):
                self._begin(trial)

    def close(self, *, ended: str | None = None) -> None:
        """Settle what has ended and let go of the storage.

        ``ended`` says why the study is over: trials that still run are then recorded as stopped. Without it they
        stay as they are, and the next ``open`` hands them out again.
        """
        try:
            for trial in self.trials():
                if trial.state is TrialState.RUNNING:
                    self.settle(trial.number, lost=ended, status=TrialStatus.STOPPED)
            self._save_clock()
        finally:
            release(self._storage)

    def unfinished(self) -> list[int]:
        """The trials that were begun, have not ended and wait to be handed out again, in order."""
        return list(self._unfinished)

    def exhausted(self) -> str | None:
        """Why no trial would be handed out now; ``None`` if one would."""
        return self.out_of_time() or (None if self._unfinished else self._no_more_trials(self._spent_of_budget()))

    def levelled(self, spent: Spent | None = None) -> str | None:
        """Why its trials gain too little for another to begin; ``None`` if one may. ``spent`` if somebody knows it."""
        return self._gains.too_little((spent or self.spent()).ended, self._study.excluded)

    def grid_is_done(self) -> bool:
        """Whether a grid is searched of which every configuration was begun."""
        trials = self._study.get_trials(deepcopy=False)
        return self._config.sampler.name == "grid" and grid_points(self._space, trials) >= self._space.size

    def hopeless(self) -> str | None:
        """Why more trials would be wasted, and what to do; ``None`` while some succeed.

        What failed before the search was opened says nothing: its cause may be mended.
        """
        if self._fruitless:
            return self._fruitless
        ended = (trial for trial in self.trials() if trial.state.is_finished())
        told = [trial for trial in ended if trial.number not in self._ended_before][-FAILURES_IN_A_ROW:]
        if len(told) < FAILURES_IN_A_ROW or any(status_of(trial) is not TrialStatus.FAILED for trial in told):
            return None
        return (
            f"the last {FAILURES_IN_A_ROW} trials failed, the latest with: {told[-1].user_attrs.get('reason')}; "
            f"when the cause is mended: study resume {self._paths.name}"
        )

    def out_of_time(self) -> str | None:
        """Why even running trials must stop now; ``None`` if they need not."""
        return out_of_time(self._config.budget, self.wall_minutes())

    def wall_minutes(self) -> float:
        """Minutes that the study's drivers have run, all added."""
        return self._minutes_before + self.own_minutes()

    def own_minutes(self) -> float:
        """Of this driver alone."""
        return (time.monotonic() - self._opened) / 60

    def keep_time(self) -> None:
        """Now and then write the minutes down: those of a driver that is killed inside a long trial count too."""
        if time.monotonic() - self._kept >= KEEP_TIME_S:
            self._save_clock()

    def spent(self, trials: Sequence[FrozenTrial] | None = None) -> Spent:
        """Among ``trials``, if somebody has just read them."""
        known = begun(self.trials() if trials is None else trials)
        ended = [trial for trial in known if trial.state.is_finished()]
        running = [trial for trial in known if not trial.state.is_finished()]
        promised = sum(self._likely_minutes(ended, trial) for trial in running)
        return Spent(
            trials=len(known),
            ended=len(ended),
            gpu_hours=sum(map(minutes_of, ended)) / 60,
            promised_gpu_hours=promised / 60,
        )

    def _likely_minutes(self, ended: Sequence[FrozenTrial], trial: FrozenTrial) -> float:
        """GPU-minutes of a trial that runs: as those that have ``ended`` took; before any has, of its pre-training at
        the pace that was measured; 0 where nothing is known."""
        trainable = trial.user_attrs.get("trainable", "")
        usual, pace = usual_minutes(ended, trainable), self._pace.get(trainable)
        if usual is not None or pace is None or self._total is None:
            return usual or 0.0
        try:
            return pace * self._total(config_of(self._paths.trial(trial.number)))
        except ConfigError:
            return 0.0  # it fails

    def running(self, trials: Sequence[FrozenTrial] | None = None) -> list[FrozenTrial]:
        """Those that this driver has handed out and that have not ended; among ``trials`` as ``spent``."""
        waiting = set(self._unfinished)
        known = self.trials() if trials is None else trials
        return [trial for trial in known if trial.state is TrialState.RUNNING and trial.number not in waiting]

    def refusals(self) -> int:
        """How many draws were not trained, because they are known to lie beyond the bounds."""
        return sum(REFUSED in trial.user_attrs for trial in self._study.get_trials(deepcopy=False))

    def trials(self) -> list[FrozenTrial]:
        """Every trial of this study in order; what only its sampler knows of is not among them."""
        return [trial for trial in self._study.get_trials(deepcopy=False) if is_own(trial)]

    def frontier(self, trials: Sequence[FrozenTrial] | None = None) -> list[FrozenTrial]:
        """The finished ones within the study's bounds, neither flagged nor excluded, that no other such dominates, in
        order, by what they measured.

        Among ``trials``, if somebody has just read them.
        """
        return frontier(
            self.trials() if trials is None else trials,
            self._config.objectives_with_directions,
            self._config.constraints,
        )

    def _hear(self) -> None:
        """Learn which trials somebody has excluded since, and which were taken in again."""
        self._study.excluded = exclusions(self._paths)

    def _spent_of_budget(self) -> Spent:
        """Where configurations are listed the budget is as long as the list: one that is made up for is not done."""
        spent = self.spent()
        if not self._space.points:
            return spent
        return replace(spent, trials=spent.trials - sum(INSTEAD_OF in trial.user_attrs for trial in self.trials()))

    def _no_more_trials(self, spent: Spent) -> str | None:
        """A space that lists its configurations holds no others, nor does a grid."""
        return self.covered() or no_more_trials(self._config.budget, spent) or self.levelled(spent)

    def covered(self) -> str | None:
        """Why the space holds nothing more, whatever the budget; ``None`` if it does, or no draw has shown it yet."""
        if self._space.points and not any(trial.state is TrialState.WAITING for trial in self.trials()):
            return labels.all_begun(len(self._space.points), "listed trial")
        if self.grid_is_done():
            return labels.all_begun(self._space.size, "configuration", " of the grid")
        return self._fruitless

    def _nothing_new(self, spent: Spent) -> str | None:
        """Why the space holds nothing that need run; ``None`` if it does, or it is not known."""
        if not self._is_covered(spent.ended, running=False):
            return None
        return (
            f"all {self._space.size:g} configurations of the space were tried; widen the ranges with "
            f"`study extend {self._paths.name} --set space...`, or launch with repeats: new_seed"
        )

    def _is_covered(self, trials: int, *, running: bool) -> bool:
        """Whether ``trials`` trials, those that are ``running`` among them or not, have left nothing of the space that
        need run."""
        if self._config.repeats == "new_seed" or self._space.points or trials < self._space.size:
            return False
        return len(self._tried().points(running=running)) >= self._space.size

    def _tried(self) -> Tried:
        return Tried(self._paths, self._config.repeats, self.trials())

    def _enqueue_untried(self) -> None:
        """Let a random configuration come next that need run, if one of some draws does."""
        tried, seed = (
            self._tried().points(running=True),
            (self._config.seed << 32) + len(self._study.get_trials(deepcopy=False)),
        )
        for index in range(TRIES):
            config = self._space.sample(seed * TRIES + index)
            params = self._space.params(config)
            beyond = self._foreknown is not None and self._foreknown.violation(config)
            if not beyond and not any(same_point(params, other) for other in tried):
                self._study.enqueue_trial(params)
                return

    def _known(self, trial: Trial) -> Assignment | None:
        """The unfinished trial as it was handed out, if its configuration had reached the disk."""
        trainable = trainable_of(self._paths.trial(trial.number))
        if trainable is None:
            return None
        self._name(trial.number, trainable)
        self._handed_out[trial.number] = trial
        return Assignment(trial.number, trainable, resumed=True)

    def _draw(self) -> Trial | None:
        """The sampler's next draw that is not refused; after so many that are, a random one from within the bounds.

        ``None`` where the search is over: there are no more, or none within.
        """
        refusals = 0
        while self._refused(trial := self._study.ask()):
            refusals += 1
            if self._no_more_trials(self._spent_of_budget()):  # a grid ends by what is refused, too
                return None
            if refusals == REFUSALS_IN_A_ROW and self._config.sampler.name != "grid":
                return self._draw_within(trial.number)
        return trial

    def _draw_within(self, number: int) -> Trial | None:
        """A random draw from within the bounds, in place of that ``number``; ``None`` where there is none."""
        assert self._foreknown is not None
        try:
            params = self._foreknown.within(self._space, (self._config.seed << 32) + number)
        except ConfigError as nothing:
            self._fruitless = str(nothing)
            return None
        self._study.enqueue_trial(params)
        return self._study.ask()

    def _refused(self, trial: Trial) -> bool:
        """Whether ``trial`` is known to lie beyond the bounds: the sampler then forgets it. What somebody asked for by
        its parameters is trained all the same."""
        if self._foreknown is None or enqueued(self._frozen(trial.number)):
            return False
        try:
            reason = self._foreknown.violation(self._space.suggest(trial))
        except ConfigError:
            return False  # an end of its own
        if reason:
            self._mark(self._frozen(trial.number), **{REFUSED: reason})
            self._study.tell(trial.number, state=TrialState.FAIL)
        return bool(reason)

    def _begin(self, trial: Trial) -> Assignment | None:
        """Draw the trial's configuration; ``None`` if it is no valid one or need not run again."""
        try:
            self._space.check(enqueued(self._frozen(trial.number)))
            config = as_marked(self._space.suggest(trial), trial.user_attrs)
        except ConfigError as error:
            self._write_config(trial, None)
            self.settle(trial.number, lost=f"{type(error).__name__}: {error}", fault=TrialFault.ERROR)
            return None
        if twin := self._tried().twin(trial):
            self._repeat(trial, twin)
            return None
        if self._config.repeats == "new_seed":
            config = replace(config, seed=config.seed + self._tried().earlier(trial))
        join_generation(self._study, self._frozen(trial.number))
        self._write_config(trial, config)
        self._handed_out[trial.number] = trial
        return Assignment(trial.number, config.trainable)

    def _write_config(self, trial: Trial, config: TrialConfig | None) -> None:
        trainable = config.trainable if config else trial.params.get("trainable", self._space.trainables[0])
        params = trial.params | mark(trial.user_attrs, MICRO_BATCHES)
        told = mark(trial.user_attrs, INSTEAD_OF) | origin(trial.user_attrs)
        if config is not None:
            told |= judged(self._config.objectives, config)
        if (measures := self._config.measures) is not None and config is not None:
            network = chosen(measures, trial.params)
            hand_over(self._paths, network, trial.number)
            params, told = network.params | params, told | marks(measures, network)
        write_config(self._paths, trial.number, trainable, params, config, told)
        self._name(trial.number, trainable)

    def _name(self, number: int, trainable: str) -> None:
        """In Optuna too, after the configuration is on disk: a driver may have died between the two."""
        self._mark(self._frozen(number), trial_id=self._paths.trial_id(number), trainable=trainable)

    def _cut_batch(self, number: int) -> None:
        """Enqueue a trial with the parameters of one that ran out of memory in training, its batch cut smaller."""
        known = any(trial.user_attrs.get(INSTEAD_OF) == number for trial in self.trials())
        outside = OUTSIDE in self._frozen(number).user_attrs  # where it was, no trial is drawn any more
        if known or outside or "micro_batches" not in self._config.resources.on_out_of_memory:
            return
        if (smaller := cut_smaller(config_of(self._paths.trial(number)))) is not None:
            marks = {INSTEAD_OF: number, MICRO_BATCHES: smaller.optimiser.micro_batches}
            self._study.enqueue_trial(self._frozen(number).params, user_attrs=marks)

    def _repeat(self, trial: Trial, twin: FrozenTrial) -> None:
        self._mark(self._frozen(trial.number), **{REPEATS: twin.number})
        self._constrain(trial.number, twin.constraints)
        ended = twin.state.is_finished()  # of one that runs there is nothing to learn yet
        self._study.tell(trial.number, twin.values, state=twin.state if ended else TrialState.FAIL)

    def _settle_or_give_up(self, number: int) -> bool:
        """Settle a trial that has ended, or that no attempt may follow."""
        verdict = judge(self._paths.trial(number), self._config.resources.max_failures)
        if verdict is None:
            return self.settle(number)
        return self.settle(number, lost=verdict.reason, fault=verdict.fault)

    def _constrain(self, number: int, excess: Mapping[str, float]) -> None:
        """A trial handed out is kept for this: making it anew would ask its sampler, which may be thinking."""
        if not excess:
            return
        trial = self._handed_out.pop(number, None) or self._trial(number)
        for name, value in excess.items():
            if name not in trial.constraints:  # an earlier driver may have died between this and the telling
                trial.set_constraint(name, value)

    def _save_clock(self) -> None:
        self._kept = time.monotonic()
        self._study.set_user_attr("wall_minutes", self.wall_minutes())

    def _trial(self, number: int) -> Trial:
        return Trial(self._study, self._frozen(number)._trial_id)

    def _frozen(self, number: int) -> FrozenTrial:
        """One trial; all of them would cost a query for each that has not ended."""
        storage = self._study._storage  # which remembers ended trials, unlike the one beneath it
        return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number))

    def _mark(self, trial: FrozenTrial, **attributes: Any) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._storage.set_trial_user_attr(trial._trial_id, name, finite(value))
