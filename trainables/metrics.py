"""What a trial measures, with names and units: the only place where a metric's name is spelled.

Accuracies are shares in [0, 1]; times are in the unit their name ends with. A *forward-equivalent* is the work
of one image's (or view's) forward pass through the trial's own network: a backward pass to the inputs alone
counts 1, one to inputs and weights 2. It does not depend on the machine, so trials can be compared by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.outcomes import Outcomes

Direction = Literal["maximize", "minimize"]

CLEAN_ACCURACY = "clean_accuracy"
PGD_ACCURACY = "pgd_accuracy"
AUTO_ATTACK_ACCURACY = "auto_attack_accuracy"
GPU_MINUTES = "gpu_minutes"
EVALUATION_IMAGES = "evaluation_images"
AUTO_ATTACK_IMAGES = "auto_attack_images"
FORWARD_EQUIVALENTS = "forward_equivalents"
EVALUATION_FORWARD_EQUIVALENTS = "evaluation_forward_equivalents"
PEAK_MEMORY_GIB = "peak_memory_gib"
ACCURACIES = (CLEAN_ACCURACY, PGD_ACCURACY, AUTO_ATTACK_ACCURACY)

ENDS = ("", "_low", "_high")
"""After an accuracy's name: its value, and the ends of its 95 % interval."""

COSTS = (FORWARD_EQUIVALENTS, GPU_MINUTES)
"""``gpu_minutes`` depends on the neighbours, ``forward_equivalents`` does not."""
HEADLINES = (*ACCURACIES, *COSTS)
"""What every study may optimise, whatever its heads and radii are called; it may optimise any head's figure, too."""

BOUNDED = (PEAK_MEMORY_GIB, GPU_MINUTES, FORWARD_EQUIVALENTS, EVALUATION_FORWARD_EQUIVALENTS)
"""What a trial uses, of which a study may bound how much; shares are bounded from below, see ``is_share``."""

TRAIN_SECONDS = "train/seconds"
TRAIN_FORWARD_EQUIVALENTS = "train/forward_equivalents"
PROBE_ACCURACY = "train/probe_accuracy"
PROBE_PGD_ACCURACY = "train/probe_pgd_accuracy"
TRUSTED = "trusted"
"""1 where every sanity check held, 0 where one did not; absent where none ran."""

STANDARD: Final = "standard"
"""The version of AutoAttack whose figure is ``auto_attack_accuracy``."""
_WEAKEST_FIRST = ("clean", "fgsm", "pgd", "margin_pgd", "crop_space_pgd", "torchattacks_10_steps", "auto_attack")
_AUTO_ATTACKS = _WEAKEST_FIRST[-2:]
"""Its versions; they run on a draw of the images."""
_KINDS = ("random", "zero", "", "worst")
_OWN = rf"(?!(?:{'|'.join(_WEAKEST_FIRST)})(?:_\d|$))[a-z][a-z0-9_]*(?<!_low)(?<!_high)"
"""What an attack that a package brings may be called: nothing that reads as a figure of the platform's attacks, or as
the end of an interval."""
_FIGURE = re.compile(
    rf"(?P<head>[a-z]\w*)_head/(?:clean|(?P<attack>{'|'.join(_WEAKEST_FIRST[1:])})_(?P<level>\d+(?:\.\d+)?(?:e-\d+)?)"
    rf"(?:_(?P<kind>random|zero|worst))?|(?P<own>{_OWN}))"
)

EPOCH = "epoch"
"""The x-axis of every curve: passes over the training images that are finished, from 1."""


class HeadFigure(NamedTuple):
    """What the name of a head's accuracy says: ``slf_head/clean``, ``robust_head/pgd_16_zero``."""

    head: str
    attack: str
    """``clean``, or what was run: ``pgd``, ``fgsm``, ``margin_pgd``, ``crop_space_pgd``, a version of AutoAttack or an
    attack that a package brings, by its name."""
    level: float = 0.0
    """The attack's radius in 1/255; of a package's, which has one figure, 0."""
    kind: str = ""
    """``zero`` or ``random``, where PGD started, or ``worst`` of all attacks at the radius."""

    @property
    def own(self) -> bool:
        """Whether the attack is a package's; told by its name, installed or not."""
        return self.attack not in _WEAKEST_FIRST


