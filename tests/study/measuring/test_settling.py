"""The frontier under AutoAttack, round by round: a real search, measured for real but for AutoAttack's verdicts."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from analysis.frontier.pareto import frontier
from analysis.frontier.settled import settled_sentence, settlement
from analysis.layout import StudyPaths, study_paths, write_json
from analysis.reading.runs import read_study
from analysis.reading.written import config_of
from study import supervise
from study.choosing.request import ChoiceError
from study.commands.main import app
from study.commands.show import print_front
from study.config import StudyConfig
from study.execution.session import Session
from study.files import stop
from study.launch import launch, resume
from study.measuring.best_cases import Network, UnknownError
from study.measuring.best_cases import best_cases as best_cases_of
from study.measuring.measure import measure, prepare
from study.measuring.plan import plan
from study.measuring.request import Request
from study.supervise import Continuation
from trainables.data import draw_rows
from trainables.evaluation import assess
from trainables.evaluation.auto_attack import Trace
from trainables.metrics import AUTO_ATTACK_ACCURACY, CLEAN_ACCURACY, GPU_MINUTES, PGD_ACCURACY
from trainables.trial import evaluation_images, load_all

Tiny = Callable[..., StudyConfig]
Once = Callable[[str, Callable[[], object]], StudyPaths]
Vector = tuple[float, float]
IMAGES = {"evaluation.images": 60, "evaluation.epsilon": 64 / 255, "evaluation.attack_epsilons": [64 / 255]}


@pytest.fixture
def parent(once: Once, studies: Path, tiny: Tiny) -> StudyPaths:
    """A finished search of four trials, of which some that stand on no frontier come second."""
    config = tiny(IMAGES, budget={"trials": 4})
    return once("tiny", lambda: launch(config, backend="inline", console=quiet()))


Attack = Callable[[Callable[[int], bool]], "AutoAttack"]


class AutoAttack:
    """Stands in for the attack: what PGD left it leaves, or breaks; of networks by their trial's number."""

    def __init__(self, breaks: Callable[[int], bool]) -> None:
        self.breaks = breaks
        self.attacked: list[int] = []

    def __call__(self, classifier: Any, images: Any, *, state: Path, **_: Any) -> Trace:
        number = json.loads((state.parents[1] / "config.json").read_text())["params"]["configuration"]
        self.attacked.append(number)
        left = torch.full((len(images),), not self.breaks(number))
        return Trace(clean=torch.ones_like(left), after={"square": left}, survived=left, forward_equivalents=7)


@pytest.fixture
def attack(monkeypatch: pytest.MonkeyPatch) -> Attack:
    def put(breaks: Callable[[int], bool]) -> AutoAttack:
        stand_in = AutoAttack(breaks)
        monkeypatch.setattr(assess, "run_auto_attack", stand_in)
        return stand_in

    return put


def quiet() -> Console:
    return Console(file=io.StringIO(), width=400)


def request(**changes: Any) -> Request:
    settings = {"evaluation.auto_attack_images": 20} | changes.pop("settings", {})
    return Request(**({"study": "tiny", "attack": "autoattack", "settings": settings} | changes))


def run(asked: Request | None = None) -> str:
    """What was said."""
    console = quiet()
    measure(asked or request(), backend="inline", console=console)
    return console.file.getvalue()


def best_cases() -> dict[int, Vector]:
    measures = prepare(request(name="elsewhere")).config.measures
    assert measures is not None
    return {
        case.trial: (case.values[CLEAN_ACCURACY], case.values[AUTO_ATTACK_ACCURACY]) for case in measures.best_cases
    }


def better(one: Vector, other: Vector) -> bool:
    return one != other and one[0] >= other[0] and one[1] >= other[1]


def undominated(points: Mapping[int, Vector], by: Mapping[int, Vector]) -> set[int]:
    return {number for number, point in points.items() if not any(better(other, point) for other in by.values())}


def measured(paths: StudyPaths) -> dict[int, Vector]:
    trials = read_study(paths).finished
    figures = trials[[CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]].itertuples(index=False, name=None)
    return dict(zip(map(int, trials["param.configuration"]), figures, strict=True))


