"""Commands that write for papers: what they print of any study, also of broken and empty ones."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest

from analysis.layout import (
    ATTEMPT,
    ENDED,
    StudyPaths,
    append_event,
    default_tracking_uri,
    study_paths,
    write_json,
)
from analysis.printing.static import PX_PER_MM

Study = Callable[..., tuple[int, str, str]]
RECORDED = Path(__file__).parents[3] / "results" / "curves-digits.jsonl"
OUTSIDE = """() => {
    const page = document.querySelector('svg').getBoundingClientRect()
    return [...document.querySelectorAll('text, .legend rect, .colorbar')].filter(element => {
        const box = element.getBoundingClientRect()
        return box.width && (box.left < page.left - 1 || box.right > page.right + 1
            || box.top < page.top - 1 || box.bottom > page.bottom + 1)
    }).map(element => element.textContent)
}"""


def finish(paths: StudyPaths, number: int, clean: float, pgd: float) -> None:
    config = {"trainable": "cf_amc_ssl", "params": {"m": 3 + number}, "config": {"seed": number}}
    write_json(paths.trial(number).config, config)
    append_event(paths.trial(number), ATTEMPT, 1, device="cpu", gpu_share=1.0)
    metrics = {"clean_accuracy": clean, "pgd_accuracy": pgd, "evaluation_images": 360.0}
    append_event(paths.trial(number), ENDED, 1, status="finished", metrics=metrics)


@pytest.fixture
def tiny(studies: Path) -> StudyPaths:
    paths = study_paths("tiny")
    write_json(paths.manifest, {"name": "tiny", "evaluation": {"head": "robust", "epsilon": 8 / 255}})
    return paths


def test_tables_in_every_form(study: Study, tiny: StudyPaths, tmp_path: Path) -> None:
    finish(tiny, 0, 0.9, 0.5)
    finish(tiny, 1, 0.8, 0.6)
    code, out, err = study("tables", "tiny", "--published", "table1")
    assert (code, err) == (0, "")
    assert "| **90.0** " in out
    assert out.count("| Table 1 |") == 7
    everything = ("--published", "table1,table2,table3,table4,table5,leaderboard")
    for suffix, beginning in ((".md", "**tiny"), (".csv", "section,"), (".tex", "% needs")):
        path = tmp_path / f"table{suffix}"
        assert study("tables", "tiny", "-o", path, *everything) == (0, f"{path}\n", "")
        assert path.read_text().startswith(beginning)
    assert study("tables", "tiny", "-o", tmp_path / "table.md", "--format", "csv", *everything)[0] == 0
    assert len(pd.read_csv(tmp_path / "table.md")) == 2 + 34
    assert "Table" not in study("tables", "tiny", "--published", "none")[1]
    plain = study("tables", "tiny")[1]
    assert "| Table" not in plain
    assert "- Left out: 34 published rows that ours cannot be compared with (another data set, " in plain


def test_a_table_of_a_table_that_is_not_there(study: Study, tiny: StudyPaths) -> None:
    code, out, err = study("tables", "tiny", "--published", "table1,table7")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "--published has no 'table7'; choose from table1, table2" in err


@pytest.mark.parametrize("command", ["tables", "figures"])
def test_a_study_that_is_not_there_is_one_line(study: Study, studies: Path, command: str) -> None:
    code, out, err = study(command, "none")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "'none'" in err


def test_a_study_without_a_finished_trial_has_a_table_that_says_so(study: Study, tiny: StudyPaths) -> None:
    append_event(tiny.trial(0), ATTEMPT, 1)
    tiny.trial(0).config.write_text('{"trainable": ')
    tiny.manifest.write_text("{")
    code, out, err = study("tables", "tiny")
    assert (code, err) == (0, "")
    assert "No trial has finished with all objectives measured" in out


def test_figures_without_a_finished_trial_or_a_sound_width_are_one_line(study: Study, tiny: StudyPaths) -> None:
    code, out, err = study("figures", "tiny")
    assert (code, out) == (2, "")
    assert err == "there is nothing to draw yet: no trial of tiny has finished; `study status tiny`\n"
    for width in ("88", "88cm", "59mm", "-5px", "99999px", "nan mm"):
        code, out, err = study("figures", "tiny", f"--width={width}")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "give a width of 60 to 1300 mm" in err


def test_without_a_browser_it_is_said_what_to_install(
    study: Study, tiny: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(tiny, 0, 0.9, 0.5)
    monkeypatch.setenv("BROWSER_PATH", "/nowhere/chromium")
    code, out, err = study("figures", "tiny")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "install one (apt-get install chromium" in err
    assert not tiny.figures.exists(), "nothing half-written"


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


def outside(chromium: str, files: list[Path]) -> dict[str, list[str]]:
    """What of each drawing lies beyond its page, as a browser sets it."""
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for file in files:
            page.set_content(f"<body style='margin:0'>{file.read_text()}</body>")
            found[file.stem] = page.evaluate(OUTSIDE)
        browser.close()
    return found


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_figures_of_a_replayed_study_keep_inside_their_page(
    study: Study, studies: Path, tmp_path: Path, chromium: str
) -> None:
    few = ["--set", "budget.trials=30", "--set", "tracking.offline=true", "--no-supervise"]
    code, _, err = study("launch", RECORDED.with_suffix(".yaml"), "--backend", "replay", "--curves", RECORDED, *few)
    assert code == 0, err
    code, out, err = study("figures", "curves-digits", "-o", tmp_path, "--width", "88mm", "--format", "svg")
    assert code == 0, err
    files = list(Path(out.strip()).glob("*.svg"))
    assert {file.stem for file in files} >= {
        "frontier",
        "attainment",
        "hypervolume",
        "importance",
        "slices",
        "parallel",
    }
    assert outside(chromium, files) == {file.stem: [] for file in files}


@pytest.mark.slow
def test_figures_are_drawn_in_each_form_and_at_the_size_asked_for(
    study: Study, tiny: StudyPaths, chromium: str
) -> None:
    finish(tiny, 0, 0.9, 0.5)
    finish(tiny, 1, 0.8, 0.6)
    code, out, err = study("figures", "tiny", "--width", "700px", "--scale", "2")
    assert code == 0, err
    assert out == f"{tiny.figures}\n", "for scripts, the folder alone"
    written = {path.name: path for path in tiny.figures.iterdir()}
    stems = {path.stem for path in written.values()}
    assert "frontier" in stems
    assert set(written) == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "pdf", "png")}
    assert err == f"{len(stems)} figures as SVG, PDF, PNG in\n"
    assert b'width="700"' in written["frontier.svg"].read_bytes()[:300]
    assert written["frontier.pdf"].read_bytes().startswith(b"%PDF")
    assert int.from_bytes(written["frontier.png"].read_bytes()[16:20]) == 1400
    assert outside(chromium, [written[f"{stem}.svg"] for stem in sorted(stems)]) == {stem: [] for stem in stems}


def test_what_cannot_be_written_is_one_line(study: Study, tiny: StudyPaths, tmp_path: Path) -> None:
    finish(tiny, 0, 0.9, 0.5)
    (file := tmp_path / "file").touch()
    for command in ("report", "tables"):
        for place in (tmp_path, file / "below.html"):
            code, out, err = study(command, "tiny", "-o", place)
            assert (code, out, len(err.splitlines())) == (2, "", 1)
            assert err.startswith(f"{place} cannot be written (")
    assert set(tmp_path.iterdir()) == {tiny.root, file}, "nothing half-written is left"


def test_figures_that_cannot_be_written_are_one_line(
    study: Study, tiny: StudyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drawn(figures: Sequence[object], *_: object) -> list[bytes]:
        return [b""] * len(figures)

    monkeypatch.setattr("analysis.printing.drawing._drawn", drawn)
    finish(tiny, 0, 0.9, 0.5)
    (file := tmp_path / "file").touch()
    code, out, err = study("figures", "tiny", "-o", file)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"{file} cannot be written (")


def test_a_figure_that_needs_more_than_the_width_asked_for_is_named(
    study: Study, tiny: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drawn(figures: Sequence[object], *_: object) -> list[bytes]:
        return [b""] * len(figures)

    monkeypatch.setattr("analysis.printing.drawing._drawn", drawn)
    for number in range(2):
        finish(tiny, number, 0.9 - number / 10, 0.5)
    monkeypatch.setattr("analysis.printing.static._COORDINATE_PX", 25 * PX_PER_MM)
    for width, told in ((70, "parallel is 75 mm wide, which "), (75, "")):
        code, _, err = study("figures", "tiny", "--width", f"{width}mm")
        assert (code, err.startswith(told), len(err.splitlines())) == (0, True, 1 + bool(told))


def test_a_study_is_read_from_mlflow_where_its_folder_is_gone(
    study: Study, tiny: StudyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(tiny, 0, 0.9, 0.5)
    finish(tiny, 1, 0.8, 0.6)
    monkeypatch.setattr("analysis.printing.drawing.write_images", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    store = ("--tracking-uri", f"sqlite:///{tmp_path / 'tracked.db'}")
    assert study("sync", "tiny", *store)[0] == 0
    commands = (
        *(("front", "tiny", "--csv"), ("tables", "tiny")),
        *(("trials", "tiny", "--json"), ("trials", "tiny", "--epochs", "--csv")),
    )
    local = [study(*command)[1] for command in commands]
    shutil.rmtree(tiny.root)
    assert [study(*command, *store) for command in commands] == [(0, out, "") for out in local]
    assert study("report", "tiny", *store, "--mlflow-url", "http://box:81") == (0, "tiny.html\n", "")
    assert 'href="http://box:81/#/experiments/' in Path("tiny.html").read_text()
    assert study("figures", "tiny", *store, "--format", "svg")[1] == "tiny-figures\n"
    assert not tiny.root.exists()
    code, out, err = study("front", "absent", *store)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "no study named 'absent' in MLflow at sqlite:///" in err
    assert "; there: tiny" in err


@pytest.mark.parametrize("command", ["front", "report", "tables", "figures", "compare"])
def test_an_mlflow_that_does_not_answer_is_one_line_without_secrets(study: Study, command: str) -> None:
    names = ("tiny", "other") if command == "compare" else ("tiny",)
    code, out, err = study(command, *names, "--tracking-uri", "http://me:hunter2@127.0.0.1:9")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("MLflow does not answer at http://127.0.0.1:9 (")
    assert "hunter2" not in err


def test_what_is_no_mlflow_store_is_one_line(study: Study, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("no database")
    code, out, err = study("front", "tiny", "--tracking-uri", f"sqlite:///{tmp_path / 'no.db'}")
    assert (code, out, err.splitlines()[1:]) == (2, "", [])
    assert err.startswith("MLflow at sqlite:////")


def test_sync_brings_the_trials_also_where_the_report_fails(
    study: Study, tiny: StudyPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_study: object) -> str:
        raise ZeroDivisionError("of the report")

    monkeypatch.setattr("analysis.report.page.render", fail)
    finish(tiny, 0, 0.9, 0.5)
    code, out, err = study("sync", "tiny")
    assert code == 0
    assert out.startswith("1 trial and 2 events of tiny are in sqlite:///")
    assert "no report was written (ZeroDivisionError: of the report); try: study report tiny" in err


def test_the_front_heads_what_stands_out(study: Study, tiny: StudyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(tiny, 0, 0.9, 0.5)
    assert "stands out" not in study("front", "tiny")[1]
    monkeypatch.setattr("analysis.searched.notable.notable", lambda _: ("epsilon is best at its end", "m = 3 breaks"))
    assert study("front", "tiny")[1].endswith("What stands out:\n  epsilon is best at its end\n  m = 3 breaks\n")


def test_tables_name_what_is_excluded(study: Study, tiny: StudyPaths) -> None:
    finish(tiny, 0, 0.9, 0.5)
    finish(tiny, 1, 0.8, 0.6)
    assert "xcluded" not in study("tables", "tiny")[1]
    assert study("exclude", "tiny/1", "wrong images")[0] == 0
    for kind in ("markdown", "latex", "csv"):
        out = study("tables", "tiny", "--format", kind)[1]
        assert ("Excluded: 0001 (wrong images)." in out) == (kind != "csv")


def test_the_front_says_how_sure_it_is(study: Study, tiny: StudyPaths) -> None:
    finish(tiny, 0, 0.9, 0.5)
    finish(tiny, 1, 0.8, 0.51)
    assert "Chance of the frontier, %" in study("front", "tiny")[1]
    in_json = [row["chance"] for row in json.loads(study("front", "tiny", "--json")[1])]
    assert all(0.5 < chance <= 1 for chance in in_json)
    assert pd.read_csv(io.StringIO(study("front", "tiny", "--csv")[1]))["chance"].tolist() == in_json


@pytest.mark.slow
def test_sync_brings_a_report_of_what_the_trials_say_now(study: Study, tiny: StudyPaths, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    from study.tracking.ledger import Ledger

    finish(tiny, 0, 0.9, 0.5)
    tiny.report.write_text("of old")
    os.utime(tiny.report, (1, 1))
    code, _, err = study("sync", "tiny")
    assert code == 0, err
    client, run = MlflowClient(default_tracking_uri(tiny.root.parent)), Ledger(tiny).parent
    sent = Path(client.download_artifacts(run, "report.html", str(tmp_path))).read_text()
    assert sent.lower().startswith("<!doctype html>")
    assert sent == tiny.report.read_text()
    assert study("sync", "tiny")[0] == 0
    assert tiny.report.read_text() == sent, "nothing has happened since"