def head_figure(name: str) -> HeadFigure | None:
    """``None`` for what is not called as a head's accuracy."""
    if (found := _FIGURE.fullmatch(name)) is None:
        return None
    attack = found["attack"] or found["own"] or "clean"
    return HeadFigure(found["head"], attack, float(found["level"] or 0), found["kind"] or "")


def is_attack_name(name: str) -> bool:
    """Whether a package may call an attack so."""
    return re.fullmatch(_OWN, name) is not None


def is_accuracy(name: str) -> bool:
    """Whether the metric ``name`` is one of ``ACCURACIES`` or a head's."""
    return name in ACCURACIES or head_figure(name) is not None


def is_attacked(name: str) -> bool:
    """Whether it is an accuracy under attack."""
    figure = head_figure(name)
    return name in (PGD_ACCURACY, AUTO_ATTACK_ACCURACY) if figure is None else figure.attack != "clean"


def is_objective(name: str) -> bool:
    """Whether a study may optimise it; whether its trials measure it is another question."""
    return is_accuracy(name) or name in COSTS


def direction(objective: str) -> Direction:
    """Which way it is better: accuracies up, costs down. ``ValueError`` for what is no objective."""
    if not is_objective(objective):
        raise ValueError(f"{objective} is neither an accuracy nor a cost; a study optimises {', '.join(HEADLINES)}")
    return "minimize" if objective in COSTS else "maximize"


def counted_by(accuracy: str) -> str:
    """The metric that counts the images that an accuracy is of."""
    return AUTO_ATTACK_IMAGES if is_of_auto_attack(accuracy) else EVALUATION_IMAGES


def chains(metrics: Iterable[str]) -> list[list[str]]:
    """The accuracies among ``metrics`` so that each is, as a rule, of images that the one before counts, too.

    ``ACCURACIES`` are one chain, the figures of a head another: the weakest attack first, AutoAttack last. Under an
    attack of a package, another threat, a figure is a chain by itself.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(filter(is_accuracy, metrics), key=_strength):
        figure = head_figure(name)
        found.setdefault("" if figure is None else name if figure.own else figure.head, []).append(name)
    return [found[chain] for chain in sorted(found)]


def _strength(accuracy: str) -> tuple[bool, float, int, int]:
    if (figure := head_figure(accuracy)) is None:
        return is_of_auto_attack(accuracy), 0.0, ACCURACIES.index(accuracy), 0
    attack = 0 if figure.own else _WEAKEST_FIRST.index(figure.attack)
    return is_of_auto_attack(accuracy), figure.level, attack, _KINDS.index(figure.kind)


def is_share(name: str) -> bool:
    """Whether the metric ``name`` is a share of images in [0, 1]: an accuracy, a probe's too, an end of its interval,
    or a head's figure."""
    return name.startswith((*ACCURACIES, PROBE_ACCURACY, PROBE_PGD_ACCURACY)) or is_accuracy(name)


def is_possible(name: str, value: float) -> bool:
    """Whether the metric ``name`` can be ``value``.

    Numbers of images are finite and at least 1; of what is neither that nor a share nothing is ruled out.
    """
    if name in (EVALUATION_IMAGES, AUTO_ATTACK_IMAGES):
        return 1 <= value < math.inf
    return 0 <= value <= 1 or not is_share(name)


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """``correct`` of ``images`` classified right; never without its sample size."""

    correct: int
    images: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.images or self.images < 1:
            raise ValueError(f"{self.correct} correct of {self.images} images is no accuracy")

    @classmethod
    def of(cls, verdicts: Tensor) -> Accuracy:
        """Of bool (n,): which images were classified right."""
        return cls(correct=int(verdicts.sum()), images=len(verdicts))

    @classmethod
    def of_share(cls, share: float, images: float) -> Accuracy:
        """Whose counts were written down as a ``share`` of so many ``images``."""
        return cls(correct=round(share * images), images=round(images))

    @property
    def value(self) -> float:
        return self.correct / self.images

    def interval(self, z: float = 1.959963984540054) -> tuple[float, float]:
        """Wilson score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953); 95 % by default."""
        n, p = self.images, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """What gradient attacks leave at one radius; ``worst`` counts an image as right only if all of them failed."""

    epsilon: float
    steps: int
    zero_start: Accuracy
    """Under PGD on the cross-entropy from the image itself, as the paper has it."""
    random_start: Accuracy
    """Under PGD from every random start."""
    worst: Accuracy
    fgsm: Accuracy | None = None
    margin: Accuracy | None = None
    """Under PGD on the margin between the right logit and the best wrong one."""


