"""Studies written to disk through the layout that the readers share, as a launcher and its workers would."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.layout import ATTEMPT, ENDED, EPOCH, StudyPaths, TrialPaths, append_event, write_atomically, write_json
from trainables.config import DataConfig, TrialConfig, override, to_dict
from trainables.metrics import Accuracy, AttackResult, Cost, EpochReport, HeadResult, TrialResult
from trainables.outcomes import Outcomes, packed

Right = NDArray[np.bool_]
"""(images,) Which of them a trial classifies right."""
EPSILON = 8 / 255
IMAGES = 360

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "created": 1_760_000_000.0,
    "objectives": [
        {"metric": "clean_accuracy", "direction": "maximize"},
        {"metric": "pgd_accuracy", "direction": "maximize"},
    ],
    "sampler": "tpe",
    "seed": 0,
    "trainables": ["cf_amc_ssl", "pgd_emp_ssl"],
    "space": {},
    "evaluation": {"head": "robust", "epsilon": EPSILON, "split": "validation"},
    "data": "digits, 32 x 32 pixels, 1,078 training and 360 validation images",
    "budget": {"trials": 12, "wall_minutes": None, "gpu_hours": None},
    "resources": {"cpus_per_trial": 1},
    "environment": {"python": "3.11.9", "torch": "2.15.0", "commit": None},
    "tracking": {"uri": "http://127.0.0.1:5000"},
}


def result(clean: float, pgd: float, work: int, images: int = IMAGES) -> TrialResult:
    """A result with the given shares of ``images``, rounded to whole images."""
    right, robust = (Accuracy(correct=round(share * images), images=images) for share in (clean, pgd))
    attack = AttackResult(epsilon=EPSILON, steps=20, zero_start=robust, random_start=robust, worst=robust)
    return TrialResult(
        head="robust",
        epsilon=EPSILON,
        split="validation",
        heads=(HeadResult(name="robust", clean=right, attacks=(attack,)),),
        cost=Cost(
            pretrain_forward_equivalents=work,
            evaluation_forward_equivalents=1000,
            pretrain_minutes=work / 1e6,
            evaluation_minutes=0.1,
        ),
        data=MANIFEST["data"],
        classes=("0", "1"),
        image_size=16,
        device="cpu",
        epochs=3,
    )


def epoch_report(epoch: int, epochs: int) -> EpochReport:
    done = epoch / epochs
    return EpochReport(
        epoch=epoch,
        epochs=epochs,
        loss=-150 - 40 * done,
        terms={"invariance": -0.8 - 0.1 * done, "tcr": -30.0},
        learning_rate=0.3 * (1 - done),
        loss_clean=-170 - 20 * done,
        loss_fgsm=-160 - 20 * done,
        loss_pgd=-150 - 20 * done,
        probe_accuracy=0.4 + 0.4 * done,
        probe_pgd_accuracy=0.2 + 0.2 * done,
        forward_equivalents=1000 * epoch,
        seconds=2.0 * epoch,
    )


@dataclass(frozen=True)
class StudyFolder:
    """A study in the making."""

    paths: StudyPaths

    def manifest(self, **changes: Any) -> StudyFolder:
        write_json(self.paths.manifest, MANIFEST | {"name": self.paths.name} | changes)
        write_atomically(self.paths.study_file, f"name: {self.paths.name}\ntrainables: [cf_amc_ssl]\n")
        return self

    def begin(
        self, number: int, params: Mapping[str, Any], trainable: str = "cf_amc_ssl", settings: Mapping[str, Any] = {}
    ) -> TrialPaths:
        trial = self.paths.trial(number)
        config = override(TrialConfig(trainable=trainable, seed=number, data=DataConfig(source="digits")), settings)
        write_json(
            trial.config,
            {"number": number, "trainable": trainable, "params": dict(params), "config": to_dict(config)},
        )
        append_event(trial, ATTEMPT, 1, device="cpu", gpu_share=1.0, resumed_epoch=0)
        return trial

    def epochs(self, trial: TrialPaths, done: int, of: int = 3) -> None:
        for epoch in range(1, done + 1):
            append_event(trial, EPOCH, 1, epoch=epoch, metrics=epoch_report(epoch, of).metrics())

    def finished(
        self,
        number: int,
        clean: float,
        pgd: float,
        work: int = 10**6,
        params: Mapping[str, Any] = {"m": 3, "epsilon": EPSILON},
        trainable: str = "cf_amc_ssl",
        images: int = IMAGES,
        outcomes: Any = None,
        **changes: Any,
    ) -> TrialPaths:
        """A finished trial; ``changes`` replace metrics of its last event, which tells ``outcomes`` where some are."""
        trial = self.begin(number, params, trainable)
        self.epochs(trial, 3)
        found = result(clean, pgd, work, images)
        write_json(trial.result, found.to_dict())
        told = {} if outcomes is None else {"outcomes": outcomes}
        append_event(trial, ENDED, 1, status="finished", reason="", metrics=found.metrics() | changes, **told)
        return trial

    def judged(
        self, number: int, clean: Right, pgd: Right, auto: tuple[Right, Right] | None = None, **rest: Any
    ) -> TrialPaths:
        """A finished trial that recorded which images it classifies right.

        ``auto``: which survive AutoAttack, and which it was run on.
        """
        rows = {"robust_head/clean": clean, "robust_head/pgd_8_zero": pgd, "robust_head/pgd_8_worst": pgd}
        changes: dict[str, Any] = {}
        if auto is not None:
            rows |= {"robust_head/auto_attack_8_worst": auto[0], "auto_attack_images": auto[1]}
            changes = {
                "auto_attack_accuracy": float(auto[0].sum() / auto[1].sum()),
                "auto_attack_images": float(auto[1].sum()),
            }
        bits = {name: packed(right) for name, right in rows.items()}
        outcomes = Outcomes(identity=rest.pop("identity", "same"), images=len(clean), rows=bits).to_dict()
        images = len(clean)
        return self.finished(
            number, clean.mean(), pgd.mean(), **{"images": images, "outcomes": outcomes} | changes | rest
        )

    def failed(self, number: int, reason: str = "out of memory", status: str = "failed") -> TrialPaths:
        trial = self.begin(number, {"m": 7, "epsilon": EPSILON})
        self.epochs(trial, 1)
        append_event(trial, ENDED, 1, status=status, reason=reason, metrics={})
        return trial

    def link(self, runs: Mapping[int, str], uri: str = "http://127.0.0.1:5000", experiment: str = "1") -> None:
        """Write what the tracker keeps about the trials' runs."""
        known = {str(number): run for number, run in runs.items()}
        self.paths.tracking.write_text(json.dumps({"uri": uri, "experiment_id": experiment, "runs": known}))


