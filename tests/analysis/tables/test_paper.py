"""The rows of a table for papers and what is said of them, one fact at a time."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import labels
from analysis.frontier.uncertainty import over_seeds
from analysis.layout import ATTEMPT, ENDED, append_event, write_json
from analysis.papers import published
from analysis.papers.agreement import OURS
from analysis.papers.beside import TABLES, Beside, beside
from analysis.papers.rows import CLEAN, THIS_STUDY, WORST, Figure, Row
from analysis.reading.runs import read_study
from analysis.tables.marking import Mark
from analysis.tables.paper import accuracy_marks, minutes_marks, notes, paper_table
from analysis.tables.typeset import csv, latex

NewStudy = Callable[..., Any]


def row(**changes: Any) -> Row:
    known = {"section": THIS_STUDY, "method": "cf_amc_ssl", "source": "tiny/0000", "protocol": OURS}
    return Row(**known | {"data": "digits", "head": "robust", "network": "ResNet-18"} | changes)


def of(study: Any, ours: Sequence[Row], theirs: Sequence[Row] = ()) -> Beside:
    return Beside(study=read_study(study.paths), ours=tuple(ours), theirs=tuple(theirs), left_out=0)


def ended(
    study: Any, number: int, params: Mapping[str, Any] = {}, settings: Mapping[str, Any] = {}, **metrics: Any
) -> None:
    known = {"clean_accuracy": 0.9, "pgd_accuracy": 0.5, "evaluation_images": 360.0}
    trial = study.begin(number, params, settings=settings)
    append_event(trial, ENDED, 1, status="finished", reason="", metrics=known | metrics)


def only(study: Any, *tables: str) -> Row:
    (found,) = beside(read_study(study.paths), tables).ours
    return found


@pytest.fixture
def configuration(new_study: NewStudy) -> Any:
    """A confirmation of one configuration, whose seeds are yet to be trained."""
    return new_study("tiny-confirmed", confirms={"study": "tiny", "seeds": [1, 2], "configurations": [{"trial": 3}]})


def test_minutes_are_ranked_on_one_machine_and_without_the_flagged(new_study: NewStudy) -> None:
    times = [(5.0, "A", False), (4.0, "A", False), (1.0, "B", False), (2.0, "A", True), (6.0, "A", False)]
    rows = [row(minutes=minutes, hardware=machine, flagged=flagged) for minutes, machine, flagged in times]
    found = of(new_study(), rows)
    assert minutes_marks(found) == [Mark.SECOND, Mark.BEST, Mark.NONE, Mark.NONE, Mark.NONE]
    assert pd.read_csv(io.StringIO(csv(found)))["minutes_mark"].fillna("").tolist() == ["second", "best", "", "", ""]


def test_figures_that_read_the_same_are_marked_the_same(new_study: NewStudy) -> None:
    rows = [row(figures={CLEAN: Figure(value, decimals=1)}) for value in (80.04, 80.01, 79.0)]
    assert accuracy_marks(of(new_study(), rows), CLEAN) == [Mark.BEST, Mark.BEST, Mark.SECOND]


def test_ours_that_are_not_told_from_the_best_on_the_same_images_are_best(new_study: NewStudy) -> None:
    order, study = np.arange(400), new_study()
    study.judged(0, order < 320, order < 80)
    study.judged(1, (order < 317) | (order == 399), order < 90)  # one image alone against three
    study.judged(2, order < 300, order < 100)
    found = beside(read_study(study.paths), ())
    assert [row.source for row in found.ours] == ["tiny/0000", "tiny/0001", "tiny/0002"]
    assert accuracy_marks(found, CLEAN) == [Mark.BEST, Mark.BEST, Mark.SECOND]
    assert accuracy_marks(found, "pgd_8") == accuracy_marks(found, WORST) == [Mark.NONE, Mark.SECOND, Mark.BEST]
    assert any("does not tell from it (95 %" in note for note in notes(found))
    older = Beside(study=replace(found.study, outcomes={}), ours=found.ours, theirs=(), left_out=0)
    assert accuracy_marks(older, CLEAN) == [Mark.BEST, Mark.SECOND, Mark.NONE]
    assert not any("same images" in note for note in notes(older))
    published = Beside(study=found.study, ours=found.ours[:1], theirs=found.ours[1:], left_out=0)
    assert accuracy_marks(published, CLEAN) == [Mark.BEST, Mark.SECOND, Mark.NONE], "whose images are not known"


def test_csv_has_both_ends_of_an_interval_as_shares(new_study: NewStudy) -> None:
    table = pd.read_csv(io.StringIO(csv(of(new_study(), [row(figures={CLEAN: Figure(80.0, 75.0, 90.0)})]))))
    assert table.loc[0, ["clean", "clean_low", "clean_high"]].tolist() == pytest.approx([0.8, 0.75, 0.9])


def test_each_section_is_named_over_its_rows_in_latex(new_study: NewStudy) -> None:
    found = of(new_study(), [row(), row()], [row(section="Paper, Table 1")])
    lines = latex(paper_table(found)).splitlines()
    starts = [place for place, line in enumerate(lines) if line == r"\midrule"]
    assert [lines[place + 1].partition("emph")[2] for place in starts] == [
        r"{This study}} \\",
        r"{Paper, Table 1}} \\",
    ]
    assert starts[1] - starts[0] == 4, "its own rule, its name and two rows"


@pytest.mark.parametrize(("minutes", "said"), [(3.0, True), (math.nan, False)])
def test_minutes_are_explained_where_ours_have_any(new_study: NewStudy, minutes: float, said: bool) -> None:
    found = list(notes(of(new_study(), [row(minutes=minutes)])))
    assert any(note.startswith("Minutes of ours") for note in found) == said


@pytest.mark.parametrize(("figures", "said"), [({WORST: Figure(30.0)}, True), ({CLEAN: Figure(30.0)}, False)])
def test_the_worst_pgd_is_explained_where_ours_have_it(
    new_study: NewStudy, figures: dict[str, Figure], said: bool
) -> None:
    found = list(notes(of(new_study(), [row(figures=figures)])))
    assert any(labels.PGD_STARTS in note for note in found) == said


def test_what_ours_are_is_said(new_study: NewStudy, configuration: Any) -> None:
    protocol = "robust head, validation split; intervals 95 %: the wider of"
    search, confirmation = (next(notes(of(study, [row()]))) for study in (new_study(), configuration))
    assert search.startswith(f"Ours: single trials of a search; {protocol}")
    assert confirmation.startswith(f"Ours: means over seeds; {protocol}")


@pytest.mark.parametrize(("attacked", "said"), [(100.0, True), (360.0, False), (None, False)])
def test_that_autoattack_saw_fewer_images_is_said(new_study: NewStudy, attacked: float | None, said: bool) -> None:
    study = new_study()
    ended(study, 0, **({} if attacked is None else {"auto_attack_accuracy": 0.4, "auto_attack_images": attacked}))
    found = list(notes(of(study, [row()])))
    assert any(note.startswith("AutoAttack attacked fewer of them: n = 100 images") for note in found) == said


def test_a_configurations_minutes_are_the_mean_of_its_seeds(new_confirmation: NewStudy) -> None:
    found = only(new_confirmation({3: [0.5, 0.6]}))
    assert found.minutes == pytest.approx(0.1), "6 seconds each"
    assert found.figures[CLEAN].value == pytest.approx(55.0)


def test_an_interval_rests_on_the_fewest_images_of_a_seed_and_on_an_attacks_own(configuration: Any) -> None:
    for seed, images in enumerate((360.0, 100.0)):
        attacked = {"auto_attack_accuracy": 0.4, "auto_attack_images": 20.0 + seed}
        ended(configuration, seed, {"configuration": 3, "seed": seed}, evaluation_images=images, **attacked)
    figures = only(configuration).figures
    for name, share, images in ((CLEAN, 0.9, 100), ("auto_attack_8", 0.4, 20)):
        found = (figures[name].value, figures[name].low, figures[name].high)
        assert found == pytest.approx([100 * end for end in over_seeds([share, share], images)])


def test_what_a_seed_lacks_its_configuration_lacks(configuration: Any) -> None:
    ended(configuration, 0, {"configuration": 3, "seed": 1}, auto_attack_accuracy=0.4, auto_attack_images=20.0)
    ended(configuration, 1, {"configuration": 3, "seed": 2})
    assert set(only(configuration).figures) == {CLEAN, WORST}


@pytest.mark.parametrize(
    ("images", "text", "interval"),
    [(math.nan, "90.0", False), (9_999.0, "90.0", True), (10_000.0, "90.00", True)],
)
def test_hundredths_are_shown_where_they_are_whole_images(
    new_study: NewStudy, images: float, text: str, interval: bool
) -> None:
    study = new_study()
    ended(study, 0, evaluation_images=images)
    figure = only(study).figures[CLEAN]
    assert (figure.text, bool(figure.interval)) == (text, interval)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "ResNet-18"),
        ({"network.architecture": "resnet50", "network.width": 16}, "ResNet-50, width 16"),
        ({"network.depth": 10, "network.width": 64}, "ResNet-18, depth 10"),
        ({"network.architecture": "resnet34"}, "resnet34"),
    ],
)
def test_a_networks_size_is_told_where_it_is_not_the_usual(
    new_study: NewStudy, settings: dict[str, Any], words: str
) -> None:
    study = new_study()
    ended(study, 0, settings=settings)
    assert only(study).network == words


@pytest.mark.parametrize(
    ("source", "words", "theirs"),
    [
        ("cifar10", "CIFAR-10, validation", "CIFAR-10"),
        ("cifar100", "CIFAR-100, validation", "CIFAR-100"),
        ("folder:/data/birds", "birds, validation", "CIFAR-10"),
        ("folder:birds", "birds, validation", "CIFAR-10"),
    ],
)
def test_published_rows_are_those_of_the_studys_data(new_study: NewStudy, source: str, words: str, theirs: str) -> None:
    study = new_study()
    ended(study, 0, settings={"data.source": source})
    found = beside(read_study(study.paths), TABLES)
    assert found.ours[0].data == words
    assert {published_row.data for published_row in found.theirs} == {f"{theirs}, test"}
    assert len(found.theirs) == sum(point.data == theirs for point in published.POINTS)


@pytest.mark.parametrize(("share", "words"), [(1.0, "NVIDIA H200"), (0.25, "0.25 of NVIDIA H200")])
def test_a_whole_gpu_is_no_share(new_study: NewStudy, share: float, words: str) -> None:
    study = new_study()
    ended(study, 0)
    append_event(study.paths.trial(0), ATTEMPT, 2, device="NVIDIA H200", gpu_share=share)
    append_event(study.paths.trial(0), ENDED, 2, status="finished", metrics={"clean_accuracy": 0.9, "pgd_accuracy": 1})
    assert only(study).hardware == words


def test_flagged_configurations_stay_and_are_not_counted_as_left_out(new_confirmation: NewStudy) -> None:
    child = new_confirmation({3: [0.5], 4: [0.6]})
    write_json(child.paths.trial(0).result, {"verdict": "flagged: noise breaks it"})
    found = beside(read_study(child.paths), ())
    assert [one.flagged for one in found.ours] == [True, False]
    assert found.left_out == 0
    assert not any("Left out" in note for note in notes(found))