@dataclass(frozen=True, kw_only=True)
class AutoAttackResult:
    """AutoAttack on a stratified draw of ``clean.images`` of the evaluated images; never without that number."""

    version: str
    """``standard``, or ``torchattacks_10_steps``: a weaker one that only serves to explain the paper's Table 6."""
    epsilon: float
    clean: Accuracy
    after: Mapping[str, Accuracy]
    """What is still right after each attack, in the order they ran."""
    accuracy: Accuracy
    """What AutoAttack alone leaves."""
    worst: Accuracy
    """Right only if neither AutoAttack nor any other attack that ran at the radius broke the image."""
    forward_equivalents: int


@dataclass(frozen=True, kw_only=True)
class OwnAttackResult:
    """What an attack that a package brings leaves, by itself."""

    name: str
    accuracy: Accuracy
    forward_equivalents: int
    """Of the passes that it asked for, and of the verdict on what it gave."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a robustness figure can be believed: the checks' figures, and what they object to."""

    checks: Mapping[str, float]
    """Accuracies in [0, 1] by the name of the check that measured them."""
    flags: tuple[str, ...]
    """Why the figure is not to be trusted; empty if it is."""
    images: int

    @property
    def trusted(self) -> bool:
        return not self.flags

    def __str__(self) -> str:
        return "trusted" if self.trusted else f"flagged: {'; '.join(self.flags)}"


@dataclass(frozen=True, kw_only=True)
class HeadResult:
    """One head's figures on the evaluation split; attacks perturb the image unless they say otherwise."""

    name: str
    clean: Accuracy
    attacks: tuple[AttackResult, ...]
    crop_space_attacks: tuple[AttackResult, ...] = ()
    """Of ``n_crops`` heads: each crop is perturbed after it was cut, which no adversary of the image can do."""
    auto_attack: tuple[AutoAttackResult, ...] = ()
    own_attacks: tuple[OwnAttackResult, ...] = ()
    verdict: Verdict | None = None

    def attack(self, epsilon: float) -> AttackResult:
        return next(attack for attack in self.attacks if abs(attack.epsilon - epsilon) < 1e-9)

    @property
    def standard_auto_attack(self) -> AutoAttackResult | None:
        return next((found for found in self.auto_attack if found.version == STANDARD), None)


@dataclass(frozen=True, kw_only=True)
class EpochSummary:
    """What one pass over the images showed; where the loss reads no labels, without labels."""

    epoch: int
    loss: float
    """Mean over the epoch's gradient passes, on perturbed views."""
    terms: Mapping[str, float]
    """The loss's parts by name, unweighted: ``invariance`` and ``tcr`` for EMP-SSL, none for NT-Xent."""
    learning_rate: float
    """At the end of the epoch."""
    loss_clean: float
    loss_fgsm: float
    loss_pgd: float
    """The loss on one fixed batch, clean and attacked: FGSM far below PGD marks catastrophic overfitting."""


