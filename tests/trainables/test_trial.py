"""A trial from its config to its result: what it refuses before it trains, and what an interruption leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from trainables import trial
from trainables.adversaries import resolve
from trainables.config import ConfigError, override
from trainables.data import ImageSet, draw_rows, identity, load
from trainables.evaluation import assess
from trainables.evaluation.assess import fingerprint
from trainables.evaluation.auto_attack import Trace
from trainables.metrics import (
    ACCURACIES,
    AUTO_ATTACK_IMAGES,
    EVALUATION_IMAGES,
    STANDARD,
    auto_attack_metric,
    of_head,
    pgd_metric,
)
from trainables.trial import evaluation_folder, run


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        (
            "supervised_pgd",
            {"evaluation.heads": ["own"], "evaluation.head": "own", "evaluation.source": "digits"},
            "own",
        ),
        ("cf_amc_ssl", {"coreset.name": "rcs"}, r"coreset\.warmup_epochs is 100 of 2 epochs"),
        ("dynacl", {"views.strength_period": 2}, r"views\.strength_period is 2 of 2 epochs"),
        ("acl", {"adversary.name": "none"}, "takes 'pgd'"),
        ("acl", {"views.number": 3}, "exactly 2 views"),
        ("cf_amc_ssl", {"network.dual_batch_norm": True}, "has no clean branch"),
        ("supervised_free", {"objective.name": "sup_con"}, "at least 2 views"),
        ("cf_amc_ssl", {"evaluation.heads": ["own"], "evaluation.head": "own"}, "no classifier of its own"),
        ("cf_amc_ssl", {"evaluation.heads": ["robust", "robust"]}, "name each once"),
        ("cf_amc_ssl", {"evaluation.attacks": ["auto_attack"]}, "pgd must be among them"),
        ("cf_amc_ssl", {"optimiser.warmup_epochs": 2}, r"optimiser\.warmup_epochs is 2 of 2 epochs"),
        ("cf_amc_ssl", {"evaluation.heads": ["n_crops_0"], "evaluation.head": "n_crops_0"}, "choose from clean"),
        (
            "cf_amc_ssl",
            {"network.architecture": "vit_tiny", "network.width": 64, "network.depth": None, "network.patch_size": 3},
            "patch_size",
        ),
    ],
)
def test_what_is_refused_before_anything_is_trained(tiny_config, monkeypatch, method, changes, message):
    monkeypatch.setattr(trial, "Pretraining", lambda *_: pytest.fail("it began to train"))
    with pytest.raises(ConfigError, match=message):
        run(override(tiny_config(method), changes))


def test_gradients_leak_only_where_the_released_code_leaks_them(tiny_config):
    leaking = [
        method
        for method in ("robust_simclr", "pgd_emp_ssl", "cf_amc_ssl", "supervised_pgd", "acl", "dynacl")
        for config in [tiny_config(method, "released_code")]
        if resolve(config.adversary, config.objective.name, config.faithful_to).leaks_weight_gradients
    ]
    assert leaking == ["robust_simclr", "pgd_emp_ssl"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_nothing_that_is_evaluated_has_trained(tiny_config, monkeypatch, split):
    """Neither network, nor head, nor the probe's neighbours see an image of the split that figures are of."""
    seen: dict[str, ImageSet] = {}
    train, pretraining, probe = assess.train_head, trial.Pretraining, trial.Probe

    def train_head(encoder, name, images, *rest):
        seen["head"] = images
        return train(encoder, name, images, *rest)

    def watched(config, pairing, images, *rest):
        seen["network"] = images
        return pretraining(config, pairing, images, *rest)

    def neighbours(bank, queries, *rest, **more):
        seen["bank"] = bank
        return probe(bank, queries, *rest, **more)

    monkeypatch.setattr(assess, "train_head", train_head)
    monkeypatch.setattr(trial, "Pretraining", watched)
    monkeypatch.setattr(trial, "Probe", neighbours)
    config = tiny_config("simclr", optimiser__epochs=1, evaluation__split=split, evaluation__images=None)
    run(config)
    splits = load(config.data)
    for images in seen.values():
        assert identity(images) == identity(splits.train)
    known = {image.numpy().tobytes() for image in (*splits.train.images, *splits.validation.images)}
    among = [image.numpy().tobytes() in known for image in splits.test.images]
    assert sum(among) < 0.02 * len(among), "the digits have few twins"