def recorded(paths: StudyPaths) -> dict[int, tuple[float, Any]]:
    """By trial its clean accuracy, and which of AutoAttack's images it classifies right under PGD."""
    study = read_study(paths)
    config = config_of(paths.trial(0))
    rows = draw_rows(evaluation_images(load_all(config)[1], config.evaluation).labels, 20).numpy()
    clean = study.trials[CLEAN_ACCURACY]
    return {
        number: (clean[number], study.outcomes[f"tiny/{number:04d}"].of("robust_head/pgd_64_worst")[rows])
        for number in study.trials["number"]
    }


def told() -> str:
    return settled_sentence(read_study(study_paths("tiny-measured")))


def events(paths: StudyPaths) -> dict[int, bytes]:
    return {trial.number: trial.events.read_bytes() for trial in paths.each_trial()}


def test_the_rounds_find_the_frontier_of_all_and_attack_no_network_in_vain(
    parent: StudyPaths, attack: Attack, capsys: pytest.CaptureFixture[str]
) -> None:
    best = best_cases()
    assert best == {number: pytest.approx((clean, right.mean())) for number, (clean, right) in recorded(parent).items()}
    first = undominated(best, best)
    true = {number: (clean, 0.0 if number in first else most) for number, (clean, most) in best.items()}
    needed = undominated(best, true)
    assert first < needed < best.keys(), "the search has no trials that come second, or none that come third"
    stand_in = attack(lambda number: number in first)
    said = run()
    second = ", ".join(f"{number:04d}" for number in sorted(needed - first))
    assert f"round 2: trials {second} may still stand on the frontier under AutoAttack\n" in said
    assert "round 3" not in said
    assert said.count("of 4 trusted trials") == 1
    child = study_paths("tiny-measured")
    assert measured(child) == {number: true[number] for number in needed}
    shown = frontier(read_study(child))["param.configuration"]
    assert set(shown) == undominated(true, true)
    assert told().startswith(f"Settled: {len(needed)} of the 4 trusted trials of tiny are measured, and no other can ")
    kept = StudyConfig.load(child.study_file).measures
    assert kept is not None
    assert {case.trial: tuple(case.values.values()) for case in kept.best_cases} == best
    print_front(child)
    assert told() in capsys.readouterr().out
    before = events(child)
    assert "round" not in run().partition("\n")[2]
    assert (events(child), sorted(stand_in.attacked)) == (before, sorted(needed))


@pytest.mark.slow
def test_it_goes_on_after_a_kill_between_two_rounds_after_one_in_a_round_and_after_a_stop(
    parent: StudyPaths, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = undominated(best_cases(), best_cases())
    stand_in, child = attack(lambda number: number in first), study_paths("tiny-measured")
    with monkeypatch.context() as patch:
        patch.setattr("study.measuring.measure._next", killed)
        with pytest.raises(KilledError):
            run()
    assert set(stand_in.attacked) == first
    assert "Not settled: trials" in told()
    resume(child.name, backend="inline", console=quiet())
    assert "Not settled: trials" in told()
    ended = Session.ended

    def interrupted(session: Session, number: int, **how: Any) -> None:
        ended(session, number, **how)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "ended", interrupted)
        with pytest.raises(SystemExit):
            run()
    assert len(stand_in.attacked) == len(first) + 1
    assert "Not settled: trial 0" in told()
    done = events(child)
    run()
    assert "Settled" in told()
    assert len(stand_in.attacked) == len(set(stand_in.attacked)), "a network was attacked twice"
    assert {number: events(child)[number] for number in done} == done


class KilledError(BaseException):
    """As abrupt as a kill: nothing is put in order."""


def killed(*_: Any) -> None:
    raise KilledError


