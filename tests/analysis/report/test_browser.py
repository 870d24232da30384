"""The report in a real browser: it opens by itself, a selection is the same everywhere, and a keyboard reaches all."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.style import SCALE, SCALE_ON_DARK
from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, write_json
from analysis.reading.runs import read_study
from analysis.report.page import write_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium to open the report in"),
]
RECORDED = Path(__file__).parents[3] / "results" / "curves-digits.jsonl"
TRIALS = 24
RUN = "http://127.0.0.1:5000/#/experiments/1/runs/{}?workflowType=machine_learning"


def recorded_study(paths: StudyPaths, trials: int) -> None:
    """The recorded trials one after the other, anew from the first where there are too few; the second is flagged."""
    recorded = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    paths.trials.mkdir(parents=True)
    evaluation = {"head": "robust", "epsilon": 16 / 255, "split": "validation"}
    write_json(paths.manifest, {"name": paths.name, "evaluation": evaluation})
    runs = {str(number): f"run{number}" for number in range(trials)}
    write_json(paths.tracking, {"uri": "http://127.0.0.1:5000", "experiment_id": "1", "runs": runs})
    for number in range(trials):
        line = recorded[number % len(recorded)]
        trial = paths.trial(number)
        trial.root.mkdir()
        settings = {"seed": 0, "data": {"source": "digits" if number % 2 else "cifar10"}}
        config = {"trainable": line["trainable"], "params": line["params"], "config": settings}
        trial.config.write_text(json.dumps(config))
        trial.result.write_text(json.dumps({"verdict": "flagged: noise breaks it"} if number == 1 else {}))
        trial.events.write_text("\n".join(map(json.dumps, events(line))) + "\n")


def events(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"kind": ATTEMPT, "time": 1.0, "attempt": 1, "gpu_share": 1.0}
    for place, values in enumerate(zip(*line["epochs"].values(), strict=True)):
        metrics = {f"train/{name}": value for name, value in zip(line["epochs"], values, strict=True)}
        yield {"kind": EPOCH, "time": 2.0 + place, "attempt": 1, "epoch": place + 1, "metrics": metrics}
    yield {"kind": ENDED, "time": 99.0, "attempt": 1, "status": "finished", "reason": "", "metrics": line["metrics"]}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = StudyPaths(tmp_path_factory.mktemp("studies") / "recorded")
    recorded_study(paths, TRIALS)
    write_report(read_study(paths), paths.report)
    return paths.report


class Opened:
    """A page, and what it complained of and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self._heard(message))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#figure-frontier[data-drawn]")

    def _heard(self, message: Any) -> None:
        if "GL Driver Message" not in message.text:  # of a machine without a GPU
            self.complaints.append(message.text)

    def see(self, name: str) -> None:
        """Scroll to a figure and wait until it is drawn, and up to date."""
        self.page.locator(f"#figure-{name}").scroll_into_view_if_needed()
        script = (
            "name => { const plot = document.getElementById(name); return plot.base && !plot.busy && !plot.stale; }"
        )
        self.page.wait_for_function(script, arg=f"figure-{name}")

    def tab_to(self, element: str) -> None:
        """Press Tab until an element that fits a selector has the focus."""
        for _ in range(200):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", element):
                return
        raise AssertionError(f"Tab does not reach {element}")

    def selected(self) -> list[str]:
        found: list[str] = self.page.evaluate("model.selection()")
        return found

    def select(self, *trials: str) -> None:
        self.page.evaluate("ids => model.select(ids)", list(trials))

    def rows(self, table: str) -> list[str]:
        """The trials of the rows that are marked as selected."""
        return self.page.locator(f"#{table} tr[aria-selected=true]").evaluate_all("rows => rows.map(idsOf).flat()")

    def firm(self, name: str) -> set[str]:
        """The trials whose marks stand out in a figure."""
        script = """name => {
          const plot = document.getElementById('figure-' + name);
          const places = (trace, index) => (trace.selectedpoints ?? []).flatMap((place) => plot.owners[index][place]);
          return plot.data.flatMap(places);
        }"""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.see(name)
        return set(self.page.evaluate(script, name))


@pytest.fixture(scope="module")
def page(browser: Any, report: Path) -> Iterator[Opened]:
    found = Opened(browser, report)
    yield found
    found.page.close()


@pytest.fixture
def opened(page: Opened) -> Iterator[Opened]:
    """The one page, as it was when it was opened."""
    page.page.evaluate("""() => {
      document.querySelectorAll('input[data-filter]:not(:checked), input[data-only]:checked').forEach((box) => {
        box.click();
      });
      model.select([]);
      scrollTo(0, 0);
      document.activeElement.blur();
    }""")
    page.see("frontier")
    yield page
    assert page.complaints == []


