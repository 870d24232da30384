"""A study that optimises accuracy under an attack of a package, from the file to the report and beyond."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.comparing.comparability import comparability
from analysis.figures.parallel import parallel_figure
from analysis.frontier.pareto import frontier
from analysis.frontier.resampling import candidates
from analysis.layout import StudyPaths, default_tracking_uri, read_json
from analysis.reading.runs import read_mlflow, read_study
from analysis.report.page import render
from analysis.tables.trials import headline_table, trials_table
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.confirming.confirm import prepare
from study.confirming.request import Confirm, Reseed
from study.launch import launch, resume
from study.measuring.measure import measure
from study.measuring.measure import prepare as prepare_measuring
from study.measuring.plan import plan
from study.measuring.request import Request
from study.reference import settings
from study.search.warm_start import gather
from trainables.catalogue import default_config
from trainables.config import ConfigError, UserError

Study = Callable[..., tuple[int, str, str]]
Once = Callable[[str, Callable[[], object]], StudyPaths]

L2, NOISE = "robust_head/l2_pgd_128", "robust_head/noise_3"
OBJECTIVES = ["clean_accuracy", L2]
SETTINGS = {"evaluation.attacks": ["pgd", "l2_pgd_128", "noise_3"], "evaluation.attack_batch_size": 20}
TITLE = "Accuracy under l2_pgd_128 of the robust head"


def console() -> Console:
    return Console(file=io.StringIO(), width=1000)


def said(told: Console) -> str:
    assert isinstance(told.file, io.StringIO)
    return told.file.getvalue()


@pytest.fixture
def studied(own_package: Path, studies: Path, once: Once, tiny: Any) -> StudyPaths:
    keys = {"objectives": OBJECTIVES, "constraints": {NOISE: {"at_least": 0.01}}, "tracking": {"offline": False}}
    return once("tried", lambda: launch(tiny(SETTINGS, name="tried", **keys), backend="inline", console=console()))


@pytest.fixture
def usual(own_package: Path, studies: Path, once: Once, tiny: Any) -> StudyPaths:
    return once("usual", lambda: launch(tiny(name="usual"), backend="inline", console=console()))


@pytest.fixture
def elsewhere(studied: StudyPaths, own_package: Path, monkeypatch: pytest.MonkeyPatch) -> StudyPaths:
    """The study on a machine that has not the package."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(own_package)])
    return studied


def test_it_is_an_accuracy_like_any_other(studied: StudyPaths) -> None:
    study = read_study(studied)
    assert study.objectives == dict.fromkeys(OBJECTIVES, "maximize")
    assert len(study.finished) == 3
    assert study.finished[[L2, NOISE]].notna().to_numpy().all()
    assert (
        (study.finished[f"{L2}_low"] <= study.finished[L2]) & (study.finished[L2] <= study.finished[f"{L2}_high"])
    ).all()
    for trial in study.finished.to_dict("records"):
        counted = study.outcomes[str(trial["id"])].of(L2)
        assert counted.mean() == pytest.approx(trial[L2])
    found = candidates(study, OBJECTIVES)
    assert len(found) == 3
    assert all(one.seen is not None for one in found), "its images are drawn together with the others'"
    assert set(frontier(study)["number"]) <= {0, 1, 2}
    kept = read_mlflow(default_tracking_uri(studied.root.parent), "tried").trials
    assert np.allclose(sorted(kept[L2]), sorted(study.finished[L2]))


def test_what_is_measured_is_shown_also_where_it_is_no_objective(studied: StudyPaths) -> None:
    study = read_study(studied)
    for table in (headline_table(study), trials_table(study)):
        assert "Accuracy under noise_3 of the robust head, %" in [column.title for column in table.columns]
    assert study.finished[[NOISE, f"{NOISE}_low", f"{NOISE}_high"]].notna().to_numpy().all()


def test_what_it_costs_is_counted(studied: StudyPaths, usual: StudyPaths) -> None:
    """Of 50 images: five steps forward and back and a verdict, and of noise the verdict."""
    more, less = (read_study(one).finished["evaluation_forward_equivalents"] for one in (studied, usual))
    assert set(more) == {less.iloc[0] + 50 * (5 * 2 + 1 + 1)}


