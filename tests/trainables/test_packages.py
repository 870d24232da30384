"""Methods of other packages: found by their metadata, and each fault told in a line that names the package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest

from trainables import catalogue, objectives, packages
from trainables.config import ConfigError, from_dict, to_dict
from trainables.evaluation import attack

METHOD = """
from trainables.catalogue import TRAINABLES
from dataclasses import replace
base = TRAINABLES["emp_ssl"]
"""
RENAMED = METHOD + (
    "def defaults(faithful_to): return replace(base.defaults(faithful_to), trainable='{}')\n"
    "METHOD = replace(base, name='mine', defaults=defaults)\n"
)


def test_what_a_package_brings_is_found_beside_the_platforms_own(own_package: Path) -> None:
    assert catalogue.names() == (*catalogue.TRAINABLES, "vicreg_pgd", "vicreg_free")
    assert objectives.names() == (*objectives.OBJECTIVES, "vicreg")
    config = catalogue.default_config("vicreg_pgd")
    catalogue.check(config)
    assert config.objective.weights == {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}
    assert from_dict(to_dict(config)) == config


def test_without_the_package_its_methods_are_unknown_and_configs_are_still_read(own_package: Path, monkeypatch) -> None:
    plain = to_dict(catalogue.default_config("vicreg_free"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(own_package)])
    assert from_dict(plain).objective.weights["variance"] == 25.0
    with pytest.raises(ConfigError, match=r"unknown trainable 'vicreg_free'; .*install the package that brings it"):
        catalogue.check(from_dict(plain))
    with pytest.raises(ConfigError, match=r"unknown objective 'vicreg'; .*install the package that brings it"):
        objectives.find("vicreg")


def test_no_package_is_imported_before_its_method_is_named(package: Callable[..., Path]) -> None:
    package("sullen", "raise SystemExit('no')", trainables={"sullen": "sullen:METHOD"})
    assert "sullen" in catalogue.names()
    catalogue.check(catalogue.default_config("cf_amc_ssl"))
    with pytest.raises(ConfigError, match=r"unknown trainable 'nobody'; choose one of .*, sullen"):
        catalogue.find("nobody")
    with pytest.raises(ConfigError, match=r"unknown trainable 'sulen'; did you mean sullen\? Else choose one"):
        catalogue.find("sulen")
    assert "sullen" not in sys.modules


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_that_name", r"cannot be imported from faulty:METHOD \(ModuleNotFoundError: .*, line 1\)"),
        ("1/0", r"cannot be imported from faulty:METHOD \(ZeroDivisionError: .*faulty\.py, line 1\); mend the package"),
        ("raise SystemExit(3)", r"cannot be imported from faulty:METHOD \(SystemExit: 3"),
        ("", r"cannot be imported from faulty:METHOD \(AttributeError"),
        ("METHOD = 3", r"is none: faulty:METHOD is of type int, no trainables\.method\.Trainable"),
        (METHOD + "METHOD = base", r"calls itself 'emp_ssl'; give it and its entry point one name"),
        (
            METHOD + "METHOD = replace(base, name='mine', objectives='emp_ssl')",
            r"mine: objectives is 'emp_ssl'; .*tuple",
        ),
        (
            METHOD + "METHOD = replace(base, name='mine', adversary='pdg')",
            r"adversary is 'pdg'; choose one of none, pgd",
        ),
        (RENAMED.format("other"), r"fails \(ConfigError: its defaults are of trainable 'other'"),
        (
            METHOD + "METHOD = replace(base, name='mine', defaults=lambda _: 1/0)",
            r"fails \(ZeroDivisionError: .* line 5",
        ),
    ],
)
def test_a_fault_is_one_line_that_names_the_package(package, source: str, told: str) -> None:
    package("faulty", source, trainables={"mine": "faulty:METHOD"})
    with pytest.raises(packages.PackageError, match=told) as raised:
        catalogue.default_config("mine")
    assert str(raised.value).startswith("trainable 'mine' of faulty 1.2 ")
    assert "\n" not in str(raised.value)
    catalogue.default_config("emp_ssl")


def test_a_name_is_of_one_method(package: Callable[..., Path]) -> None:
    package("first", RENAMED.format("mine"), trainables={"mine": "first:METHOD", "simclr": "first:METHOD"})
    assert catalogue.default_config("mine").trainable == "mine"
    with pytest.raises(ConfigError, match=r"'simclr' of first 1\.2 has a name that robust-ssl-study gives itself"):
        catalogue.find("simclr")
    package("second", "1/0", trainables={"mine": "second:METHOD"})
    with pytest.raises(ConfigError, match=r"'mine' of second 1\.2 is also of first 1\.2; uninstall one"):
        catalogue.find("mine")


@pytest.mark.parametrize("name", ["optimiser", "Mine", "my.method", "my method"])
def test_a_name_that_would_read_as_a_setting_is_refused(package: Callable[..., Path], name: str) -> None:
    package("odd", "", trainables={name: "odd:METHOD"})
    assert name not in catalogue.names()
    with pytest.raises(ConfigError, match="a name that no study file can tell"):
        catalogue.find(name)


def test_attacks_are_found_beside_the_platforms_own(own_package: Path, package: Callable[..., Path]) -> None:
    assert packages.names("attack", attack.PLATFORM) == (*attack.PLATFORM, "l2_pgd_128", "noise_3")
    assert attack.find("pgd") is None
    found = attack.find("noise_3")
    assert found is not None
    assert found.summary == "Gaussian noise of severity 3"
    origin = packages.origin("attack", "noise_3")
    assert origin is not None
    assert (origin.kind, origin.distribution, origin.version) == ("attack", "group-ssl", "0.3.1")


def test_a_config_with_an_attack_of_a_package_is_read_without_it_and_not_run(own_package: Path, monkeypatch) -> None:
    config = catalogue.configure("cf_amc_ssl", {"evaluation.attacks": ["pgd", "noise_3"]})
    catalogue.check(config)
    assert config.evaluation.own_attacks == ("noise_3",)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(own_package)])
    assert from_dict(to_dict(config)) == config
    with pytest.raises(ConfigError, match=r"unknown attack 'noise_3'; .*install the package that brings it"):
        catalogue.check(config)


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("mine", "1/0", r"'mine' of faulty 1\.2 cannot be imported from faulty:MINE \(ZeroDivisionError"),
        ("mine", "MINE = print", r"is none: .* no trainables\.evaluation\.attack\.Attack; have its entry point"),
        ("fgsm", "", r"'fgsm' of faulty 1\.2 has a name that robust-ssl-study gives itself"),
        (
            "clean",
            "",
            r"'clean' of faulty 1\.2 has a name .*; use a-z, 0-9 and _, no figure of the platform's and no end",
        ),
        ("fog_low", "", r"'fog_low' of faulty 1\.2 has a name that no study file can tell"),
    ],
)
def test_an_attack_that_cannot_be_used_is_told_before_a_trial_begins(
    package, name: str, source: str, told: str
) -> None:
    package("faulty", source, attacks={name: "faulty:MINE"})
    config = catalogue.configure("cf_amc_ssl", {"evaluation.attacks": list(dict.fromkeys(["pgd", name]))})
    with pytest.raises(packages.PackageError, match=told):
        catalogue.check(config)
    catalogue.check(catalogue.default_config("cf_amc_ssl"))


def test_whose_method_it_is_and_its_source(own_package: Path) -> None:
    objectives.find("vicreg")
    digest = sha256((own_package / "group_ssl" / "vicreg.py").read_bytes()).hexdigest()
    origin = {"kind": "objective", "name": "vicreg", "distribution": "group-ssl", "version": "0.3.1", "sha256": digest}
    found = packages.origin("objective", "vicreg")
    assert found is not None
    assert asdict(found) == origin
    assert packages.origin("objective", "emp_ssl") is None
