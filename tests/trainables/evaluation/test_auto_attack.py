"""AutoAttack image by image against the official code, killed at every batch, and in bfloat16."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

from trainables.checkpoint import CheckpointError
from trainables.config import ConfigError
from trainables.data import ImageSet, pixels
from trainables.evaluation import auto_attack_state
from trainables.evaluation.auto_attack import Trace, run_auto_attack
from trainables.evaluation.auto_attack_official import ATTACKS, STRENGTHS, Strength, Victim, official_attack
from trainables.precision import float32_convolutions

EPSILON, SEED = 0.12, 3
FAST = Strength(apgd_steps=5, fab_steps=5, square_queries=50, target_classes=3)


class Obfuscated(nn.Module):
    """One network behind four masks; the first pixel, in thirds, says which, and each hides from one more attack.

    0: none. 1: logits so large that the cross-entropy has no gradient. 2: also the loser's logits so low that the
    targeted DLR loss has none. 3: no gradient at all.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("visible", torch.ones(3, 8, 8))
        self.visible[0, 0, 0] = 0

    def forward(self, images: Tensor) -> Tensor:
        mask = (images[:, 0, 0, 0] * 3).round()
        seen = torch.where((mask == 3)[:, None, None, None], images.detach(), images)
        logits = self.network(seen * self.visible)
        logits = torch.where(((mask == 1) | (mask == 2))[:, None], 1e4 * logits, logits)
        losers = torch.ones_like(logits, dtype=torch.bool).scatter(1, logits.topk(2).indices, False)
        return logits.masked_fill((mask == 2)[:, None] & losers, -3e38)


class Fewer(nn.Module):
    """The first ``classes`` of a classifier's."""

    def __init__(self, classifier: nn.Module, classes: int) -> None:
        super().__init__()
        self.classifier, self.classes = classifier, classes

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(images)[:, : self.classes]


def digits() -> ImageSet:
    found = load_digits()
    grey = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    return ImageSet(grey[:, None].repeat(1, 3, 1, 1), torch.from_numpy(found.target).long())


@pytest.fixture(scope="module")
def network() -> nn.Module:
    known = digits().subset(torch.arange(100, 900))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(40):
        F.cross_entropy(net(pixels(known.images)), known.labels).backward()
        optimiser.step()
        optimiser.zero_grad()
    return net.eval()


@pytest.fixture
def classifier(network) -> nn.Module:
    return Obfuscated(copy.deepcopy(network)).eval()


@pytest.fixture
def images() -> ImageSet:
    chosen = digits().subset(torch.arange(48))
    chosen.images[:, 0, 0, 0] = 85 * (torch.arange(48) % 4)
    return chosen


@pytest.fixture
def fast(monkeypatch) -> None:
    monkeypatch.setitem(STRENGTHS, "standard", FAST)


def attack(classifier: nn.Module, images: ImageSet, **changes: Any) -> Trace:
    settings: dict[str, Any] = {"version": "standard", "epsilon": EPSILON, "batch_size": 16, "precision": "float32"}
    return run_auto_attack(classifier, images, **(settings | {"seed": SEED} | changes))


def official(classifier: nn.Module, epsilon: float = EPSILON) -> Any:
    from pyautoattack import AutoAttack

    return AutoAttack(classifier, eps=epsilon, norm="Linf", seed=SEED, version="standard")


def weaken(whole: Any, strength: Strength) -> None:
    for apgd in (whole.apgd, whole.apgd_targeted):
        apgd.n_iter = apgd.n_iter_orig = strength.apgd_steps
        apgd.n_iter_2, apgd.n_iter_min, apgd.size_decr = (
            max(int(share * strength.apgd_steps), 1) for share in (0.22, 0.06, 0.03)
        )
    whole.fab.n_iter, whole.square.n_queries = strength.fab_steps, strength.square_queries
    whole.apgd_targeted.n_target_classes = whole.fab.n_target_classes = strength.target_classes


