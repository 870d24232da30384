"""Study files: what is accepted, and how every mistake is told with its line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from search_spaces import SpaceError
from study.config import StudyConfig
from study.config.file import StudyFileError, parse_overrides
from study.config.sections import Sampling
from study.config.yaml_tree import read
from study.early_stopping.rungs import Rule
from study.samplers.by_name import NUMBERS
from trainables.config.documented import field_docstrings

MINIMAL = """\
name: tradeoff
trainables: [cf_amc_ssl, pgd_emp_ssl]
budget: {trials: 10}
"""

PRESETS = sorted((Path(__file__).parents[3] / "study" / "presets").glob("*.yaml"))


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def faults(path: Path, overrides=None) -> list[str]:
    with pytest.raises(StudyFileError) as caught:
        StudyConfig.load(path, overrides)
    return [line.replace(f"{path}:", "") for line in str(caught.value).splitlines()]


def test_a_minimal_file_has_the_documented_defaults(write):
    config = StudyConfig.load(write(MINIMAL))
    assert config.objectives_with_directions == {"clean_accuracy": "maximize", "pgd_accuracy": "maximize"}
    assert (config.sampler.name, config.seed, config.faithful_to) == ("tpe", 0, "paper")
    assert (config.budget.trials, config.budget.wall_minutes) == (10, None)
    assert (config.resources.gpus_per_trial, config.resources.cpus_per_trial) == (None, 1.0)
    assert config.search_space().trainables == ("cf_amc_ssl", "pgd_emp_ssl")


def test_a_schedulers_name_stands_for_it_with_its_defaults(write):
    short = StudyConfig.load(write(MINIMAL + "scheduler: halving\n"))
    long = StudyConfig.load(write(MINIMAL + "scheduler: {name: halving, eta: 3, rungs: 2}\n"))
    assert StudyConfig.load(write(MINIMAL)).scheduler.name == "none"
    assert short.scheduler.rule == Rule()
    assert long.scheduler.rule == Rule(eta=3, rungs=2)
    assert StudyConfig.load(write(long.to_yaml())) == long


def test_a_samplers_name_stands_for_it_with_its_defaults(write):
    short, long = (
        StudyConfig.load(write(f"{MINIMAL}sampler: {asked}\n")) for asked in ("nsga2", "{name: nsga2, population: 20}")
    )
    assert (short.sampler.numbers, long.sampler.numbers) == ({}, {"population": 20})
    assert (short.strategy["sampler"], long.strategy["sampler"]) == ("nsga2", {"name": "nsga2", "population": 20})
    assert StudyConfig.load(write(MINIMAL + "sampler: nsga2\n"), {"sampler.population": 20}) == long
    assert StudyConfig.load(write(long.to_yaml())) == long
    assert StudyConfig.load(write(long.to_yaml()), {"sampler": "tpe"}).sampler.numbers == {}
    assert StudyConfig.load(write(short.to_yaml()), {"sampler.name": "gp"}).sampler.name == "gp"


def test_every_fault_of_a_sampler_has_its_line(write):
    text = MINIMAL + "sampler:\n  name: tpe\n  population: 20\n  startup_trials: 5\n"
    lacking = "sampler.population means nothing to tpe; drop it, or let sampler.name be nsga2 or nsga3"
    assert faults(write(text)) == [f"6: {lacking}"]
    assert faults(write(MINIMAL), {"sampler.population": 20}) == [f"--set sampler.population: {lacking}"]
    assert faults(write(MINIMAL + "sampler:\n  name: nsga\n  population: 1\n  startup_trials: few\n  size: 3\n")) == [
        "5: sampler.name is 'nsga'; choose one of 'tpe', 'nsga2', 'nsga3', 'gp', 'qmc', 'random' or 'grid'",
        "6: sampler.population is 1; it must be greater than or equal to 2",
        "7: sampler.startup_trials is 'few'; it must be a whole number",
        "8: unknown key 'sampler.size'; choose from name, startup_trials, population",
    ]


CONDITION = """\
space:
  unlisted: fixed
  m: {low: 1, high: 3}
  views.augmentation:
    choices: [emp_ssl, none]
    when:
      mm: 2
