"""Numbers of images that an evaluation asks for and its data do not have."""

from __future__ import annotations

from trainables.config import EvaluationConfig
from trainables.data import Splits
from trainables.evaluation.assess import VERSIONS


def shortfalls(evaluation: EvaluationConfig, images: Splits) -> list[str]:
    """A warning for each such number, with what is used in its place; ``images``: those of heads and evaluation.

    What there is does; sanity checks, whose number is a default, say theirs in each verdict.
    """
    split = len(images.of(evaluation.split))
    evaluated = min(split, evaluation.images or split)
    there = {
        "images": (split, f"the {evaluation.split} split has"),
        "head_images": (len(images.train), "training leaves"),
    }
    if VERSIONS.keys() & set(evaluation.attacks):
        there["auto_attack_images"] = (evaluated, "the evaluation takes")
    return [
        f"warning: evaluation.{name} is {asked:,} but {words} {count:,} images; {count:,} are used"
        for name, (count, words) in there.items()
        if (asked := getattr(evaluation, name)) is not None and asked > count
    ]