def test_heads_and_minutes_survive_a_kill(tiny_config, tmp_path, monkeypatch):
    """Killed between two heads: the first is not trained again, and its time still counts."""
    config = tiny_config("cf_amc_ssl", evaluation__heads=["robust", "clean"])
    alone = run(config)
    path = tmp_path / "c.pt"
    told: list[str] = []

    def killed(words: str) -> None:
        told.append(words)
        if words == "clean head":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, checkpoint=path, progress=killed)
    clock = evaluation_folder(path) / "seconds.json"
    clock.write_text(json.dumps(json.loads(clock.read_text()) | {"seconds": 7200.0}))
    trained: list[str] = []
    train_head = trial.assess.__globals__["train_head"]

    def watched(encoder: object, name: str, *rest: object) -> object:
        trained.append(name)
        return train_head(encoder, name, *rest)

    monkeypatch.setitem(trial.assess.__globals__, "train_head", watched)
    result = run(config, checkpoint=path)
    assert trained == ["clean"]
    assert (result.heads, result.outcomes) == (alone.heads, alone.outcomes)
    assert 120 < result.cost.evaluation_minutes < 125
    assert run(config, checkpoint=path).cost.evaluation_minutes == result.cost.evaluation_minutes


def test_settings_that_change_nothing_keep_what_autoattack_has_found(tiny_config, tmp_path):
    attacks = {"evaluation__attacks": ["pgd", "auto_attack"], "evaluation__auto_attack_images": 6}
    config, path = tiny_config("cf_amc_ssl", **attacks), tmp_path / "c.pt"
    first = run(config, checkpoint=path)
    before = sorted(evaluation_folder(path).iterdir())
    again = run(override(config, {"data.root": str(tmp_path / "elsewhere"), "data.download": True}), checkpoint=path)
    assert sorted(evaluation_folder(path).iterdir()) == before
    assert again.outcomes == first.outcomes


def test_outcomes_tell_of_every_image_what_the_figures_count(tiny_config, monkeypatch):
    """In two heads, a radius that breaks some images and not all, and a version of AutoAttack on few of them."""

    def broken(_classifier: object, images: ImageSet, **_rest: object) -> Trace:
        survived = torch.arange(len(images)) % 4 > 0
        return Trace(clean=torch.ones_like(survived), after={}, survived=survived, forward_equivalents=1)

    monkeypatch.setattr(assess, "run_auto_attack", broken)
    heads = {"heads": ["robust", "clean"], "epsilon": 1 / 255, "attack_epsilons": [1 / 255, 8 / 255]}
    attacks = {"attacks": ["pgd", "auto_attack", "torchattacks_10_steps"], "auto_attack_images": 20}
    config = tiny_config("supervised_pgd", evaluation__head_epochs=10, evaluation__head_learning_rate=0.05)
    result = run(override(config, {f"evaluation.{name}": value for name, value in (heads | attacks).items()}))
    outcomes, metrics = result.outcomes, result.metrics()
    attacked = outcomes.of(AUTO_ATTACK_IMAGES)
    assert (outcomes.images, attacked.sum()) == (metrics[EVALUATION_IMAGES], metrics[AUTO_ATTACK_IMAGES]) == (60, 20)
    counts = {name: int(outcomes.of(name).sum()) for name in outcomes.rows if name != AUTO_ATTACK_IMAGES}
    shares = {name: count / (20 if "attack" in name else 60) for name, count in counts.items()}
    assert len(shares) == 2 * (1 + 2 * 3 + 2 * 2)
    assert shares == {name: metrics[name] for name in shares}
    chosen = {name: shares[of_head(name, "robust", 1 / 255)] for name in ACCURACIES}
    assert chosen == {name: metrics[name] for name in ACCURACIES}
    assert shares[pgd_metric("robust", 8 / 255, "worst")] == result.chosen.attack(8 / 255).worst.value
    assert len(set(chosen.values())) == 3, "figures that differ"
    queries = trial.evaluation_images(trial.load_all(config)[1], config.evaluation)
    assert attacked.nonzero()[0].tolist() == draw_rows(queries.labels, 20).tolist()
    assert outcomes.identity == identity(queries)
    for head in ("robust", "clean"):
        clean, pgd, auto = (outcomes.of(of_head(name, head, 1 / 255)) for name in ACCURACIES)
        assert (pgd <= clean).all()
        assert auto.tolist() == (pgd & outcomes.of(auto_attack_metric(head, STANDARD, 1 / 255))).tolist()
    assert "outcomes" not in result.to_dict()


