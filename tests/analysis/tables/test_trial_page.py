"""One trial on one page: what its row, its configuration and its events say, and nothing that is not known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from analysis import labels
from analysis.layout import ATTEMPT, ENDED, LOST, OUT_OF_MEMORY, PAUSED, append_event, read_events, write_json
from analysis.reading.runs import read_study
from analysis.tables.trial_page import TrialPage, attempts, trial_page
from trainables.catalogue import default_config
from trainables.config import override, to_dict

NewStudy = Callable[..., Any]


def page(folder: Any, number: int) -> TrialPage:
    return trial_page(read_study(folder.paths), folder.paths.trial(number))


def test_figures_have_the_intervals_that_trials_record(new_study: NewStudy) -> None:
    """Those of heads are not recorded: they are what they would have been."""
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.finished(1, 0.8, 0.4)
    found = page(study, 1)
    ends = read_events(study.paths.trial(1))[-1]["metrics"]
    shown = dict(found.figures.rows)
    recorded = (ends[f"pgd_accuracy{end}"] for end in ("", "_low", "_high"))
    assert shown["PGD accuracy at 8/255"] == labels.percent_interval(*recorded)
    assert shown["Zero-start PGD accuracy at 8/255 of the robust head"] == shown["PGD accuracy at 8/255"]
    assert ("On the frontier", "no") in found.facts
    assert ("On the frontier", "yes") in page(study, 0).facts


def test_settings_are_told_where_they_are_not_the_defaults(new_study: NewStudy) -> None:
    study = new_study()
    folder = study.finished(0, 0.9, 0.5)
    default = default_config("cf_amc_ssl", "released_code")
    own = override(default, {"adversary.epsilon": 4 / 255, "evaluation.attack_epsilons": [8 / 255], "seed": 7})
    write_json(folder.config, json.loads(folder.config.read_text()) | {"config": to_dict(own)})
    found = page(study, 0)
    assert found.settings == {
        "adversary.epsilon": (4 / 255, 8 / 255),
        "evaluation.attack_epsilons": ([8 / 255], [4 / 255, 8 / 255, 16 / 255]),
    }
    (table,) = (table for table in found.tables() if table.caption.startswith("Settings"))
    assert table.rows[1] == ("evaluation.attack_epsilons", "[8/255]", "[4/255, 8/255, 16/255]")
    assert ("Seed", "7") in found.facts


def test_attempts_end_as_their_events_say(new_study: NewStudy) -> None:
    trial = new_study().paths.trial(0)
    append_event(trial, ATTEMPT, 1, host="a", device="cpu", resumed_epoch=0)
    append_event(trial, LOST, 1, reason="its node went", excuse="preempted")
    append_event(trial, ATTEMPT, 2, host="b", device="cpu", resumed_epoch=3)
    append_event(trial, ATTEMPT, 3, host="b", device="cpu", resumed_epoch=4)
    append_event(trial, OUT_OF_MEMORY, 3, reason="8 GiB were too few")
    append_event(trial, ENDED, 3, status="stopped", reason="by hand", metrics={})
    found = list(attempts(read_events(trial)))
    assert [(one.number, one.where, one.resumed_epoch, one.end) for one in found] == [
        (1, "a, cpu", 0, "lost: its node went, not held against it"),
        (2, "b, cpu", 3, ""),
        (3, "b, cpu", 4, "stopped: by hand"),
    ]
    append_event(trial, ATTEMPT, 4, host="c", device="cpu", resumed_epoch=4)
    append_event(trial, OUT_OF_MEMORY, 4, reason="8 GiB were too few")
    assert [one.end for one in attempts(read_events(trial))][2:] == [
        "stopped: by hand",
        "out of memory: 8 GiB were too few",
    ]
    append_event(trial, ATTEMPT, 5, host="c", device="cpu", resumed_epoch=4)
    append_event(trial, PAUSED, 5)
    assert [one.end for one in attempts(read_events(trial))][-1] == "paused"


def test_a_trial_that_ended_early_shows_how_far_it_came(new_study: NewStudy) -> None:
    study = new_study()
    study.finished(0, 0.9, 0.5)
    study.failed(1, reason="by hand", status="stopped")
    found = page(study, 1)
    assert found.figures.rows == ()
    assert ("Status", "stopped: by hand") in found.facts
    assert not any(title == "On the frontier" for title, _ in found.facts)
    assert found.last_epoch["epoch"] == 1
    assert "Probe accuracy, %" in {row[0] for table in found.tables() for row in table.rows}
    told = json.loads(found.json())
    assert (told["status"], told["last_epoch"]["epoch"], told["tries"][0]["end"]) == ("stopped", 1, "stopped: by hand")
    assert "clean_accuracy" not in told


def test_a_draw_that_was_never_valid_has_a_page(new_study: NewStudy) -> None:
    study = new_study()
    folder = study.failed(0, reason="ConfigError: no batch is left")
    write_json(folder.config, json.loads(folder.config.read_text()) | {"config": {}})
    found = page(study, 0)
    assert found.settings == {}
    assert ("Status", "failed: ConfigError: no batch is left") in found.facts


@pytest.mark.parametrize("kind", ["confirms", "measures"])
def test_what_is_given_and_not_searched_stands_on_no_frontier_of_a_search(new_study: NewStudy, kind: str) -> None:
    study = new_study(**{kind: {"study": "first", "seeds": [1], "configurations": [{"trial": 3}]}})
    study.finished(0, 0.9, 0.5, params={"configuration": 3})
    assert not any(title == "On the frontier" for title, _ in page(study, 0).facts)
