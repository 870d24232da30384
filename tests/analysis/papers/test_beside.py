"""A study beside the published figures: which rows, which marks, which sentences."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import pytest

from analysis.layout import ENDED, append_event, write_json
from analysis.papers import published
from analysis.papers.agreement import OURS, departures, of_point, of_trial
from analysis.papers.beside import TABLES, Beside, beside
from analysis.papers.rows import CLEAN, WORST
from analysis.reading.runs import read_study
from analysis.tables.marking import Mark
from analysis.tables.paper import accuracies, accuracy_marks, minutes_marks, paper_table
from analysis.tables.typeset import csv, markdown

NewStudy = Callable[..., Any]
AS_PUBLISHED = {"data.source": "cifar10", "data.validation_fraction": 0.0, "evaluation.split": "test"}


def of(study: Any, *tables: str) -> Beside:
    return beside(read_study(study.paths), tables)


def confirm(study: Any, number: int, clean: list[float], settings: Mapping[str, Any], images: int = 10_000) -> None:
    """The seeds of one configuration, each a finished trial."""
    for seed, share in enumerate(clean):
        trial = study.begin(10 * number + seed, {"configuration": number, "seed": seed}, settings=settings)
        metrics = {"clean_accuracy": share, "pgd_accuracy": 0.3, "robust_head/pgd_8_zero": 0.31}
        ended = {"status": "finished", "reason": "", "metrics": metrics | {"evaluation_images": images}}
        append_event(trial, ENDED, 1, **ended)


@pytest.fixture
def confirmation(new_study: NewStudy) -> Any:
    evaluation = {"head": "robust", "epsilon": 8 / 255, "split": "test"}
    told = {"study": "tiny", "seeds": [0, 1], "configurations": [{"trial": 3}, {"trial": 4}]}
    return new_study("tiny-confirmed", confirms=told, evaluation=evaluation)


def test_unasked_only_those_published_rows_stand_beside_ours_that_compare(confirmation: Any) -> None:
    confirm(confirmation, 3, [0.9, 0.8], AS_PUBLISHED)
    found = beside(read_study(confirmation.paths))
    assert {row.source for row in found.theirs} == {"Table 1", "Table 3", "Table 4"}
    assert {row.protocol for row in found.theirs} == {found.ours[0].protocol}
    assert len(found.theirs) + found.apart == 34
    (told,) = [note for note in paper_table(found).notes if note.startswith("Left out")]
    assert told.startswith(f"Left out: {found.apart} published rows that ours cannot be compared with (another head, ")
    whole = beside(read_study(confirmation.paths), TABLES)
    assert (len(whole.theirs), whole.apart) == (34, 0)
    assert not any(note.startswith("Left out") for note in paper_table(whole).notes)


def test_golden_markdown(new_study: NewStudy) -> None:
    study = new_study(environment={"hardware": "2 cores, no GPU"})
    study.finished(3, 0.9, 0.5)
    study.finished(4, 0.8, 0.6)
    assert markdown(paper_table(of(study, "leaderboard"))).splitlines()[:6] == [
        "**tiny beside published figures**",
        "",
        "| Method | Trial or table | Data | Head | Network | Epochs | Clean, % | PGD 8/255, % | Worst PGD 8/255, % | "
        "AutoAttack 8/255, % | Seeds | Evaluated images | Minutes | Hardware |",
        "| --- | --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        r"| cf_amc_ssl | tiny/0003 | digits, validation | robust | ResNet-18 | 10 | **90.0** \[86.5, 92.7\] | "
        r"<u>50.0</u> \[44.9, 55.1\] | <u>50.0</u> \[44.9, 55.1\] | – | 1 | 360 | 0.1 | 2 cores, no GPU |",  # noqa: RUF001
        r"| cf_amc_ssl | tiny/0004 | digits, validation | robust | ResNet-18 | 10 | <u>80.0</u> \[75.6, 83.8\] | "
        r"**60.0** \[54.9, 64.9\] | **60.0** \[54.9, 64.9\] | – | 1 | 360 | 0.1 | 2 cores, no GPU |",  # noqa: RUF001
    ]


def test_what_is_not_comparable_is_said_and_ranked_apart(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5)
    found = of(study, "table1")
    (note,) = [note for note in paper_table(found).notes if "cannot be compared" in note]
    assert "another data set" in note
    assert "other images to evaluate on" in note
    assert accuracy_marks(found, CLEAN)[0] is Mark.NONE, "one row of ours has nothing to stand out from"
    assert found.comparable == ()
    assert not any("cannot be compared" in note for note in paper_table(of(study)).notes)


def test_published_rows_are_ranked_within_data_head_and_network(new_study: NewStudy) -> None:
    found = of(new_study(), *TABLES)
    best = {
        (row.head, row.network, row.method)
        for row, mark in zip(found.rows, accuracy_marks(found, CLEAN), strict=True)
        if mark is Mark.BEST
    }
    assert best == {
        ("robust", "ResNet-18", "Crop EMP-SSL, 16 crops, PGD-5"),
        ("clean", "ResNet-18", "SimCLR, not adversarial"),
        ("n_crops_32", "ResNet-18", "EMP-SSL, not adversarial"),
        ("n_crops_64", "ResNet-18", "EMP-SSL, not adversarial"),
        ("robust", "ResNet-50", "CF-AMC-SSL, 16 crops, m=3"),
        ("slf", "ResNet-18", "DynACL-AIR++"),
        ("alf", "ResNet-18", "DynACL-AIR++"),
    }
    quickest = {row.method for row, mark in zip(found.rows, minutes_marks(found), strict=True) if mark is Mark.BEST}
    assert {"CF-AMC-SSL, 16 crops, m=3", "Patch EMP-FreeAdv, 16 patches, m=3"} <= quickest


def test_a_confirmation_measured_as_published_is_ranked_with_it(confirmation: Any) -> None:
    confirm(confirmation, 3, [0.7, 0.8], AS_PUBLISHED)
    confirm(confirmation, 4, [0.8, 0.9], AS_PUBLISHED)
    found = of(confirmation, "table1")
    assert [row.source for row in found.ours] == ["tiny/0003", "tiny/0004"]
    assert [row.seeds for row in found.ours] == [2, 2]
    assert found.comparable == found.ours
    assert accuracy_marks(found, CLEAN)[:2] == [Mark.NONE, Mark.BEST]
    assert accuracy_marks(found, CLEAN).count(Mark.BEST) == 1
    assert accuracy_marks(found, "pgd_8").count(Mark.BEST) == 1, "CF-AMC-SSL's 33.34 stands above ours"
    assert any("are ranked with them" in note for note in paper_table(found).notes)
    assert found.ours[0].figures[CLEAN].text == "75.00", "10,000 images have hundredths"


def test_a_seed_measured_otherwise_takes_its_row_out(confirmation: Any) -> None:
    confirm(confirmation, 3, [0.7], AS_PUBLISHED)
    confirm(confirmation, 4, [0.7], AS_PUBLISHED | {"evaluation.attack_steps": 10})
    found = of(confirmation, "table1")
    assert [row.departures for row in found.ours] == [(), ("another attack",)]
    (note,) = [note for note in paper_table(found).notes if "cannot be compared" in note]
    assert (
        note == "1 of ours cannot be compared with the published rows (another attack) and is ranked apart from them."
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data.source": "digits"}, "another data set"),
        ({"evaluation.split": "validation"}, "other images to evaluate on"),
        ({"data.train_images": 5000}, "other training images"),
        ({"network.width": 16}, "another size of network"),
        ({"network.architecture": "resnet34"}, "another network"),
        ({"evaluation.head_epochs": 3}, "a head trained otherwise"),
        ({"evaluation.heads": ["slf"], "evaluation.head": "slf"}, "another head"),
    ],
)
def test_departures(confirmation: Any, changed: dict[str, Any], words: str) -> None:
    confirm(confirmation, 3, [0.7], AS_PUBLISHED | changed)
    trial = read_study(confirmation.paths).trials.to_dict("records")[0]
    assert departures(trial) == (words,)
    assert of_trial(trial) == OURS


def test_a_trial_of_the_papers_own_settings_agrees_with_its_row(confirmation: Any) -> None:
    confirm(confirmation, 3, [0.7], AS_PUBLISHED)
    trial = read_study(confirmation.paths).trials.to_dict("records")[0]
    assert of_trial(trial) == of_point(published.TABLE_1[0])
    assert departures({}), "what is not known does not agree"


def test_flagged_rows_are_left_out_of_a_search_and_unmarked_in_a_confirmation(
    new_study: NewStudy, confirmation: Any
) -> None:
    study = new_study()
    for number, clean in enumerate((0.99, 0.8)):
        trial = study.finished(number, clean, 0.5)
        if number == 0:
            write_json(trial.result, {"verdict": "flagged: noise finds more than PGD"})
    found = of(study)
    assert [row.source for row in found.ours] == ["tiny/0001"]
    assert any("1 flagged by the sanity checks" in note for note in paper_table(found).notes)

    confirm(confirmation, 3, [0.9], AS_PUBLISHED)
    write_json(confirmation.paths.trial(30).result, {"verdict": "flagged: noise finds more than PGD"})
    found = of(confirmation, "table1")
    assert paper_table(found).cells[0][0].text == "cf_amc_ssl (flagged)"
    assert accuracy_marks(found, CLEAN)[0] is Mark.NONE


@pytest.mark.parametrize("tables", [(), ("table1",)])
def test_nothing_to_show_is_said(new_study: NewStudy, tables: tuple[str, ...]) -> None:
    study = new_study()
    study.begin(0, {"m": 3})
    study.failed(1)
    study.finished(2, 0.9, 0.5, pgd_accuracy=math.nan)
    found = of(study, *tables)
    assert found.ours == ()
    assert paper_table(found).notes[0].startswith("No row is ours. No trial has finished with all objectives measured")
    assert len(paper_table(found).cells) == len(found.theirs)
    assert csv(found).count("\n") == 1 + len(found.theirs)
    assert markdown(paper_table(found)).endswith(".\n")


def test_all_flagged_or_beyond_the_bounds_is_said(new_study: NewStudy) -> None:
    study = new_study(constraints={"gpu_minutes": 5})
    write_json(study.finished(0, 0.9, 0.5).result, {"verdict": "flagged: noise"})
    study.finished(1, 0.8, 0.6, gpu_minutes=9.0)
    assert paper_table(of(study)).notes[0] == (
        "No row is ours. There is no frontier: of 2 finished trials 1 beyond the study's bounds "
        "(trial 1: gpu_minutes is 9, above 5), 1 flagged."
    )


@pytest.mark.parametrize("told", [{"study": "tiny"}, {"study": "tiny", "configurations": []}, {"configurations": None}])
def test_a_confirmation_of_nothing(new_study: NewStudy, told: dict[str, Any]) -> None:
    study = new_study("odd", confirms=told)
    assert "No configuration has finished" in paper_table(of(study)).notes[0]


def test_a_half_written_folder_costs_its_own_cells(new_study: NewStudy) -> None:
    study = new_study()
    for number in range(3):
        study.finished(number, 0.9 - number / 10, 0.5 + number / 10)
    study.paths.trial(0).config.write_text('{"trainable": "cf_')
    study.paths.trial(1).result.write_text("{")
    study.paths.manifest.write_text('{"objectives": [')
    found = of(study, "table1")
    assert [row.method for row in found.ours] == ["unknown", "cf_amc_ssl", "cf_amc_ssl"]
    assert found.ours[0].epochs is None
    assert "Worst PGD" in [heading.title.rstrip(", %") for heading in paper_table(found).headings]


def test_csv_is_exact_and_marks_each_figure(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5, params={"m": 3, "kind": '=1+1, "x"'})
    study.finished(4, 0.8, 1 / 3)
    study.finished(5, 0.7, 0.6, params={"m": 4})
    found = pd.read_csv(io.StringIO(csv(of(study, "table1"))))
    assert list(found["clean_mark"][:2]) == ["best", "second"]
    assert found["clean"].iloc[0] == 0.9
    assert found["worst_pgd_low"].iloc[0] == pytest.approx(0.4486, abs=1e-4)
    assert found["param.kind"].iloc[0] == '=1+1, "x"'
    assert len(found) == 9
    assert found["pgd_8"].iloc[-1] == pytest.approx(0.3334)


def test_columns_follow_kind_and_radius(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(3, 0.9, 0.5, **{"robust_head/pgd_16_zero": 0.2, "robust_head/pgd_4_zero": 0.6})
    assert accuracies(of(study, "leaderboard")) == [CLEAN, "pgd_4", "pgd_8", "pgd_16", WORST, "auto_attack_8"]


def test_hardware_is_the_gpu_and_the_share_of_it(new_study: NewStudy) -> None:
    study = new_study(environment={"hardware": "16 cores, NVIDIA H200"})
    trial = study.finished(0, 0.9, 0.5)
    append_event(trial, "attempt", 2, device="NVIDIA H200", gpu_share=0.25)
    append_event(trial, ENDED, 2, status="finished", metrics={"clean_accuracy": 0.9, "pgd_accuracy": 0.5})
    study.finished(1, 0.8, 0.6)
    assert [row.hardware for row in of(study).ours] == ["0.25 of NVIDIA H200", "16 cores, NVIDIA H200"]
