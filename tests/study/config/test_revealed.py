"""Mistakes of unlike kinds in one file: all are told at once, what the data reveal too, and nothing that is not so."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.faults import few_nearest
from study.config import StudyConfig
from study.config.file import StudyFileError
from study.preflight import misfits

FILE = """\
name: digits
trainables: [cf_amc_ssl, robust_simclr]
settings:
  data.source: digits
  network.architecture: vit_tiny
  network.patch_size: 5
  optimiser.batch_size: 128000
  optimiser.epochs: 0
space:
  unlisted: fixed
  crops: {low: 2, high: 4}
  m: [2, 0]
  epsilon: {low: 24/255, high: 4/255}
  network.dropout: {low: 0.1, high: 3}
  network.projector_layers: {choices: [2, 3], when: {n: 2}}
objectives: [clean_accuracy, auto_attack_accuracy]
constraints: {robust_head/pgd_99_zero: {at_least: 0.1}}
sampler: {name: tpe, population: 4, size: 3}
scheduler: {name: asha, finished: 3, eta: 0}
start_from:
  - table1/cf_amc_ssl
  - table1/nothing
budget: {trials: 6, weeks: 3}
"""


@pytest.fixture
def told(tmp_path):
    def told(text: str) -> dict[int, str]:
        path = tmp_path / "study.yaml"
        path.write_text(text)
        with pytest.raises(StudyFileError) as caught:
            StudyConfig.load(path, misfits=misfits)
        return by_line(str(caught.value), path)

    return told


def by_line(text: str, path: Path) -> dict[int, str]:
    """The faults of each line, those of one line after one another."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        number, message = line.removeprefix(f"{path}:").split(": ", 1)
        found[int(number)] = f"{found[int(number)]}; {message}" if int(number) in found else message
    return found


def test_a_bound_is_judged_also_where_it_is_not_known_what_is_measured(told):
    text = """name: b
trainables: [cf_amc_ssl]
settings: {data.source: digits, evaluation.attacks: [pgd, autoattack], m: 3}
constraints:
  clean_accuracy: {at_least: 70}
  pgd_accurcy: {at_least: 0.1}
  robust_head/pgd_99_zero: {at_least: 0.1}
budget: {trials: 6}
"""
    found = told(text)
    assert "did you mean pgd_accuracy?" in found.pop(6)
    assert found == {
        3: "unknown setting 'm'; did you mean adversary.replays?; unknown attack 'autoattack'; did you mean "
        "auto_attack? Else choose one of pgd, fgsm, margin_pgd, auto_attack, torchattacks_10_steps, or install the "
        "package that brings it",
        5: "clean_accuracy is {'at_least': 70}; it is a share that a trial must reach: write clean_accuracy: "
        "{at_least: 0.7}",
    }


def test_mistakes_of_every_kind_are_told_in_one_report(told):
    found = told(FILE)
    expected = {
        6: "network.patch_size is 5, which does not divide data.image_size 16",
        7: "only 1294 images train",
        8: "optimiser.epochs is 0",
        12: "m cannot be 0",
        13: "epsilon goes from 0.0941176 to 0.0156863",
        14: "network.dropout cannot be 3",
        15: "network.projector_layers depends on n",
        16: "no trial of this study measures auto_attack_accuracy",
        17: "no trial of this study measures robust_head/pgd_99_zero",
        18: "sampler.population means nothing to tpe",
        19: "scheduler.finished means nothing to asha",
        21: "recipe table1/cf_amc_ssl lies outside the study: crops is 16, outside 2 to 4",
        22: "unknown recipe 'table1/nothing'",
        23: "unknown key 'budget.weeks'",
    }
    assert found.keys() == expected.keys()
    assert {line: words for line, words in expected.items() if words not in found[line]} == {}
    assert "unknown key 'sampler.size'" in found[18]
    assert "scheduler.eta is 0" in found[19]
    near = found[22].removeprefix("unknown recipe 'table1/nothing'; did you mean ")
    assert "? `study reproduce --list` names them all; a study's folder is named as " in near
    assert near.partition("?")[0].count(" or ") <= 2, "not all of some 70"


