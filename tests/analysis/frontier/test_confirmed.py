"""What a confirmation found, against hand computation; and where it is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from analysis import labels
from analysis.figures import attainment, pareto
from analysis.frontier.confirmed import confirmations_of, confirmed, confirms
from analysis.frontier.dominance import chances
from analysis.layout import write_json
from analysis.reading.runs import read_study
from analysis.report.facts import facts
from analysis.report.page import render
from analysis.tables.trials import confirmed_table, frontier_table, headline_table

NewStudy = Callable[..., Any]

CONFIRMS = {
    "study": "tiny",
    "seeds": [1, 2],
    "configurations": [
        {"trial": 3, "trainable": "cf_amc_ssl", "params": {"m": 3, "epsilon": 8 / 255}},
        {"trial": 12, "trainable": "pgd_emp_ssl", "params": {"pgd_steps": 5}},
    ],
}


@pytest.fixture
def child(new_study: NewStudy) -> Any:
    evaluation = {"head": "robust", "epsilon": 8 / 255, "split": "test"}
    return new_study("tiny-confirmed", confirms=CONFIRMS, evaluation=evaluation)


def train(child: Any, number: int, configuration: int, seed: int, clean: float, pgd: float, **changes: Any) -> None:
    child.finished(number, clean, pgd, params={"configuration": configuration, "seed": seed}, **changes)


def test_one_seed_has_wilsons_interval_over_its_images(child: Any) -> None:
    train(child, 0, 3, 1, 0.9, 0.5)
    one, none = confirmed(read_study(child.paths)).to_dict("records")
    assert (one["configuration"], one["trainable"], one["seeds"]) == ("tiny/0003", "cf_amc_ssl", 1)
    # Wilson, 180 of 360: half = 1.959964 / (1 + z^2/360) * sqrt(0.25/360 + z^2/(4*360^2)) = 0.051376
    assert [one[f"pgd_accuracy{end}"] for end in ("", "_low", "_high")] == pytest.approx(
        [0.5, 0.448624, 0.551376], abs=1e-6
    )
    assert (one["param.m"], one["param.epsilon"]) == (3, 8 / 255)
    assert (none["configuration"], none["seeds"], none["param.pgd_steps"]) == ("tiny/0012", 0, 5)
    assert math.isnan(none["clean_accuracy"])
    assert (one["optimal"], none["optimal"]) == (True, False)


def test_the_reports_hypervolume_is_of_the_means(child: Any) -> None:
    train(child, 0, 3, 1, 0.9, 0.5)
    train(child, 1, 3, 2, 0.5, 0.3)
    train(child, 2, 12, 1, 0.8, 0.6, trusted=0.0)
    assert (
        dict(facts(read_study(child.paths)))["Hypervolume"]
        == "28.0 % of what there could be (of means over seeds, from accuracy 0)"
    )


def test_two_seeds_have_students_interval_where_it_is_wider(child: Any) -> None:
    train(child, 0, 3, 1, 0.90, 0.5, gpu_minutes=1.0)
    train(child, 2, 3, 2, 0.80, 0.5, gpu_minutes=3.0)
    row, _ = confirmed(read_study(child.paths)).to_dict("records")
    # Student: mean 0.85, standard error 0.05, t(0.975, 1) = 12.7062; above, it ends with what an accuracy can be
    found = [row[f"clean_accuracy{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([0.85, 0.21469, 1.0], abs=1e-5)
    # seeds that agree: Wilson's over 360 images, not over 720
    assert row["pgd_accuracy_low"] == pytest.approx(0.448624, abs=1e-6)
    assert row["gpu_minutes"] == 2.0
    assert row["seeds"] == 2


def test_the_frontier_is_of_means_and_autoattack_counts_its_own_images(child: Any) -> None:
    few = {"auto_attack_accuracy": 0.4, "auto_attack_images": 20.0}
    train(child, 0, 3, 1, 0.9, 0.5, **few)
    train(child, 1, 12, 1, 0.95, 0.2)
    train(child, 2, 3, 2, 0.7, 0.5, **few)
    train(child, 3, 12, 2, 0.55, 0.2)
    first, second = confirmed(read_study(child.paths)).to_dict("records")
    assert (first["optimal"], second["optimal"]) == (True, False), "0.8 and 0.5 beat 0.75 and 0.2"
    # Wilson, 8 of 20
    assert [first["auto_attack_accuracy_low"], first["auto_attack_accuracy_high"]] == pytest.approx(
        [0.218803, 0.613421], abs=1e-5
    )
    assert math.isnan(second["auto_attack_accuracy"])


def test_a_figure_that_one_finished_seed_lacks_has_no_mean_and_no_place_on_the_frontier(child: Any) -> None:
    child.manifest(confirms=CONFIRMS, objectives=[{"metric": "clean_accuracy"}, {"metric": "auto_attack_accuracy"}])
    attacked = {"auto_attack_accuracy": 0.4, "auto_attack_images": 20.0}
    train(child, 0, 3, 1, 0.9, 0.5, **attacked)
    train(child, 1, 3, 2, 0.9, 0.5)
    train(child, 2, 12, 1, 0.5, 0.5, **attacked)
    study = read_study(child.paths)
    first, second = confirmed(study).to_dict("records")
    assert math.isnan(first["auto_attack_accuracy"])
    assert first["clean_accuracy"] == 0.9
    assert (first["optimal"], second["optimal"]) == (False, True)
    assert set(chances(study)) == {"tiny/0012"}


def test_it_is_said_how_many_of_the_planned_seeds_have_finished(child: Any) -> None:
    train(child, 0, 3, 1, 0.9, 0.5)
    study = read_study(child.paths)
    titles = [column.title for column in confirmed_table(study).columns]
    place = titles.index("Seeds finished")
    assert titles[place + 1] == "Seeds planned"
    assert [row[place : place + 2] for row in confirmed_table(study).rows] == [("1", "2"), ("0", "2")]
    stands = titles.index("On the frontier")
    assert [row[stands] for row in confirmed_table(study).rows] == ["yes", labels.ABSENT], "unknown before a seed ends"
    assert "cf_amc_ssl, 1 of 2 seeds" in attainment.compute(study).points["text"].iloc[0]


def test_a_configuration_with_a_seed_beyond_the_bounds_is_on_no_frontier(child: Any) -> None:
    child.manifest(confirms=CONFIRMS, constraints={"gpu_minutes": 5.0})
    for number, (configuration, seed, minutes) in enumerate([(3, 1, 9.0), (3, 2, 1.0), (12, 1, 1.0), (12, 2, 1.0)]):
        train(child, number, configuration, seed, 0.9 if configuration == 3 else 0.5, 0.3, gpu_minutes=minutes)
    study = read_study(child.paths)
    assert confirmed(study)["optimal"].tolist() == [False, True]
    assert set(chances(study)) == {"tiny/0012"}
    plot = pareto.compute(study)
    assert plot.points["hollow"].tolist() == [True, True, False, False]
    assert plot.points["best"].tolist() == [False, False, True, True]
    assert plot.edge["x"].tolist() == [50.0]
    assert attainment.compute(study).points["hollow"].tolist() == [True, False]


def test_one_flagged_seed_flags_its_configuration(child: Any) -> None:
    for number, verdict in enumerate(("trusted", "flagged: noise breaks it", "trusted")):
        train(child, number, 3, number, 0.9, 0.5)
        path = child.paths.trial(number).result
        write_json(path, json.loads(path.read_text()) | {"verdict": verdict})
    study = read_study(child.paths)
    assert confirmed(study)["verdict"].tolist() == ["flagged: noise breaks it", ""]
    assert "Verdict" in [column.title for column in confirmed_table(study).columns]


def test_tables_and_report_show_configurations(child: Any) -> None:
    train(child, 0, 3, 1, 0.9, 0.5)
    train(child, 1, 12, 1, 0.95, 0.2)
    study = read_study(child.paths)
    table = headline_table(study)
    assert table.caption == (
        "tiny-confirmed confirms tiny: means over seeds; robust head, test split, n = 360 images; "
        "[95 %: the wider of Wilson's over the images and Student's over the seeds]"
    )
    titles = [column.title for column in table.columns]
    rows = [dict(zip(titles, row, strict=True)) for row in table.rows]
    assert [row["Configuration"] for row in rows] == ["tiny/0003", "tiny/0012"]
    assert rows[0]["PGD accuracy at 8/255, %"] == "50.0 [44.9, 55.1]"
    assert [row["On the frontier"] for row in rows] == ["yes", "yes"]
    assert [row["epsilon"] for row in rows] == ["8/255", labels.ABSENT]
    page = render(study)
    assert "Confirmed on test images" in page
    assert "trials 0003, 0012 of tiny, each with seeds 1, 2" in page
    assert "tiny/0012" in page


def test_a_search_confirms_nothing_and_knows_its_confirmations(new_study: NewStudy, child: Any) -> None:
    search = new_study()
    search.finished(0, 0.9, 0.5)
    study = read_study(search.paths)
    assert confirms(study) == {}
    assert headline_table(study).rows == frontier_table(study).rows
    assert "Confirmed on test images" not in render(study)
    assert confirmations_of(search.paths) == ["tiny-confirmed"]
    assert confirmations_of(child.paths) == []


def test_a_confirmation_that_has_not_begun_can_be_shown(child: Any) -> None:
    study = read_study(child.paths)
    assert [row[2] for row in confirmed_table(study).rows] == ["0", "0"]
    render(study)
