"""Comparisons of schedulers: intervals, pairs, table, JSON and figure."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from analysis import labels
from analysis.comparing.comparison import Comparison, Series, comparison_table, verdicts
from analysis.figures.comparison import comparison_figure, compute, write_comparison
from analysis.frontier.uncertainty import paired


def series(scheduler: str, finals: tuple[float, ...], lost: tuple[int, ...] = (0, 0, 0)) -> Series:
    return Series(
        scenario="crossing",
        sampler="random",
        scheduler=scheduler,
        hypervolume=tuple((final / 2, final) for final in finals),
        begun=(10, 11, 12),
        finished=(5, 6, 7),
        frontier=(4, 4, 2),
        frontier_stopped=lost,
    )


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        workers=4,
        warm_start=0,
        minutes={"crossing": (50.0, 100.0)},
        rule={"eta": 2.0},
        series=(
            series("none", (0.20, 0.30, 0.40)),
            series("asha_clean", (0.10, 0.31, 0.30), (1, 2, 2)),
            series("halving", (0.22, 0.33, 0.41)),
        ),
    )


def test_differences_are_paired(comparison):
    none, _, halving = comparison.series
    assert comparison.gain(halving, "none") == paired((0.22, 0.33, 0.41), (0.20, 0.30, 0.40))
    assert comparison.gain(halving, "none").mean == pytest.approx(0.02)
    assert comparison.gain(none, "none") is None
    assert comparison.gain(none, "nobody") is None


def test_the_table_has_a_row_a_scheduler(comparison):
    console = Console(file=io.StringIO(), width=250)
    console.print(comparison_table(comparison))
    rows = [line for line in console.file.getvalue().splitlines() if "crossing" in line]
    assert len(rows) == 3
    assert "+2.00 [" in rows[0]
    assert "50.0 [23.7, 76.3]" in rows[1], "5 of 10 of the frontier were stopped"


def test_json_has_every_figure(comparison):
    plain = json.loads(json.dumps(comparison.to_json()))
    halving = plain["series"][2]
    assert halving["gain_over"]["none"]["mean"] == pytest.approx(0.02)
    assert set(halving["gain_over"]) == {"none", "asha_clean"}
    assert halving["frontier_stopped_share"] == 0
    assert halving["hypervolume"] == [[0.11, 0.22], [0.165, 0.33], [0.205, 0.41]]


def test_the_figure_has_a_band_a_scheduler(comparison, tmp_path):
    bands = compute(comparison)
    assert [band.scheduler for band in bands] == ["asha_clean", "halving"], "that of none is the zero line"
    assert bands[1].mean[-1] == pytest.approx(100 * comparison.gain(comparison.series[2], "none").mean)
    assert (bands[1].low <= bands[1].mean).all()
    assert len(comparison_figure(comparison).data) == 4


def test_without_a_reference_the_figure_has_the_hypervolume_itself(comparison):
    alone = compute(replace(comparison, series=comparison.series[2:]))
    assert [band.mean[-1] for band in alone] == pytest.approx([100 * np.mean(comparison.series[2].final)])


def test_the_figure_is_a_file(comparison, tmp_path):
    write_comparison(comparison, tmp_path / "figure.html")
    assert "hypervolume" in (tmp_path / "figure.html").read_text().lower()


def test_each_figure_stands_under_its_heading(comparison):
    table = comparison_table(comparison)
    cells = {str(column.header): list(column.cells) for column in table.columns}
    assert cells["Scheduler"] == ["none", "asha_clean", "halving"]
    assert cells["Hypervolume, %"] == ["30.00", "23.67", "32.00"]
    assert [cell.split()[0] for cell in cells["Above none"]] == [labels.ABSENT, "-6.33", "+2.00"]
    assert [cell.split()[0] for cell in cells["Halving above it"]] == ["+2.00", "+8.33", labels.ABSENT]
    assert (cells["Begun"], cells["Finished"]) == (["11.0"] * 3, ["6.0"] * 3)
    assert "4 workers, 3 seeds" in str(table.title)


def test_samplers_are_compared_apart(comparison):
    other = replace(comparison.series[0], sampler="tpe", hypervolume=((0.1, 0.9),) * 3)
    both = replace(comparison, series=(*comparison.series, other))
    assert both.gain(comparison.series[2], "none").mean == pytest.approx(0.02)
    assert both.gain(other, "halving") is None


def test_a_sentence_a_scheduler_says_what_the_table_shows(comparison):
    assert verdicts(comparison) == [
        "asha_clean under random: not told apart from none, -6.33 [-22.11, +9.44] points of hypervolume",
        "halving under random: not told apart from none, +2.00 [-0.48, +4.48] points of hypervolume",
    ]


def test_over_scenarios_a_sentence_is_of_the_mean_gain_and_counts_them(comparison):
    sure = [replace(one, scenario="power_law") for one in comparison.series]
    sure[2] = series("halving", (0.30, 0.41, 0.50))
    sure[2] = replace(sure[2], scenario="power_law")
    *_, halving = verdicts(replace(comparison, series=(*comparison.series, *sure)))
    gain = paired((0.26, 0.37, 0.455), (0.20, 0.30, 0.40))
    assert halving == (
        f"halving under random: better than none, {labels.points(*gain)} points of hypervolume on average of 2 "
        "scenarios (better in 1, worse in 0, not told apart in 1)"
    )


def test_a_sampler_is_told_from_the_first(comparison):
    worse = replace(comparison.series[0], sampler="tpe", hypervolume=((0.1, 0.05), (0.1, 0.14), (0.1, 0.25)))
    *_, last = verdicts(replace(comparison, series=(*comparison.series, worse)))
    assert last.startswith("tpe: worse than random, -15.33 [")
    assert verdicts(replace(comparison, series=comparison.series[1:])) == [], "nothing to be better than"