def official_verdicts(
    classifier: nn.Module, images: ImageSet, batch_size: int, strength: Strength
) -> dict[str, Tensor]:
    """What is still right after each attack, as the official evaluation reports it to its own state."""
    from pyautoattack.state import EvaluationState

    after: dict[str, Tensor] = {}
    whole = official(copy.deepcopy(classifier))
    weaken(whole, strength)
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        patch.setattr(
            EvaluationState, "add_run_attack", lambda self, name: after.update({name: self.robust_flags | False})
        )
        _, predicted = whole.run_standard_evaluation(pixels(images.images), images.labels, batch_size=batch_size)
    assert (predicted == images.labels).tolist() == list(after.values())[-1].tolist()
    return {name: after.get(name, torch.zeros(len(images), dtype=torch.bool)) for name in ATTACKS}


def assert_equal(trace: Trace, expected: dict[str, Tensor]) -> None:
    assert list(trace.after) == list(expected)
    for name, kept in expected.items():
        assert trace.after[name].tolist() == kept.tolist(), name
    assert trace.survived.tolist() == expected["square"].tolist()


def same(trace: Trace, other: Trace) -> bool:
    verdicts = all(torch.equal(trace.after[name], other.after[name]) for name in ATTACKS)
    return verdicts and torch.equal(trace.clean, other.clean) and trace.forward_equivalents == other.forward_equivalents


@pytest.mark.parametrize("batch_size", [9, 20, 48])
def test_verdicts_are_the_official_ones_image_by_image(fast, classifier, images, batch_size):
    trace = attack(classifier, images, batch_size=batch_size)
    assert_equal(trace, official_verdicts(classifier, images, batch_size, FAST))
    left = [int(kept.sum()) for kept in (trace.clean, *trace.after.values())]
    assert len(images) > left[0] > left[1] > left[2] > left[3] > left[4] > 0, left


@pytest.mark.exhaustive
def test_verdicts_are_the_official_ones_at_full_strength(classifier, images):
    few = images.subset(torch.tensor([0, 1, 2, 3, 17, 23]))
    whole = official(copy.deepcopy(classifier))
    with torch.random.fork_rng(devices=[]):
        _, predicted = whole.run_standard_evaluation(pixels(few.images), few.labels, batch_size=4)
    assert attack(classifier, few, batch_size=4).survived.tolist() == (predicted == few.labels).tolist()


def test_as_many_target_classes_as_there_are(fast, classifier, images):
    assert [Strength().targets(classes) for classes in (4, 9, 10, 11, 1000)] == [3, 8, 9, 9, 9]
    classes = 4
    fewer = Fewer(classifier, classes)
    some = images.subset((images.labels < classes).nonzero().flatten())
    trace = attack(fewer, some, batch_size=6)
    assert_equal(trace, official_verdicts(fewer, some, 6, replace(FAST, target_classes=classes - 1)))
    assert trace.clean.sum() > trace.survived.sum()


def test_a_single_image_is_a_batch(fast, classifier, images):
    whole = attack(classifier, images, batch_size=64)
    for index in (int((~whole.survived & whole.clean).nonzero()[0]), int(whole.survived.nonzero()[0])):
        alone = images.subset(torch.tensor([index]))
        assert_equal(attack(classifier, alone), official_verdicts(classifier, alone, 16, FAST))


def test_too_few_classes_for_the_targeted_loss_are_refused(classifier, images):
    with pytest.raises(ConfigError, match="3 classes"):
        attack(Fewer(classifier, 3), images.subset((images.labels < 3).nonzero().flatten()))


def test_attacks_are_set_up_as_the_standard_version_sets_them_up():
    whole = official(nn.Identity())
    theirs = {"apgd-ce": whole.apgd, "apgd-t": whole.apgd_targeted, "fab-t": whole.fab, "square": whole.square}
    whole.apgd.loss, whole.fab.targeted = "ce", True
    assert list(theirs) == whole.attacks_to_run == list(ATTACKS)
    given = {"model", "predict", "logger", "device"}
    for name, attack in theirs.items():
        ours = official_attack(name, nn.Identity(), STRENGTHS["standard"], 9, EPSILON, SEED)
        assert type(ours) is type(attack)
        assert {key: value for key, value in vars(ours).items() if key not in given} == {
            key: value for key, value in vars(attack).items() if key not in given
        }


