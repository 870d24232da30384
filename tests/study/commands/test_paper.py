"""Commands that write for papers: what they print of any study, also of broken and empty ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.layout import ATTEMPT, ENDED, StudyPaths, append_event, study_paths, write_json
from study.commands import main as cli

Study = Callable[..., tuple[int, str, str]]


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], studies: Path) -> Study:
    """Runs the command in this process; gives its exit code and what it wrote."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["study", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


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
    for suffix, beginning in ((".md", "**tiny"), (".csv", "section,"), (".tex", "% needs")):
        path = tmp_path / f"table{suffix}"
        assert study("tables", "tiny", "-o", path) == (0, f"{path}\n", "")
        assert path.read_text().startswith(beginning)
    assert study("tables", "tiny", "-o", tmp_path / "table.md", "--format", "csv")[0] == 0
    assert len(pd.read_csv(tmp_path / "table.md")) == 2 + 34
    assert "Table" not in study("tables", "tiny", "--published", "none")[1]


def test_a_table_of_a_table_that_is_not_there(study: Study, tiny: StudyPaths) -> None:
    code, out, err = study("tables", "tiny", "--published", "table1,table7")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "--published has no 'table7'; choose from table1, table2" in err


@pytest.mark.parametrize("command", ["tables"])
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