def test_a_head_is_known_by_the_precision_of_the_attacks_that_trained_it(tiny_config):
    config, encoder = tiny_config("cf_amc_ssl"), torch.nn.Linear(2, 2)
    less = override(config, {"evaluation.attack_precision": "bfloat16"})
    assert fingerprint(encoder, config) != fingerprint(encoder, less)


def test_a_finished_trial_can_be_confirmed_on_test_images(tiny_config, tmp_path):
    """Same heads, other images: AutoAttack begins anew instead of refusing its own old state."""
    attacks = {"evaluation__attacks": ["pgd", "auto_attack"], "evaluation__auto_attack_images": 6}
    config = tiny_config("cf_amc_ssl", evaluation__attack_epsilons=[0.5], evaluation__epsilon=0.5, **attacks)
    path = tmp_path / "c.pt"
    found = run(config, checkpoint=path)
    heads = {file.name for file in evaluation_folder(path).iterdir()}
    confirmed = run(override(config, {"evaluation.split": "test"}), checkpoint=path)
    assert confirmed.outcomes.identity != found.outcomes.identity
    assert confirmed.split == "test"
    states = {file.name for file in evaluation_folder(path).iterdir()}
    assert heads < states
    assert confirmed.heads[0].auto_attack[0].clean.images == 6


def test_heads_on_another_data_set(tiny_config, tmp_path: Path):
    """Pre-trained on digits, heads on a folder of two colours: twelve images that any features tell apart."""
    from PIL import Image

    for split, count in (("train", 40), ("test", 6)):
        for name, level in (("dark", 20), ("light", 230)):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (12, 12), (level + number % 8,) * 3).save(tmp_path / split / name / f"{number}.png")
    config = tiny_config(
        "cf_amc_ssl",
        evaluation__source=f"folder:{tmp_path}",
        evaluation__split="test",
        evaluation__head_epochs=20,
        evaluation__head_learning_rate=0.05,
        data__root=str(tmp_path / "cache"),
    )
    result = run(config)
    assert result.classes == ("dark", "light")
    assert result.chosen.clean.images == 12
    assert result.chosen.clean.value > 0.9
    assert "heads on folder" in result.data


def test_a_gpu_is_known_by_its_number(monkeypatch):
    """Without one torch does not tell this process's share of the memory."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = {name: str(trial.resolve_device(name)) for name in ("auto", "cuda", "cuda:1", "cpu")}
    assert found == {"auto": "cuda:0", "cuda": "cuda:0", "cuda:1": "cuda:1", "cpu": "cpu"}
    with pytest.raises(ConfigError, match="device is 'cuda:2' but torch sees 2 GPUs"):
        trial.resolve_device("cuda:2")


@pytest.mark.parametrize("settings", [{"evaluation__check_images": 8}, {"evaluation__attacks": ("pgd", "auto_attack")}])
def test_a_package_that_attacks_need_is_missed_before_anything_is_trained(tiny_config, monkeypatch, settings):
    plain = {"evaluation__check_images": 0, "evaluation__attacks": ("pgd",)}
    monkeypatch.setattr(assess, "find_spec", lambda _: None)
    assess.check_attacks(tiny_config("cf_amc_ssl", **plain).evaluation, 10)
    with pytest.raises(ConfigError, match="need the package pyautoattack; install it"):
        assess.check_attacks(tiny_config("cf_amc_ssl", **plain | settings).evaluation, 10)