@dataclass(frozen=True, kw_only=True)
class EpochReport(EpochSummary):
    """What is known of a trial after each epoch."""

    epochs: int
    probe_accuracy: float
    """Nearest neighbours on the features, on a small share of the evaluation images, by their labels."""
    probe_pgd_accuracy: float
    """The same under PGD at ``evaluation.epsilon``."""
    forward_equivalents: int
    """Pre-training work since the trial began, selection of coresets included."""
    seconds: float
    """Pre-training time since the trial began, over all its attempts."""

    def metrics(self) -> dict[str, float]:
        """Flat, by the names that MLflow, the event files and the report use.

        Raises ``ValueError`` for a part of the loss that is called as another figure is.
        """
        terms = {f"train/{name}": value for name, value in self.terms.items()}
        own = {
            "train/loss": self.loss,
            "train/learning_rate": self.learning_rate,
            "train/loss_clean": self.loss_clean,
            "train/loss_fgsm": self.loss_fgsm,
            "train/loss_pgd": self.loss_pgd,
            PROBE_ACCURACY: self.probe_accuracy,
            PROBE_PGD_ACCURACY: self.probe_pgd_accuracy,
            TRAIN_FORWARD_EQUIVALENTS: float(self.forward_equivalents),
            TRAIN_SECONDS: self.seconds,
        }
        if taken := own.keys() & terms.keys():
            raise ValueError(f"the loss has parts that are called as other figures are ({', '.join(sorted(taken))})")
        return {name: float(value) for name, value in (own | terms).items()}


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A network that another trial has trained: what it is known by, and what its pre-training cost."""

    weights: str
    """SHA-256 of its weights, as ``trainables.checkpoint.digest`` has it."""
    forward_equivalents: int
    minutes: float
    gpu_share: float
    """That the other trial held."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a trial used. ``gpu_minutes`` = wall minutes x the share of the GPU it held (of the CPU where none is).

    Of a trial that measures what another has trained, pre-training is what that one used: it is the network's cost.
    """

    pretrain_forward_equivalents: int
    evaluation_forward_equivalents: int
    pretrain_minutes: float
    evaluation_minutes: float
    gpu_share: float = 1.0
    pretrain_gpu_share: float | None = None
    """In pre-training, where another trial did that; ``None``: the same."""
    peak_memory_gib: float | None = None
    """Largest GPU memory this process held; ``None`` on the CPU."""

    @property
    def gpu_minutes(self) -> float:
        before = self.gpu_share if self.pretrain_gpu_share is None else self.pretrain_gpu_share
        return self.pretrain_minutes * before + self.evaluation_minutes * self.gpu_share


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What a finished trial found, each accuracy with its sample."""

    head: str
    """The head whose figures are ``clean_accuracy`` and ``pgd_accuracy``."""
    epsilon: float
    split: str
    heads: tuple[HeadResult, ...]
    cost: Cost
    data: str
    """The data set in words, with the number of images that trained and were evaluated."""
    classes: tuple[str, ...]
    """Of the heads, in the order of their logits."""
    image_size: int
    """Edge of the images in pixels."""
    device: str
    epochs: int
    outcomes: Outcomes | None = None
    """The heads' figures image by image, kept apart from the figures."""
    also_judged: tuple[str, ...] = ()
    """Further heads of which the verdict is, beside ``head``: those whose figures are objectives, too."""

    @property
    def chosen(self) -> HeadResult:
        return self._named(self.head)

    def _named(self, name: str) -> HeadResult:
        return next(head for head in self.heads if head.name == name)

    def metrics(self) -> dict[str, float]:
        """Flat, by the names that MLflow, Optuna's objectives and the report use."""
        clean, pgd = self.chosen.clean, self.chosen.attack(self.epsilon).worst
        named: dict[str, float] = {
            CLEAN_ACCURACY: clean.value,
            PGD_ACCURACY: pgd.value,
            GPU_MINUTES: self.cost.gpu_minutes,
            FORWARD_EQUIVALENTS: float(self.cost.pretrain_forward_equivalents),
            EVALUATION_FORWARD_EQUIVALENTS: float(self.cost.evaluation_forward_equivalents),
            EVALUATION_IMAGES: float(clean.images),
        }
        accuracies = {CLEAN_ACCURACY: clean, PGD_ACCURACY: pgd}
        if (auto_attack := self.chosen.standard_auto_attack) is not None:
            named[AUTO_ATTACK_ACCURACY] = auto_attack.worst.value
            named[AUTO_ATTACK_IMAGES] = float(auto_attack.worst.images)
            accuracies[AUTO_ATTACK_ACCURACY] = auto_attack.worst
        for name, accuracy in accuracies.items():
            named[f"{name}_low"], named[f"{name}_high"] = accuracy.interval()
        if self.chosen.verdict is not None:
            named[TRUSTED] = float(not self._flags)
        if self.cost.peak_memory_gib is not None:
            named[PEAK_MEMORY_GIB] = self.cost.peak_memory_gib
        for head in self.heads:
            named |= _head_metrics(head)
        return named

    def to_dict(self) -> dict[str, Any]:
        """Plain and JSON-ready; every accuracy with its value and 95 % interval beside the counts."""
        plain: dict[str, Any] = _with_intervals(asdict(replace(self, outcomes=None)))
        del plain["outcomes"], plain["also_judged"]
        return plain | {"metrics": self.metrics(), "verdict": self.verdict}

    @property
    def verdict(self) -> str | None:
        """``trusted`` or ``flagged: why``, of the chosen head and those that are ``also_judged``; ``None`` where no
        checks ran."""
        if self.chosen.verdict is None:
            return None
        return str(replace(self.chosen.verdict, flags=self._flags))

    @property
    def _flags(self) -> tuple[str, ...]:
        own = self.chosen.verdict.flags if self.chosen.verdict else ()
        others = [(name, self._named(name).verdict) for name in self.also_judged if name != self.head]
        return (*own, *(f"{name} head: {flag}" for name, verdict in others if verdict for flag in verdict.flags))


