"""study compare: what it prints of studies that ran, and of those that it must refuse."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.layout import study_paths, write_json
from analysis.reading.runs import read_study
from study.commands.compare import _columns
from study.config import StudyConfig
from study.launch import launch

CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"
Study = Callable[..., tuple[int, str, str]]


RANKING = ("chance that it is the greatest on other images", "On the joint frontier", "share of it")


@pytest.fixture
def searched(studies: Path, tiny: Callable[..., StudyConfig]) -> Callable[..., None]:
    """A search through recorded curves."""

    def run(name: str, **keys: Any) -> None:
        launch(tiny(name=name, **keys), backend="replay", curves=CURVES, console=Console(quiet=True))

    return run


def test_two_searches_side_by_side(
    study: Study, searched: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.frontier.resampling.sharing", lambda found: f" (of {len(found)} trials)")
    searched("one")
    changed = {"settings": {"optimiser.weight_decay": 0.5}, "constraints": {"gpu_minutes": 1e6}}
    searched("two", seed=3, budget={"trials": 2}, sampler="qmc", **changed)
    figure = tmp_path / "figure.html"
    code, out, err = study("compare", "one", "two", "-o", figure)
    assert (code, err) == (0, "")
    alike = "robust head, validation split, n = 50 images, trained on 200 images"
    assert f"They compare, for they were measured alike: {alike}." in out
    assert "  Sampler: random in one; qmc in two." in out
    assert "\nTheir bounds differ, and what is beyond its own study's bounds counts in no hypervolume" in out
    assert "Hypervolume, %" in out
    assert "redraws of the images (of 5 trials), less" in " ".join(out.split())
    assert [word for word in RANKING if word in out] == list(RANKING)
    assert "The chance is of these trained networks on other images and says nothing of the searches" in out
    assert "optimiser.weight_decay" in out
    assert "plotly" in figure.read_text()
    assert "equal forward-equivalents" in figure.read_text()
    assert "Not measured alike" not in figure.read_text()
    rows = json.loads(study("compare", "one", "two", "--json")[1])
    assert [(row["study"], row["finished"]) for row in rows] == [("one", 3), ("two", 2)]
    assert sum(row["greatest_chance_on_other_images"] for row in rows) == pytest.approx(1.0)
    assert rows[0]["forward_equivalents"] == read_study(study_paths("one")).trials["forward_equivalents"].sum()
    found = list(csv.DictReader(io.StringIO(study("compare", "one", "two", "--csv")[1])))
    assert [row["study"] for row in found] == ["one", "two"]
    assert float(found[0]["hypervolume"]) == pytest.approx(rows[0]["hypervolume"])


def test_a_comma_joins_runs_of_one_search(study: Study, searched: Callable[..., None], tmp_path: Path) -> None:
    for sampler in ("random", "qmc"):
        searched(f"{sampler}-0", sampler=sampler)
        again = study_paths(f"{sampler}-1")
        shutil.copytree(study_paths(f"{sampler}-0").root, again.root)
        write_json(again.manifest, json.loads(again.manifest.read_text()) | {"seed": 1})
        shutil.rmtree(again.trial(2).root)
    figure, sides = tmp_path / "figure.html", ("qmc-0,qmc-1", "random-0,random-1")
    code, out, err = study("compare", *sides, "-o", figure)
    assert (code, err) == (0, "")
    assert "They differ in:\n  Sampler: qmc in qmc; random in random.\n" in out
    assert "points of hypervolume, 95 % interval over 2 pairs of runs." in out
    (column,) = _columns([[read_study(study_paths(name)) for name in ("qmc-0", "qmc-1")]])
    assert (column.name, len(column.trials)) == ("qmc", 5), "what differs is told of all runs"
    assert not [word for word in ("Seed: ", "Budget spent: ", "chance", "joint") if word in out]
    assert '"name":"qmc"' in figure.read_text()
    rows = json.loads(study("compare", *sides, "--json")[1])
    assert [(row["search"], row["runs"], row["finished"]) for row in rows] == [("qmc", 2, 2.5), ("random", 2, 2.5)]
    apart = json.loads(study("compare", *",".join(sides).split(","), "--json")[1])
    equal = [row["hypervolume_at_equal_forward_equivalents"] for row in apart]
    assert rows[0]["above_random"] == pytest.approx((sum(equal[:2]) - sum(equal[2:])) / 2)
    code, _, err = study("compare", "qmc-0,random-1", "random-0")
    assert code == 2
    assert err.startswith("qmc-0,random-1 are no runs of one search, for their study files differ in sampler;")
    code, out, _ = study("compare", sides[0])
    assert (code, "above" in out, "Hypervolume, mean, %" in out) == (0, False, True)


def test_studies_are_read_from_mlflow_too(study: Study, searched: Callable[..., None], tmp_path: Path) -> None:
    store = ("--tracking-uri", f"sqlite:///{tmp_path / 'tracked.db'}")
    names = ("one", "two")
    for name in names:
        searched(name, budget={"trials": 1})
        assert study("sync", name, *store)[0] == 0
    local = study("compare", *names, "--csv")
    for name in names:
        shutil.rmtree(study_paths(name).root)
    assert study("compare", *names, "--csv", *store) == local
    assert local[0] == 0


def test_what_was_not_measured_alike_is_a_warning_beside_the_figures(
    study: Study, searched: Callable[..., None], tmp_path: Path
) -> None:
    searched("one")
    searched("two", settings={"data.image_size": 16})
    warning = "Image size: 8x8 pixels in one; 16x16 pixels in two."
    out = study("compare", "one", "two")[1]
    assert out.startswith(f"They were not measured alike, so the figures below do not rank them:\n  {warning}\n")
    assert "Hypervolume, %" in out
    assert not [word for word in RANKING if word in out]
    figure = tmp_path / "figure.html"
    code, out, err = study("compare", "one", "two", "--json", "-o", figure)
    assert (code, err) == (0, f"warning: not measured alike. {warning}\n")
    rows = json.loads(out)
    assert ["hypervolume" in row for row in rows] == [True, True]
    assert not {"greatest_chance_on_other_images", "joint_frontier", "joint_frontier_share"} & {
        name for row in rows for name in row
    }
    assert "Not measured alike" in figure.read_text()
    assert "equal forward-equivalents" not in figure.read_text()


def test_studies_that_do_not_compare_are_refused_in_a_line(study: Study, searched: Callable[..., None]) -> None:
    searched("one")
    searched("other", objectives=["clean_accuracy", "gpu_minutes"])
    searched("another", objectives=["pgd_accuracy", "gpu_minutes"])
    manifest = json.loads(study_paths("one").manifest.read_text())
    write_json(study_paths("test").manifest, manifest | {"evaluation": {"split": "test"}})
    write_json(study_paths("torn").manifest, {})
    refused = {
        ("one", "test"): "one on the validation split, test on the test split",
        ("one", "torn"): "it is not known on which images torn was measured",
        ("other", "another"): "no accuracy is an objective of all",
        ("one", "test", "--json", "--csv"): "exclude each other",
        ("one,one",): "name two or more to compare, each once",
        ("one,", "test"): "is no name of a study",
        ("one", "other", "-o", "/proc/none/figure.html"): "/proc/none/figure.html cannot be written",
    }
    for arguments, words in refused.items():
        code, _, err = study("compare", *arguments)
        assert (code, len(err.splitlines())) == (2, 1)
        assert words in err


def test_empty_flagged_and_half_written_studies_are_shown(
    study: Study, searched: Callable[..., None], tmp_path: Path
) -> None:
    searched("one")
    manifest = json.loads(study_paths("one").manifest.read_text())
    for name in ("empty", "flagged", "torn"):
        write_json(study_paths(name).manifest, manifest | {"name": name})
    searched_trial, flagged = (study_paths(name).trial(0) for name in ("one", "flagged"))
    flagged.root.mkdir(parents=True)
    for name in ("config", "events"):
        getattr(flagged, name).write_bytes(getattr(searched_trial, name).read_bytes())
    write_json(flagged.result, {"verdict": "flagged: noise breaks it"})
    half = study_paths("torn").trial(0)
    half.root.mkdir(parents=True)
    half.config.write_text('{"trainable": "cf_a')
    half.events.write_bytes(searched_trial.events.read_bytes()[:100])
    code, out, err = study("compare", "empty", "flagged", "torn", "one", "-o", tmp_path / "figure.html")
    assert (code, err) == (0, "")
    assert "empty: No trial has finished with all objectives measured" in out
    assert "flagged: There is no frontier" in out
    assert "torn: No trial has finished" in out
    assert "one: " not in out
    rows = json.loads(study("compare", "empty", "torn", "--json")[1])
    assert [row["greatest_chance_on_other_images"] for row in rows] == [None, None]


def test_trials_side_by_side(study: Study, searched: Callable[..., None], tmp_path: Path) -> None:
    searched("one")
    searched("two", seed=3, budget={"trials": 2})
    code, out, err = study("compare", "one/0", "one/1", "two/0")
    assert (code, err) == (0, "")
    assert "Trials side by side" in out
    assert "more than one/0, points" in out
    assert "recorded no outcomes of the same images" in " ".join(out.split()), "replayed curves have none"
    assert "Settings that differ" in out
    rows = json.loads(study("compare", "one/0", "two/0", "--json")[1])
    assert [row["id"] for row in rows] == ["one/0000", "two/0000"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("one/0", "one"), "'one' is no trial; compare trials with trials, STUDY/N each, or studies with studies"),
        (("one/0", "one/²"), "'one/²' is no trial; compare trials with trials"),
        (("one/0", "one/00"), "name two or more to compare, each once"),
        (("one/0", "one/7"), "there is no trial one/7; `study status one` lists them"),
        (("one/0", "one/1", "-o", "figure.html"), "there is no figure of trials side by side"),
    ],
)
def test_trials_that_cannot_stand_side_by_side(
    study: Study, searched: Callable[..., None], names: tuple[str, ...], told: str
) -> None:
    searched("one")
    code, _, err = study("compare", *names)
    assert (code, told in " ".join(err.split())) == (2, True)