def test_it_opens_by_itself_and_draws_every_figure(opened: Opened) -> None:
    names = opened.page.locator(".figure").evaluate_all("plots => plots.map((plot) => plot.id.replace('figure-', ''))")
    assert {"frontier", "attainment", "parallel", "slices", "interactions", "importance", "curves", "published"} <= set(
        names
    )
    for name in names:
        opened.see(name)
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert opened.page.locator("#selection").text_content() == f"{TRIALS} trials, none selected"


def test_a_box_on_the_frontier_selects_the_same_trials_everywhere(opened: Opened) -> None:
    area = opened.page.locator("#figure-frontier .nsewdrag").first.bounding_box()
    mouse = opened.page.mouse
    mouse.move(area["x"] + area["width"] * 0.3, area["y"] + 5)
    mouse.down()
    mouse.move(area["x"] + area["width"] * 0.8, area["y"] + area["height"] * 0.6, steps=5)
    mouse.move(area["x"] + area["width"] - 4, area["y"] + area["height"] - 4, steps=5)
    mouse.up()
    opened.page.wait_for_function("model.selection().length > 0")
    chosen = opened.selected()
    assert 2 < len(chosen) < TRIALS
    assert opened.page.locator("#selection").text_content() == f"{len(chosen)} of {TRIALS} trials selected"
    assert opened.rows("t-trials") == chosen
    for name in ("frontier", "attainment", "slices", "interactions"):
        opened.see(name)
        assert opened.firm(name) == set(chosen), name
    opened.see("parallel")
    axis = opened.page.evaluate("document.getElementById('figure-parallel').data[0].dimensions[0]")
    assert (axis["label"], sum(axis["values"])) == ("selected", len(chosen))
    opened.see("curves")
    assert opened.page.evaluate("new Set(document.getElementById('figure-curves').data.at(-1).customdata).size") > 0
    opened.page.locator("#clear").click()
    assert opened.selected() == []
    assert opened.rows("t-trials") == []


def test_a_click_on_a_mark_and_ranges_along_an_axis_select(opened: Opened) -> None:
    mark = opened.page.locator("#figure-frontier .scatterlayer .point").last
    mark.hover(force=True)
    mark.click(force=True)
    assert len(opened.selected()) == 1
    opened.see("parallel")
    dimensions = "document.getElementById('figure-parallel').data[0].dimensions"
    opened.select()
    opened.page.wait_for_function(f"{dimensions}.every((one) => one.label !== 'selected')")
    last = f"{dimensions}.length - 1"
    opened.page.evaluate(
        f"Plotly.restyle('figure-parallel', {{[`dimensions[${{{last}}}].constraintrange`]: [[[0, 62]]]}}, [0])"
    )
    opened.page.wait_for_function("model.selection().length > 0")
    values = opened.page.evaluate(f"{dimensions}.at(-1).values.filter((value) => value <= 62).length")
    assert len(opened.selected()) == values


def test_filters_hide_trials_in_every_view(opened: Opened) -> None:
    opened.select("0000", "0001", "0002")
    opened.page.locator("input[data-filter=trainable]").first.uncheck()
    shown = opened.page.evaluate("model.shown()")
    assert 0 < len(shown) < TRIALS
    opened.page.locator("input[data-filter=data][value=digits]").uncheck()
    shown = opened.page.evaluate("model.shown()")
    assert set(opened.selected()) <= set(shown)
    assert opened.page.locator("#t-trials tbody tr:visible").count() == len(shown)
    opened.see("slices")
    drawn = opened.page.evaluate(
        "[...new Set(document.getElementById('figure-slices').owners.flat(2))].filter(Boolean)"
    )
    assert set(drawn) == set(shown)
    opened.see("frontier")
    labelled = "document.getElementById('figure-frontier').data.filter((one) => Array.isArray(one.textposition))"
    assert opened.page.evaluate(f"{labelled}.every((one) => one.textposition.length === one.x.length)")
    assert f"{len(shown)} trials shown of {TRIALS}" in str(opened.page.locator("#selection").text_content())


def test_a_keyboard_reaches_every_trial_and_its_run(opened: Opened) -> None:
    page = opened.page
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["x"] >= 0, "it is seen while it has the focus"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "h-trials"
    opened.tab_to("#t-trials tr")
    reached = []
    for _ in range(TRIALS):
        reached.append(page.evaluate("document.activeElement.dataset.trials"))
        page.keyboard.press("ArrowDown")
    assert reached == [f"{number:04d}" for number in range(TRIALS)]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    assert opened.selected() == ["0000", "0001"]
    assert opened.firm("frontier") == {"0000", "0001"}
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.href") == RUN.format("run1")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    assert page.locator("#runs a").evaluate_all("links => links.map((link) => link.href)") == [
        RUN.format("run0"),
        RUN.format("run1"),
    ]
    page.keyboard.press("Escape")
    assert opened.selected() == []