def pgd_metric(head: str, epsilon: float, start: Literal["zero", "random", "worst"]) -> str:
    """Name of one head's PGD accuracy, ``robust_head/pgd_8_zero`` for 8/255."""
    return f"{attack_metric(head, 'pgd', epsilon)}_{start}"


def attack_metric(head: str, attack: str, epsilon: float) -> str:
    """Name of what one attack alone leaves a head: ``robust_head/fgsm_8``."""
    return f"{head}_head/{attack}_{epsilon * 255:g}"


def own_attack_metric(head: str, attack: str) -> str:
    """Name of what a package's attack leaves a head: ``robust_head/l2_pgd_128``."""
    return f"{head}_head/{attack}"


def head_clean_metric(head: str) -> str:
    return f"{head}_head/clean"


def auto_attack_metric(head: str, version: str, epsilon: float, kind: Literal["alone", "worst"] = "alone") -> str:
    """Name of what a version of AutoAttack leaves one head, by itself or after the gradient attacks at its radius:
    ``robust_head/auto_attack_8``, ``robust_head/auto_attack_8_worst``.
    """
    name = "auto_attack" if version == STANDARD else version
    return f"{attack_metric(head, name, epsilon)}{'_worst' if kind == 'worst' else ''}"


def is_of_auto_attack(name: str) -> bool:
    """Whether the accuracy ``name`` is of the images that AutoAttack was run on."""
    figure = head_figure(name)
    return name == AUTO_ATTACK_ACCURACY if figure is None else figure.attack in _AUTO_ATTACKS


def of_head(accuracy: str, head: str, epsilon: float) -> str:
    """Name of the head's figure that one of ``ACCURACIES`` is, where ``head`` is the chosen one."""
    return {
        CLEAN_ACCURACY: head_clean_metric(head),
        PGD_ACCURACY: pgd_metric(head, epsilon, "worst"),
        AUTO_ATTACK_ACCURACY: auto_attack_metric(head, STANDARD, epsilon, "worst"),
    }[accuracy]


def called(accuracy: str, head: str, epsilon: float) -> str:
    """The name of an accuracy in a study with that chosen head and radius: one of ``ACCURACIES`` where it is one."""
    return next((name for name in ACCURACIES if accuracy == of_head(name, head, epsilon)), accuracy)


def clean_of(accuracy: str, head: str) -> str:
    """The clean accuracy of the head that ``accuracy`` is of, ``head`` being the chosen one."""
    figure = head_figure(accuracy)
    return CLEAN_ACCURACY if figure is None or figure.head == head else head_clean_metric(figure.head)


def _head_metrics(head: HeadResult) -> dict[str, float]:
    named = {head_clean_metric(head.name): head.clean.value}
    for attack in head.attacks:
        named[pgd_metric(head.name, attack.epsilon, "zero")] = attack.zero_start.value
        named[pgd_metric(head.name, attack.epsilon, "random")] = attack.random_start.value
        named[pgd_metric(head.name, attack.epsilon, "worst")] = attack.worst.value
        for name, accuracy in (("fgsm", attack.fgsm), ("margin_pgd", attack.margin)):
            if accuracy is not None:
                named[attack_metric(head.name, name, attack.epsilon)] = accuracy.value
    for attack in head.crop_space_attacks:
        named[attack_metric(head.name, "crop_space_pgd", attack.epsilon)] = attack.worst.value
    for found in head.auto_attack:
        named[auto_attack_metric(head.name, found.version, found.epsilon)] = found.accuracy.value
        named[auto_attack_metric(head.name, found.version, found.epsilon, "worst")] = found.worst.value
    for own in head.own_attacks:
        named[own_attack_metric(head.name, own.name)] = own.accuracy.value
    return named


def _with_intervals(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"correct", "images"}:
        accuracy = Accuracy(**value)
        low, high = accuracy.interval()
        return value | {"value": accuracy.value, "low": low, "high": high}
    if isinstance(value, dict):
        return {key: _with_intervals(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_intervals(item) for item in value]
    return value
