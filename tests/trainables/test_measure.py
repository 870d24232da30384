"""What is trained is measured again: with the same settings to the same figures, with others as if from the start."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trainables import checkpoint, trial
from trainables.checkpoint import CheckpointError
from trainables.config import ConfigError, TrialConfig, override
from trainables.evaluation import assess
from trainables.leftovers import shed
from trainables.metrics import Cost, Pretrained, TrialResult
from trainables.trial import evaluation_folder, measure, run

OTHERWISE: dict[str, Any] = {
    "evaluation.attacks": ["pgd", "fgsm", "margin_pgd"],
    "evaluation.attack_epsilons": [0.02, 0.1],
    "evaluation.epsilon": 0.1,
    "evaluation.images": 40,
    "evaluation.check_images": 8,
}


def trained(config: TrialConfig, path: Path) -> tuple[TrialResult, Pretrained]:
    """A trial that has ended as trials of a study do, and what is known of its network."""
    result = run(config, checkpoint=path)
    shed(path, config)
    weights = checkpoint.digest(checkpoint.load_weights(path, config))
    cost = result.cost
    return result, Pretrained(
        weights=weights,
        forward_equivalents=cost.pretrain_forward_equivalents,
        minutes=cost.pretrain_minutes,
        gpu_share=cost.gpu_share,
    )


def timeless(result: TrialResult) -> TrialResult:
    """What of a result is a function of its config."""
    cost = replace(result.cost, pretrain_minutes=0.0, evaluation_minutes=0.0, pretrain_gpu_share=None)
    return replace(result, cost=cost)


class Ended(NamedTuple):
    config: TrialConfig
    path: Path
    result: TrialResult
    pretrained: Pretrained


@pytest.fixture(scope="module")
def kept(tiny_config: Any, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Trained once for all tests."""
    config = tiny_config("cf_amc_ssl", evaluation__finetune_epochs=1)
    path = tmp_path_factory.mktemp("kept") / "c.pt"
    return Ended(config, path, *trained(config, path))


@pytest.fixture
def ended(kept: Ended, tmp_path: Path) -> Ended:
    """A trial that has ended, in a folder of the test's own."""
    shutil.copytree(kept.path.parent, tmp_path / "trial")
    return kept._replace(path=tmp_path / "trial" / "c.pt")


