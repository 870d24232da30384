"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis import labels
from analysis.layout import ATTEMPT, ENDED, append_event, study_paths, write_json
from study import ui
from study.commands import main as cli
from study.commands import read as reading
from study.commands.app import PANELS
from study.commands.run import fresh_name
from study.config import EarlyStopping, StudyConfig
from study.config.settings import flatten_settings
from study.files.lock import sole_driver
from study.files.stop import Request, asked
from study.preflight import idle
from study.strategy import ended_early, proposed

COMMANDS = [
    *(
        "demo",
        "launch",
        "resume",
        "extend",
        "add",
        "note",
        "exclude",
        "stop",
        "measure",
        "reseed",
        "confirm",
        "train",
        "reproduce",
        "record",
    ),
    *(
        "settings",
        "simulate",
        "status",
        "front",
        "trials",
        "compare",
        "report",
        "tables",
        "figures",
        "sync",
        "export",
        "clean",
        "ui",
        "views",
    ),
]

CURVES = Path(__file__).parents[1] / "recorded" / "digits.jsonl"

TINY = """\
name: tiny
trainables: [cf_amc_ssl]
budget: {trials: 2}
sampler: random
tracking: {offline: true}
settings:
  device: cpu
  data: {source: digits, image_size: 8, train_images: 200}
  views.number: 2
  network: {width: 4, depth: 10, pre_feature: 32, projector_hidden: 32, embedding: 16}
  optimiser: {epochs: 1, batch_size: 64}
  evaluation: {images: 50, head_epochs: 1, head_attack_steps: 2, attack_steps: 2, check_images: 0}
space:
  unlisted: fixed
  learning_rate: {low: 0.05, high: 1.0}
  m: [1, 2]
"""


def subprocess_study(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ROBUST_SSL_STUDIES": str(folder), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, "-m", "study", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def tiny_file(tmp_path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = CliRunner().invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: study {command}" in result.output


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("sync", "sync demo\n"),
        ("compare", "compare demo first "),
        ("reproduce", "reproduce table1 --scale tiny "),
    ],
)
def test_the_first_example_needs_what_a_newcomer_has(command, example):
    output = CliRunner().invoke(cli.app, [command, "--help"]).output
    lines = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    assert f"Example: study {example}" in lines


def test_the_help_trains_what_the_guide_does():
    def settings(text):
        return re.findall(r"--set (\S+=\S+)", text[text.index("study train cf_amc_ssl") :].split("\n\n")[0])

    shown = CliRunner().invoke(cli.app, ["train", "--help"]).output
    assert settings(shown) == settings((Path(__file__).parents[3] / "docs" / "methods.md").read_text())


@pytest.mark.slow
def test_a_study_runs_in_one_process_where_there_is_no_ray_mlflow_or_plotly(tiny_file, tmp_path):
    """As on a GPU machine that has little beside torch and Optuna: all that is lacking is the report, which is told."""
    code = """
import importlib.metadata, sys
absent, version = ("ray", "mlflow", "plotly"), importlib.metadata.version

def known(name):
    if name in absent:
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)

importlib.metadata.version = known
sys.modules |= dict.fromkeys(absent)
from study.commands.main import main
sys.argv[0] = "study"
main()
"""
    command = [sys.executable, "-c", code, "launch", str(tiny_file), "--backend", "inline", "--offline"]
    environment = os.environ | {"ROBUST_SSL_STUDIES": str(tmp_path), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "no report was written (ModuleNotFoundError" in ended.stderr
    assert "Pareto frontier of tiny" in ended.stdout
    assert "Report:" not in ended.stdout


@pytest.mark.parametrize("printing", ["print('x\\n' * 10_000)", "print_rich('x\\n' * 10_000)"])
def test_a_study_has_ended_well_though_nobody_reads_what_it_found(printing):
    code = f"from study.commands.show import print_rich, unread\nwith unread():\n    {printing}\nprint('more')"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ended:
        ended.stdout.close()
        assert ended.stderr.read() == b""
    assert ended.returncode == 0


def test_signs_that_a_terminal_does_not_know_end_no_command(studies):
    append_event(study_paths("tiny").trial(0), ATTEMPT, 1)
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "ROBUST_SSL_STUDIES": str(studies)}
    command = [sys.executable, "-m", "study", "status", "tiny"]
    told = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert told.returncode == 0, told.stderr
    assert b" ? " in told.stdout, "what was not measured has a dash elsewhere"