def test_manifest_and_attempts_record_whose_it_is(studied: StudyPaths) -> None:
    told = read_json(studied.manifest)["packages"]
    assert [(one["kind"], one["name"], one["version"]) for one in told] == [
        ("attack", "l2_pgd_128", "0.3.1"),
        ("attack", "noise_3", "0.3.1"),
    ]


def test_a_study_is_read_where_the_package_is_not_installed_and_not_gone_on_with(elsewhere: StudyPaths) -> None:
    study = read_study(elsewhere)
    assert len(frontier(study)) > 0
    assert TITLE in render(study)
    with pytest.raises(UserError, match=r"needs attack l2_pgd_128 of group-ssl 0\.3\.1, attack noise_3 of"):
        resume("tried", trials=4, backend="inline", console=console())


def test_the_commands_call_it_by_words(studied: StudyPaths, study: Study) -> None:
    code, out, _ = study("tables", "tried")
    assert code == 0
    assert f"{TITLE}, %" in out
    code, out, _ = study("status", "tried/0")
    assert code == 0
    assert "Accuracy under noise_3 of the robust head" in " ".join(out.split())
    code, out, _ = study("trials", "tried", "--sort", L2, "--columns", f"number,{L2}", "--json")
    assert code == 0
    found = [trial[L2] for trial in json.loads(out)]
    assert found == sorted(found, reverse=True), "the best first"


def test_a_long_name_of_the_colours_stands_beside_its_bar(studied: StudyPaths) -> None:
    figure = parallel_figure(read_study(studied))
    assert figure is not None
    assert figure.data[0].line.colorbar.title.text == "Accuracy under l2_pgd_128<br>of the robust head (%)"


def test_study_settings_lists_attacks_of_packages(own_package: Path) -> None:
    (found,) = settings(default_config("cf_amc_ssl"), "evaluation.attacks")
    assert found.choices[:2] == ("pgd", "fgsm")
    assert found.choices[-2:] == ("l2_pgd_128", "noise_3")


def test_another_version_is_told(studied: StudyPaths, newer_package: Path, tiny: Any) -> None:
    keys = {"objectives": OBJECTIVES, "budget": {"trials": 1}}
    later = read_study(launch(tiny(SETTINGS, name="later", **keys), backend="inline", console=console()))
    (sentence,) = [one for one in comparability([read_study(studied), later]).measured if "Attack" in one]
    source = r"group-ssl 0\.{}, source [0-9a-f]{{8}}"
    assert re.fullmatch(
        f"Attack l2_pgd_128: {source.format('3.1')} in tried; {source.format('4.0')} in later.", sentence
    )
    learning = tiny(SETTINGS, name="learning", warm_start=["tried", "later"], **keys)
    data = str(later.manifest["data"])
    gathered = gather(learning, learning.search_space(), data)
    assert [one.trial for one in gathered.accepted] == ["later/0000"]
    told = f"its {L2} is of another version or source of the attack l2_pgd_128"
    assert {(one.trial, one.reason) for one in gathered.refused} == {
        (f"tried/000{number}", told) for number in range(3)
    }
    again = console()
    resume("tried", backend="inline", console=again)
    assert "attack l2_pgd_128 was of group-ssl 0.3.1 and is of group-ssl 0.4.0, with other source" in said(again)
    assert gather(learning, learning.search_space(), data) == gathered, "what trials were before they remain"


def test_an_attack_that_raises_fails_its_trial_alone(tiny: Any, studies: Path, package) -> None:
    """The second of the trials, whose network it does not like."""
    source = (
        "from trainables.evaluation.attack import Attack\n"
        "calls = []\n"
        "def perturb(logits, images, labels):\n"
        "    calls.append(1)\n"
        "    return images if len(calls) != 2 else images[:, :1]\n"
        "MINE = Attack(name='mine', summary='', source='', perturb=perturb)\n"
    )
    package("breaking", source, attacks={"mine": "breaking:MINE"})
    config = tiny({"evaluation.attacks": ["pgd", "mine"]}, name="broken")
    trials = read_study(launch(config, backend="inline", console=console())).trials
    assert trials["status"].tolist() == ["finished", "failed", "finished"]
    told = "PackageError: attack 'mine' of breaking 1.2 fails (ConfigError: what it gives is a tensor of shape (50, 1,"
    assert trials["reason"].iloc[1].startswith(told)


