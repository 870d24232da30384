"""What a study's figures are called: with the radius, the split and the number of images that they rest on."""

from __future__ import annotations

from analysis.labels import epsilon
from analysis.reading.manifest import told_objectives
from analysis.reading.runs import CONFIG, Study
from trainables.metrics import (
    AUTO_ATTACK_ACCURACY,
    AUTO_ATTACK_IMAGES,
    CLEAN_ACCURACY,
    EVALUATION_IMAGES,
    FORWARD_EQUIVALENTS,
    GPU_MINUTES,
    PGD_ACCURACY,
    counted_by,
    head_figure,
    is_accuracy,
)

_ATTACKS = {
    ("clean", ""): "Clean",
    ("pgd", "zero"): "Zero-start PGD",
    ("pgd", "random"): "Random-start PGD",
    ("pgd", "worst"): "PGD",
    ("fgsm", ""): "FGSM",
    ("margin_pgd", ""): "Margin PGD",
    ("crop_space_pgd", ""): "Crop-space PGD",
    ("auto_attack", ""): "AutoAttack-only",
    ("auto_attack", "worst"): "AutoAttack",
    ("torchattacks_10_steps", ""): "torchattacks-only",
    ("torchattacks_10_steps", "worst"): "torchattacks",
}
"""By attack and kind of a head's figure; as of a study's own head, what all attacks of a kind leave has the plain
name."""


def metric_title(name: str, study: Study) -> str:
    """``short_title``, of an accuracy under AutoAttack with the number of images, which may be fewer."""
    attacked = is_accuracy(name) and counted_by(name) == AUTO_ATTACK_IMAGES
    return short_title(name, study) + (_of_images(study, AUTO_ATTACK_IMAGES) if attacked else "")


def short_title(name: str, study: Study) -> str:
    """``PGD accuracy at 8/255``, ``Cost (forward-equivalents)``; a metric that is no objective by its own name."""
    radius = study.evaluation.get("epsilon")
    attacked = f" at {epsilon(radius)}" if isinstance(radius, int | float) else ""
    titles = {
        CLEAN_ACCURACY: "Clean accuracy",
        PGD_ACCURACY: f"PGD accuracy{attacked}",
        AUTO_ATTACK_ACCURACY: f"AutoAttack accuracy{attacked}",
        FORWARD_EQUIVALENTS: "Cost (forward-equivalents)",
        GPU_MINUTES: "Cost (GPU-minutes)",
    }
    return titles.get(name) or head_title(name) or name


def head_title(name: str) -> str:
    """``PGD accuracy at 16/255 of the robust head``, ``Accuracy under fog_3 of the robust head``; "" for what is no
    head's accuracy."""
    figure = head_figure(name)
    if figure is not None and figure.own:
        return f"Accuracy under {figure.attack} of the {figure.head} head"
    if figure is None or (figure.attack, figure.kind) not in _ATTACKS:
        return ""
    radius = f" at {epsilon(figure.level / 255)}" if figure.level else ""
    return f"{_ATTACKS[figure.attack, figure.kind]} accuracy{radius} of the {figure.head} head"


def protocol(study: Study) -> str:
    """``robust head, validation split, 360 images``: what every accuracy of the study rests on."""
    evaluation = study.evaluation
    parts = [
        f"{evaluation['head']} head" if evaluation.get("head") else "",
        f"{evaluation['split']} split" if evaluation.get("split") else "",
        images_of(study),
        _trained_on(study),
    ]
    return ", ".join(part for part in parts if part)


def assumption(study: Study) -> str:
    """What is assumed in the place of what the study's manifest should tell; "" where it does."""
    return "" if told_objectives(study.manifest) else "its manifest is missing or damaged: its objectives are assumed"


def images_of(study: Study) -> str:
    """``n = 360 images``, or the range where trials were evaluated on different numbers; "" if unknown."""
    return _count(study, EVALUATION_IMAGES)


def auto_attack_images_of(study: Study) -> str:
    """As ``images_of``, of those that AutoAttack attacked."""
    return _count(study, AUTO_ATTACK_IMAGES)


def _trained_on(study: Study) -> str:
    """``trained on 1,000 images`` where that was asked for: with all of them accuracies are other ones."""
    asked = study.trials.get(f"{CONFIG}data.train_images")
    counts = sorted(set(asked.dropna())) if asked is not None else []
    return f"trained on {' or '.join(f'{count:,.0f}' for count in counts)} images" if counts else ""


def _of_images(study: Study, metric: str) -> str:
    counted = _count(study, metric)
    return f", {counted}" if counted else ""


def _count(study: Study, metric: str) -> str:
    if metric not in study.trials:
        return ""
    counts = study.trials[metric].dropna()
    if counts.empty:
        return ""
    low, high = int(counts.min()), int(counts.max())
    return f"n = {low:,} images" if low == high else f"n = {low:,} to {high:,} images"