def test_help_lists_every_command_and_loads_nothing_heavy():
    result = CliRunner().invoke(cli.app, ["--help"])
    assert all(command in result.output for command in COMMANDS)
    heavy = "{'torch', 'ray', 'mlflow', 'optuna', 'pandas'}"
    code = f"import sys, study.commands.main; print(*{heavy} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_help_shows_the_commands_in_order_under_what_they_are_for():
    lines = iter(CliRunner().invoke(cli.app, ["--help"]).output.splitlines())
    for panel, names in PANELS.items():
        assert any(line.startswith(f"╭─ {panel} ") for line in lines)
        assert all(any(line.startswith(f"│ {name} ") for line in lines) for name in names)
    assert sorted(name for names in PANELS.values() for name in names) == sorted(COMMANDS)


def test_the_version_is_told_with_those_of_what_is_installed_and_nothing_is_loaded():
    code = """
import importlib.metadata, sys
found = {"robust-ssl-study": "0.1", "torch": "2.11", "optuna": "5.0"}

def version(name):
    if name not in found:
        raise importlib.metadata.PackageNotFoundError(name)
    return found[name]

importlib.metadata.version = version
from study.commands.main import app
app(["--version"], standalone_mode=False)
print(*{'torch', 'ray', 'mlflow', 'optuna'} & sys.modules.keys())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "robust-ssl-study 0.1\ntorch 2.11\noptuna 5.0\n\n"


def test_a_dry_run_shows_the_plan_and_writes_nothing(study, studies, tiny_file):
    before = sorted(studies.iterdir())
    code, out, err = study("launch", tiny_file, "--dry-run", "--set", "space.epsilon={low: 4/255, high: 8/255}")
    assert (code, err) == (0, "")
    assert "4/255 to 8/255" in out
    assert "learning_rate" in out
    assert "digits" in out
    assert "least / median / most" in out
    assert "for 2 trials" in out
    assert sorted(studies.iterdir()) == before


@pytest.mark.parametrize(("trials", "warned"), [(12, True), (13, False)])
def test_who_could_end_nobody_early_is_told(study, tiny_file, trials, warned):
    asked = ("--set", "scheduler=halving", "--set", f"budget.trials={trials}")
    _, out, _ = study("launch", tiny_file, "--dry-run", *asked)
    warning = (
        "warning: halving ends nobody before 12 trials have finished, and the budget holds 12; set scheduler.finished"
    )
    assert (warning in out) is warned


def test_what_halving_learned_elsewhere_it_need_not_wait_for(tiny):
    scheduler, config = EarlyStopping(name="halving"), tiny(budget={"trials": 6}, scheduler="halving")
    among = "4 have come to the same rung."
    assert ended_early(scheduler, 11).endswith(f"once 1 trial has finished and {among}")
    assert ended_early(scheduler, 12).endswith(f"once {among}")
    assert [bool(idle(config, learned)) for learned in (0, 6, 7)] == [True, True, False]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"sampler": "tpe"}, "tpe proposes them, at random until 10 trials have ended"),
        (
            {"sampler": "{name: gp, startup_trials: 4}"},
            "gp proposes them, at random until 4 trials of a trainable",
        ),
        ({"sampler": "nsga3"}, "nsga3 proposes them, at random until 10 trials have finished, then from those"),
        ({"sampler": "grid", "space": "{unlisted: fixed, m: [1, 2]}"}, "grid has 2 of them, each once"),
        ({"start_from": "[table1/cf_amc_ssl]", "space": "{m: [1, 3]}"}, "recipe table1/cf_amc_ssl first, then "),
        ({}, "Early stopping: none, every trial runs to its end"),
        ({"scheduler": "halving"}, "halving ends trials that have no chance of the frontier, once 12 trials have fin"),
        ({"scheduler": "{name: asha, eta: 3}"}, "asha ends all but the best 1/3 of a rung, once 4 have come to the"),
    ],
)
def test_a_dry_run_says_what_proposes_and_what_ends_trials(study, tiny_file, asked, told):
    sets = [word for key, value in asked.items() for word in ("--set", f"{key}={value}")]
    code, out, err = study("launch", tiny_file, "--dry-run", *sets)
    assert (code, told in " ".join(out.split())) == (0, True), err


@pytest.mark.parametrize(
    ("sampler", "learned", "told"),
    [
        ("tpe", ["cf_amc_ssl"] * 9, "tpe proposes them, at random until 1 trial has ended."),
        ("tpe", ["cf_amc_ssl"] * 10, "tpe proposes them, learning from the first on."),
        ("nsga2", ["robust_simclr"] * 7, "nsga2 proposes them, at random until 3 trials have finished, then"),
        ("gp", ["cf_amc_ssl"] * 30, "gp proposes them, at random until 10 trials of a trainable have ended."),
        ("gp", ["cf_amc_ssl", "robust_simclr"] * 10, "gp proposes them, learning from the first on."),
        ("random", ["cf_amc_ssl"] * 10, "random proposes them."),
    ],
)
def test_what_a_sampler_learned_elsewhere_it_need_not_draw_at_random(tiny, sampler, learned, told):
    config = tiny(sampler=sampler, trainables=["cf_amc_ssl", "robust_simclr"])
    assert told in proposed(config, config.search_space(), learned)


def test_a_dry_run_shows_a_dash_where_a_configuration_lacks_a_dimension(study, tiny_file):
    kinds = "space.optimiser.nesterov=[true, false]"
    rates = "space.optimiser.momentum={choices: [0.8, 0.9], when: {optimiser.nesterov: true}}"
    code, out, err = study("launch", tiny_file, "--dry-run", "--set", kinds, "--set", rates)
    assert (code, err) == (0, "")
    drawn = [line.split("│")[-3:-1] for line in out.splitlines() if "│ cf_amc_ssl" in line]
    assert [labels.ABSENT, "false"] in [[cell.strip() for cell in cells] for cells in drawn]


def test_a_dry_run_downloads_nothing_and_says_what_a_launch_would_and_what_it_costs(
    study, studies, tiny_file, monkeypatch, tmp_path
):
    def fetched(*_args, **_keys):
        raise AssertionError("a dry run downloads nothing")

    monkeypatch.setattr("trainables.data.cifar._download", fetched)
    absent = ["--set", "settings.data.download=true", "--set", f"settings.data.root={tmp_path / 'data'}"]
    homes = {"data.source=cifar10": "cifar-10-batches-py", "evaluation.source=cifar100": "cifar-100-python"}
    counts = {"data.source=cifar10": "200 training", "evaluation.source=cifar100": "100 classes: 45000 training"}
    for source, home in homes.items():
        code, out, err = study("launch", tiny_file, "--dry-run", *absent, "--set", f"settings.{source}")
        assert (code, err) == (0, "")
        assert f"a launch would download them to {tmp_path / 'data' / home}" in out
        assert "learning_rate" in out
        assert counts[source] in out
        assert "for 2 trials." in out
        assert "can be measured once the images are there" in out
    code, _, err = study("launch", tiny_file, "--dry-run", *absent, "--set", "settings.data.source=cifar10",
                         "--set", "settings.data.train_images=60000")  # fmt: skip
    assert (code, "validation leaves 45000" in err) == (2, True)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "resources", ["{cpus_per_trial: 99999}", "{gpus_per_trial: auto, cpus_per_trial: 99999}", "{gpus_per_trial: 99}"]
)
def test_a_dry_run_warns_of_what_a_launch_on_this_machine_refuses(study, tiny_file, resources, monkeypatch):
    monkeypatch.setattr("study.dry_run.on_this_machine", lambda *_: ["what auto would do here"])
    asked = ("launch", tiny_file, "--set", f"resources={resources}")
    code, _, refusal = study(*asked, "--backend", "inline")
    assert (code, len(refusal.splitlines())) == (2, 1)
    code, out, err = study(*asked, "--dry-run")
    assert (code, err) == (0, "")
    assert f"\nwarning: a launch on this machine would be refused: {refusal}" in out
    assert "what auto would do here" in out
    assert "Nothing was written." in out
    assert "refused" not in study(*asked, "--dry-run", "--address", "auto")[1]


def test_a_dry_run_says_where_the_data_fall_short(study, tiny_file):
    code, out, err = study("launch", tiny_file, "--dry-run", "--set", "settings.evaluation.images=5000")
    assert (code, err) == (0, "")
    assert "warning: evaluation.images is 5,000 but the validation split has " in out


@pytest.mark.slow
def test_a_study_is_extended_learned_from_and_shows_its_shares(study, studies, tiny_file):
    both = ("--backend", "inline", "--set", "trainables=[cf_amc_ssl, simclr_free]", "--set", "sampler=qmc")
    assert study("launch", tiny_file, *both)[0] == 0
    code, out, _ = study("extend", "tiny", "--trials", "1", "--set", "space.m=[2, 3]", "--backend", "inline")
    assert code == 0
    code, out, _ = study("status", "tiny", "--all")
    assert "Trainables of tiny: what each got" in out
    assert "3 finished" in out
    heir = ("--warm-start", "tiny", "--set", "name=heir", "--set", "sampler=tpe")
    code, out, err = study("launch", tiny_file, "--dry-run", *heir)
    assert code == 0, err
    learned = int(re.search(r"the search learns from (\d) of 3", out)[1])
    assert f"tpe proposes them, at random until {10 - learned} trials have ended" in out
    assert "refused: trainable 'simclr_free' is not in this space" in out
    code, _, err = study("launch", tiny_file, "--dry-run", "--warm-start", "absent", "--set", "name=heir")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "no study named 'absent'" in err


def test_what_an_extension_may_not_change_is_told_in_a_line(study, studies):
    code, _, err = study("extend", "absent", "--trials", "1")
    assert (code, len(err.splitlines())) == (2, 1)
    code, _, err = study("extend", "absent", "--set", "seed=3")
    assert (code, "may change, sampler or space.crops.high say" in err, len(err.splitlines())) == (2, True, 1)


def test_the_dry_runs_cost_is_what_a_trial_reports(tmp_path):
    from study.dry_run import estimate
    from trainables.trial import run

    (tmp_path / "tiny.yaml").write_text(TINY)
    config = StudyConfig.load(tmp_path / "tiny.yaml", {"space.m": 2}).search_space().sample(0)
    known = estimate([config])
    assert known.lowest == known.median == known.highest == run(config).cost.pretrain_forward_equivalents


def test_a_dry_run_finds_missing_data_and_a_batch_that_is_too_large(study, tiny_file, tmp_path):
    code, _, err = study("launch", tiny_file, "--dry-run", "--set", f"settings.data.source=folder:{tmp_path}/none")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "none" in err
    code, _, err = study("launch", tiny_file, "--dry-run", "--set", "settings.optimiser.batch_size=500")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("--set settings.optimiser.batch_size: cf_amc_ssl: optimiser.batch_size is 500")


@pytest.mark.parametrize(
    ("written", "changed", "told"),
    [
        ("batch_size: 64", "batch_size: 500", "11: cf_amc_ssl: optimiser.batch_size is 500 but only 200 images train"),
        ("train_images: 200", "train_images: 2000", "8: data.train_images is 2000, but validation leaves 1294"),
        ("image_size: 8", "image_size: 8, validation_fraction: 0.0", "8: evaluation.split is 'validation' but it has"),
        (
            "{width: 4, depth: 10, pre_feature: 32, projector_hidden: 32, embedding: 16}",
            "{architecture: vit_tiny, patch_size: 3}",
            "10: network.patch_size is 3, which does not divide",
        ),
    ],
)
@pytest.mark.parametrize("how", ["--dry-run", "--backend=inline"])
def test_what_only_the_data_reveal_is_told_with_its_line(study, tiny_file, written, changed, told, how):
    assert tiny_file.read_text().count(written) == 1
    tiny_file.write_text(tiny_file.read_text().replace(written, changed))
    code, _, err = study("launch", tiny_file, how)
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"{tiny_file}:{told}")


def test_a_mistake_of_no_setting_is_told_without_a_line(study, tiny_file):
    write_json(study_paths("tiny").trial(0).config, {})
    code, _, err = study("launch", tiny_file, "--backend", "inline")
    assert (code, err.startswith("a study called tiny exists in")) == (2, True)


def test_searched_batches_are_refused_where_all_are_too_large_and_else_warned_of(study, tiny_file):
    tiny_file.write_text(tiny_file.read_text().replace(", batch_size: 64", ""))
    code, _, err = study("launch", tiny_file, "--dry-run", "--set", "space.batch_size=[500, 700]")
    assert (code, err.startswith("--set space.batch_size: cf_amc_ssl: optimiser.batch_size is 500")) == (2, True)
    code, out, err = study("launch", tiny_file, "--dry-run", "--set", "space.batch_size=[32, 500]")
    assert (code, err) == (0, "")
    assert "warning: cf_amc_ssl: optimiser.batch_size is 500 but only 200 images train" in out
    assert "a trial that draws it fails" in out


def test_faults_of_a_file_are_lines_on_stderr_and_exit_2(study, tiny_file):
    code, out, err = study("launch", tiny_file, "--set", "budget.trials=0", "--set", "space.cropz=3")
    assert (code, out) == (2, "")
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["--set budget.trials", "--set space.cropz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["launch", "none.yaml"], "none.yaml: cannot be read"),
        (["launch", "none.yaml", "--set", "nothing"], "write KEY=VALUE"),
        (["train", "cf_amc"], "unknown trainable 'cf_amc'"),
        (["train", "cf_amc_ssl", "--set", "network.widht=3"], "did you mean network.width"),
        (["train", "cf_amc_ssl", "--set", "trainable=robust_simclr"], "name it as the command's argument"),
        (["train", "cf_amc_ssl", "--set", "adversary.epsilon=8/0"], "adversary.epsilon is '8/0'"),
        (["status", "none"], "'none'"),
        (["status"], "there are no studies in"),
        (["status", "none/3"], "no study named 'none' in"),
        (["status", "a/b/3"], "is no trial; name it STUDY/NUMBER"),
        (["status", "../3"], "`study status` lists them, with --studies DIR those in another folder"),
        (["status", "none", "--json", "--watch"], "exclude each other"),
        (["status", "none/3", "--watch"], "--watch is of a study; name it"),
        (["status", "--all"], "--all is of a study; name it"),
        (["trials", "none", "--where", "m"], "--where 'm' is no condition; write NAME, one of <= >= < > != = and"),
        (["front", "../x"], "no name of a study"),
        (["front", "none", "--json", "--csv"], "exclude each other"),
        (["trials", "none", "--json", "--csv"], "exclude each other"),
        (["report", "none"], "'none'"),
        (["compare", "none"], "name two or more"),
        (["compare", "none", "none"], "each once"),
        (["compare", "none", "neither"], "'none'"),
        (["resume", "none"], "'none'"),
        (["confirm", "none"], "'none'"),
        (["confirm", "none", "--trials", "3,x"], "'x' is no trial's number"),
        (["confirm", "none", "--trials", "²"], "'²' is no trial's number"),
        (["confirm", "none", "--trials", "3", "--limit", "2"], "exclude each other"),
        (["confirm", "none", "--set", "data.source=digits"], "set only evaluation. settings"),
        (["measure", "none"], "'none'"),
        (["measure", "none", "--trials", "3,x"], "'x' is no trial's number"),
        (["measure", "none", "--trials", "3", "--limit", "2"], "exclude each other"),
        (["measure", "none", "--set", "data.source=digits"], "set only evaluation. settings"),
        (["measure", "none", "--attack", "pgd", "--set", "evaluation.attacks=[pgd]"], "exclude each other"),
        (["sync", "none"], "none"),
        (["stop", "none/3"], "no study named 'none'"),
        (["stop", "../3"], "'..' is no name of a study"),
        (["add", "none", "--set", "m"], "--set m: no assignment"),
        (["ui"], "nothing is tracked"),
        (["ui", "none"], "'none'"),
        (["ui", "none", "--optuna"], "'none'"),
        (["ui", "--optuna"], "study ui NAME --optuna"),
        (["simulate", "crosing"], "neither a file of recorded trials nor a family; choose synthetic, drawn, power_law"),
        (["simulate", "crossing", "--schedulers", "nobody"], "unknown scheduler 'nobody'"),
        (["simulate", "crossing", "--samplers", "nobody"], "sampler is 'nobody'"),
        (["simulate", "crossing", "--set", "eta=1"], "--set eta: eta is 1"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(study, arguments, words):
    code, out, err = study(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            [command, "none"]
            for command in (
                "status",
                "front",
                "trials",
                "report",
                "resume",
                "measure",
                "confirm",
                "stop",
                "sync",
                "clean",
            )
        ),
        *(["compare", "none", "tiny"], ["extend", "none", "--trials", "1"], ["record", "none", "-o", "none.jsonl"]),
        *(["tables", "none"], ["figures", "none"], ["ui", "none"], ["add", "none", "--set", "m=3"]),
    ],
)
def test_a_study_that_is_not_there_is_told_in_one_wording(study, studies, arguments):
    write_json(study_paths("tiny").manifest, {})
    assert study(*arguments) == (2, "", f"no study named 'none' in {studies}; there: tiny\n")


@pytest.mark.parametrize("command", ["status", "front", "report", "resume", "stop"])
def test_what_lies_beside_the_studies_is_no_damaged_study(study, studies, command):
    (studies / "reproduce" / "table1").mkdir(parents=True)
    code, out, err = study(command, "reproduce")
    assert (code, out) == (2, "")
    assert err == "'reproduce' is no study but the folder of `study reproduce`; `study status` lists the studies\n"


@pytest.mark.parametrize(
    "arguments", [["launch"], ["lunch"], ["front", "a", "--xml"], ["resume", "a", "--trials", "no"]]
)
def test_wrong_usage_is_exit_2(study, arguments):
    assert study(*arguments)[0] == 2


def test_an_interruption_is_130_and_a_bug_is_1(study, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read", interrupt)
    assert study("front", "any")[0] == 130

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(reading, "read", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        study("front", "any")


@pytest.mark.usefixtures("reports")
def test_a_study_from_launch_to_report(study, studies, tiny_file, tmp_path):
    code, out, _ = study("launch", tiny_file, "--backend", "inline")
    assert code == 0
    assert "Pareto frontier of tiny" in out
    assert str(studies / "tiny" / "report.html") in out

    code, out, _ = study("status")
    assert (code, out) == (0, "tiny  2 finished\n")
    code, out, _ = study("status", "tiny")
    assert "0001" in out
    assert "finished" in out

    code, out, _ = study("status", "tiny/1")
    assert code == 0
    assert "study export tiny/1 DIR" in out
    assert "adversary.replays" in out
    told = json.loads(study("status", "tiny/0001", "--json")[1])
    assert (told["id"], told["differs"]["optimiser.epochs"]) == ("tiny/0001", {"value": 1, "default": 10})

    code, out, _ = study("front", "tiny", "--json")
    rows = json.loads(out)
    assert all(row["trainable"] == "cf_amc_ssl" and 0 <= row["pgd_accuracy"] <= 1 for row in rows)
    code, out, _ = study("front", "tiny", "--csv")
    assert len(out.splitlines()) == len(rows) + 1

    code, out, _ = study("report", "tiny", "-o", tmp_path / "own.html")
    assert (code, out) == (0, f"{tmp_path / 'own.html'}\n")
    assert (tmp_path / "own.html").read_text().startswith("<!")

    code, _, err = study("launch", tiny_file, "--backend", "inline")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "study resume tiny" in err

    code, out, _ = study("resume", "tiny", "--trials", "3", "--backend", "inline")
    assert code == 0
    assert study("status")[1] == "tiny  3 finished\n"


def test_a_replayed_study_is_recorded_and_simulated(study, studies, tiny_file, tmp_path):
    file, figure, figures = tmp_path / "again.jsonl", tmp_path / "figure.html", tmp_path / "figures.json"
    replay = ["--backend", "replay", "--curves", CURVES]
    code, out, _ = study("launch", tiny_file, *replay, "--set", "scheduler=halving", "--set", "budget.trials=4")
    assert (code, "Pareto frontier of tiny" in out) == (0, True)
    advice = [line.partition(": study ")[2].split()[0] for line in study("status", "tiny/0")[1].splitlines()[-2:]]
    assert advice == ["reseed", "confirm"], "no network was trained that could be exported or measured"
    code, out, _ = study("record", "tiny", "-o", file)
    assert (code, out) == (0, f"recorded 4 finished trials of tiny in {file}; left out: 0\n")
    code, out, err = study("record", "tiny", "-o", tmp_path)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"{tmp_path} cannot be written (")
    few = ["--schedulers", "none,halving", "--seeds", "2", "--workers", "2", "--trials", "4"]
    code, out, err = study("simulate", CURVES, *few, "-o", figure, "--json", figures)
    assert (code, err) == (0, "")
    assert "Halving above it" in out
    assert "digits" in out
    rows = json.loads(figures.read_text())["series"]
    assert [row["scheduler"] for row in rows] == ["none", "halving"]
    assert "plotly" in figure.read_text()


def test_nothing_runs_without_a_driver(study, studies):
    paths = study_paths("tiny")
    append_event(paths.trial(0), ATTEMPT, 1)
    paths.study_file.touch()
    paths.manifest.write_text("{}")
    assert study("status")[1] == "tiny  1 interrupted\n"
    assert "interrupted" in study("status", "tiny")[1]
    told = study("status", "tiny")[1]
    assert told.startswith("tiny: nobody runs it; go on with: study resume tiny\nTrials: 0 ended, 1 interrupted\n")
    assert "Running:" not in told
    assert study("stop", "tiny")[::2] == (2, "study tiny is not running; go on with it: study resume tiny\n")
    with sole_driver(paths):
        assert study("status")[1] == "tiny  1 running\n"
        told = study("status", "tiny")[1]
        assert told.startswith("tiny: running\nTrials: 0 ended, 1 running\n")
        assert "of wall time without pauses\nBudget: unknown\nRunning:\n  0000: " in told
        assert study("stop", "tiny") == (0, "tiny ends with its running trials; continue with: study resume tiny\n", "")
        assert asked(paths) is Request.DRAIN
        assert study("stop", "tiny/0", "--now")[::2] == (
            2,
            "--now is for a whole study; a trial always ends as soon as it can\n",
        )
        assert study("status", "tiny")[1].startswith("tiny: it ends as asked: no other trial begins\n")
        assert study("stop", "tiny", "--now")[0] == 0
        assert asked(paths) is Request.NOW
        at_once = "tiny: it ends at once, as asked; go on with its trials: study resume tiny\n"
        assert study("status", "tiny")[1].startswith(at_once)


def test_a_trials_page_says_what_can_be_done_with_it(study, studies):
    paths = study_paths("tiny")
    for number in range(3):
        write_json(paths.trial(number).config, {"trainable": "cf_amc_ssl", "config": {"trainable": "cf_amc_ssl"}})
        append_event(paths.trial(number), ATTEMPT, 1)
    append_event(paths.trial(1), ENDED, 1, status="stopped", reason="by hand", metrics={})
    append_event(paths.trial(2), ENDED, 1, status="finished", metrics={"clean_accuracy": 0.5, "trusted": 0.0})
    last = [study("status", f"tiny/{number}")[1].splitlines()[-1] for number in range(3)]
    assert last[:2] == ["Go on with it: study resume tiny", last[1]]
    assert last[1].endswith("study add tiny --like 1 --set DIM=VALUE")
    assert last[2].endswith("study measure tiny --trials 2 --dry-run"), "what is flagged is not confirmed"
    with sole_driver(paths):
        *_, heard, end = study("status", "tiny/0")[1].splitlines()
    assert heard.startswith("0000: before its first epoch's end")
    assert end == "End it: study stop tiny/0"


STEERS = "\x1b]0;owned\x07\x1b[2J\x9b1A\r\x08\x7f"
"""What a terminal would do something at."""


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["status", "tiny"], ["status", "tiny/0"], ["front", "tiny"], ["trials", "tiny"], ["report", "tiny"]],
)
def test_nothing_that_a_study_names_steers_the_terminal(study, studies, arguments):
    paths = study_paths("tiny")
    paths.root.mkdir()
    paths.study_file.write_text(f"name: tiny # {STEERS}\n", "utf-8")
    write_json(paths.manifest, {"name": "tiny", "data": STEERS, "sampler": STEERS, "environment": {"torch": STEERS}})
    write_json(paths.trial(0).config, {"trainable": STEERS, "origin": STEERS, "params": {STEERS: STEERS}, "config": {}})
    write_json(paths.trial(0).progress, {"words": STEERS})
    append_event(paths.trial(0), ATTEMPT, 1, host=STEERS, device=STEERS, gpu_share=1.0)
    write_json(paths.trial(1).config, {"trainable": STEERS, "params": {STEERS: STEERS}, "config": {STEERS: STEERS}})
    append_event(paths.trial(1), ATTEMPT, 1, host=STEERS, device=STEERS)
    append_event(paths.trial(1), ENDED, 1, status="failed", reason=f"ValueError: {STEERS}", metrics={})
    code, out, err = study(*arguments)
    assert code == 0
    shown = out + err + (paths.report.read_text("utf-8") if paths.report.exists() else "")
    assert [sign for sign in STEERS if not sign.isprintable() and sign in shown] == []


def test_a_mistake_with_a_file_of_any_name_steers_nothing(study, tmp_path):
    code, _, err = study("launch", tmp_path / f"{STEERS}.yaml")
    assert code == 2
    assert r"\x1b]0;owned\x07" in err
    assert [sign for sign in STEERS if not sign.isprintable() and sign in err] == []


def test_a_note_is_made_changed_and_taken_back(study, studies):
    paths = study_paths("tiny")
    write_json(paths.trial(3).config, {"trainable": "cf_amc_ssl", "config": {}})
    append_event(paths.trial(3), ATTEMPT, 1)
    assert study("note", "tiny/3", "for\n the paper")[:2] == (
        0,
        "tiny/0003: for the paper; MLflow has it with: study sync tiny\n",
    )
    assert "for the paper" in study("status", "tiny/3")[1]
    assert study("note", "tiny/3", "")[1].startswith("tiny/0003: no note;")
    assert "for the paper" not in study("trials", "tiny", "--csv")[1]
    assert "a note has 1000 at most" in study("note", "tiny/3", "x" * 1001)[2]
    code, _, err = study("note", "tiny/4", "lost")
    assert (code, err.startswith("there is no trial tiny/4 in")) == (2, True)


def test_a_report_links_to_the_pages_it_is_told_of(study, studies, tmp_path):
    paths = study_paths("tiny")
    append_event(paths.trial(0), ATTEMPT, 1)
    write_json(paths.manifest, {"name": "tiny"})
    write_json(paths.tracking, {"uri": "sqlite:////mlflow.db", "experiment_id": "1", "runs": {"0": "abc"}})
    for options, address in (((), "http://127.0.0.1:5000"), (("--mlflow-url", "http://box:81/x"), "http://box:81/x")):
        assert study("report", "tiny", "-o", tmp_path / "r.html", *options)[0] == 0
        assert f'href="{address}/#/experiments/1/runs/abc' in (tmp_path / "r.html").read_text()
    code, _, err = study("report", "tiny", "--mlflow-url", "box:81")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--mlflow-url is 'box:81'; give the address of MLflow's pages" in err


def test_the_folder_may_be_an_option(study, tmp_path):
    code, _, err = study("status", "--studies", tmp_path / "elsewhere")
    assert code == 2
    assert str(tmp_path / "elsewhere") in err


def test_train_prints_epochs_and_intervals_and_writes_json(study, tmp_path):
    leaves = flatten_settings(_tiny_settings())
    leaves["evaluation.images"] = 5000
    sets = [text for path, value in leaves.items() for text in ("--set", f"{path}={value}")]
    files = ["--json", tmp_path / "result.json", "--checkpoint", tmp_path / "checkpoint.pt"]
    code, out, told = study("train", "cf_amc_ssl", *sets, *files)
    assert code == 0
    assert re.fullmatch(
        r"digits, .* 200 training, .*; resnet18, cifar stem, width 4, 10 layers, on cpu; "
        r"1 epoch of pre-training cost [\d.]+ k forward-equivalents\n",
        told,
    )
    warning, epoch, *_ = out.splitlines()
    assert warning.startswith("warning: evaluation.images is 5,000 but the validation split has ")
    assert epoch.startswith("epoch 1/1")
    assert "PGD-2 8/255" in out
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert f"cost {labels.cost(metrics['forward_equivalents'])} forward" in told
    assert metrics["clean_accuracy_low"] <= metrics["clean_accuracy"] <= metrics["clean_accuracy_high"]
    code, again, err = study("train", "cf_amc_ssl", *sets, *files)
    assert (code, err) == (0, told)
    assert again.splitlines()[1] == epoch, "the epoch is reported from the checkpoint, not trained again"


def _tiny_settings() -> dict[str, object]:
    from ruamel.yaml import YAML

    settings: dict[str, object] = YAML(typ="safe", pure=True).load(TINY)["settings"]
    return settings


def test_no_traceback_reaches_a_user(tmp_path):
    done = subprocess_study("front", "none", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_demo_takes_the_next_free_name(studies):
    assert fresh_name("demo") == "demo"
    (studies / "demo").mkdir()
    (studies / "demo-3").mkdir()
    assert fresh_name("demo") == "demo-2"
    (studies / "demo-2-confirmed").mkdir()
    assert fresh_name("demo") == "demo-4", "its confirmation needs a name too"


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_the_demo_ends_with_a_confirmation_on_test_images(study, studies):
    small = ["data.image_size=8", "network.width=4", "network.pre_feature=32"]
    small += ["evaluation.check_images=0", "evaluation.head_epochs=1", "evaluation.attack_steps=2"]
    small += [f"{name}.optimiser.epochs=1" for name in ("cf_amc_ssl", "pgd_emp_ssl", "robust_simclr")]
    sets = [text for setting in small for text in ("--set", f"settings.{setting}")]
    sets += ["--set", "budget.trials=1", "--set", "tracking.offline=true"]
    code, out, _ = study("demo", "--backend", "inline", *sets)
    assert code == 0
    search, _, rest = out.partition("Confirming on the test images")
    assert "Pareto frontier of demo" in search
    assert "validation split, n = 288 images" in search
    assert "demo-confirmed confirms demo: means over seeds; robust head, test split, n = 359 images" in rest
    assert "AutoAttack accuracy at 16/255, n = 20 images" in rest
    lines = rest.splitlines()
    reports = [line for line in lines if line.startswith("Report: ")]
    assert reports == [f"Report: {studies / name / 'report.html'}" for name in ("demo", "demo-confirmed")]
    assert lines[-1].startswith("Curves and all trials in MLflow: ")
    confirmed = json.loads(study("front", "demo-confirmed", "--json")[1])
    assert [(row["configuration"], row["seeds"]) for row in confirmed] == [("demo/0000", 2)]
    assert "demo-confirmed" in study("front", "demo")[1]
    assert "demo-confirmed confirms demo" in study("status", "demo-confirmed")[1]
    code, out, _ = study("confirm", "demo", "--limit", "1", "--seeds", "3", "--name", "again", "--dry-run")
    assert code == 0
    assert "3 trainings (1 configuration x 3 seeds)" in out
    assert "Nothing was written" in out
    assert not (studies / "again").exists()
    both = ("--trials", "0", "--set", "evaluation.heads=[robust,clean]")
    code, out, _ = study("measure", "demo", *both, "--dry-run")
    assert code == 0
    assert "1 network, 0 of them measured" in out
    code, out, _ = study("measure", "demo", *both, "--backend", "inline")
    assert code == 0
    assert "Pareto frontier of demo-measured" in out
    assert "Measured again: study front demo-measured" in study("front", "demo")[1]


def test_the_pages_are_for_this_machine_and_no_secret_is_an_argument(monkeypatch, tmp_path):
    started: list[tuple[list[str], dict[str, str]]] = []

    def start(command: list[str], env: dict[str, str], **_: Any) -> subprocess.Popen[bytes]:
        started.append((command, env))
        return real([sys.executable, "-c", "raise SystemExit(3)"])

    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    assert ui.run([ui.mlflow_server("postgresql://me:secret@host/db", tmp_path, 5001)]) == 3
    command, environment = started[0]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert not any("secret" in word for word in command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == "postgresql://me:secret@host/db"