def test_of_many_names_three_are_told_the_shortest_of_those_that_hold_it_first():
    assert few_nearest("ssl", ["b/patch_ssl", "a/sl", "c/ssl_m9", "a/ssl", "d/ssl_m10"], "study reproduce --list") == (
        "did you mean a/ssl or c/ssl_m9 or d/ssl_m10? `study reproduce --list` names them all"
    )
    assert few_nearest("", ["a"], "study reproduce --list") == "`study reproduce --list` names them all"


def test_what_may_follow_from_another_mistake_is_not_told(told):
    """The patches may fit the size that is meant, the attack may be meant among those that are misspelt."""
    wrong_size = FILE.replace("data.source: digits\n", "data.source: digits\n  data.image_size: 5\n")
    assert sorted(told(wrong_size)) == [5, 9, *range(13, 21), 22, 23, 24], "neither patches nor batches"
    assert "images train" not in told(FILE.replace("batch_size: 128000", "batch_size: 0"))[7]
    misspelt = FILE.replace("  optimiser.epochs: 0\n", "  evaluation.attacks: [pgd, auto_atack]\n")
    assert {16, 17}.isdisjoint(told(misspelt))
    assert 8 in told(misspelt)
    assert "means nothing" not in told(FILE.replace("name: tpe", "name: tp"))[18]


def test_the_setting_is_blamed_without_which_all_is_well(told):
    settings = (
        "  data.source: digits\n  evaluation: {epsilon: 16/255, attack_epsilons: [16/255]}\n  coreset.name: rcs\n"
    )
    found = told(f"name: small\ntrainables: [cf_amc_ssl]\nbudget: {{trials: 3}}\nsettings:\n{settings}")
    assert list(found) == [7]
    assert found[7].startswith("coreset.warmup_epochs is 100 of 10 epochs")


def test_of_two_settings_at_odds_each_is_told_as_it_was_written(told):
    text = FILE.replace("batch_size: 128000", "batch_size: 128\n  optimiser.micro_batches: 100")
    found = told(text)
    assert found[8].startswith("optimiser.micro_batches is 100, which does not cut optimiser.batch_size 128 into")
    assert "optimiser.batch_size 100" not in found[8]
    assert 7 not in found


def test_what_depends_on_a_range_that_is_none_is_not_told_to_depend_on_nothing(told):
    alone = FILE.replace(", robust_simclr", "").replace("when: {n: 2}", "when: {crops: 2}")
    assert 15 not in told(alone)
    found = told(alone.replace("crops: {low: 2", "crops: {low: 7"))
    assert 11 in found
    assert 15 not in found


def test_what_depends_on_a_wrong_value_or_on_one_that_is_fixed_is_not_told_beside_it(told):
    alone = FILE.replace(", robust_simclr", "")
    assert 15 not in told(alone.replace("when: {n: 2}", "when: {m: 0}"))
    settled = alone.replace("crops: {low: 2, high: 4}", "batch_size: [64, 128]").replace("{n: 2}", "{batch_size: 64}")
    found = told(settled)
    assert "settings fix optimiser.batch_size" in found[11]
    assert 15 not in found


def test_no_setting_is_blamed_for_a_trainable_that_nobody_meant(told):
    """Of all trainables some warm up for longer, and have no m."""
    sound = FILE.replace("  optimiser.epochs: 0\n", "  optimiser.epochs: 5\n")
    found = told(sound.replace("[cf_amc_ssl,", "[cf_amc_sl,"))
    assert "did you mean cf_amc_ssl?" in found[2]
    assert 8 not in found
    assert {12, 13, 15, 16, 22, 23} <= found.keys()


def test_an_unknown_recipe_is_told_whatever_becomes_of_the_space(told):
    found = told(FILE.replace("unlisted: fixed", "unlisted: fix"))
    assert 21 not in found, "what it lies in is not known"
    assert "unknown recipe 'table1/nothing'" in found[22]


def test_a_sound_file_asks_nothing_of_the_data(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: sound\ntrainables: [cf_amc_ssl]\nbudget: {trials: 3}\n")
    assert StudyConfig.load(path, misfits=pytest.fail).name == "sound"