"""


def test_a_condition_has_its_line_and_its_place_among_assignments(write):
    alone, own = MINIMAL.replace(", pgd_emp_ssl", "") + CONDITION, "--set space.views.augmentation.when"
    path, mended = write(alone), {"space.views.augmentation.when": {"m": [2, 3]}}
    lacking = "views.augmentation depends on mm, which does not vary by itself there; did you mean m? Valid: m"
    assert faults(path) == [f"10: {lacking}"]
    config = StudyConfig.load(path, mended)
    assert config.search_space().size == 1 + 2 + 2
    assert StudyConfig.load(write(config.to_yaml())).search_space() == config.search_space()
    path = write(alone.replace("mm: 2", "m: 2"))
    assert faults(path, {"space.views.augmentation.when.m": 7}) == [
        f"{own}.m: views.augmentation has a condition that is never met: m is 7, outside 1 to 3"
    ]
    path = write(alone.replace("m: {low: 1, high: 3}", "network.stem: [cifar, imagenet]").replace("mm: 2", "m: 2"))
    assert faults(path, {"space.views.augmentation.when": None}) == [
        f"{own}: views.augmentation.when is null; it must be a mapping, {{network.architecture: resnet18}} say"
    ]
    whole = {"space.views.augmentation.when": {"network.stem": "cifar"}}
    assert StudyConfig.load(path, whole).search_space().size == 2 + 1
    of_the_other = faults(path, {"space.views.augmentation.when.network.stem": "imagnet"})
    assert f"{own}.network.stem" in {fault.partition(": ")[0] for fault in of_the_other}


def test_a_samplers_defaults_are_what_its_keys_say():
    said = field_docstrings(Sampling)
    for numbers in NUMBERS.values():
        for name, default in numbers.items():
            assert said[name].endswith(f"null: {default}.")


def test_every_fault_of_a_scheduler_has_its_line(write):
    text = MINIMAL + "scheduler:\n  name: halfing\n  eta: 1\n  rungs: two\n  rung: 3\n"
    assert faults(write(text)) == [
        "5: scheduler.name is 'halfing'; choose one of 'none', 'halving' or 'asha'",
        "6: scheduler.eta is 1; it must be greater than 1",
        "7: scheduler.rungs is 'two'; it must be a whole number",
        "8: unknown key 'scheduler.rung'; did you mean rungs? Valid: name, eta, rungs, spread, minimum, "
        "best, finished, loss",
    ]
    assert faults(write(MINIMAL + "scheduler: {name: halving, eta: 1e200, rungs: 1025}\n")) == [
        "4: scheduler.eta is 1e+200; it must be less than or equal to 100",
        "4: scheduler.rungs is 1025; it must be less than or equal to 20",
    ]
    assert faults(write(MINIMAL + "scheduler: hyperband\n")) == [
        "4: scheduler.name is 'hyperband'; choose one of 'none', 'halving' or 'asha'"
    ]
    assert faults(write(MINIMAL + "scheduler: {name: asha, eta: 3, loss: 0.1}\n"), {"scheduler.finished": 3}) == [
        "4: scheduler.loss means nothing to asha; drop it, or let scheduler.name be halving",
        "--set scheduler.finished: scheduler.finished means nothing to asha; drop it, or let scheduler.name be halving",
    ]
    costs = "objectives: [gpu_minutes]\nscheduler: halving\n"
    assert faults(write(MINIMAL + costs)) == [
        "5: halving compares accuracies; add an objective of clean_accuracy, pgd_accuracy, auto_attack_accuracy"
    ]
    cheap = "objectives: [gpu_minutes]\nscheduler: none\n"
    assert faults(write(MINIMAL.replace("trials: 10", "trials: 10, least_gain: 0.02") + cheap)) == [
        "3: gain is told from accuracies; add an objective of clean_accuracy, pgd_accuracy, auto_attack_accuracy, or "
        "drop least_gain"
    ]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_the_packaged_studies_load(path):
    assert StudyConfig.load(path).search_space().sample(0)


def test_every_fault_of_a_file_is_told_at_once_with_its_line(write):
    path = write(
        """\
        name: ../../x
        trainables: [cf_amc_ssl, cf_amc, robust_simclr]
        faithful_to: papr
        settings:
          network:
            width: 16
            wdth: 3
          network.width: 8
          optimiser.epochs: 0
          pgd_emp_ssl.adversary.steps: 3
        space:
          crops: {low: 40, high: 4}
          cropz: 3
          epsilon: {low: 4/255, stp: 3}
          robust_simclr: {m: 3}
        objectives: [clean_accuracy, clean_accuracy, robustness]
        sampler: tp
        seed: 1.5
        buget: {trials: 3}
        budget: {trials: -1, wal: 3}
        resources: {gpus_per_trial: many}
        start_from: [table1/cf_amc]
        tracking: {uri: mlruns, offline: yes}
        name: twice
        """
    )
    told = faults(path, {"settings.network.depth": 11, "space.temperature": "warm"})
    expected = [
        (1, "../../x"),
        (2, "did you mean cf_amc_ssl?"),
        (3, "faithful_to is 'papr'; choose one of 'paper' or 'released_code'"),
        (7, "did you mean network.width?"),
        (8, "settings.network.width is given twice"),
        (9, "optimiser.epochs is 0"),
        (12, "40 to 4"),
        (13, "unknown dimension 'cropz'; did you mean crops?"),
        (14, "did you mean step?"),
        (15, "robust_simclr has no dimension 'm'"),
        (16, "unknown objective 'robustness'"),
        (17, "sampler.name is 'tp'"),
        (18, "seed is 1.5; it must be a whole number"),
        (19, "unknown key 'buget'; did you mean budget?"),
        (20, "budget.trials is -1"),
        (20, "unknown key 'budget.wal'"),
        (21, "gpus_per_trial is 'many'"),
        (22, "did you mean table1/cf_amc_ssl or "),
        (23, "tracking.uri is 'mlruns'"),
        (23, "offline is 'yes'; it must be true or false"),
        (24, "name is given twice, first at"),
    ]
    for line, words in expected:
        assert any(fault.startswith(f"{line}: ") and words in fault for fault in told), (line, words, told)
    assert any(fault.startswith("--set settings.network.depth: network.depth is 11") for fault in told)
    assert any(fault.startswith("--set space.temperature: ") for fault in told)
    assert len(told) == len(expected) + 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: [a\nb: 1", 2, "not YAML"),
        ("name: a\n\tbudget: 3", 2, "not YAML"),
        ("- a\n- b", 1, "mapping of keys"),
        ("", 1, "mapping of keys"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("[" * 10_000, 1, "nested too deeply"),
        (MINIMAL + "seed: .nan", 4, "not a finite number"),
        (MINIMAL + "seed: !!python/object/apply:os.system ['touch hacked']", 4, "not allowed"),
        (MINIMAL + "seed: !ruby/object x", 4, "not allowed"),
        (MINIMAL + "settings: &a {network.width: 8}\nspace: *a", 5, "alias"),
        (MINIMAL + "? [a]\n: 3", 4, "a key must be text"),
        (MINIMAL + f"seed: {'9' * 5000}", 4, "is no value"),
        (MINIMAL + f"seed: {'9' * 400}", 4, "too large a number"),
        (MINIMAL + f"seed: -{2**63}", 4, "too large a number"),
        (MINIMAL + "seed: !!bool foo", 4, "'foo' is no value"),
        (MINIMAL + 'seed: !!int ""', 4, "'' is no value"),
        (MINIMAL + 'seed: !!float ""', 4, "'' is no value"),
        (MINIMAL.replace("budget: {trials: 10}", ""), 1, "budget is missing; give {trials: 50}"),
        (MINIMAL.replace("trials: 10", ""), 3, "budget sets no limit"),
        (MINIMAL.replace("trials: 10", "least_gain: 0.02"), 3, "budget sets no limit"),
        (MINIMAL.replace("trials: 10", "trials: 10, least_gain: 2"), 3, "it must be less than 1"),
        (MINIMAL.replace("trials: 10", "trials: true"), 3, "budget.trials is True; it must be a whole number"),
        (MINIMAL.replace("trials: 10", "gpu_hours: .inf"), 3, "not a finite number"),
        (MINIMAL.replace("[cf_amc_ssl, pgd_emp_ssl]", "cf_amc_ssl"), 2, "it must be a list"),
        (MINIMAL.replace("[cf_amc_ssl, pgd_emp_ssl]", "[]"), 2, "trainables is empty"),
        (MINIMAL.replace("pgd_emp_ssl", "cf_amc_ssl"), 2, "listed twice"),
        (MINIMAL + "sampler: cmaes", 4, "sampler.name is 'cmaes'; choose one of 'tpe', 'nsga2'"),
        (MINIMAL + "sampler: [tpe]", 4, "sampler.name is ['tpe']; choose one of 'tpe', 'nsga2'"),
        (MINIMAL + "scheduler: 4", 4, "scheduler.name is 4; choose one of 'none', 'halving'"),
        (
            MINIMAL
            + "sampler: grid\nspace:\n  unlisted: fixed\n  m: {low: 1, high: 3}\n  epsilon: {low: 4/255, high: 8/255}",
            8,
            "epsilon is a continuous range, of which a grid has no end; give it a step",
        ),
        (
            MINIMAL + "constraints:\n  peak_memory: 24",
            5,
            "unknown constraint 'peak_memory'; did you mean peak_memory_gib",
        ),
        (MINIMAL + "constraints:\n  gpu_minutes: -1", 5, "gpu_minutes is -1; it must be a number above 0"),
        (MINIMAL + "constraints:\n  trusted: false", 5, "trusted is False; write true, or leave it out"),
        (
            MINIMAL + "settings: {evaluation.check_images: 0}\nconstraints: {trusted: true}",
            5,
            "trusted is never measured, since evaluation.check_images is 0",
        ),
        (
            MINIMAL + "constraints:\n  gpu_minutes: {at_least: 3}",
            5,
            "gpu_minutes is {'at_least': 3}; it must be a number above 0, the most",
        ),
        (MINIMAL + "constraints: {clean_accuracy: 0.6}", 4, "is 0.6; it is a share that a trial must reach: write"),
        (MINIMAL + "constraints: {clean_accuracy: 0.6}", 4, "write clean_accuracy: {at_least: 0.6}"),
        (MINIMAL + "constraints: {clean_accuracy: {at_least: 65}}", 4, "write clean_accuracy: {at_least: 0.65}"),
        (MINIMAL + "constraints: {clean_accuracy: {at_most: 0.9}}", 4, "write clean_accuracy: {at_least: 0.7}"),
        (MINIMAL + "constraints: {clean_accuracy: {at_least: true}}", 4, "write clean_accuracy: {at_least: 0.7}"),
        (
            MINIMAL + "constraints: {robust_head/pgd_12_zero: {at_least: 0.1}}",
            4,
            "no trial of this study measures robust_head/pgd_12_zero; did you mean robust_head/pgd_16_zero?",
        ),
        (
            MINIMAL + "constraints: {auto_attack_accuracy: {at_least: 0.1}}",
            4,
            "no trial of this study measures auto_attack_accuracy; ",
        ),
        (MINIMAL + "constraints: {evaluation_images: {at_least: 1}}", 4, "unknown constraint 'evaluation_images'"),
        (MINIMAL + "space: 3", 4, "space is 3; it must be a mapping"),
        (MINIMAL + "settings: [3]", 4, "it must be a mapping"),
        (MINIMAL + "space: {temperature: 0.1}", 4, "has no dimension 'temperature'"),
        (MINIMAL + "space: {epochs: [1, 2]}\nsettings: {optimiser.epochs: 1}", 4, "settings fix optimiser.epochs"),
        (MINIMAL + "settings: {objective.temperature: 0.1}", 4, "means nothing to any trainable"),
        (MINIMAL + "settings: {pgd_emp_ssl.adversary.replays: 2}", 4, "means nothing to pgd_emp_ssl"),
        (MINIMAL + "settings: {robust_simclr.seed: 2}", 4, "not among the study's trainables"),
        (MINIMAL + "settings: {cf_amc_ssl.evaluation.epsilon: 4/255}", 4, "must be the same for all trainables"),
        (MINIMAL + "settings: {evaluation.split: test}", 4, "must not choose by test images"),
        (MINIMAL + "settings: {pgd_emp_ssl.objective.name: nt_xent}", 4, "is defined by 'emp_ssl'"),
        (MINIMAL + "settings: {trainable: x}", 4, "is no setting"),
        (MINIMAL + "settings: {adversary.epsilon: '8/0'}", 4, "it must be a number"),
        (
            MINIMAL.replace("cf_amc_ssl", "acl") + "start_from: [rcs/acl_rcs_0.2]",
            4,
            "its coreset.name is rcs, the study's none; set coreset.name: rcs, or leave it out",
        ),
        (MINIMAL.replace("tradeoff", "mlflow.db"), 1, "is MLflow's database beside the studies; choose another"),
        (MINIMAL.replace("tradeoff", "reproduce"), 1, "is the folder of `study reproduce` beside the studies"),
        (MINIMAL + "repeats: never", 4, "repeats is 'never'; choose one of 'redraw' or 'new_seed'"),
        (MINIMAL + "warm_start: ['mlflow:http://host']", 4, "give a study's name, the path of its folder"),
        (MINIMAL + "start_from: [table1/robust_simclr]", 4, "lies outside the study"),
        (MINIMAL + "start_from: [table1/cf_amc_ssl]\nspace: {m: [4, 5], crops: 16}", 4, "m is 3, outside one of 4, 5"),
        (MINIMAL + "space: {crop_scale_min: {low: 0, high: 0.5}}", 4, "crop_scale_min cannot be 0"),
        (MINIMAL + "space: {cf_amc_ssl: {m: 0}}", 4, "adversary.replays is 0"),
        (MINIMAL + "space:\n  optimiser.wieght_decay: [0]", 5, "did you mean optimiser.weight_decay?"),
        (MINIMAL + "space:\n  optimiser.lars:\n    - clipped\n    - 3", 7, "optimiser.lars[1] is 3; it must be text"),
        (
            MINIMAL + "space: {optimiser.momentum: [0.1]}\nsettings: {optimiser.momentum: 0.9}",
            4,
            "settings fix optimiser",
        ),
        (
            MINIMAL + "objectives:\n  - clean_accuracy\n  - robust_head/pgd_12_zero",
            6,
            "no trial of this study measures robust_head/pgd_12_zero; did you mean robust_head/pgd_16_zero?",
        ),
        (
            MINIMAL + "objectives: [robust_head/pgd_8_wrost]",
            4,
            "unknown objective 'robust_head/pgd_8_wrost'; choose from",
        ),
        (
            MINIMAL + "objectives: [robust_head/pdg_8_zero]",
            4,
            "no trial of this study measures robust_head/pdg_8_zero; did you mean robust_head/pgd_8_zero?",
        ),
        (
            MINIMAL + "objectives: [pgd_accuracy, forward_equivalents]\nspace: {network.width: [32, 64]}",
            4,
            "forward_equivalents counts passes of one network, and network.width varies it; take gpu_minutes",
        ),
        (
            MINIMAL + "space: {network.width: [32, 64]}\nconstraints:\n  evaluation_forward_equivalents: 3",
            6,
            "evaluation_forward_equivalents counts passes of one network",
        ),
    ],
)
def test_one_mistake_one_line(write, text, line, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = faults(write(text))
    assert any(fault.startswith(f"{line}: ") and words in fault for fault in told), told
    assert len(told) == 1, told
    assert not (tmp_path / "hacked").exists()


def test_a_bound_on_a_cost_has_a_long_form_and_is_kept_in_short(write):
    text = MINIMAL + "constraints: {gpu_minutes: %s, clean_accuracy_low: {at_least: 0.6}, robust_head/pgd_16_zero: %s}"
    long, short = (StudyConfig.load(write(text % (most, {"at_least": 0.2}))) for most in ("{at_most: 5}", "5"))
    assert long == short
    assert short.constraints == {
        "gpu_minutes": 5,
        "clean_accuracy_low": {"at_least": 0.6},
        "robust_head/pgd_16_zero": {"at_least": 0.2},
    }
    assert StudyConfig.load(write(short.to_yaml())) == short


def test_a_bound_is_set_by_its_metrics_name_that_has_a_radius_in_it(write):
    radii = {"settings.evaluation.attack_epsilons": [0.01], "settings.evaluation.epsilon": 0.01}
    for key, value in (("robust_head/pgd_2.55_zero.at_least", 0.2), ("robust_head/pgd_2.55_zero", {"at_least": 0.2})):
        config = StudyConfig.load(write(MINIMAL), {**radii, f"constraints.{key}": value, "constraints.gpu_minutes": 5})
        assert config.constraints == {"robust_head/pgd_2.55_zero": {"at_least": 0.2}, "gpu_minutes": 5}
    (fault,) = faults(write(MINIMAL), {"constraints.at_least": 0.3})
    assert "unknown constraint 'at_least'" in fault


def test_what_can_be_bounded_follows_from_how_trials_are_evaluated(write):
    bound = "constraints: {clean_head/clean: {at_least: 0.1}, auto_attack_accuracy: {at_least: 0.05}}\n"
    measured = "settings: {evaluation: {heads: [clean, robust], attacks: [pgd, auto_attack]}}\n"
    assert len(StudyConfig.load(write(MINIMAL + bound + measured)).constraints) == 2
    assert len(faults(write(MINIMAL + bound))) == 2


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "../x", "a b", "é", "a\\b", "a\n", "x" * 101])
def test_names_that_are_no_folder_are_refused(write, name):
    assert len(faults(write(MINIMAL), {"name": name})) == 1


def test_missing_and_unreadable_files_are_one_line(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "latin.yaml"):
        assert len(faults(path)) == 1


def test_fractions_are_numbers_wherever_they_stand(write):
    config = StudyConfig.load(
        write(
            MINIMAL
            + """\