def test_after_a_request_to_stop_no_round_begins(parent: StudyPaths, attack: Attack) -> None:
    child = study_paths("tiny-measured")

    def asked_to_stop(number: int) -> bool:
        stop.ask(child, stop.Request.DRAIN)
        return True

    stand_in = attack(asked_to_stop)
    said = run()
    assert "round 2" not in said
    assert "stopped as asked" in said
    assert len(stand_in.attacked) == 1
    assert "Not settled" in told()


@pytest.mark.slow
def test_a_measurement_that_fails_ends_and_is_said(parent: StudyPaths, attack: Attack) -> None:
    first = undominated(best_cases(), best_cases())

    def breaks(number: int) -> bool:
        if number in first:
            raise RuntimeError("the attack fell over")
        return False

    attack(breaks)
    run()
    which = f"trial{'s' * (len(first) > 1)} {', '.join(f'{lost:04d}' for lost in sorted(first))}"
    assert f"Not settled: {which} of tiny may stand on this frontier, too, and could not be measured; " in told()
    assert not first & measured(study_paths("tiny-measured")).keys()
    before = events(study_paths("tiny-measured"))
    run()
    assert events(study_paths("tiny-measured")) == before


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"torn")])
def test_a_network_that_is_gone_is_named_and_keeps_no_other_from_its_turn(
    parent: StudyPaths, attack: Attack, damage: Callable[[Path], object]
) -> None:
    first = undominated(best_cases(), best_cases())
    lost = min(first)
    checkpoint = parent.trial(lost).checkpoint
    kept = checkpoint.read_bytes()
    damage(checkpoint)
    stand_in = attack(lambda number: False)
    said = run()
    assert f"trial {lost:04d} is not measured: {checkpoint} is " in said
    assert (
        f"Not settled: trial {lost:04d} of tiny may stand on this frontier, too, and could not be measured; " in told()
    )
    assert settlement(read_study(study_paths("tiny-measured"))).open == []
    assert set(stand_in.attacked) >= first - {lost}
    assert lost not in stand_in.attacked
    checkpoint.write_bytes(kept)
    run()
    assert told().startswith("Settled: ")
    assert stand_in.attacked.count(lost) == 1


def test_what_is_measured_needs_its_network_no_more(parent: StudyPaths, attack: Attack) -> None:
    first = undominated(best_cases(), best_cases())
    attack(lambda number: number in first)
    run(request(trials=tuple(first)))
    for number in first:
        parent.trial(number).checkpoint.unlink()
    run()
    assert told().startswith("Settled: ")


def test_where_no_network_is_left_that_may_stand_on_the_frontier_it_is_said(parent: StudyPaths) -> None:
    for trial in parent.each_trial():
        trial.checkpoint.unlink()
    with pytest.raises(ChoiceError, match=r"no network of tiny that may stand on the frontier can be read\. .*missing"):
        prepare(request())


def test_one_that_is_found_gone_in_a_later_round_is_named_and_kept(parent: StudyPaths, attack: Attack) -> None:
    first = undominated(best_cases(), best_cases())
    rest = set(best_cases()) - first

    def breaks(number: int) -> bool:
        for later in rest:
            parent.trial(later).checkpoint.unlink(missing_ok=True)
        return True

    attack(breaks)
    said = run()
    assert "round 2: what may still stand on the frontier under AutoAttack cannot be measured" in said
    assert "Not settled: trial" in told()
    assert "and could not be measured" in told()
    kept = StudyConfig.load(study_paths("tiny-measured").study_file).measures
    assert kept is not None
    assert {one.trial for one in kept.lost} <= rest


@pytest.mark.slow
def test_a_search_that_grows_is_settled_anew_by_the_same_command(parent: StudyPaths, attack: Attack) -> None:
    best, *_ = undominated(best_cases(), best_cases())
    attack(lambda number: False)
    later = parent.trial(best).root.rename(parent.root / "later")
    run(request(trials=(next(iter(best_cases())),)))
    assert told() == "", "trials that are named settle nothing"
    run()
    assert "of the 3 trusted trials of tiny are measured" in told()
    before = measured(study_paths("tiny-measured"))
    later.rename(parent.trial(best).root)
    run(request(trials=(min(before),)))
    assert "of the 3 trusted trials of tiny are measured" in told(), "what is settled stays so"
    run()
    assert f"Settled: {len(before) + 1} of the 4 trusted trials of tiny are measured" in told()


