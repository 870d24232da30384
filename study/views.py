"""A picture of what a configuration trains on: images, their views, and what its adversary makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from analysis import labels
from analysis.layout import EPOCH, read_events
from analysis.reading.written import find_trial, pretrained_of
from study.named import named
from study.one_trial import check_writable
from study.sheet import Block, Cell, Sheet, draw
from trainables import adversaries, checkpoint
from trainables.atomic import replacing
from trainables.config import TrialConfig, UserError
from trainables.data import strength
from trainables.preview import Preview, preview


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a sheet is of: a configuration, at the beginning of ``epoch`` with ``weights``, if it has any."""

    name: str
    config: TrialConfig
    epoch: int = 1
    weights: Mapping[str, Tensor] | None = None

    @property
    def network(self) -> str:
        """In words, whom the adversary attacks."""
        if self.weights is None:
            return "the untrained network"
        kept = any(name.startswith("projector.") for name in self.weights)
        trained = f"the network as trained to epoch {self.epoch}"
        return trained if kept else f"{trained}, its projector drawn anew: an ended trial keeps none"


def find(name: str, changes: Mapping[str, Any]) -> Subject:
    """The configuration that ``named`` finds; a trial's with its trained network. Raises ``UserError`` as that does."""
    config = named(name, changes)
    return _trial(name, config) if labels.parse_trial(name) else Subject(name=name, config=config)


def write_sheet(subject: Subject, path: Path, *, images: int, columns: int) -> None:
    """Replace ``path`` by the sheet as PNG; ``images``: its blocks, ``columns``: views shown of each at most.

    Raises ``UserError`` as a training of ``subject`` would.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"{path} does not end in .png, and a sheet is a PNG; write views.png, say")
    check_writable(path)
    seen = preview(subject.config, images, epoch=subject.epoch, weights=subject.weights)
    with replacing(path) as file:
        draw(sheet(subject, seen, columns)).save(file, "PNG", optimize=True)


def sheet(subject: Subject, seen: Preview, columns: int) -> Sheet:
    """A block an image: the image and its views, and where there is an adversary the views after it, and its work."""
    shown = min(columns, len(seen.views))
    blocks = (_block(subject, seen, index, shown) for index in range(len(seen.images)))
    heads = ("image", *(f"view {number}" for number in range(1, shown + 1)))
    return Sheet(caption(subject, seen, shown), heads, tuple(blocks))


def caption(subject: Subject, seen: Preview, shown: int) -> tuple[str, ...]:
    """What is seen, how views are cut, and how they are perturbed."""
    config = subject.config
    called = subject.name if subject.name == config.trainable else f"{subject.name} ({config.trainable})"
    data = seen.data.rpartition(":")[0]
    first = f"{called}, seed {config.seed}, epoch {subject.epoch} of {config.optimiser.epochs}. Images: {data}."
    return first, _views_in_words(subject, shown), _adversary_in_words(subject, len(seen.images))


def magnification(epsilon: float) -> int:
    """The whole factor that spreads perturbations of ``epsilon`` from black over grey to white."""
    return max(1, round(0.5 / epsilon))


def _trial(name: str, config: TrialConfig) -> Subject:
    _, paths = find_trial(name)
    if not paths.checkpoint.exists():
        return Subject(name=name, config=config)
    trained = [event["epoch"] for event in read_events(paths) if event["kind"] == EPOCH]
    epoch = max(trained, default=1) if pretrained_of(paths) is None else config.optimiser.epochs
    weights = checkpoint.load_weights(paths.checkpoint, config)
    return Subject(name=name, config=config, epoch=epoch, weights=weights)


def _views_in_words(subject: Subject, shown: int) -> str:
    config, epochs = subject.config.views, subject.config.optimiser.epochs
    number = f"{config.number} an image" + (f", {shown} of them shown" if shown < config.number else "")
    if config.kind == "padded":
        cut = "padded, moved by up to an eighth of an edge"
    else:
        area, ratio = _range(*config.scale), _range(*config.ratio)
        cut = f"{config.kind} of {area} of the area, width / height {ratio}"
    share = strength(config, subject.epoch, epochs)
    weakened = "" if share == 1 else f", at strength {share:.3g}"
    return f"Views: {number}; {cut}; colour as {config.augmentation}{weakened}."


def _adversary_in_words(subject: Subject, images: int) -> str:
    config = subject.config
    if config.adversary.name == "none":
        return "Adversary: none."
    attack = adversaries.resolve(config.adversary, config.objective.name, config.faithful_to)
    step, epsilon = labels.epsilon(attack.step_size), labels.epsilon(attack.epsilon)
    if config.adversary.name == "free":
        how = f"free, m = {config.adversary.replays} replays"
    else:
        how = f"PGD, {attack.steps} steps from {'a random start' if attack.random_start else 'zero'}"
    where = f"on these {images} images alone, against {subject.network}"
    return f"Adversary: {how}, epsilon {epsilon}, step {step}; {where}."


def _range(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _block(subject: Subject, seen: Preview, index: int, shown: int) -> Block:
    views: list[Cell] = [_picture(view[index]) for view in seen.views[:shown]]
    rows: list[tuple[Cell, ...]] = [(seen.images[index], *views)]
    if seen.adversarial is not None and seen.perturbations is not None:
        factor = magnification(subject.config.adversary.epsilon)
        unperturbed: list[Cell] = [None] * (len(seen.views) - len(seen.adversarial))
        for words, tensors in (
            ("after its adversary", seen.adversarial),
            (f"perturbation x{factor}, grey is 0", 0.5 + factor * seen.perturbations),
        ):
            cells = [*unperturbed, *(_picture(tensor[index]) for tensor in tensors)]
            rows.append((words, *cells[:shown]))
    return Block(f"class {seen.classes[index]}", tuple(rows))


def _picture(values: Tensor) -> Tensor:
    """[0, 1] -> uint8"""
    return (values.clamp(0, 1) * 255).round().byte()