def test_tab_reaches_the_rows_that_a_box_or_a_filter_leaves(opened: Opened) -> None:
    page = opened.page
    opened.select("0005", "0006")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    opened.tab_to("input[data-only]")
    page.keyboard.press(" ")
    opened.tab_to("tr[data-trials='0005']")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.href") == RUN.format("run5")
    page.keyboard.press("Shift+Tab")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.dataset.trials") == "0006"
    opened.select("0009")
    page.locator("#h-trials").focus()
    opened.tab_to("tr[data-trials='0009']")
    page.locator("input[data-only]").uncheck()
    page.locator("input[data-filter=data][value=digits]").uncheck()
    page.locator("#h-trials").focus()
    opened.tab_to("#t-trials tr")
    assert page.locator(":focus").is_visible()


def test_the_keyboard_chooses_what_a_figure_shows(opened: Opened) -> None:
    page = opened.page
    title = "document.getElementById('figure-hypervolume').layout.xaxis.title.text"
    opened.see("hypervolume")
    assert page.locator(".updatemenu-container").count() == 0
    page.locator("#h-progress").click()
    opened.tab_to("select")
    assert page.evaluate("document.activeElement.labels[0].firstChild.textContent.trim()") == "Hypervolume"
    for start in ("GPU-hours", "Hours of wall time", "Trials"):
        page.keyboard.press("ArrowDown" if start != "Trials" else "Home")
        page.wait_for_function(f"{title}.startsWith('{start}')")
    opened.see("interactions")
    pairs = page.get_by_label("Settings", exact=True)
    assert pairs.locator("option").count() > 1
    pairs.select_option(index=1)
    x, y = str(pairs.locator("option").nth(1).text_content()).split(" and ")
    shown = "document.getElementById('figure-interactions').layout"
    page.wait_for_function(f"{shown}.xaxis.title.text.startsWith('{x}') && {shown}.yaxis.title.text.startsWith('{y}')")
    opened.select("0000", "0003")
    assert opened.firm("interactions") == {"0000", "0003"}
    pairs.select_option(index=0)


