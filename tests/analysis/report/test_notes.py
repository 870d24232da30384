"""What somebody notes of a trial: kept in its folder, shown where trials are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.figures.pareto import compute
from analysis.layout import NOTE_LENGTH, TrialPaths, append_note, in_a_line, note_of, read_events
from analysis.reading.runs import read_study
from analysis.report.page import render
from analysis.tables.trial_page import trial_page
from analysis.tables.trials import trials_table

NewStudy = Callable[..., Any]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(), min_size=1, max_size=4), torn=st.binary(max_size=8))
def test_the_newest_note_counts_whatever_was_torn(tmp_path_factory: Any, texts: list[str], torn: bytes) -> None:
    trial = TrialPaths(tmp_path_factory.mktemp("trial") / "0003")
    for text in texts:
        append_note(trial, text)
    with open(trial.notes, "ab") as file:
        file.write(b'{"text": "half' + torn)
    told = note_of(trial)
    assert told == in_a_line(texts[-1].encode("utf-8", "replace").decode())
    assert len(told.splitlines()) <= 1
    append_note(trial, "after")
    assert note_of(trial) == "after"


def test_a_note_is_a_line_that_steers_no_terminal_and_has_an_end(tmp_path: Path) -> None:
    trial = TrialPaths(tmp_path / "0003")
    append_note(trial, "first\nsecond \x1b[31mred\x9b0m\x07 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
    assert note_of(trial) == r"first second \x1b[31mred\x9b0m\x07" + " \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    with open(trial.notes, "a") as file:
        file.write('{"text": null}\n{"text": ["no", "note"]}\n')
    assert note_of(trial).startswith("first second"), "what is no text is no note"
    append_note(trial, "x" * 20_000)
    assert note_of(trial) == "x" * NOTE_LENGTH


def test_a_note_is_shown_where_trials_are(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    plain = read_study(study.paths)
    assert not any(column.title == "Note" for column in trials_table(plain).columns)
    events = read_events(study.paths.trial(0))
    append_note(study.paths.trial(0), "<b>unstable?</b>")
    noted = read_study(study.paths)
    assert noted.trials["note"].tolist() == ["<b>unstable?</b>"]
    assert "<b>unstable?</b>" in trials_table(noted).rows[0]
    assert "note: &lt;b&gt;unstable?&lt;/b&gt;" in compute(noted).points["text"].iloc[0]
    assert ("Note", "<b>unstable?</b>") in trial_page(noted, study.paths.trial(0)).facts
    assert read_events(study.paths.trial(0)) == events, "a trial's end is its last event"


def test_a_long_note_does_not_break_at_every_word(new_study: NewStudy) -> None:
    study, notes = new_study(), ("short", "unstable from the twelfth epoch on")
    for number, note in enumerate(notes):
        study.finished(number, 0.9, 0.5)
        append_note(study.paths.trial(number), note)
    page = render(read_study(study.paths))
    assert [f'<td class="words">{note}</td>' in page for note in notes] == [False, True]
    assert re.search(r"^\.words \{ min-width: \d+ch; width: \d+ch; \}$", page, re.MULTILINE)