@pytest.fixture
def heads_trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the heads that are trained from here on."""
    names, real = list[str](), assess.train_head

    def watched(encoder: Any, name: str, *rest: Any) -> Any:
        names.append(name)
        return real(encoder, name, *rest)

    monkeypatch.setattr(assess, "train_head", watched)
    return names


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("supervised_pgd", "own"),
        pytest.param("acl", "robust", marks=pytest.mark.slow),
        pytest.param("cf_amc_ssl", "aff", marks=pytest.mark.slow),
    ],
)
def test_the_same_settings_give_the_same_figures_and_no_head_is_trained_twice(
    tiny_config: Any, tmp_path: Path, heads_trained: list[str], method: str, head: str
) -> None:
    alike = {"evaluation__heads": [head], "evaluation__head": head, "evaluation__finetune_epochs": 1}
    config, path = tiny_config(method, **alike), tmp_path / "c.pt"
    result, pretrained = trained(config, path)
    heads_trained.clear()
    again = measure(config, pretrained, checkpoint=path)
    assert heads_trained == []
    assert timeless(again) == timeless(result)
    assert again.cost.pretrain_minutes == result.cost.pretrain_minutes


def test_other_settings_measure_what_a_trial_with_them_would_have(ended: Ended, heads_trained: list[str]) -> None:
    changes = OTHERWISE | {"evaluation.heads": ["robust", "clean"], "evaluation.split": "test"}
    otherwise = override(ended.config, changes)
    found = measure(otherwise, ended.pretrained, checkpoint=ended.path)
    assert heads_trained == ["clean"]
    assert found.split == "test"
    assert timeless(found) == timeless(run(otherwise))


def test_a_head_that_is_to_be_trained_otherwise_is(ended: Ended, heads_trained: list[str]) -> None:
    longer = override(ended.config, {"evaluation.head_epochs": 2})
    found = measure(longer, ended.pretrained, checkpoint=ended.path)
    assert heads_trained == ["robust"]
    assert timeless(found) == timeless(run(longer))


@pytest.mark.slow
def test_a_killed_measurement_goes_on(ended: Ended, heads_trained: list[str]) -> None:
    three = override(ended.config, {"evaluation.heads": ["clean", "slf", "robust"]})

    def killed(words: str) -> None:
        if words == "robust head":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(three, ended.pretrained, checkpoint=ended.path, progress=killed)
    found = measure(three, ended.pretrained, checkpoint=ended.path)
    assert heads_trained == ["clean", "slf"]
    assert timeless(found) == timeless(run(three))


def test_weights_of_another_network_are_refused(ended: Ended) -> None:
    with pytest.raises(CheckpointError, match="use another path or delete it"):
        measure(override(ended.config, {"optimiser.learning_rate": 0.2}), ended.pretrained, checkpoint=ended.path)
    other = replace(ended.pretrained, weights="0" * 64)
    with pytest.raises(CheckpointError, match="holds other weights than those that were to be measured"):
        measure(ended.config, other, checkpoint=ended.path)
    ended.path.unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        measure(ended.config, ended.pretrained, checkpoint=ended.path)


def test_weights_are_known_by_their_names_and_values_before_and_after_a_trial_lets_go_of_the_rest(
    tiny_config: Any, tmp_path: Path
) -> None:
    config, path = tiny_config("simclr"), tmp_path / "c.pt"
    model = trial.network(config, 8, 10).state_dict()
    checkpoint.save(path, config, {"pretraining": {"model": model}})
    before = checkpoint.lasting(checkpoint.load_weights(path, config), config)
    shed(path, config)
    after = checkpoint.load_weights(path, config)
    known = checkpoint.digest(before)
    assert checkpoint.digest(after) == known
    name = next(iter(after))
    assert checkpoint.digest(after | {name: after[name] + 1e-6}) != known
    assert checkpoint.digest({f"other.{key}": value for key, value in after.items()}) != known
    assert checkpoint.digest(after, {"seed": 1}) != known


def test_what_cannot_be_measured_is_refused_before_anything_is(
    tiny_config: Any, tmp_path: Path, heads_trained: list[str]
) -> None:
    config = tiny_config("cf_amc_ssl", evaluation__heads=["own"], evaluation__head="own")
    with pytest.raises(ConfigError, match="no classifier of its own"):
        measure(config, Pretrained(weights="", forward_equivalents=1, minutes=1, gpu_share=1), checkpoint=tmp_path)
    assert heads_trained == []
    assert not evaluation_folder(tmp_path).exists()


def test_pre_training_counts_with_the_share_that_it_held() -> None:
    cost = Cost(
        pretrain_forward_equivalents=7,
        evaluation_forward_equivalents=5,
        pretrain_minutes=10.0,
        evaluation_minutes=4.0,
        gpu_share=0.5,
    )
    assert cost.gpu_minutes == 7.0
    assert replace(cost, pretrain_gpu_share=0.25).gpu_minutes == 4.5


def test_the_projector_is_no_part_of_what_a_head_depends_on(tiny_config: Any) -> None:
    """An ended trial keeps none; the head of a supervised network is one."""
    for method, same in (("cf_amc_ssl", True), ("supervised_pgd", False)):
        config = tiny_config(method)
        encoder = trial.network(config, 8, 10)
        before = assess.fingerprint(encoder, config)
        next(encoder.projector.parameters()).data.add_(1)
        assert (assess.fingerprint(encoder, config) == before) is same
        next(encoder.backbone.parameters()).data.add_(1)
        assert assess.fingerprint(encoder, config) != before
