"""Early stopping of real studies: decisions lie in the folders, survive their driver and end trials on any backend."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from rich.console import Console

from analysis.constraints import Bounds
from analysis.layout import ENDED, EPOCH, StudyPaths, append_event, read_events, study_paths, write_json
from search_spaces.work import total_on
from study.config import StudyConfig
from study.early_stopping.rungs import Rule
from study.early_stopping.scheduler import Report, Scheduler, SchedulerName, probe, reports
from study.execution.session import Session
from study.execution.worker import run_assignment
from study.launch import launch, resume
from trainables.config import to_dict
from trainables.cost import batches_per_epoch
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    CLEAN_ACCURACY,
    PGD_ACCURACY,
    PROBE_ACCURACY,
    PROBE_PGD_ACCURACY,
    TRAIN_FORWARD_EQUIVALENTS,
    TRUSTED,
)

Tiny = Callable[..., StudyConfig]
pytestmark = pytest.mark.usefixtures("studies")
CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
BOTH = (CLEAN_ACCURACY, PGD_ACCURACY)
EAGER = {"eta": 2.0, "rungs": 2, "minimum": 2, "best": 0.1, "finished": 1, "loss": 0.9}
RULE = Rule(**EAGER)
SPACE = {"unlisted": "fixed", "learning_rate": {"low": 0.001, "high": 2.0, "log": True}, "m": [1, 2]}
EPOCHS, EPOCH_WORK = 8, 128.0
TEACHERS = range(10, 16)


class Earlier(NamedTuple):
    """A trial of another study."""

    reports: Sequence[Report]
    metrics: Mapping[str, float]


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


def begin(paths: StudyPaths, number: int, config: Any) -> None:
    write_json(paths.trial(number).config, {"number": number, "config": to_dict(config)})


def report(paths: StudyPaths, number: int, epoch: int, clean: float, pgd: float | None) -> None:
    probes = {PROBE_ACCURACY: clean} | ({} if pgd is None else {PROBE_PGD_ACCURACY: pgd})
    append_event(
        paths.trial(number), EPOCH, 1, epoch=epoch, metrics={TRAIN_FORWARD_EQUIVALENTS: epoch * EPOCH_WORK} | probes
    )


def finish(paths: StudyPaths, number: int, clean: float, pgd: float, status: str = "finished", **more: float) -> None:
    metrics = {CLEAN_ACCURACY: clean, PGD_ACCURACY: pgd} | more
    append_event(paths.trial(number), ENDED, 1, status=status, reason=None, metrics=metrics)


def opened(
    paths: StudyPaths,
    rule: Rule = RULE,
    objectives: Sequence[str] = BOTH,
    bounds: Bounds = MappingProxyType({}),
    name: SchedulerName = "halving",
    precedents: Sequence[Earlier] = (),
) -> Scheduler:
    return Scheduler.open(paths, name, rule, objectives, bounds, lambda config: EPOCHS * EPOCH_WORK, precedents)


def teach(paths: StudyPaths, scheduler: Scheduler, config: Any) -> None:
    """Poor trials whose early accuracies were their final ones."""
    for number in TEACHERS:
        poor = number / 1000
        begin(paths, number, config)
        for epoch in range(1, EPOCHS + 1):
            report(paths, number, epoch, poor, poor / 2)
            scheduler.reported(number)
            paths.trial(number).stop.unlink(missing_ok=True)
        finish(paths, number, poor, poor / 2)
        scheduler.catch_up()


def told(paths: StudyPaths) -> dict[int, str]:
    return {
        folder.number: json.loads(folder.stop.read_text())["reason"]
        for folder in paths.each_trial()
        if folder.stop.exists()
    }


def decisions(paths: StudyPaths) -> dict[int, Any]:
    return {
        folder.number: json.loads(folder.rungs.read_text()) for folder in paths.each_trial() if folder.rungs.exists()
    }


@pytest.fixture
def config(tiny: Tiny) -> Any:
    return tiny().base_configs()["cf_amc_ssl"]


def test_a_beaten_trial_is_told_to_stop_with_its_rank(studies: Path, config: Any) -> None:
    paths = StudyPaths(studies / "tiny")
    scheduler = opened(paths)
    teach(paths, scheduler, config)
    for number, accuracy in enumerate((0.6, 0.5, 0.4)):
        begin(paths, number, config)
        report(paths, number, 1, accuracy, accuracy / 2)
        scheduler.reported(number)
        assert not paths.trial(number).rungs.exists(), "no rung is reached"
        report(paths, number, 2, accuracy, accuracy / 2)
        scheduler.reported(number)
    last = {number: decisions(paths)[number]["rungs"][-1] for number in (1, 2)}
    assert [last[number] | {"chance": None} for number in last] == [
        {"rung": 256.0, "epoch": 2, "rank": number + 1, "of": number + 7, "chance": None, "stop": True}
        for number in last
    ]
    assert all(0 <= found["chance"] < 0.3 for found in last.values())
    assert told(paths) == {
        number: f"halving: rank {number + 1} of {number + 7} at 256 forward-equivalents, "
        f"with a chance of {last[number]['chance']:.1%} to end on the frontier"
        for number in last
    }
    assert decisions(paths)[2]["total"] == 1024.0


def test_figures_of_heads_are_judged_by_the_probe_of_their_kind(studies: Path, config: Any) -> None:
    """Two accuracies under attack have one probe; that a finished trial had them is what is learned from."""
    paths = StudyPaths(studies / "tiny")
    clean, attacked = "slf_head/clean", ("robust_head/pgd_16_zero", "slf_head/fgsm_8")
    assert [probe(name) for name in (clean, *attacked)] == [PROBE_ACCURACY, PROBE_PGD_ACCURACY, PROBE_PGD_ACCURACY]
    scheduler = opened(paths, objectives=[attacked[0], clean, "gpu_minutes", attacked[1]])
    for number in TEACHERS:
        begin(paths, number, config)
        for epoch in range(1, EPOCHS + 1):
            report(paths, number, epoch, number / 1000, number / 2000)
            scheduler.reported(number)
        finish(paths, number, 0.0, 0.0, **{clean: number / 1000}, **dict.fromkeys(attacked, number / 2000))
        scheduler.catch_up()
    for number, accuracy in enumerate((0.6, 0.5, 0.4)):
        begin(paths, number, config)
        report(paths, number, 2, accuracy, accuracy / 2)
        scheduler.reported(number)
    last = {number: decisions(paths)[number]["rungs"][-1] for number in range(3)}
    assert [last[number]["stop"] for number in last] == [False, True, True]
    assert all(0 <= found["chance"] < 0.3 for found in list(last.values())[1:])


def test_trials_of_other_studies_teach_what_a_rung_foretells_and_are_compared_with_nobody(
    studies: Path, config: Any
) -> None:
    elsewhere = StudyPaths(studies / "elsewhere")
    teach(elsewhere, opened(elsewhere), config)
    ended = {CLEAN_ACCURACY: 0.99, PGD_ACCURACY: 0.99}
    silent = Earlier([], ended)
    taught = [Earlier(reports(trial), read_events(trial)[-1]["metrics"]) for trial in elsewhere.each_trial()]
    for name, precedents, ends in (("alone", [silent], []), ("taught", [silent, *taught], [1])):
        paths = StudyPaths(studies / name)
        scheduler = opened(paths, precedents=precedents)
        for number, accuracy in enumerate((0.6, 0.5)):
            begin(paths, number, config)
            report(paths, number, 2, accuracy, accuracy / 2)
            scheduler.reported(number)
        assert list(told(paths)) == ends
        last = decisions(paths)[1]["rungs"][-1]
        assert (last["rank"], last["of"]) == (2, 2)
        assert (last["chance"] is None) == (not ends)


def test_probes_that_are_missing_or_no_number_are_passed_over(studies: Path, config: Any) -> None:
    paths = StudyPaths(studies / "tiny")
    scheduler = opened(paths)
    teach(paths, scheduler, config)
    for number, pgd in enumerate((0.3, None, float("nan"))):
        begin(paths, number, config)
        report(paths, number, 2, 0.5 - number / 10, pgd)
        scheduler.reported(number)
    assert told(paths) == {}
    assert list(decisions(paths)) == [0, *TEACHERS]


def test_objectives_decide_what_is_compared(studies: Path, config: Any) -> None:
    """One accuracy alone is a plain ranking; a cost among the objectives changes nothing."""
    paths = StudyPaths(studies / "tiny")
    scheduler = opened(paths, objectives=[CLEAN_ACCURACY, "forward_equivalents"])
    teach(paths, scheduler, config)
    for number, (clean, pgd) in enumerate(((0.6, 0.1), (0.5, 0.4))):
        begin(paths, number, config)
        report(paths, number, 2, clean, pgd)
        scheduler.reported(number)
    assert list(told(paths)) == [1]


@pytest.mark.parametrize(("status", "trusted"), [("failed", 1.0), ("finished", 0.0)])
def test_what_failed_or_breaks_a_bound_beats_nobody(studies: Path, config: Any, status: str, trusted: float) -> None:
    """An untrusted figure is often a high one; nobody is to be ended for it."""
    for name, bounds in (("bound", {TRUSTED: True}), ("free", {})):
        paths = StudyPaths(studies / name)
        scheduler = opened(paths, bounds=bounds)
        teach(paths, scheduler, config)
        for number, accuracy in ((0, 0.9), (1, 0.4)):
            begin(paths, number, config)
            report(paths, number, 2, accuracy, accuracy / 2)
            scheduler.reported(number)
            if number == 0:
                finish(paths, 0, accuracy, accuracy / 2, status, **{TRUSTED: trusted})
                scheduler.catch_up()
        second = decisions(paths)[1]["rungs"][0]
        beats = name == "free" and status == "finished"
        assert list(told(paths)) == [1] * beats
        assert (second["rank"], second["of"]) == ((2, 8) if beats else (1, 7))


def test_a_trial_that_is_foretold_to_end_below_a_bound_has_no_chance(studies: Path, config: Any) -> None:
    """Clean accuracy would put it on the frontier, but the study asks for more PGD accuracy than it shows."""
    chance = {}
    for name, bounds in (("bound", {PGD_ACCURACY: {"at_least": 0.3}}), ("free", {})):
        paths = StudyPaths(studies / name)
        scheduler = opened(paths, bounds=bounds)
        teach(paths, scheduler, config)
        for number, figures in enumerate([(0.5, 0.45), (0.6, 0.02)]):
            begin(paths, number, config)
            report(paths, number, 2, *figures)
            scheduler.reported(number)
        chance[name] = decisions(paths)[1]["rungs"][0]["chance"]
    assert chance["bound"] < 0.1 < 0.5 < chance["free"]


def test_a_decision_that_reached_one_file_only_is_carried_out(studies: Path, config: Any) -> None:
    paths = StudyPaths(studies / "tiny")
    scheduler = opened(paths)
    teach(paths, scheduler, config)
    for number, accuracy in enumerate((0.6, 0.4)):
        begin(paths, number, config)
        report(paths, number, 2, accuracy, accuracy / 2)
        scheduler.reported(number)
    (reason,) = told(paths).values()
    paths.trial(1).stop.unlink()
    opened(paths).reported(1)
    assert told(paths) == {1: reason}


share = st.integers(0, 20).map(lambda count: count / 20)
reported = st.lists(st.tuples(st.integers(0, 4), share, share), min_size=1, max_size=40)


@pytest.mark.parametrize("name", ["halving", "asha"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=reported, data=st.data())
def test_a_reopened_scheduler_is_the_one_that_died(
    said: Any, data: st.DataObject, config: Any, name: SchedulerName
) -> None:
    """Whenever the driver dies, between an event and its decision too, the decisions are those of one that did not."""
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = StudyPaths(Path(folder) / "whole"), StudyPaths(Path(folder) / "broken")
        dies_at = data.draw(st.integers(0, len(said) - 1))
        for paths in (whole, broken):
            live, epochs = opened(paths, name=name), [0] * 5
            for step, (number, clean, pgd) in enumerate(said):
                if epochs[number] == 0:
                    begin(paths, number, config)
                if paths.trial(number).stop.exists() or epochs[number] == EPOCHS:
                    continue
                epochs[number] += 1
                report(paths, number, epochs[number], clean, pgd)
                if paths is broken and step == dies_at:
                    live = opened(paths, name=name)
                live.reported(number)
                if epochs[number] == EPOCHS:
                    finish(paths, number, clean, pgd)
                    live.catch_up()
            assert opened(paths, name=name).rungs.records == live.rungs.records
            assert opened(paths, name=name).rungs.finals == live.rungs.finals
        assert decisions(whole) == decisions(broken)
        assert told(whole) == told(broken)


@pytest.mark.parametrize("rule", [RULE, Rule(**EAGER | {"eta": 4.0, "rungs": 1})])
def test_a_rule_that_comes_later_has_learned_from_the_trials_before(studies: Path, config: Any, rule: Rule) -> None:
    """From those that have ended; one that runs was judged at no rung of it, and is at its next report."""
    paths, always = StudyPaths(studies / "tiny"), StudyPaths(studies / "always")
    first = opened(paths, Rule(**EAGER | {"eta": 1.5}))
    teach(paths, first, config)
    teach(always, opened(always, rule), config)
    for number in (0, 1):
        begin(paths, number, config)
        report(paths, number, 4, 0.5 - 0.1 * number, 0.3 - 0.1 * number)
    for folder in paths.each_trial():
        if folder.number % 2:
            folder.rungs.unlink(missing_ok=True)  # as of a study without a scheduler
    later = opened(paths, rule)
    assert later.rungs.records == opened(always, rule).rungs.records
    assert later.rungs.finals == opened(always, rule).rungs.finals
    later.reported(1)
    judged = [decision["rung"] for decision in decisions(paths)[1]["rungs"]]
    assert judged == [rung for rung in (256.0, 512.0) if rung >= (512.0 if rule is RULE else 256.0)][: len(judged)]
    assert judged


def test_the_work_ahead_is_known_before_it_is_spent(tiny: Tiny) -> None:
    space = tiny(settings={"optimiser.epochs": 5}).search_space()
    total, config = total_on(space), space.sample(0)
    images = batches_per_epoch(config, 200) * config.optimiser.batch_size
    assert total(config) == 5 * images * config.views.number * 3 * config.adversary.replays


def test_an_accuracy_under_attack_is_foretold_by_the_probe_under_attack(studies: Path, config: Any) -> None:
    paths = StudyPaths(studies / "tiny")
    begin(paths, 0, config)
    report(paths, 0, 2, 0.6, 0.4)
    append_event(
        paths.trial(0),
        ENDED,
        1,
        status="finished",
        reason=None,
        metrics={CLEAN_ACCURACY: 0.7, PGD_ACCURACY: 0.5, AUTO_ATTACK_ACCURACY: 0.45},
    )
    scheduler = opened(paths, objectives=[AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, PGD_ACCURACY])
    scheduler.reported(0)
    assert list(scheduler.rungs.records.values()) == [{0: (0.4, 0.6)}]
    assert scheduler.rungs.finals == {0: (0.45, 0.7, 0.5)}


def replayed(tiny: Tiny, **keys: Any) -> StudyConfig:
    values = {"settings": {"optimiser.epochs": 4}, "space": SPACE, "budget": {"trials": 8}, "scheduler": EAGER}
    return tiny(**(values | keys))


@pytest.mark.parametrize("scheduler", [EAGER, {"name": "asha", "eta": 2.0, "rungs": 2, "minimum": 2}])
def test_a_study_stops_trials_and_tells_the_search(tiny: Tiny, scheduler: Any) -> None:
    console, name = quiet(), scheduler.get("name", "halving")
    paths = launch(replayed(tiny, scheduler=scheduler), backend="replay", curves=CURVES, console=console)
    stopped = told(paths)
    assert 1 <= len(stopped) <= 7
    states = optuna.load_study(study_name=None, storage=f"sqlite:///{paths.optuna}").trials
    for folder in paths.each_trial():
        end = read_events(folder)[-1]
        if folder.number in stopped:
            assert (end["kind"], end["status"], end["reason"]) == (ENDED, "stopped", stopped[folder.number])
            assert states[folder.number].state is TrialState.PRUNED
            assert f"trial {folder.number:04d}  cf_amc_ssl  stopped: {end['reason']}" in console.file.getvalue()
        else:
            assert end["status"] == "finished"
    assert all(reason.startswith(f"{name}: rank ") for reason in stopped.values())
    assert json.loads(paths.manifest.read_text())["scheduler"]["name"] == name


def test_a_study_whose_driver_dies_decides_as_one_whose_does_not(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies twice at the report that ends a trial: before the decision, and after it but before the trial hears."""
    whole = launch(replayed(tiny, name="whole"), backend="replay", curves=CURVES, console=quiet())
    stopped = min(told(whole))
    last = decisions(whole)[stopped]["rungs"][-1]["epoch"]
    reported = Session.reported

    def dying(session: Session, number: int) -> None:
        reached = {event.get("epoch") for event in read_events(session.paths.trial(number))}
        if number == stopped and last in reached and len(deaths) < 2:
            if deaths:
                reported(session, number)
            deaths.append(number)
            raise KeyboardInterrupt
        reported(session, number)

    deaths: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Session, "reported", dying)
        with pytest.raises(SystemExit):
            launch(replayed(tiny), backend="replay", curves=CURVES, console=quiet())
        with pytest.raises(SystemExit):
            resume("tiny", backend="replay", curves=CURVES, console=quiet())
    broken = study_paths("tiny")
    assert deaths == [stopped, stopped]
    assert read_events(broken.trial(stopped))[-1]["kind"] != ENDED
    resume("tiny", backend="replay", curves=CURVES, console=quiet())
    same = range(stopped + 1)  # a sampler that is opened again draws others after these
    assert [decisions(broken)[number] for number in same] == [decisions(whole)[number] for number in same]
    assert told(broken)[stopped] == told(whole)[stopped]


