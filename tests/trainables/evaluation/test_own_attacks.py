"""Attacks of packages against a head: what counts, what is drawn, what it costs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trainables import packages
from trainables.config import EvaluationConfig, TrialConfig, ViewsConfig
from trainables.data import ImageSet, pixels
from trainables.evaluation import Classifier, train_head
from trainables.evaluation.assess import Task, assess
from trainables.evaluation.attack import Attack
from trainables.evaluation.own_attacks import attacked
from trainables.evaluation.verdicts import classified_right
from trainables.metrics import Accuracy

CONFIG = EvaluationConfig(head_epochs=1, head_attack_steps=1, attack_steps=1, attack_batch_size=4, check_images=0)
FAULTY = "from trainables.evaluation.attack import Attack\nimport torch\n"
FAULTY += "MINE = Attack(name='mine', summary='', source='', perturb=lambda logits, images, labels: {})\n"


def attack(perturb: Callable[..., Tensor], name: str = "mine") -> Attack:
    return Attack(name=name, summary="", source="", perturb=perturb)


@pytest.fixture
def head(encoder, noise) -> Classifier:
    return train_head(encoder, "clean", noise(12), 3, CONFIG, ViewsConfig(), seed=0)


def test_what_counts_is_right_where_the_attack_ends(head, noise) -> None:
    images = noise(10)
    found = attacked(head, attack(lambda _logits, images, _labels: 1 - images), images, CONFIG, seed=0)
    with torch.no_grad():
        expected = classified_right(head(1 - pixels(images.images)), images.labels)
    assert torch.equal(found.right, expected)
    assert found.result.accuracy == Accuracy.of(expected)
    assert 0 < int(expected.sum()) < 10


def test_each_batch_draws_from_a_stream_of_its_own(head, noise) -> None:
    drawn: list[Tensor] = []

    def perturb(_logits: object, images: Tensor, _labels: Tensor) -> Tensor:
        drawn.append(torch.rand(3))
        return images

    def draws(name: str = "mine", seed: int = 0, images: ImageSet = noise(10)) -> list[list[float]]:  # noqa: B008
        drawn.clear()
        attacked(head, attack(perturb, name), images, CONFIG, seed)
        return [numbers.tolist() for numbers in drawn]

    torch.manual_seed(5)
    first = draws()
    before = torch.random.get_rng_state()
    torch.rand(9)
    again = torch.random.get_rng_state()
    assert draws() == first, "whatever was drawn before"
    assert torch.equal(torch.random.get_rng_state(), again), "who draws afterwards hears nothing of it"
    assert not torch.equal(before, again)
    assert len({tuple(numbers) for numbers in first}) == 3, "three batches"
    assert draws(images=noise(4)) == first[:1]
    assert not {*map(tuple, draws("other"))} & {*map(tuple, first)}
    assert not {*map(tuple, draws(seed=1))} & {*map(tuple, first)}


@pytest.mark.parametrize(("name", "passes"), [("clean", 1), ("n_crops_3", 3)])
def test_work_is_counted_forward_and_back(encoder, noise, name: str, passes: int) -> None:
    config = replace(CONFIG, attack_batch_size=4 * passes, crops_epochs=1)
    classifier = train_head(encoder, name, noise(12), 3, config, ViewsConfig(number=2), seed=0)

    def perturb(logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            logits(images[:1])
        moved = images.requires_grad_()
        found = logits(moved)
        for image in found.gather(1, labels[:, None]).sum(), found.sum():
            (slope,) = torch.autograd.grad(image, moved, retain_graph=True)
        assert slope.any()
        return images.detach()

    batches, images = 3, 10
    asked = batches + images * (1 + 2)  # one image forward, all of them forward, and twice back
    seen: list[int] = []
    encoder.backbone.register_forward_hook(lambda _model, inputs, _output: seen.append(len(inputs[0])))
    found = attacked(classifier, attack(perturb), noise(images), config, seed=0)
    assert found.result.forward_equivalents == passes * (asked + images), "each is judged"
    assert sum(seen) == passes * (batches + images + images)


def test_the_network_evaluates_and_learns_nothing(head, noise) -> None:
    def perturb(logits: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
        assert not any(module.training for module in head.modules())
        moved = images.clone().requires_grad_()
        logits(moved).sum().backward()
        assert all(weight.grad is None for weight in head.parameters())
        labels.zero_()
        return images.mul_(0.5)

    images = noise(6)
    head.zero_grad()
    before = {name: value.clone() for name, value in head.state_dict().items()}
    found = attacked(head, attack(perturb), images, CONFIG, seed=0)
    halved = attacked(head, attack(lambda _logits, images, _labels: images / 2), images, CONFIG, seed=0)
    assert torch.equal(found.right, halved.right), "it may make what it likes of images and labels"
    assert images.labels.tolist() == noise(6).labels.tolist()
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_it_leaves_gradients_on_and_may_keep_its_graph(encoder, noise, recwarn) -> None:
    """Else the next head cannot be trained, nor the next trial of the process."""

    def perturb(logits: Callable[[Tensor], Tensor], images: Tensor, _labels: Tensor) -> Tensor:
        found = images.requires_grad_() * logits(images).sum().sigmoid()
        torch.set_grad_enabled(False)
        return found

    with torch.enable_grad():
        head = train_head(encoder, "clean", noise(12), 3, CONFIG, ViewsConfig(), seed=0)
        attacked(head, attack(perturb), noise(10), CONFIG, seed=0)
        assert torch.is_grad_enabled()
    assert not recwarn.list


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("1 / 0", r"ZeroDivisionError: division by zero in .*faulty\.py, line 3\); mend the package"),
        (
            "None",
            r"what it gives is of type NoneType; it must be a tensor of shape \(4, 3, 8, 8\), torch.float32, on cpu",
        ),
        ("images[:2]", r"what it gives is a tensor of shape \(2, 3, 8, 8\)"),
        ("images.double()", r"what it gives is a tensor of shape \(4, 3, 8, 8\), torch.float64"),
        ("images / 0", "what it gives is not finite"),
        ("images + 1", r"what it gives goes from 1 to 1\.\d+; clamp it to \[0, 1\]"),
        ("images - 0.1", r"what it gives goes from -0\.1 to"),
        ("logits(labels)", r"mine' of faulty 1\.2 fails"),
    ],
)
def test_a_fault_is_told_as_the_packages(package, encoder, noise, given: str, told: str) -> None:
    package("faulty", FAULTY.format(given), attacks={"mine": "faulty:MINE"})
    config = TrialConfig(trainable="cf_amc_ssl", evaluation=replace(CONFIG, attacks=("pgd", "mine")))
    with pytest.raises(packages.PackageError, match=told) as raised:
        assess(encoder, config, Task(train=noise(12), queries=noise(8), classes=3, folder=None))
    assert str(raised.value).startswith("attack 'mine' of faulty 1.2 fails")


@pytest.mark.parametrize("error", ["torch.OutOfMemoryError('full')", "torch.AcceleratorError('gone')"])
def test_a_gpu_that_is_full_or_fails_is_no_fault_of_the_package(package, encoder, noise, error: str) -> None:
    package("faulty", FAULTY.format(f"(_ for _ in ()).throw({error})"), attacks={"mine": "faulty:MINE"})
    config = TrialConfig(trainable="cf_amc_ssl", evaluation=replace(CONFIG, attacks=("pgd", "mine")))
    with pytest.raises(RuntimeError, match=r"full|gone"):
        assess(encoder, config, Task(train=noise(12), queries=noise(8), classes=3, folder=None))


def test_every_head_is_attacked_and_no_other_figure_depends_on_it(own_package, encoder, noise) -> None:
    heads = replace(CONFIG, heads=("clean", "robust"))
    task = Task(train=noise(12), queries=noise(10), classes=3, folder=None)
    told: list[str] = []

    def run(*attacks: str):
        evaluation = replace(heads, attacks=("pgd", *attacks))
        return assess(encoder, TrialConfig(trainable="cf_amc_ssl", evaluation=evaluation), task, told.append)

    plain, found = run(), run("noise_3", "l2_pgd_128")
    own = {name for name in found.outcomes.rows if name not in plain.outcomes.rows}
    assert own == {f"{head}_head/{name}" for head in heads.heads for name in ("noise_3", "l2_pgd_128")}
    assert {name: found.outcomes.rows[name] for name in plain.outcomes.rows} == dict(plain.outcomes.rows)
    for head, before in zip(found.heads, plain.heads, strict=True):
        assert replace(head, own_attacks=()) == before
        for one in head.own_attacks:
            counted = int(found.outcomes.of(f"{head.name}_head/{one.name}").sum())
            assert one.accuracy == Accuracy(correct=counted, images=10)
    assert "robust head: l2_pgd_128: 8 of 10 images" in told
    assert run("noise_3", "l2_pgd_128") == found, "measured again it is the same"