settings: {adversary: {step_size: 2/255}, evaluation.attack_epsilons: [4/255, "8/255"]}
space: {epsilon: {low: 2/255, high: 16/255}, m: [1, 3]}
resources: {gpus_per_trial: 1/3}
"""
        )
    )
    assert config.settings["adversary.step_size"] == pytest.approx(2 / 255)
    assert config.settings["evaluation.attack_epsilons"] == pytest.approx([4 / 255, 8 / 255])
    assert config.space["epsilon"]["high"] == pytest.approx(16 / 255)
    assert config.resources.gpus_per_trial == pytest.approx(1 / 3)


def test_settings_reach_the_trainables_that_have_them(write):
    config = StudyConfig.load(
        write(
            """\
            name: a
            trainables: [cf_amc_ssl, robust_simclr]
            budget: {trials: 1}
            settings:
              views.number: 4
              network: {width: 8}
              objective.temperature: 0.2
              evaluation: {heads: [clean], head: clean}
              robust_simclr: {optimiser: {epochs: 7}}
              optimiser.epochs: 3
            """
        )
    )
    configs = config.base_configs()
    assert configs["cf_amc_ssl"].views.number == 4
    assert configs["robust_simclr"].views.number == 2
    assert {item.network.width for item in configs.values()} == {8}
    assert configs["robust_simclr"].objective.temperature == pytest.approx(0.2)
    assert configs["cf_amc_ssl"].optimiser.epochs == 3
    assert configs["robust_simclr"].optimiser.epochs == 7
    assert configs["cf_amc_ssl"].evaluation.head == "clean"
    names = config.search_space().distributions
    assert not any(name.endswith(("crops", "epochs", "temperature")) for name in names)


def test_faithful_to_chooses_the_base(write):
    config = StudyConfig.load(write(MINIMAL), {"faithful_to": "released_code"})
    assert {item.faithful_to for item in config.base_configs().values()} == {"released_code"}


def test_overrides_use_the_files_own_paths(write):
    decay = "optimiser.weight_decay: {low: 1.0e-5, high: 1.0e-3, log: true}"
    path = write(MINIMAL + f"settings: {{network: {{width: 32}}}}\nspace: {{crops: {{low: 4, high: 8}}, {decay}}}\n")
    assignments = [
        "budget.trials=5",
        "settings.network.width=16",
        "settings.cf_amc_ssl.optimiser.epochs=2",
        "space.m=3",
        "space.crops.high=6",
        "space.epsilon={low: 4/255, high: 8/255}",
        "space.optimiser.weight_decay.low=1e-6",
        "space.cf_amc_ssl.optimiser.momentum={low: 0.5, high: 0.9}",
        "space.network.stem=[cifar, imagenet]",
        "name=foo",
        "trainables=[cf_amc_ssl]",
        "tracking.offline=true",
    ]
    config = StudyConfig.load(path, parse_overrides(assignments))
    assert (config.name, config.budget.trials, config.trainables) == ("foo", 5, ["cf_amc_ssl"])
    base = config.base_configs()["cf_amc_ssl"]
    assert (base.network.width, base.optimiser.epochs) == (16, 2)
    space = config.search_space()
    assert "m" not in space.distributions
    assert space.distributions["crops"].high == 6
    assert space.distributions["epsilon"].low == pytest.approx(4 / 255)
    assert (space.distributions["optimiser.weight_decay"].low, space.distributions["optimiser.momentum"].high) == (
        1e-6,
        0.9,
    )
    assert space.distributions["network.stem"].choices == ("cifar", "imagenet")
    assert config.tracking.offline


def test_a_number_of_a_scheduler_does_not_turn_it_on(write):
    path = write(MINIMAL + "scheduler: none\n")
    assert faults(path, {"scheduler.loss": 0.05}) == [
        "--set scheduler.loss: tradeoff ends no trial early; add --set scheduler.name=halving, or leave it out"
    ]
    assert faults(path, {"scheduler.loss": 7}) == ["--set scheduler.loss: scheduler.loss is 7; it must be less than 1"]
    asked = {"scheduler.loss": 0.05, "scheduler.name": "halving"}
    assert StudyConfig.load(path, asked).scheduler.rule == Rule(loss=0.05)
    halving = write(MINIMAL + "scheduler: halving\n")
    assert StudyConfig.load(halving, {"scheduler.loss": 0.05}).scheduler.rule == Rule(loss=0.05)


def test_an_override_for_one_trainable_leaves_the_others_what_all_were_given(write):
    path = write(MINIMAL + "resources: {gpus_per_trial: auto, cpus_per_trial: 4}\n")
    asked = {"resources.gpus_per_trial.cf_amc_ssl": 1, "resources.cpus_per_trial.pgd_emp_ssl": 2}
    resources = StudyConfig.load(path, asked).resources
    assert resources.gpus_per_trial == {"cf_amc_ssl": 1, "pgd_emp_ssl": "auto"}
    assert resources.cpus_per_trial == {"cf_amc_ssl": 4, "pgd_emp_ssl": 2}
    assert faults(path, {"resources.cpus_per_trial.cf": 2})[0].startswith("--set resources.cpus_per_trial.cf: ")


def test_an_override_that_mends_a_fault_mends_it(write):
    path = write(MINIMAL.replace("trials: 10", "trials: 0"))
    assert StudyConfig.load(path, {"budget.trials": 3}).budget.trials == 3
    assert StudyConfig.load(path, {"budget": {"gpu_hours": 3}}).budget.gpu_hours == 3


def test_faults_of_overrides_name_the_option(write):
    overrides = {"budget.trials": "many", "sampler": "best", "space.crops.low": 70, "a.b.c": 1}
    told = faults(write(MINIMAL), overrides | {"space.optimiser.momentun.low": 0.1, "space.optimiser.nesterov.lwo": 1})
    assert any("optimiser.nesterov is true or false, which has no range" in fault for fault in told)
    assert any("unknown dimension 'optimiser.momentun'; did you mean optimiser.momentum?" in fault for fault in told)
    assert {fault.partition(": ")[0] for fault in told} == {
        "--set space.optimiser.momentun.low",
        "--set space.optimiser.nesterov.lwo",
        "--set budget.trials",
        "--set sampler",
        "--set space.crops.low",
        "--set a.b.c",
    }
    with pytest.raises(StudyFileError) as caught:
        parse_overrides(["novalue", "=3", "a=[1", "b=!!python/name:os.system x"])
    assert len(str(caught.value).splitlines()) == 4


def test_a_misspelt_trainable_hides_no_other_fault_and_makes_none_up(write):
    text = MINIMAL.replace("cf_amc_ssl", "cf_amc") + "space: {m: [1, 3]}\nsettings: {robust_simclr.seed: 3}\n"
    assert [fault.partition(":")[0] for fault in faults(write(text))] == ["2"]


def test_a_config_built_in_python_is_checked_when_it_is_used():
    config = StudyConfig(name="a", trainables=["cf_amc_ssl"], budget={"trials": 1}, space={"cropz": 3})
    with pytest.raises(SpaceError, match="did you mean crops"):
        config.search_space()
    config = StudyConfig(name="a", trainables=["cf_amc_ssl"], budget={"trials": 1}, settings={"seed": -1})
    with pytest.raises(SpaceError, match="seed is -1"):
        config.base_configs()


STUDIES = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
        "trainables": st.sampled_from([["cf_amc_ssl"], ["pgd_emp_ssl", "robust_simclr"]]),
        "seed": st.integers(0, 2**40),
        "budget": st.one_of(
            st.fixed_dictionaries({"trials": st.integers(1, 10**9)}),
            st.fixed_dictionaries({"gpu_hours": st.floats(1e-12, 1e18), "wall_minutes": st.floats(1e-300, 10)}),
        ),
        "settings": st.fixed_dictionaries(
            {
                "data.source": st.from_regex(r"folder:[ -~]{1,20}", fullmatch=True),
                "optimiser.weight_decay": st.floats(0, 1),
                "network": st.fixed_dictionaries({"width": st.integers(1, 512)}),
            }
        ),
        "space": st.fixed_dictionaries(
            {
                "epsilon": st.lists(
                    st.floats(1e-9, 1) | st.integers(1, 255).map(lambda level: level / 255), min_size=1, unique=True
                ),
                "unlisted": st.just("fixed"),
            }
        ),
    }
)


@given(STUDIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_loads_to_an_equal_config(tmp_path, values):
    config = StudyConfig(**values)
    path = tmp_path / "written.yaml"
    path.write_text(config.to_yaml())
    assert StudyConfig.load(path) == config


def test_radii_are_written_in_pixel_levels_and_other_numbers_as_they_are(write):
    settings = {"evaluation.epsilon": 8 / 255, "evaluation.attack_epsilons": [2 / 255, 8 / 255, 2.5 / 255, 0.1]}
    space = {"epsilon": {"low": 4 / 255, "high": 12 / 255}, "learning_rate": [0.2, 0.1234567890123]}
    config = StudyConfig.load(write(MINIMAL), {"settings": settings, "space": space})
    written = config.to_yaml()
    told = YAML(typ="safe").load(written)
    assert told["settings"]["evaluation.epsilon"] == "8/255"
    assert told["settings"]["evaluation.attack_epsilons"] == ["2/255", "8/255", "2.5/255", 0.1]
    assert told["space"]["epsilon"] == {"low": "4/255", "high": "12/255"}
    assert told["space"]["learning_rate"] == [0.2, 0.1234567890123]
    assert StudyConfig.load(write(written)) == config


NAMES = "cf_amc_ssl pgd_emp_ssl m crops epsilon low high log step network network.width adversary.epsilon views x"
KEYS = st.sampled_from([*StudyConfig.model_fields, *NAMES.split(), "evaluation.heads", "trials", "uri", "unlisted"])
SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 50), st.floats(allow_nan=True, allow_infinity=True)),
    st.sampled_from(["a", "", "cf_amc_ssl", "table1/cf_amc_ssl", "tpe", "8/255", "8/0", "fixed", "robust", "digits"]),
)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(st.dictionaries(KEYS, ANYTHING, max_size=6), st.dictionaries(KEYS, ANYTHING, max_size=2))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_loads_or_is_refused_line_by_line(tmp_path, values, overrides):
    path = tmp_path / "any.yaml"
    yaml = YAML(typ="safe", pure=True)
    complete = {"name": "a", "trainables": ["cf_amc_ssl", "pgd_emp_ssl"], "budget": {"trials": 1}, **values}
    yaml.dump(complete, path)
    try:
        config = StudyConfig.load(path, {f"settings.{key}": value for key, value in overrides.items()})
    except StudyFileError as error:
        told = str(error).splitlines()
    else:
        config.search_space().sample(0)
        told = []
    assert all(line.startswith((f"{path}:", "--set ")) for line in told)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader(text):
    tree = read(text, "any")
    assert isinstance(tree.faults, list)


def test_relative_folders_are_those_of_the_launching_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "name: here\ntrainables: [cf_amc_ssl]\nbudget: {trials: 1}\n"
    (tmp_path / "study.yaml").write_text(text + "settings: {data: {source: 'folder:images', root: cache}}\n")
    loaded = StudyConfig.load(tmp_path / "study.yaml")
    (base,) = loaded.search_space().parts
    assert base.base.data.source == f"folder:{tmp_path / 'images'}"
    assert base.base.data.root == str(tmp_path / "cache")
    assert str(tmp_path / "images") in loaded.to_yaml()


def test_settings_may_be_of_what_other_settings_make_of_a_trainable():
    """A coreset's fraction means something once there is a coreset, a temperature once the loss is contrastive."""
    settings = {
        "coreset.name": "rcs",
        "coreset.warmup_epochs": 1,
        "coreset.fraction": 0.5,
        "objective.name": "sup_con",
        "objective.temperature": 0.3,
        "views.number": 2,
        "views.kind": "crops",
        "views.scale_min": 0.4,
    }
    keys = {"name": "s", "trainables": ["supervised_pgd"], "settings": settings, "budget": {"trials": 1}}
    config = StudyConfig.model_validate(keys)
    (part,) = config.search_space().parts
    assert (part.base.coreset.fraction, part.base.objective.temperature, part.base.views.scale_min) == (0.5, 0.3, 0.4)


def test_a_database_keeps_its_place_wherever_a_study_is_resumed(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = StudyConfig.load(write(MINIMAL + "tracking: {uri: sqlite:///mine.db}\n"))
    assert config.tracking.uri == f"sqlite:///{tmp_path}/mine.db"
    server = StudyConfig.load(write(MINIMAL + "tracking: {uri: http://h:5000/}\n"))
    assert server.tracking.uri == "http://h:5000/"


def test_a_coreset_may_be_begun_with_where_the_study_has_it(write):
    text = MINIMAL.replace("cf_amc_ssl, pgd_emp_ssl", "acl") + "start_from: [rcs/acl_rcs_0.2]\n"
    settings = "settings: {coreset.name: rcs, optimiser.epochs: 1000}\nspace: {unlisted: fixed}\n"
    assert StudyConfig.load(write(text + settings)).start_from == ["rcs/acl_rcs_0.2"]