def test_torchattacks_version_only_shortens_apgd_and_fab_and_aims_at_every_class(classifier, images):
    weak = STRENGTHS["torchattacks_10_steps"]
    assert weak == replace(STRENGTHS["standard"], apgd_steps=10, fab_steps=10, target_classes=None)
    assert [weak.targets(classes) for classes in (4, 10, 100)] == [3, 9, 99]
    whole = official(nn.Identity())
    weaken(whole, weak)
    ours = official_attack("apgd-t", nn.Identity(), weak, 9, EPSILON, SEED)
    for name in ("n_iter", "n_iter_orig", "n_iter_2", "n_iter_min", "size_decr"):
        assert vars(ours)[name] == vars(whole.apgd_targeted)[name]


def test_nobody_right_returns_at_once(fast, classifier, images):
    wrong = ImageSet(images.images, (classifier(pixels(images.images)).argmax(1) + 1) % 10)
    trace = attack(classifier, wrong)
    assert trace.forward_equivalents == len(images)
    assert not any(kept.any() for kept in (trace.clean, trace.survived, *trace.after.values()))


def test_logits_that_are_no_numbers_classify_nothing(fast, classifier, images):
    class Broken(nn.Module):
        """Its logit for the right class of a digit 1 is no number, which ``max`` would pick."""

        def forward(self, images: Tensor) -> Tensor:
            logits = classifier(images)
            return logits.index_fill(1, torch.tensor([1]), float("nan"))

    trace = attack(Broken(), images.subset((images.labels == 1).nonzero().flatten()))
    assert not trace.clean.any()


def moved(by: float) -> Callable[..., Tensor]:
    return lambda self, x, y: x + by


@pytest.mark.parametrize(("by", "breaks"), [(EPSILON, True), (EPSILON + 1e-4, False), (float("nan"), False)])
def test_only_examples_within_epsilon_break_an_image(fast, monkeypatch, by, breaks):
    from pyautoattack.autopgd_base import APGDAttack

    class Untouched(nn.Module):
        """Right as long as no pixel moves, by an amount that no gradient shows."""

        def forward(self, images: Tensor) -> Tensor:
            same = (images == 0.4).flatten(1).all(1).float()[:, None] + 0 * images.flatten(1).sum(1, keepdim=True)
            return torch.cat([same, 0.5 * torch.ones_like(same), 0 * same, 0 * same], dim=1).nan_to_num()

    monkeypatch.setattr(APGDAttack, "perturb", moved(by))
    grey = ImageSet(torch.full((3, 3, 8, 8), 102, dtype=torch.uint8), torch.zeros(3, dtype=torch.long))
    trace = attack(Untouched(), grey)
    assert trace.clean.all()
    assert trace.after["apgd-ce"].tolist() == [not breaks] * 3


def test_only_examples_within_the_range_of_pixels_break_an_image(fast, monkeypatch):
    from pyautoattack.autopgd_base import APGDAttack

    summing = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    with torch.no_grad():
        summing[1].weight.copy_(torch.eye(4)[:, :1].expand(4, 192))
        summing[1].bias.copy_(torch.tensor([0.0, -1.0, -9.0, -9.0]))
    monkeypatch.setattr(APGDAttack, "perturb", moved(-EPSILON))
    black = ImageSet(torch.zeros(3, 3, 8, 8, dtype=torch.uint8), torch.zeros(3, dtype=torch.long))
    assert attack(summing, black).survived.all()


class KilledError(Exception):
    pass


def after(calls: int) -> Callable[..., None]:
    """Raises at that call."""
    left = iter(range(calls - 1, -1, -1))

    def call(*_: Any) -> None:
        if next(left) == 0:
            raise KilledError

    return call