@pytest.fixture(scope="session")
def new_study_in() -> Callable[..., StudyFolder]:
    """Makes a study's folder in another, with its manifest; keywords replace parts of the manifest."""

    def make(folder: Path, name: str = "tiny", **changes: Any) -> StudyFolder:
        return StudyFolder(StudyPaths(folder / "studies" / name)).manifest(**changes)

    return make


@pytest.fixture
def new_study(new_study_in: Callable[..., StudyFolder], tmp_path: Path) -> Callable[..., StudyFolder]:
    """The same, in the folder of this test."""
    return partial(new_study_in, tmp_path)


@pytest.fixture
def new_confirmation(new_study: Callable[..., StudyFolder]) -> Callable[..., StudyFolder]:
    """Makes a confirmation of clean accuracy, from what each configuration's seeds found."""

    def make(results: Mapping[int, list[float]]) -> StudyFolder:
        told = {"study": "tiny", "seeds": [1, 2, 3], "configurations": [{"trial": number} for number in results]}
        on_test = MANIFEST["evaluation"] | {"split": "test"}
        child = new_study(
            "tiny-confirmed", confirms=told, objectives=[{"metric": "clean_accuracy"}], evaluation=on_test
        )
        seeds = [(number, seed, clean) for number, found in results.items() for seed, clean in enumerate(found, 1)]
        for place, (number, seed, clean) in enumerate(seeds):
            child.finished(place, clean, 0.1, params={"configuration": number, "seed": seed})
        return child

    return make
