"""``study settings``: everything that may be set is listed, as the code that reads it takes it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from analysis.layout import study_paths, write_json
from search_spaces.build import build
from search_spaces.faults import SpaceError
from search_spaces.leaves import SEARCHABLE
from study import reference
from study.commands import main as cli
from study.config import StudyConfig
from trainables.catalogue import TRAINABLES, default_config
from trainables.config import ConfigError, TrialConfig, UserError, flatten, override, to_dict
from trainables.config.documented import field_docstrings, meanings, plain
from trainables.config.leaves import leaf_choices, leaf_types


def by_path(name: str) -> dict[str, reference.Setting]:
    return {setting.setting: setting for setting in reference.settings(default_config(name))}


def told(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, ["settings", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_every_setting_has_a_meaning():
    assert meanings().keys() == {*leaf_types(), "objective.weights"}
    assert all(text.endswith(".") and "``" not in text and "\n" not in text for text in meanings().values())


@pytest.mark.parametrize("name", sorted(TRAINABLES))
def test_the_settings_of_a_trainable_are_its_defaults(name):
    assert {path: setting.value for path, setting in by_path(name).items()} == flatten(default_config(name))


@pytest.mark.parametrize("path", sorted(leaf_choices()))
def test_no_other_word_is_taken_than_those_listed(path):
    value = "nonsense" if leaf_types()[path] is str else ["pgd", "nonsense"]
    with pytest.raises(ConfigError, match=", ".join(leaf_choices()[path])):
        override(default_config("cf_amc_ssl"), {path: value})


@pytest.mark.parametrize("name", sorted(TRAINABLES))
def test_a_study_may_search_what_has_an_effect_and_nothing_else(name):
    config = default_config(name)
    for path, setting in by_path(name).items():
        if setting.dimension is None:
            assert setting.not_searched, path
            continue
        assert ("means nothing" not in _refusal(config, setting)) is setting.has_effect, path


def _refusal(config: TrialConfig, setting: reference.Setting) -> str:
    try:
        build([config], {"unlisted": "fixed", str(setting.dimension): _some(setting)})
    except SpaceError as error:
        return str(error).replace("has no dimension", "means nothing: it has no")
    return ""


def _some(setting: reference.Setting) -> object:
    """A value of it as a study file would have it."""
    kind = SEARCHABLE[str(setting.dimension)].kind
    return {int: 2, float: 0.25, bool: True, str: setting.choices[0] if setting.choices else "resnet18"}[kind]


@pytest.mark.parametrize("name", sorted(TRAINABLES))
def test_ranges_are_those_that_a_study_searches_unless_it_says_otherwise(name):
    searched = {row.dimension: row.range for row in build([default_config(name)], {}).describe() if row.parameter}
    assert {one.dimension: one.range for one in by_path(name).values() if one.range} == searched


def test_settings_are_of_a_section_or_of_one_path():
    config = default_config("acl")
    assert {one.setting for one in reference.settings(config, "adversary")} == {
        path for path in flatten(config) if path.startswith("adversary.")
    }
    assert [one.setting for one in reference.settings(config, "optimiser.epochs")] == ["optimiser.epochs"]
    with pytest.raises(UserError, match="no settings under 'advers'; choose one of data, views"):
        reference.settings(config, "advers")


def test_every_key_of_a_study_file_is_listed_with_its_default():
    config = StudyConfig.model_validate({"name": "any", "trainables": ["acl"], "budget": {"trials": 3}})
    listed = {key.key: key for key in reference.study_file_keys()}
    given = {"name", "trainables", "budget", "budget.trials"}
    assert {key for key, one in listed.items() if one.required} == {"name", "trainables", "budget"}
    assert {key for key in listed if "." not in key} == StudyConfig.model_fields.keys() - {"confirms", "measures"}
    assert all(one.meaning for one in listed.values())
    for key, one in listed.items():
        value = config.model_dump()
        for name in key.split("."):
            value = value[name]
        assert key in given or one.default == value, key


def test_a_docstring_is_told_in_one_line_without_its_marks():
    class Documented:
        one: int = 1
        """``None``: as [C] has it,
        in 2 [P].

        Not this."""
        two: int = 2
        three: int = 3
        """Last."""

    assert field_docstrings(Documented) == {"one": "null: as [C] has it, in 2.", "three": "Last."}
    assert plain("``yes`` and Nonesuch") == "yes and Nonesuch"


def test_what_may_be_set_is_told():
    assert "resources.silence_minutes" in told()
    assert "Searched as crops, 4 to 64." in told("cf_amc_ssl", "views")
    assert "Searched as step_ratio, 0.1 to 1: adversary's step as a multiple" in told("cf_amc_ssl", "adversary")
    assert "[pgd]" in told("cf_amc_ssl", "evaluation.attacks")
    assert "16/255" in told("table1/cf_amc_ssl", "--set", "adversary.epsilon=16/255")
    listed = {row["setting"]: row for row in json.loads(told("robust_simclr", "adversary", "--json"))}
    assert listed["adversary.steps"]["range"] == "1 to 10"
    assert not listed["adversary.replays"]["has_effect"]
    assert {row["key"] for row in json.loads(told("--json"))} >= {"name", "budget.trials"}


def test_a_trials_settings_are_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("ROBUST_SSL_STUDIES", str(tmp_path))
    config = override(default_config("acl"), {"optimiser.epochs": 77})
    write_json(study_paths("first").trial(3).config, {"config": to_dict(config), "params": {}})
    (found,) = json.loads(told("first/3", "optimiser.epochs", "--json"))
    assert found["value"] == 77


def test_a_launch_of_a_trials_setting_is_told_where_it_belongs(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text("name: any\ntrainables: [acl]\nbudget: {trials: 1}\n")
    for key in ("optimiser", "device"):
        with pytest.raises(UserError, match=f"settings of trials stand under settings: did you mean settings.{key}"):
            StudyConfig.load(file, {key: "cpu"})
    with pytest.raises(UserError, match=r"choose from name, (?!.*confirms)"):
        StudyConfig.load(file, {"nonsense": 1})
