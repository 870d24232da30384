"""A study that optimises accuracies of its own naming: another radius, another head."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from rich.console import Console

from analysis.frontier.confirmed import confirmed
from analysis.frontier.pareto import frontier
from analysis.layout import StudyPaths, read_json, study_paths
from analysis.reading.runs import read_study
from study.confirming.confirm import prepare
from study.confirming.request import Confirm, Reseed
from study.launch import launch, resume
from study.measuring.measure import measure
from study.measuring.measure import prepare as prepare_measuring
from study.measuring.request import Request
from study.simulation.curves import CurvesError, record
from trainables.config import ConfigError
from trainables.evaluation import assess
from trainables.metrics import Verdict

Study = Callable[..., tuple[int, str, str]]
Once = Callable[[str, Callable[[], object]], StudyPaths]

PGD_24, CLEAN_HEAD, FGSM = "robust_head/pgd_24_zero", "clean_head/clean", "robust_head/fgsm_16"
OBJECTIVES = ["clean_accuracy", PGD_24, CLEAN_HEAD]
SETTINGS = {
    "evaluation.heads": ["robust", "clean"],
    "evaluation.attacks": ["pgd", "fgsm"],
    "evaluation.attack_epsilons": [8 / 255, 16 / 255, 24 / 255],
}
TITLES = ("Zero-start PGD accuracy at 24/255 of the robust head", "Clean accuracy of the clean head")


def quiet() -> Console:
    return Console(file=io.StringIO(), width=400)


@pytest.fixture
def wide(studies: Path, once: Once, tiny: Any) -> StudyPaths:
    config = tiny(SETTINGS, name="wide", objectives=OBJECTIVES, budget={"trials": 3})
    return once("wide", lambda: launch(config, backend="inline", console=quiet()))


@pytest.fixture
def usual(once: Once, tiny: Any, studies: Path) -> StudyPaths:
    return once("usual", lambda: launch(tiny(SETTINGS, name="usual"), backend="inline", console=quiet()))


def test_optuna_and_readers_have_the_figures_that_trials_measured(wide: StudyPaths) -> None:
    study = read_study(wide)
    assert study.objectives == dict.fromkeys(OBJECTIVES, "maximize")
    told = optuna.load_study(study_name="wide", storage=f"sqlite:///{wide.optuna}")
    assert told.metric_names == OBJECTIVES
    assert [trial.values for trial in told.trials] == study.finished[OBJECTIVES].to_numpy().tolist()
    assert {trial.number for trial in told.best_trials} == set(frontier(study)["number"])
    for name in OBJECTIVES:
        assert ((study.finished[f"{name}_low"] <= study.finished[name]) & (study.finished[f"{name}_high"] < 1)).all()
    config = read_json(wide.trial(0).config)
    assert config["also_judged"] == ["clean"], "its clean head is checked, too, as far as checks run"


def test_the_frontier_names_what_is_optimised(wide: StudyPaths, study: Study) -> None:
    code, out, _ = study("front", "wide", "--json")
    assert code == 0
    best = json.loads(out)
    assert {f"{name}{end}" for name in OBJECTIVES for end in ("", "_low", "_high")} <= best[0].keys()
    code, out, _ = study("tables", "wide")
    assert code == 0
    assert "PGD 24/255, %" in out, "as published figures are called"
    assert f"{TITLES[1]}, %" in out


@pytest.mark.usefixtures("reports")
def test_report_and_figures_are_drawn_over_what_is_optimised(wide: StudyPaths, study: Study) -> None:
    page = wide.root / "page.html"
    assert study("report", "wide", "-o", page)[0] == 0
    text = page.read_text()
    assert all(title in text for title in TITLES)
    plane = 'id="figure-plane_forward_equivalents_robust_head_pgd_24_zero"'
    assert plane in text, "a name that a page and a file may have"


def test_a_flag_of_a_head_that_is_optimised_flags_the_trial(
    tiny: Any, studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([Verdict(checks={}, flags=(), images=8), Verdict(checks={}, flags=("it hides",), images=8)])
    monkeypatch.setattr(assess, "check", lambda *_: next(found))
    checked = SETTINGS | {"evaluation.check_images": 8}
    config = tiny(checked, name="masked", objectives=OBJECTIVES, budget={"trials": 1})
    masked = read_study(launch(config, backend="inline", console=quiet()))
    assert masked.trials["verdict"].tolist() == ["flagged: clean head: it hides"]
    assert masked.trials["trusted"].tolist() == [0.0], "what the search goes by"
    assert frontier(masked).empty


def test_a_study_goes_on_after_a_stop(tiny: Any, studies: Path) -> None:
    config = tiny(SETTINGS, name="short", objectives=OBJECTIVES, budget={"trials": 1})
    launch(config, backend="inline", console=quiet())
    resume("short", trials=2, backend="inline", console=quiet())
    study = read_study(study_paths("short"))
    assert study.finished[OBJECTIVES].notna().to_numpy().all()
    assert len(study.finished) == 2


def test_studies_of_other_objectives_are_told_apart(wide: StudyPaths, usual: StudyPaths, study: Study) -> None:
    code, out, _ = study("compare", "wide", "usual")
    assert code == 0
    told = f"Objectives: {', '.join(OBJECTIVES)} in wide; clean_accuracy, pgd_accuracy in usual."
    assert told in " ".join(out.split())
    own = f"({PGD_24}, {CLEAN_HEAD} of wide; pgd_accuracy of usual) enters no hypervolume"
    assert f"Only clean_accuracy is compared, which all optimised. What some alone did {own}" in " ".join(out.split())


def test_reseeding_and_confirming_measure_what_the_objectives_take(tiny: Any, studies: Path) -> None:
    objectives = ["clean_accuracy", FGSM, PGD_24]
    launch(tiny(SETTINGS, name="fast", objectives=objectives), backend="inline", console=quiet())
    for request, attacks in (
        (Reseed(study="fast", seeds=1), ("pgd", "fgsm")),
        (Reseed(study="fast", seeds=1, attack="pgd"), ("pgd", "fgsm")),
        (Confirm(study="fast", seeds=1), ("pgd", "auto_attack", "fgsm")),
    ):
        prepared = prepare(request)
        prepared.config.check()
        assert prepared.config.objectives == objectives
        assert prepared.config.confirms is not None
        assert {config.evaluation.attacks for config in prepared.config.confirms.configs()} == {attacks}


def test_means_over_seeds_stand_beside_what_the_search_measured(wide: StudyPaths) -> None:
    from study.confirming.confirm import confirm

    confirm(Reseed(study="wide", trials=(0, 1), seeds=2), backend="inline", console=quiet())
    found = confirmed(read_study(study_paths("wide-reseeded")))
    searched = read_study(wide).finished.set_index("number")
    for name in OBJECTIVES:
        assert found[f"searched.{name}"].tolist() == searched.loc[[0, 1], name].tolist()
        assert ((found[f"{name}_low"] <= found[name]) & (found[name] <= found[f"{name}_high"])).all()
    assert found["optimal"].any()


def test_networks_are_measured_by_the_same_objectives(wide: StudyPaths) -> None:
    paths = measure(Request(study="wide", trials=(0,), attack="pgd"), backend="inline", console=quiet())
    again, before = read_study(paths).finished, read_study(wide).finished
    assert again[OBJECTIVES].iloc[0].tolist() == before[OBJECTIVES].iloc[0].tolist()


def test_with_another_head_what_was_a_heads_figure_goes_by_the_short_name(wide: StudyPaths) -> None:
    settings = {"evaluation.head": "clean"}
    measuring = prepare_measuring(Request(study="wide", trials=(0,), settings=settings))
    reseeding = prepare(Reseed(study="wide", trials=(0,), seeds=1, settings=settings))
    for prepared in (measuring, reseeding):
        prepared.config.check()
        assert prepared.config.objectives == ["clean_accuracy", PGD_24]
    assert reseeding.config.confirms is not None
    figures = reseeding.config.confirms.configurations[0].figures
    searched = read_study(wide).finished.set_index("number").loc[0]
    assert figures["clean_accuracy"] == searched[CLEAN_HEAD]
    assert figures[PGD_24] == searched[PGD_24]
    assert "pgd_accuracy" not in figures, "it is of the other head"


def test_a_measurement_that_lacks_an_objective_is_refused(wide: StudyPaths) -> None:
    settings = {"evaluation.attack_epsilons": [8 / 255]}
    prepared = prepare_measuring(Request(study="wide", trials=(0,), settings=settings))
    with pytest.raises(ConfigError, match=f"no trial of this study measures {PGD_24}; did you mean"):
        prepared.config.check()


def test_recorded_trials_are_replayed_with_the_objectives_that_they_have(
    wide: StudyPaths, usual: StudyPaths, tiny: Any, tmp_path: Path
) -> None:
    file = tmp_path / "curves.jsonl"
    record(wide, file)
    config = tiny(SETTINGS, name="replayed", objectives=OBJECTIVES, budget={"trials": 2})
    paths = launch(config, backend="replay", curves=file, console=quiet())
    assert read_study(paths).finished[OBJECTIVES].notna().to_numpy().all()
    unlike = tiny(SETTINGS | {"evaluation.heads": ["robust", "slf"]}, name="unlike", objectives=["slf_head/clean"])
    with pytest.raises(CurvesError, match="has no slf_head/clean of wide/0000, an objective of the study"):
        launch(unlike, backend="replay", curves=file, console=quiet())


def test_early_stopping_says_by_what_it_judges(wide: StudyPaths, study: Study, tiny: Any) -> None:
    file = wide.root.parent / "halving.yaml"
    file.write_text(tiny(SETTINGS, name="halving", objectives=OBJECTIVES, scheduler="halving").to_yaml())
    code, out, _ = study("launch", file, "--dry-run")
    assert code == 0
    told = " ".join(out.split())
    assert f"judges {PGD_24} by the probe under PGD at evaluation.epsilon, {CLEAN_HEAD} by the clean probe." in told