def some(images: ImageSet) -> ImageSet:
    return images.subset(torch.arange(12))


def judged(path: Any) -> int:
    """Verdicts in the state file, which is whole and alone in its folder."""
    assert list(path.parent.iterdir()) == [path]
    return sum(torch.load(path, weights_only=True)["ledger"]["judged"].values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_killed_after_every_batch_it_ends_with_the_same_verdicts(fast, tmp_path, classifier, images, precision):
    settings = {"batch_size": 4, "precision": precision}
    heard: list[tuple[str, int, int]] = []
    whole = attack(classifier, some(images), **settings, progress=lambda *news: heard.append(news))
    state = tmp_path / "state.pt"
    seen: list[int] = []
    for _ in heard:
        with pytest.raises(KilledError):
            attack(classifier, some(images), **settings, state=state, progress=after(1))
        seen.append(judged(state))
    assert seen == sorted(set(seen))
    assert same(attack(classifier, some(images), **settings, state=state), whole)


def test_progress_says_what_comes_next_and_counts_the_images_that_are_left(fast, classifier, images):
    """Of a stage that is done nothing is said while the next one runs."""
    heard: list[tuple[str, int, int]] = []
    trace = attack(classifier, some(images), batch_size=7, progress=lambda *news: heard.append(news))
    before = [12, *(int(kept.sum()) for kept in (trace.clean, *trace.after.values()))]
    begun = [
        (stage, done, of) for stage, of in zip(("clean", *ATTACKS), before, strict=False) for done in range(0, of, 7)
    ]
    last, _, of = begun[-1]
    assert heard == [*begun[1:], (last, of, of)]


def test_killed_inside_a_batch_it_ends_with_the_same_verdicts(fast, tmp_path, classifier, images):
    calls: list[None] = []
    counting = classifier.register_forward_pre_hook(lambda *_: calls.append(None))
    whole = attack(classifier, some(images), batch_size=8)
    counting.remove()
    for number in range(1, len(calls) + 1, len(calls) // 5):
        state = tmp_path / str(number) / "state.pt"
        untouched = torch.get_rng_state()
        failing = classifier.register_forward_pre_hook(after(number))
        with pytest.raises(KilledError):
            attack(classifier, some(images), batch_size=8, state=state)
        failing.remove()
        assert torch.equal(torch.get_rng_state(), untouched)
        assert all(parameter.requires_grad for parameter in classifier.parameters())
        assert not state.exists() or judged(state) > 0
        assert same(attack(classifier, some(images), batch_size=8, state=state), whole)


CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from trainables import atomic
from trainables.data import ImageSet, pixels
from trainables.evaluation.auto_attack import run_auto_attack
from trainables.evaluation.auto_attack_official import STRENGTHS, Strength

torch.set_num_threads(1)
STRENGTHS["standard"] = Strength(apgd_steps=2, fab_steps=2, square_queries=5, target_classes=2)
given = torch.load(sys.argv[1], weights_only=True)
classifier = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10))
classifier.load_state_dict(given["weights"])
saves, fsync = [], os.fsync

def die(file):
    saves.append(file)
    if len(saves) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)

