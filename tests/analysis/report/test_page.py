"""The report: one file, no network, nobody's markup but its own, whatever state the study is in."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from plotly import graph_objects as go

from analysis.layout import write_json
from analysis.reading.runs import Study, read_study
from analysis.report.facts import facts, local_pages
from analysis.report.page import render, write_report

NewStudy = Callable[..., Any]
FIRST = ("frontier", "attainment")
COSTS = ("plane_forward_equivalents_clean_accuracy", "plane_forward_equivalents_pgd_accuracy")
EVIL = "<script>alert('x')</script><img src=http://evil.example/x>\"&amp;"


class Page(HTMLParser):
    """Elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._silent = False
        self.feed(_without_plotly(html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def figures(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data-(\w+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def scripts(page: str) -> int:
    return len(re.findall(r"<script\b", _without_plotly(page)))


def _without_plotly(page: str) -> str:
    return re.sub(r'(<script[^>]* id="plotly">).*?(?=</script>)', r"\1", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def full(new_study_in: NewStudy, tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = new_study_in(tmp_path_factory.mktemp("full"))
    study.finished(0, 0.9, 0.3, params={"m": 3})
    study.finished(1, 0.8, 0.5, params={"m": 5})
    study.finished(2, 0.7, 0.4, params={"m": 5})
    study.failed(3, reason="RuntimeError: loss is NaN")
    study.link({0: "abc"})
    return read_study(study.paths)


@pytest.fixture(scope="module")
def html(full: Study) -> str:
    """The report of ``full``."""
    return render(full)


def test_a_full_study_has_every_part(html: str) -> None:
    page = Page(html)
    assert set(figures(html)) == {*FIRST, *COSTS, "hypervolume", "parallel", "slices", "curves"}
    for part in (
        *("Pareto frontier", "Settings and outcomes", "Training", "All trials", "Failed and stopped", "Reproduce"),
        *("3 finished", "1 failed", "2 on the frontier", "RuntimeError: loss is NaN"),
        *("robust head, validation split, n = 360 images", "12 trials", "digits, 32 x 32 pixels", "torch", "2.15.0"),
        "name: tiny",
    ):
        assert part in " ".join(page.text.split()), part
    assert "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning" in [
        link["href"] for link in page.all("a")
    ]


def test_a_title_is_the_pages_own(html: str) -> None:
    """It breaks into lines as wide as the page."""
    assert "Hypervolume of Clean accuracy and PGD accuracy at 8/255, % of what there could be" in Page(html).text
    assert "text" not in figures(html)["hypervolume"]["layout"].get("title", {})


def test_the_page_is_accessible(html: str) -> None:
    page = Page(html)
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(header.get("scope") for header in page.all("th"))
    assert all(figure.get("aria-label") for figure in page.all("div") if figure.get("class") == "figure")
    assert page.all("html") == [{"lang": "en"}]


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    page = Page(html)
    loading = [
        (tag, name, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "srcset", "data", "action", "poster") or (name == "href" and tag != "a")
    ]
    assert loading == [("link", "href", "data:,")]
    style = "".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_markup_from_users_stays_text(new_study: NewStudy, html: str) -> None:
    study = new_study("tiny2", data=EVIL, sampler=EVIL, trainables=[EVIL], environment={EVIL: EVIL}, budget={EVIL: 1})
    study.finished(0, 0.9, 0.3, params={EVIL: 3}, trainable=EVIL)
    study.finished(1, 0.8, 0.5, params={EVIL: EVIL}, trainable=EVIL)
    study.failed(2, reason=EVIL)
    study.paths.study_file.write_text(EVIL)
    study.link({0: "x'><script>alert(1)</script>"}, uri="http://host/")
    read = read_study(study.paths)
    evil = render(Study(EVIL, read.manifest, read.trials, read.curves, read.study_file))
    page = Page(evil)
    assert page.all("img") == []
    assert scripts(evil) == scripts(html)
    assert "alert('x')" in page.text


@pytest.mark.parametrize("urls", [("javascript:alert(1)", "//host/x"), ("data:text/html,x", "")])
def test_only_web_addresses_become_links(full: Study, urls: tuple[str, ...]) -> None:
    web = "https://host/x"
    each = dict(zip(full.finished["number"], (web, *urls), strict=True))
    trials = full.trials.assign(mlflow_url=full.trials["number"].map(each).fillna(""))
    page = Page(render(Study(full.name, full.manifest, trials, full.curves)))
    found = {link["href"] for link in page.all("a")}
    assert web in found
    assert not found & {*urls, None}


def test_it_is_said_beside_links_what_must_run_for_them(full: Study) -> None:
    trials = full.trials.assign(mlflow_url="http://127.0.0.1:5001/#/experiments/1/runs/abc")
    text = " ".join(Page(render(Study(full.name, full.manifest, trials, full.curves))).text.split())
    assert text.count("served by study ui --port 5001, which must run") == 2
    assert local_pages(["", "http://127.0.0.1:5000/#/experiments/1"]) == "study ui"
    assert local_pages(["https://mlflow.example.org/#/experiments/1"]) == local_pages([""]) == local_pages([]) == ""


def test_a_figure_cannot_end_its_element() -> None:
    """Plotly escapes what the page puts into a script element as it is."""
    text = go.Figure(layout={"title": {"text": "</script><!--"}}).to_json()
    assert "<" not in text
    assert json.loads(text)["layout"]["title"]["text"] == "</script><!--"


def test_a_study_in_any_state_has_a_report(new_study: NewStudy) -> None:
    empty = new_study("empty")
    failed = new_study("failed")
    failed.failed(0)
    failed.failed(1, status="stopped")
    single = new_study("single")
    single.finished(0, 0.9, 0.5)
    broken = new_study("broken")
    broken.finished(0, 0.9, 0.5, clean_accuracy=math.nan, pgd_accuracy=math.inf, forward_equivalents=math.nan)
    bare = new_study("bare")
    bare.paths.manifest.unlink()
    bare.paths.study_file.unlink()
    bare.paths.trial(0).root.mkdir(parents=True)
    pages = {study.paths.name: render(read_study(study.paths)) for study in (empty, failed, single, broken, bare)}
    assert {name: set(figures(page)) for name, page in pages.items()} == {
        "empty": set(),
        "failed": {"hypervolume", "curves"},
        "single": {*FIRST, *COSTS, "hypervolume", "curves"},
        "broken": {"hypervolume", "curves"},
        "bare": set(),
    }
    assert "No trial has begun" in pages["empty"]
    assert "there is no frontier yet" in pages["failed"]


def spoilt(folder: Any, how: str) -> None:
    """What can go wrong with a study's trials."""
    trials = [folder.finished(number, 0.9 - 0.1 * number, 0.3 + 0.1 * number) for number in range(3)]
    for number, trial in enumerate(trials):
        if how == "flagged":
            write_json(trial.result, {"verdict": "flagged: noise breaks it"})
        elif how == "beyond":
            folder.manifest(constraints={"gpu_minutes": 0.001})
        elif how == "no events":
            trial.events.unlink()
        elif how == "torn":
            for file in (trial.config, trial.events, trial.result):
                file.write_bytes(file.read_bytes()[: 40 * number])
        elif how == "only curves":
            lines = trial.events.read_text().splitlines()
            trial.events.write_text("\n".join(lines[:-1]) + "\n")
        elif how == "NaN curves":
            trial.events.write_text(re.sub(r'("train/[a-z_]+"): [-0-9.e]+', r'\1: "NaN"', trial.events.read_text()))
        elif how == "no trainable":
            trial.config.unlink()
    if how == "not a manifest":
        folder.paths.manifest.write_text(
            '{"objectives": 3, "evaluation": [], "space": [1], "confirms": "x", "budget": 7}'
        )


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("flagged", "of 3 finished trials 3 flagged"),
        ("beyond", "of 3 finished trials 3 beyond the study's bounds"),
        ("no events", "there is no frontier yet"),
        ("torn", "there is no frontier yet"),
        ("only curves", "there is no frontier yet"),
        ("NaN curves", "No trial shows catastrophic overfitting or collapse"),
        ("no trainable", "Pareto frontier"),
        ("not a manifest", "its manifest is missing or damaged: its objectives are assumed"),
    ],
)
def test_a_spoilt_study_has_a_report_and_a_clear_word(new_study: NewStudy, how: str, word: str) -> None:
    folder = new_study()
    spoilt(folder, how)
    text = " ".join(Page(render(read_study(folder.paths))).text.split())
    assert "Pareto frontier" in text
    assert word in text


@pytest.mark.parametrize(
    ("objectives", "word"),
    [
        (("auto_attack_accuracy",), "No trial has finished with all objectives measured"),
        (("gpu_minutes", "forward_equivalents"), "none is an objective"),
        (("nonsense",), "Clean accuracy, PGD accuracy at 8/255"),
    ],
)
def test_other_objectives_have_a_report_too(new_study: NewStudy, objectives: tuple[str, ...], word: str) -> None:
    folder = new_study(objectives=[{"metric": name} for name in objectives])
    spoilt(folder, "sound")
    assert word in " ".join(Page(render(read_study(folder.paths))).text.split())


@pytest.mark.parametrize("results", [{}, {3: []}, {3: [0.5]}, {3: [0.5, 0.6], 4: [0.4]}])
def test_a_confirmation_in_any_state_has_a_report(new_confirmation: NewStudy, results: dict[int, list[float]]) -> None:
    assert "Confirmed on test images" in Page(render(read_study(new_confirmation(results).paths))).text


@pytest.mark.parametrize(
    ("stated", "command"),
    [({}, "study launch study.yaml."), ({"replayed": "c.jsonl"}, "study.yaml --backend replay --curves c.jsonl.")],
)
def test_what_is_launched_again_does_what_the_study_did(
    new_study: NewStudy, stated: dict[str, str], command: str
) -> None:
    assert command in " ".join(Page(render(read_study(new_study(**stated).paths))).text.split())


def test_a_configurations_row_stands_for_its_seeds(new_confirmation: NewStudy) -> None:
    page = Page(render(read_study(new_confirmation({3: [0.5, 0.6], 4: [0.8]}).paths)))
    owners = [row["data-trials"] for row in page.all("tr") if "data-trials" in row]
    assert owners[:2] == ["0000 0001", "0002"]
    assert owners[2:] == ["0000", "0001", "0002"]


def test_each_row_of_the_frontier_has_its_chance(html: str) -> None:
    text = " ".join(Page(html).text.split())
    assert "Chance of the frontier, %" in text
    assert re.search(r"0000 ?cf_amc_ssl ?100\.0", text)


def test_words_of_marks_stand_once_in_the_page(html: str) -> None:
    marks = re.findall(r"u003cbr>m = 3|<br>m = 3", html)
    assert len(marks) == 1
    odds = [trace["meta"]["after"] for trace in figures(html)["attainment"]["data"] if "after" in trace.get("meta", {})]
    assert any("<br>on the frontier of these two: 100.0 % of draws" in after for after in odds)
    assert json.loads(re.findall(r'id="study-data">(.*?)</script>', html)[0])["0000"]["trainable"] == "cf_amc_ssl"


def test_the_file_is_replaced_whole(full: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(full, path)
    assert path.read_text("utf-8").rstrip().endswith("</html>")
    assert [entry.name for entry in path.parent.iterdir() if "report" in entry.name] == ["report.html"]


def test_published_figures_are_there_in_words_for_a_study_of_their_data_alone(full: Study, html: str) -> None:
    assert "Published figures" not in Page(html).text
    cifar = render(replace(full, trials=full.trials.assign(**{"config.data.source": "cifar10"})))
    text = " ".join(Page(cifar).text.split())
    assert "published" in figures(cifar)
    assert "hand-picked ResNet-18 and ResNet-50 settings" in text
    assert "may not be compared with the validation" in text
    row = r"CF-AMC-SSL, 16 crops, m=3 ?arXiv 2501\.03507, Table 1 ?CIFAR-10 ?75\.88 ?55\.97 ?33\.34 ?\S ?10 ?97"
    assert re.search(row, text)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({}, "there is no frontier yet"),
        ({"seeds": 3, "configurations": [{}, 3, {"trial": 3, "params": 1}]}, "odd confirms tiny: means over seeds"),
    ],
)
def test_a_confirmation_that_says_little_has_a_report(
    new_study: Callable[..., Any], told: dict[str, Any], word: str
) -> None:
    folder = new_study("odd", confirms={"study": "tiny"} | told, evaluation={"split": "test"})
    folder.finished(0, 0.9, 0.5, params={"configuration": 3, "seed": 1})
    assert word in render(read_study(folder.paths))


@pytest.mark.parametrize("others", [["cf_amc_ssl"], ["cf_amc_ssl", "robust_simclr"]])
def test_losses_of_several_scales_are_to_be_seen_alone(new_study: NewStudy, others: list[str]) -> None:
    study = new_study()
    for number, trainable in enumerate(others):
        study.epochs(study.begin(number, {}, trainable), 2)
    text = " ".join(Page(render(read_study(study.paths))).text.split())
    assert ("each trainable has a scale of its own" in text) == (len(others) > 1)


@pytest.mark.parametrize(
    ("stated", "told"),
    [({"name": "asha", "eta": 2.0}, "asha"), ({"name": "none"}, None), ("halving", "halving"), (None, None)],
)
def test_the_head_tells_what_ended_trials_early(new_study: NewStudy, stated: object, told: str | None) -> None:
    study = new_study(scheduler=stated)
    study.finished(0, 0.9, 0.3)
    assert dict(facts(read_study(study.paths))).get("Early stopping") == told
