"""Studies that measure again: their trials stand for themselves, and nothing of them is taken for a search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analysis.comparing.comparability import comparability
from analysis.comparing.same_search import check_runs
from analysis.comparing.side_by_side import gather
from analysis.figures.hypervolume import hypervolume_figure
from analysis.figures.pareto import hovers, pareto_figure
from analysis.frontier.confirmed import confirmations_of, confirms
from analysis.frontier.measured import measurements_of, measures, searches
from analysis.frontier.plateau import plateau_sentence
from analysis.layout import StudyPaths, read_json, write_json
from analysis.papers.beside import beside
from analysis.reading.runs import Study, read_study
from analysis.report.page import render
from analysis.searched.dimensions import dimensions
from analysis.tables.gains import gains_table
from analysis.tables.paper import paper_table
from analysis.tables.rows import trial_rows
from analysis.tables.shares import shares_table
from analysis.tables.trials import headline_table, unfinished_table
from trainables.config import UserError

NewStudy = Callable[..., Any]
MEASURES = {
    "study": "tiny",
    "configurations": [{"trial": number, "trainable": "cf_amc_ssl", "params": {}} for number in (3, 12, 7)],
}


@pytest.fixture
def child(new_study: NewStudy) -> Study:
    """Three networks of two trainables, measured again; the second is best."""
    folder = new_study("tiny-measured", measures=MEASURES)
    for number, (origin, pgd) in enumerate(((3, 0.4), (12, 0.6), (7, 0.5))):
        trainable = "pgd_emp_ssl" if number else "cf_amc_ssl"
        params = {"m": 3, "epsilon": 8 / 255, "configuration": origin}
        trial = folder.finished(number, 0.8, pgd, params=params, trainable=trainable)
        write_json(trial.config, read_json(trial.config) | {"origin": f"tiny/{origin:04d}"})
    return read_study(folder.paths)


def test_it_is_told_from_searches_and_confirmations(new_study: NewStudy, child: Study) -> None:
    paths = new_study().paths
    search = read_study(paths)
    assert (searches(search), measures(search)) == (True, {})
    assert (searches(child), confirms(child), measures(child)["study"]) == (False, {}, "tiny")
    assert (measurements_of(paths), confirmations_of(paths)) == (["tiny-measured"], [])
    assert measurements_of(StudyPaths(paths.root.parent / "tiny-measured")) == []


def test_its_frontier_is_of_trials_and_nothing_is_said_of_a_search(child: Study) -> None:
    table = headline_table(child)
    assert [row[:3] for row in table.rows] == [("0001", "pgd_emp_ssl", "tiny/0012")]
    assert [column.title for column in table.columns if column.title in ("Origin", "configuration")] == ["Origin"]
    assert trial_rows(child).values["origin"].tolist() == ["tiny/0003", "tiny/0012", "tiny/0007"]
    assert dimensions(child).empty
    assert plateau_sentence(child) == ""
    assert (gains_table(child), shares_table(child), hypervolume_figure(child)) == (None, None, None)
    page = render(child)
    assert "trials 0003, 0012, 0007 of tiny, whose pre-training is in the costs" in page
    assert "Confirmed on test images" not in page
    assert "importances" not in page.partition("<main>")[2].partition("<script")[0].lower()


def test_its_figures_name_the_trials_whose_networks_they_are_of(child: Study) -> None:
    """Its own numbers are those of other trials there."""
    figure = pareto_figure(child)
    assert [list(trace.text) for trace in figure.data if "text" in str(trace.mode)] == [["tiny/0012"]]
    assert hovers(child)["0001"].split("<br>")[:2] == ["<b>Trial 0001</b>  pgd_emp_ssl", "origin: tiny/0012"]


def test_its_tables_name_the_trials_whose_networks_they_are_of(new_study: NewStudy, child: Study) -> None:
    table = paper_table(beside(child))
    place = [heading.title for heading in table.headings].index("Trial")
    assert [cells[place].text for cells in table.cells] == ["tiny/0012"]
    assert any("networks that are measured again" in note for note in table.notes)
    folder = new_study("gone", measures=MEASURES)
    folder.failed(0)
    config = folder.paths.trial(0).config
    write_json(config, read_json(config) | {"origin": "tiny/0003"})
    gone = unfinished_table(read_study(folder.paths))
    assert gone.rows[0][[column.title for column in gone.columns].index("Origin")] == "tiny/0003"


def test_it_stands_beside_its_search_and_joins_none(new_study: NewStudy, child: Study) -> None:
    folder = new_study()
    folder.finished(3, 0.8, 0.45)
    search = read_study(folder.paths)
    told = comparability([search, child])
    assert "Kind: a search's trials in tiny; networks that are measured again in tiny-measured." in told.studied
    side = gather([search, child], told.accuracies)[1]
    assert (side.finished, len(side.path)) == (3, 0)
    with pytest.raises(UserError, match="a comma joins searches, or confirmations, or what is measured again"):
        check_runs([search, child])
    with pytest.raises(UserError, match="two of them measure the same study, tiny"):
        check_runs([child, child])