def test_a_trained_trial_ends_at_the_report_that_was_judged(tiny: Tiny) -> None:
    """The decision is there before the trial goes on: it trains no epoch more."""
    paths = launch(tiny(settings={"optimiser.epochs": 3}, budget={"trials": 1}), backend="inline", console=quiet())
    begin_again = StudyPaths(paths.root.parent / "again")
    write_json(begin_again.trial(0).config, json.loads(paths.trial(0).config.read_text()))

    def on_report(_: Any) -> None:
        write_json(begin_again.trial(0).stop, {"reason": "enough"})

    ended = run_assignment(begin_again.root, 0, on_report=on_report)
    assert (str(ended.status), ended.reason) == ("stopped", "enough")
    assert [event.get("epoch") for event in read_events(begin_again.trial(0)) if event["kind"] == EPOCH] == [1]
    assert ended.metrics == read_events(begin_again.trial(0))[1]["metrics"]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_on_ray_a_trial_waits_for_its_decision(tiny: Tiny) -> None:
    """Epochs take milliseconds: a worker that did not wait for the driver would be past the rung before its answer.

    One trial at a time, the order is that of the inline backend, and so is every decision.
    """
    keys: dict[str, Any] = {
        "settings": {"optimiser.epochs": 12},
        "space": SPACE,
        "budget": {"trials": 6},
        "scheduler": EAGER,
        "resources": {"max_concurrent": 1},
    }
    inline = launch(tiny(name="inline", **keys), backend="inline", console=quiet())
    ray = launch(tiny(name="ray", **keys), console=quiet())
    assert decisions(ray) == decisions(inline)
    assert told(ray) == told(inline) != {}
    for number in told(ray):
        events = read_events(ray.trial(number))
        last = decisions(ray)[number]["rungs"][-1]
        assert last["stop"]
        assert [event["epoch"] for event in events if event["kind"] == EPOCH][-1] == last["epoch"] < 12
        assert (events[-1]["kind"], events[-1]["reason"]) == (ENDED, told(ray)[number])
    states = [found.state for found in optuna.load_study(study_name=None, storage=f"sqlite:///{ray.optuna}").trials]
    assert [number for number, state in enumerate(states) if state is TrialState.PRUNED] == sorted(told(ray))