atomic.os.fsync = die
run_auto_attack(classifier, ImageSet(given["images"], given["labels"]), version="standard", epsilon=0.05,
                batch_size=4, precision="float32", seed=3, state=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_killed_while_it_saves_it_continues_from_the_save_before(monkeypatch, tmp_path, images):
    strength = Strength(apgd_steps=2, fab_steps=2, square_queries=5, target_classes=2)
    monkeypatch.setitem(STRENGTHS, "standard", strength)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    labels = linear(pixels(images.images)).argmax(1)
    chosen = ImageSet(images.images, labels).subset(torch.arange(10))
    given, state = tmp_path / "given.pt", tmp_path / "state.pt"
    torch.save({"weights": linear.state_dict(), "images": chosen.images, "labels": chosen.labels}, given)
    child = subprocess.run([sys.executable, "-c", CHILD, str(given), str(state)], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert torch.load(state, weights_only=True)["ledger"]["judged"] == {"clean": 10}
    settings = {"epsilon": 0.05, "batch_size": 4}
    heard: list[str] = []
    resumed = attack(linear, chosen, **settings, state=state, progress=lambda name, *_: heard.append(name))
    assert "clean" not in heard
    assert same(resumed, attack(linear, chosen, **settings))


def test_a_finished_state_asks_the_classifier_nothing(fast, tmp_path, classifier, images):
    state = tmp_path / "state.pt"
    whole = attack(classifier, some(images), state=state)
    classifier.register_forward_pre_hook(after(1))
    assert same(attack(classifier, some(images), state=state), whole)


def changed(what: str, classifier: nn.Module, images: ImageSet) -> tuple[nn.Module, ImageSet]:
    classifier, images = copy.deepcopy(classifier), ImageSet(images.images.clone(), images.labels.clone())
    with torch.no_grad():
        if what == "parameter":
            next(classifier.parameters()).view(-1)[0] += 1e-6
        elif what == "buffer":
            classifier.visible[0, 0, 0] = 1
        elif what == "pixel":
            images.images[-1, -1, -1, -1] += 1
        elif what == "label":
            images.labels[-1] += 1
    return classifier, images


@pytest.mark.parametrize(
    ("what", "named"),
    [("parameter", "classifier"), ("buffer", "classifier"), ("pixel", "images"), ("label", "images")],
)
def test_a_state_of_other_images_or_weights_is_refused(fast, tmp_path, classifier, images, what, named):
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        attack(classifier, some(images), state=state, progress=after(1))
    before = state.read_bytes()
    with pytest.raises(CheckpointError, match=named):
        attack(*changed(what, classifier, some(images)), state=state)
    assert state.read_bytes() == before
    with pytest.raises(KilledError):
        attack(*changed("nothing", classifier, some(images)), state=state, progress=after(1))


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0.13},
        {"batch_size": 15},
        {"seed": 4},
        {"precision": "bfloat16"},
        {"version": "torchattacks_10_steps"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_state_of_other_settings_is_refused(fast, tmp_path, classifier, images, change):
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        attack(classifier, some(images), state=state, progress=after(1))
    with pytest.raises(CheckpointError, match=next(iter(change))):
        attack(classifier, some(images), state=state, **change)


def test_a_state_of_another_strength_is_refused(fast, monkeypatch, tmp_path, classifier, images):
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        attack(classifier, some(images), state=state, progress=after(1))
    monkeypatch.setitem(STRENGTHS, "standard", replace(FAST, square_queries=FAST.square_queries + 1))
    with pytest.raises(CheckpointError, match="square_queries 50 there, 51 here"):
        attack(classifier, some(images), state=state)


@pytest.mark.parametrize("content", [b"", b"no state", None])
def test_a_file_that_is_no_state_is_refused(tmp_path, classifier, images, content):
    state = tmp_path / "state.pt"
    if content is None:
        torch.save({"format": auto_attack_state.FORMAT + 1}, state)
    else:
        state.write_bytes(content)
    with pytest.raises(CheckpointError, match="delete it"):
        attack(classifier, some(images), state=state)


def test_it_leaves_nothing_behind(fast, capfd, caplog, classifier, images):
    """No random state moved, no gradient or mode changed, no word said (a warning is an error here)."""
    weights = copy.deepcopy(classifier.state_dict())
    classifier.network[0].bias.requires_grad_(False)
    classifier.train()
    given = ImageSet(images.images.clone(), images.labels.clone())
    untouched = torch.get_rng_state()
    caplog.set_level("DEBUG")
    attack(classifier, images)
    assert torch.equal(torch.get_rng_state(), untouched)
    assert [parameter.requires_grad for parameter in classifier.parameters()] == [True, False, True, True]
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert all(module.training for module in (classifier, classifier.network))
    assert torch.is_grad_enabled()
    assert all(torch.equal(value, weights[name]) for name, value in classifier.state_dict().items())
    assert torch.equal(given.images, images.images)
    assert torch.equal(given.labels, images.labels)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_it_does_not_depend_on_the_global_random_state(fast, classifier, images):
    first = attack(classifier, some(images))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        assert same(attack(classifier, some(images)), first)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_forward_equivalents_are_what_hooks_count(fast, classifier, images, precision):
    counted = [0]

    def count(_: nn.Module, inputs: tuple[Tensor]) -> None:
        counted[0] += len(inputs[0])
        if inputs[0].requires_grad:
            inputs[0].register_hook(lambda gradient: counted.__setitem__(0, counted[0] + len(gradient)))

    classifier.register_forward_pre_hook(count)
    trace = attack(classifier, images, precision=precision)
    assert trace.forward_equivalents == counted[0] > 50 * len(images)


class Rounded(nn.Module):
    """Two kinds of images that bfloat16, which knows no number between 256 and 258, misjudges.

    Dark ones have 257 for class 1 and 256.9 for class 0: a tie in bfloat16, which class 0 wins. Light ones have 257.2
    for class 0, which an attack can bring below class 1's 256.9, but never below its 256 in bfloat16.
    """

    def forward(self, images: Tensor) -> Tensor:
        level = images.flatten(1).mean(1)
        light = level > 0.5
        zeroth = torch.where(light, 257.2 + 8 * (level - 0.8), 256.9)
        first = torch.where(light, 256.9, 257.0)
        return F.linear(torch.stack([zeroth, first, 0 * level, 0 * level], dim=1), torch.eye(4))


def test_bfloat16_neither_breaks_nor_spares_on_its_own(fast):
    levels, labels = torch.tensor([0, 204, 0, 204], dtype=torch.uint8), torch.tensor([1, 0, 1, 0])
    images = ImageSet(levels[:, None, None, None].repeat(1, 3, 8, 8), labels)
    victim = Victim(Rounded(), "bfloat16")
    assert victim(pixels(images.images)).argmax(1).tolist() == [0, 0, 0, 0]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        tried = official_attack("apgd-ce", victim, FAST, 3, 0.1, SEED).perturb(pixels(images.images), labels)
    assert victim(tried).argmax(1).tolist() == [0, 0, 0, 0]
    for precision in ("bfloat16", "float32"):
        trace = attack(Rounded(), images, precision=precision, epsilon=0.1)
        assert trace.clean.all()
        assert all(kept.tolist() == [True, False, True, False] for kept in trace.after.values())


def test_tf32_is_for_finding_examples_and_float32_for_judging_them(fast, classifier, images, monkeypatch):
    """On the CPU, which has no TF32, the flag alone can be watched; the verdicts are float32's."""
    seen: dict[str, set[bool]] = {"float32": set(), "tf32": set()}

    class Watched(Victim):
        def __init__(self, classifier: nn.Module, precision: Any) -> None:
            super().__init__(classifier, precision)
            self._precision = precision

        def __call__(self, images: Tensor) -> Tensor:
            seen[self._precision].add(torch.backends.cudnn.allow_tf32)
            return super().__call__(images)

    whole = attack(classifier, images)
    monkeypatch.setattr("trainables.evaluation.auto_attack.Victim", Watched)
    with float32_convolutions():
        trace = attack(classifier, images, precision="tf32")
    assert seen == {"float32": {False}, "tf32": {True}}
    assert torch.equal(trace.survived, whole.survived)
    assert trace.forward_equivalents == whole.forward_equivalents


def test_the_callers_autocast_is_shut_out():
    level = torch.zeros(1, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Rounded()(level)[0, 1] == 256
        assert Victim(Rounded(), "float32")(level)[0, 1] == 257
        assert Victim(Rounded(), "bfloat16")(level)[0, 1] == 256
