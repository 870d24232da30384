"""When studies may be compared, and what is said to differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from analysis.comparing.comparability import comparability, own_bounds, titles
from analysis.layout import write_json
from analysis.reading.runs import Study, read_study
from analysis.report.facts import facts
from trainables.config import UserError


@pytest.fixture
def study(new_study: Callable[..., Any]) -> Callable[..., Study]:
    """A study of one trial: ``settings`` of the trial, ``images`` it was measured on; keywords for the manifest."""

    def make(name: str, settings: dict[str, Any] = {}, images: float = 360, **manifest: Any) -> Study:  # noqa: B006
        folder = new_study(name, **manifest)
        folder.finished(0, 0.6, 0.4, evaluation_images=images)
        write_json(folder.paths.trial(0).config, {"trainable": "cf_amc_ssl", "config": settings})
        return read_study(folder.paths)

    return make


def test_a_search_and_its_rerun_are_measured_alike(study: Callable[..., Study]) -> None:
    told = comparability([study("one", {"data": {"source": "digits"}}), study("two", {"data": {"source": "digits"}})])
    assert told == (("clean_accuracy", "pgd_accuracy"), (), (), ())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data": {"source": "folder:/data/birds"}}, "Data set: digits in one; birds in two."),
        ({"data": {"source": "digits", "image_size": 32}}, "Image size: 16x16 pixels in one; 32x32 pixels in two."),
        (
            {"evaluation": {"source": "cifar10", "attack_steps": 20}},
            "Data set: digits in one; digits, heads on cifar10 in two.",
        ),
        (
            {"evaluation": {"attack_steps": 50}},
            "Attack: PGD-20 in steps of 0.01, random starts: 1 in one; "
            "PGD-50 in steps of 0.01, random starts: 1 in two.",
        ),
        ({"evaluation": {"head_epochs": 5}}, "Training of the head: head_epochs 20 in one; head_epochs 5 in two."),
    ],
)
def test_what_was_measured_otherwise_is_a_sentence(
    study: Callable[..., Study], settings: dict[str, Any], sentence: str
) -> None:
    base = {
        "data": {"source": "digits", "image_size": 16},
        "evaluation": {"attack_steps": 20, "attack_step_size": 0.01, "attack_restarts": 1, "head_epochs": 20},
    }
    changed = {section: base[section] | settings.get(section, {}) for section in base}
    assert sentence in comparability([study("one", base), study("two", changed)]).measured


def test_a_size_that_is_left_to_the_images_is_theirs(study: Callable[..., Study]) -> None:
    told = {"data": "digits, 16x16 pixels, 10 classes: 1437 training images"}
    sizes = {"one": 16, "two": None, "three": 32}
    found = [study(name, {"data": {"source": "digits", "image_size": size}}, **told) for name, size in sizes.items()]
    assert comparability(found[:2]).measured == ()
    assert comparability(found).measured == ("Image size: 16x16 pixels in one, two; 32x32 pixels in three.",)


def test_radius_head_images_and_what_the_manifest_tells(study: Callable[..., Study]) -> None:
    evaluation = {"head": "clean", "epsilon": 4 / 255, "split": "validation"}
    one = study("one", environment={"hardware": "two cores"})
    two = study("two", images=500, evaluation=evaluation, sampler="gp", seed=1, environment={"hardware": "a GPU"})
    told = comparability([one, two, study("three", sampler={"torn": []}, environment=3)])
    assert told.measured == (
        "Head: robust in one, three; clean in two.",
        "Attack radius: 8/255 in one, three; 4/255 in two.",
        "Evaluated images: n = 360 images in one, three; n = 500 images in two.",
    )
    assert "Sampler: tpe in one; gp in two; {'torn': []} in three." in told.studied
    assert "Seed: 0 in one, three; 1 in two." in told.ran
    assert "Hardware: two cores in one; a GPU in two." in told.ran, "of the third it is not known"
    assert titles([one, two])["pgd_accuracy"] == "PGD accuracy"
    assert titles([one, one])["pgd_accuracy"] == "PGD accuracy at 8/255"


def test_objectives_are_compared_on_the_accuracies_that_are_shared(study: Callable[..., Study]) -> None:
    names = ("pgd_accuracy", "auto_attack_accuracy", "gpu_minutes")
    told = comparability([study("one"), study("two", objectives=[{"metric": name} for name in names])])
    assert told.accuracies == ("pgd_accuracy",)
    assert any(sentence.startswith("Objectives: clean_accuracy, pgd_accuracy in one; ") for sentence in told.studied)


def test_the_budget_spent_and_the_network_are_told(study: Callable[..., Study], new_study: Callable[..., Any]) -> None:
    one, two = study("one", {"network": {"architecture": "resnet18", "width": 8}}), new_study("two")
    two.finished(0, 0.6, 0.4, work=5000)
    told = comparability([one, read_study(two.paths)])
    assert (
        "Budget spent: 1 M forward-equivalents by 1 trial in one; 5 k forward-equivalents by 1 trial in two."
        in told.ran
    )
    assert any("architecture resnet18, width 8 in one; " in sentence for sentence in told.studied)


def test_a_network_that_is_searched_is_told_so_and_its_settings_as_they_are_spelled(
    new_study: Callable[..., Any],
) -> None:
    space = {"parameters": {"network.width": {"attributes": {"choices": [4, 8]}}}}
    one, other = new_study("one", space=space), new_study("other")
    one.begin(0, {"network.width": 4}, settings={"network.width": 4})
    other.begin(0, {}, settings={"network.width": 4})
    other.begin(1, {}, settings={"network.architecture": "vit_tiny"})
    told = comparability([read_study(folder.paths) for folder in (one, other)]).studied
    assert told == (
        "Network: architecture resnet18, stem cifar, width searched, depth –, pre_feature 4096 in one; "  # noqa: RUF001
        "architecture resnet18 or vit_tiny, stem cifar, width 4, depth –, pre_feature 4096 in other.",  # noqa: RUF001
    )


def test_splits_are_never_mixed_and_must_be_known(study: Callable[..., Study]) -> None:
    test = study("test", evaluation={"split": "test"})
    with pytest.raises(
        UserError, match=r"validation and test figures do not compare \(one on the validation split, test"
    ):
        comparability([study("one"), test])
    unknown = study("unknown", evaluation=None)
    with pytest.raises(UserError, match="not known on which images unknown was measured; see `study status unknown`"):
        comparability([test, unknown])
    of_its_trials = study("told", {"evaluation": {"split": "test"}}, evaluation=None)
    assert comparability([test, of_its_trials]).accuracies


def test_studies_that_share_no_accuracy_do_not_compare(study: Callable[..., Study]) -> None:
    one, two = (study(name, objectives=[{"metric": f"{name}_accuracy"}]) for name in ("clean", "pgd"))
    with pytest.raises(UserError, match="clean: clean_accuracy; pgd: pgd_accuracy"):
        comparability([one, two])
    with pytest.raises(UserError, match="no accuracy is an objective"):
        comparability([study("cost", objectives=[{"metric": "gpu_minutes"}]), one])


def test_trainables_are_those_of_the_file_and_what_was_drawn_is_the_runs(new_study: Callable[..., Any]) -> None:
    names = ["cf_amc_ssl", "simclr_free"]
    one, two, three = (new_study(name, trainables=names) for name in ("one", "two", "three"))
    for place, (name, width) in enumerate(zip(names, (8, 16), strict=True)):
        one.begin(place, {}, trainable=name, settings={"network.width": width})
    two.begin(0, {}, trainable="simclr_free", settings={"network.width": 16})
    told = comparability([read_study(folder.paths) for folder in (one, two, three)])
    assert told.studied == (), "neither the trainables nor the network of the one that was not drawn"
    assert "Trainables drawn: all in one; simclr_free in two." in told.ran
    other = new_study("other", trainables=names[1:])
    other.begin(0, {}, trainable="simclr_free", settings={"network.width": 32})
    told = comparability([read_study(folder.paths) for folder in (two, other, three)])
    assert told.studied[1].startswith("Network: "), "one that has not begun hides nothing"
    assert told.studied[0] == "Trainables: cf_amc_ssl, simclr_free in two, three; simclr_free in other."


def test_bounds_that_differ_are_each_studys_own(study: Callable[..., Study]) -> None:
    bounds: list[dict[str, Any]] = [{}, {}, {"pgd_accuracy": {"at_least": 0.1}}, {"pgd_accuracy": {"at_least": 0.2}}]
    free, same, one, other = (study(f"s{place}", constraints=bound) for place, bound in enumerate(bounds))
    assert own_bounds([free, same]) == own_bounds([free, study("unsaid")]) == own_bounds([one, one]) == ""
    for pair in ([free, one], [one, other]):
        assert "beyond its own study's bounds counts in no hypervolume" in own_bounds(pair)


def test_whose_trials_a_search_learned_from_is_told(study: Callable[..., Study]) -> None:
    files = {
        "one": "warm_start: []",
        "two": "warm_start: [older, /srv/studies/folder/, 'mlflow:http://host:5000#remote']",
        "three": "name: of an older version",
    }
    found = [replace(study(name), study_file=text) for name, text in files.items()]
    assert "Warm start: none in one; older, folder, remote in two." in comparability(found).studied
    assert dict(facts(found[1]))["Warm start"] == "older, folder, remote"
    assert "Warm start" not in {*dict(facts(found[0])), *dict(facts(found[2]))}