def test_what_was_trained_is_put_under_an_attack_that_it_had_not(
    studied: StudyPaths, usual: StudyPaths, study: Study
) -> None:
    """The searches are of the same networks; the measurement finds what the search with the attack did, to the bit."""
    prepared = prepare_measuring(Request(study="usual", attack="l2_pgd_128"))
    told = console()
    told.print(plan(prepared))
    assert "Not counted is what l2_pgd_128 will ask of the networks." in said(told)
    wanted = Request(
        study="usual", trials=(0, 1, 2), attack="l2_pgd_128", settings={"evaluation.attack_batch_size": 20}
    )
    found = read_study(measure(wanted, backend="inline", console=console()))
    assert list(found.objectives) == OBJECTIVES
    assert found.finished[L2].tolist() == read_study(studied).finished[L2].tolist()
    assert found.finished["pgd_accuracy"].tolist() == read_study(usual).finished["pgd_accuracy"].tolist()
    code, _, err = study("measure", "usual", "--attack", "l2_pgd_12", "--dry-run")
    assert code == 2
    assert "--attack l2_pgd_12 is unknown; did you mean l2_pgd_128?" in err
    code, out, _ = study("measure", "usual", "--attack", "noise_3", "--name", "noisy", "--dry-run")
    assert code == 0
    assert "Not counted is what noise_3 will ask" in " ".join(out.split())


def test_training_again_measures_what_the_objectives_take(studied: StudyPaths, usual: StudyPaths) -> None:
    for request, objectives, attacks in (
        (Reseed(study="tried", seeds=1), OBJECTIVES, ("pgd", "l2_pgd_128", "noise_3")),
        (Reseed(study="usual", seeds=1, attack="noise_3"), ["clean_accuracy", NOISE], ("pgd", "noise_3")),
        (Confirm(study="tried", seeds=1), OBJECTIVES, ("pgd", "auto_attack", "l2_pgd_128")),
        (Confirm(study="tried", seeds=1, attack="noise_3"), OBJECTIVES, ("pgd", "noise_3", "l2_pgd_128")),
    ):
        prepared = prepare(request)
        prepared.config.check()
        assert prepared.config.objectives == objectives
        assert prepared.config.confirms is not None
        assert {config.evaluation.attacks for config in prepared.config.confirms.configs()} == {attacks}


def test_a_study_file_says_what_is_lacking(own_package: Path, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    head = "name: s\ntrainables: [cf_amc_ssl]\nbudget: {trials: 1}\n"
    file.write_text(f"{head}objectives: [clean_accuracy, {L2}]\n")
    with pytest.raises(
        StudyFileError, match=rf"yaml:4: no trial of this study measures {L2}; set evaluation.attacks to "
    ):
        StudyConfig.load(file)
    file.write_text(f"{head}settings:\n  seed: 1\n  evaluation.attacks: [pgd, l2_pgd_12]\n")
    with pytest.raises(StudyFileError, match=r"yaml:6: unknown attack 'l2_pgd_12'; did you mean l2_pgd_128\?"):
        StudyConfig.load(file)
    found = StudyConfig.load(file, {"settings.evaluation.attacks": ["pgd", "l2_pgd_128"], "objectives": [L2]})
    assert found.base_configs()["cf_amc_ssl"].evaluation.own_attacks == ("l2_pgd_128",)


def test_a_frontier_under_autoattack_needs_no_attack_of_a_package(studied: StudyPaths, tiny: Any) -> None:
    """Its figure is of no worst, so that AutoAttack's is at most PGD's without it, too."""
    config = tiny(SETTINGS, name="both", budget={"trials": 2})
    launch(config, backend="inline", console=console())
    few = {"evaluation.auto_attack_images": 10}
    prepared = prepare_measuring(Request(study="both", attack="autoattack", settings=few))
    assert any("round by round" in remark for remark in prepared.remarks)


def test_a_config_that_names_no_attack_is_refused_before_it_is_run(usual: StudyPaths) -> None:
    settings = {"evaluation.attacks": ["pgd", "nobody"]}
    with pytest.raises(ConfigError, match="unknown attack 'nobody'"):
        prepare_measuring(Request(study="usual", trials=(0,), settings=settings)).config.check()