def doctor(parent: StudyPaths, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the event that ended a trial."""
    path = parent.trial(number).events
    *rest, last = path.read_text().splitlines()
    event = json.loads(last)
    change(event)
    path.write_text("\n".join([*rest, json.dumps(event)]) + "\n")


OTHER_PGD = {
    "evaluation.images differs from tiny": {"evaluation.images": 50},
    "evaluation.attack_steps, evaluation.attack_restarts differ from tiny": {
        **{"evaluation.attack_steps": 3, "evaluation.attack_restarts": 2},
    },
    "evaluation.split differs from tiny": {"evaluation.split": "test"},
    "evaluation.heads differs from tiny": {"evaluation.heads": ["robust", "clean"]},
    "evaluation.attack_precision differs from tiny": {"evaluation.attack_precision": "bfloat16"},
    "evaluation.epsilon differs from tiny": {
        **{"evaluation.epsilon": 8 / 255, "evaluation.attack_epsilons": [8 / 255, 64 / 255]},
    },
}
SAME_PGD = {
    **{"evaluation.attack_epsilons": [8 / 255, 64 / 255], "evaluation.check_images": 8, "device": "auto"},
    **{"evaluation.auto_attack_precision": "bfloat16", "evaluation.auto_attack_batch_size": 9},
}


def test_best_cases_are_known_as_long_as_pgd_leaves_the_same_images(parent: StudyPaths) -> None:
    study, config = read_study(parent), config_of(parent.trial(0))
    objectives = [CLEAN_ACCURACY, AUTO_ATTACK_ACCURACY]
    for why, settings in OTHER_PGD.items():
        other = {0: Network(config, request(settings=settings).measured(config))}
        with pytest.raises(UnknownError) as raised:
            best_cases_of(study, objectives, other)
        assert str(raised.value) == why
    alike = {0: Network(config, request(settings=SAME_PGD).measured(config))}
    (case,) = best_cases_of(study, objectives, alike)
    assert (case.values[CLEAN_ACCURACY], case.values[AUTO_ATTACK_ACCURACY]) == best_cases()[0]


def test_where_they_are_not_the_searchs_frontier_is_measured_and_why_is_said(parent: StudyPaths) -> None:
    prepared = prepare(request(settings={"evaluation.split": "test"}))
    assert prepared.config.measures is not None
    assert prepared.config.measures.trials == frontier(read_study(parent))["number"].tolist()
    assert prepared.remarks[0] == (
        "the search's frontier alone is measured, for what others come to at best is not known: "
        "evaluation.split differs from tiny"
    )


def test_what_the_search_does_not_tell_is_said(parent: StudyPaths) -> None:
    searched = parent.study_file.read_text()

    def why() -> str:
        prepared = prepare(request())
        assert prepared.config.measures is not None
        assert not prepared.config.measures.best_cases
        return prepared.remarks[0].partition("is not known: ")[2]

    with_costs = StudyConfig.load(parent.study_file).model_copy(update={"objectives": [PGD_ACCURACY, GPU_MINUTES]})
    parent.study_file.write_text(with_costs.to_yaml())
    assert why() == "gpu_minutes hold those of this evaluation, too"
    parent.study_file.write_text(searched)
    config = json.loads(parent.trial(1).config.read_text())
    config["config"]["evaluation"]["attacks"] = ["pgd", "margin_pgd"]
    write_json(parent.trial(1).config, config)
    assert why() == "tiny ran margin_pgd, too; --set 'evaluation.attacks=[pgd,auto_attack,margin_pgd]' does"
    config["config"]["evaluation"]["attacks"] = ["pgd", "auto_attack", "torchattacks_10_steps"]
    write_json(parent.trial(1).config, config)
    doctor(parent, 1, lambda event: event["outcomes"].update(identity="another"))
    assert why() == "trial 0001 was evaluated on other images than there are now"
    doctor(parent, 1, lambda event: event.pop("outcomes"))
    assert why() == "trial 0001 has not recorded which images withstood PGD"
    manifest = json.loads(parent.manifest.read_text())
    write_json(parent.manifest, manifest | {"objectives": [{"metric": CLEAN_ACCURACY}]})
    assert why() == "pgd_accuracy is no objective of tiny"


def test_chosen_trials_other_attacks_and_seeds_of_a_confirmation_are_measured_as_they_are(parent: StudyPaths) -> None:
    def settles(asked: Request) -> bool:
        found = prepare(asked).config.measures
        assert found is not None
        return bool(found.best_cases)

    by_setting = Request(study="tiny", settings={"evaluation.attacks": ["pgd", "auto_attack"]})
    assert [settles(asked) for asked in (request(), by_setting)] == [True, True]
    others = (request(trials=(1,)), request(limit=1), Request(study="tiny"), Request(study="tiny", attack="pgd"))
    assert not any(map(settles, others))
    write_json(parent.manifest, json.loads(parent.manifest.read_text()) | {"confirms": {"study": "x", "seeds": [1]}})
    assert not settles(request())


def test_flagged_trials_are_no_candidates(parent: StudyPaths) -> None:
    best, *_ = undominated(best_cases(), best_cases())
    path = parent.trial(best).result
    write_json(path, json.loads(path.read_text()) | {"verdict": "flagged: noise breaks it"})
    prepared = prepare(request())
    assert f"trial {best:04d} is left out: flagged: noise breaks it" in prepared.remarks
    assert best not in best_cases()
    assert best not in prepared.config.measures.trials


def test_a_plan_has_the_first_round_and_at_most_what_follows_and_their_cost(parent: StudyPaths) -> None:
    first = undominated(best_cases(), best_cases())
    console = quiet()
    console.print(plan(prepare(request())))
    shown = " ".join(console.file.getvalue().split())
    assert f"trial{'s' * (len(first) > 1)} {', '.join(f'{one:04d}' for one in sorted(first))} of tiny" in shown
    rest = 4 - len(first)
    more = f"at most {rest} network{'s' * (rest > 1)} more"
    assert f"What AutoAttack takes off these decides which others follow: {more}, up to" in shown


@pytest.mark.slow
def test_who_stands_by_goes_on_with_the_rounds(
    parent: StudyPaths, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack(lambda number: False)
    reader, writer = os.pipe()
    monkeypatch.setattr(supervise, "_told", [writer])
    command = ["measure", "tiny", "--attack", "autoattack", "--set", "evaluation.auto_attack_images=20"]
    ended = CliRunner().invoke(app, [*command, "--backend", "inline"])
    assert ended.exit_code == 0, ended.output
    assert told() in ended.output
    continuation = Continuation.read(reader)
    assert continuation is not None
    assert continuation.root == study_paths("tiny-measured").root
    write_json(study_paths("tiny-measured").stop, {"request": "drain"})
    again = CliRunner().invoke(app, continuation.arguments)
    assert again.exit_code == 0, again.output
    assert study_paths("tiny-measured").stop.exists(), "what was asked of the driver that died is heeded"
    assert continuation.arguments[: len(command)] == command
    CliRunner().invoke(app, ["measure", "tiny", "--trials", "0", *command[2:], "--backend", "inline"])
    os.close(writer)
    assert Continuation.read(reader).arguments[:2] == ["resume", "tiny-measured"]


@pytest.mark.exhaustive
def test_it_is_settled_on_ray_under_the_real_attack(parent: StudyPaths) -> None:
    """A radius at which two steps of PGD find little, and AutoAttack all at once."""
    console, best = quiet(), best_cases()
    child = measure(request(), console=console)
    assert "round 2" in console.file.getvalue()
    found = measured(child)
    assert found == {number: (best[number][0], 0.0) for number in found}
    assert found.keys() == undominated(best, {number: (clean, 0.0) for number, (clean, _) in best.items()})
    assert told().startswith(f"Settled: {len(found)} of the 4 ")