def test_a_choice_made_before_a_figure_is_drawn_is_drawn(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    page = opened.page
    page.evaluate("document.querySelector('[data-view=hypervolume]').selectedIndex = 1")
    assert page.evaluate("'drawn' in document.getElementById('figure-hypervolume').dataset") is False
    opened.see("hypervolume")
    found = page.evaluate("document.getElementById('figure-hypervolume').layout.xaxis.title.text")
    assert found.startswith("GPU-hours")
    assert opened.complaints == []
    page.close()


def test_the_page_can_be_read_before_the_library_is(browser: Any, report: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script("addEventListener('DOMContentLoaded', () => (window.early = 'Plotly' in window))")
    page.goto(report.as_uri())
    page.wait_for_selector("#figure-frontier[data-drawn]")
    assert page.evaluate("[early, 'Plotly' in window]") == [False, True]
    page.close()


def test_what_a_screen_reader_is_told(opened: Opened) -> None:
    page = opened.page
    assert page.locator("#selection").get_attribute("aria-live") == "polite"
    assert all(page.locator(".figure").evaluate_all("plots => plots.map((plot) => plot.ariaLabel)"))
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(landmark).count() == 1, landmark
    assert page.get_by_role("grid").count() == 2
    assert page.locator("table").count() == page.locator("caption").count()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_follow_the_system_and_the_page(browser: Any, report: Path, system: str) -> None:
    opened = Opened(browser, report, color_scheme=system)
    painted = "[document.body, document.querySelector('#figure-frontier .main-svg')]"
    back = f"{painted}.map((one) => getComputedStyle(one).backgroundColor)"
    light, dark = ["rgb(255, 255, 255)"] * 2, ["rgb(20, 23, 28)"] * 2
    for choice, expected in (("", {"light": light, "dark": dark}[system]), ("dark", dark), ("light", light)):
        opened.page.select_option("#theme", choice)
        opened.page.wait_for_function(f"JSON.stringify({back}) === '{json.dumps(expected, separators=(',', ':'))}'")
    assert opened.complaints == []
    opened.page.close()


def test_colours_by_a_number_are_those_of_the_ground(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.see("parallel")
    scales = """() => [
      document.getElementById('figure-frontier').layout.coloraxis.colorscale,
      document.getElementById('figure-parallel').data[0].line.colorscale,
    ].map((scale) => scale.map(([, colour]) => colour.replaceAll(' ', '')))"""
    for theme, expected in (("light", SCALE), ("dark", SCALE_ON_DARK)):
        opened.page.select_option("#theme", theme)
        for name in ("frontier", "parallel"):
            opened.see(name)
        assert opened.page.evaluate(scales) == [[colour.replace(" ", "") for colour in expected]] * 2
    opened.page.close()


def test_a_phone_cuts_no_legend_and_title(browser: Any, report: Path) -> None:
    opened = Opened(browser, report, viewport={"width": 390, "height": 844})
    for name in ("frontier", "attainment", "hypervolume"):
        opened.see(name)
        beyond = opened.page.locator(f"#figure-{name} :is(.legendtext, .xtitle, .gtitle)").evaluate_all(
            "texts => texts.filter((text) => text.getBoundingClientRect().right > innerWidth).map((t) => t.textContent)"
        )
        assert beyond == []
    opened.page.close()


def test_a_table_is_as_wide_as_the_window_where_it_needs_that(browser: Any, report: Path) -> None:
    opened = Opened(browser, report, viewport={"width": 1920, "height": 1080})
    for name in ("frontier", "trials"):
        assert opened.page.locator(f"#t-{name}").evaluate("table => table.parentElement.clientWidth") > 1800
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 1920
    assert opened.page.locator("#figure-frontier").evaluate("plot => plot.clientWidth") == 1200
    opened.page.close()


def test_print_is_light_and_has_every_figure(browser: Any, report: Path) -> None:
    opened = Opened(browser, report, color_scheme="dark")
    assert len(opened.page.pdf()) > 10_000
    opened.page.emulate_media(media="print")
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.page.wait_for_function("plots.filter((plot) => plot.offsetParent).every((plot) => 'drawn' in plot.dataset)")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.page.locator(".bar").is_visible()
    assert opened.complaints == []
    opened.page.close()


@pytest.mark.exhaustive
def test_a_thousand_trials_can_be_worked_with(browser: Any, tmp_path: Path) -> None:
    paths = StudyPaths(tmp_path / "large")
    recorded_study(paths, 1000)
    write_json(paths.manifest, {"name": "large", "objectives": [{"metric": "pgd_accuracy"}]})
    write_report(read_study(paths), paths.report)
    opened = Opened(browser, paths.report)
    opened.select("0003", "0999")
    assert opened.firm("frontier") == {"0003", "0999"}
    assert opened.rows("t-trials") == ["0003", "0999"]
    opened.see("slices")
    assert opened.firm("slices") == {"0003", "0999"}
    frame = opened.page.locator(".scroll:has(#t-trials)")
    ways = {}
    for medium in ("screen", "print"):
        opened.page.emulate_media(media=medium)
        ways[medium] = frame.evaluate("frame => getComputedStyle(frame).contentVisibility")
    assert ways == {"screen": "auto", "print": "visible"}
    assert opened.complaints == []
    opened.page.close()


@pytest.mark.parametrize(("step", "crowded"), [(0.002, True), (0.02, False)])
def test_no_label_lies_over_another(browser: Any, new_study: Callable[..., Any], step: float, crowded: bool) -> None:
    study = new_study()
    for number in range(10):
        study.finished(number, 0.5 + step * number, 0.5 - step * number)
    write_report(read_study(study.paths), study.paths.report)
    opened = Opened(browser, study.paths.report)
    boxes = opened.page.locator("#figure-frontier .textpoint text").evaluate_all("""labels => labels.map((label) => {
      const {left, right, top, bottom} = label.getBoundingClientRect();
      return [label.style.visibility !== "hidden", left, right, top, bottom - 4];
    })""")
    shown = [box for visible, *box in boxes if visible]
    assert len(boxes) == 10
    assert len(shown) > 0
    assert (len(shown) < 10) == crowded
    for one, other in itertools.combinations(shown, 2):
        assert one[1] < other[0] or other[1] < one[0] or one[3] < other[2] or other[3] < one[2]
    opened.page.close()


def test_studies_without_trials_or_figures_open_too(browser: Any, new_study: Callable[..., Any]) -> None:
    for name, failed in (("empty", 0), ("failed", 2)):
        study = new_study(name)
        for number in range(failed):
            study.failed(number)
        write_report(read_study(study.paths), study.paths.report)
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.goto(study.paths.report.as_uri())
        assert f"{failed} trials" in page.locator("#selection").text_content()
        assert errors == []
        page.close()
