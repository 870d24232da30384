"""By how much one trial, or configuration of a confirmation, is better than another on the images that both saw."""

from __future__ import annotations

import pandas as pd

from analysis import labels
from analysis.frontier.confirmed import confirms, seeds_of
from analysis.frontier.same_images import Seen, paired, seen
from analysis.frontier.uncertainty import Interval, over_images, welch
from analysis.reading.runs import Study
from trainables.config import UserError
from trainables.metrics import ACCURACIES, is_accuracy

PAIRED = "95 %: the wider of Bonett and Price's over the images and Welch's over the seeds"
"""What ``difference`` gives, in a caption's words."""


def difference(study: Study, one: str, other: str, accuracy: str) -> Interval | None:
    """How much more of ``accuracy`` the candidate ``one`` has than ``other``, a share, and its 95 % interval.

    ``accuracy``: one of ``ACCURACIES`` or a head's figure, ``robust_head/pgd_4_worst``. Candidates by their ids: a
    trial's, or of a confirmation that of the trial that is confirmed, for all its seeds. Image by image, so that what
    both get right or wrong adds nothing to the interval (``uncertainty.over_images``); of several seeds each, it is
    Welch's over the seeds where that reaches farther. ``None`` where the two did not both record their outcomes, on the
    same images. ``UserError`` for a candidate that has not finished, and for what is no accuracy.
    """
    if not is_accuracy(accuracy):
        raise UserError(
            f"accuracy is {accuracy!r}; give {', '.join(ACCURACIES)} or a head's, robust_head/pgd_8_zero say"
        )
    names = [_known(study, name) for name in (one, other)]
    return between((study, names[0]), (study, names[1]), accuracy)


def between(one: tuple[Study, str], other: tuple[Study, str], accuracy: str) -> Interval | None:
    """``difference`` of candidates that may be of two studies: each with its study; ``None`` also for unknown ones."""
    left, right = (_seen(*candidate, accuracy) for candidate in (one, other))
    if left is None or right is None or not paired(left, right):
        return None
    image_by_image = over_images(left.shares() - right.shares())
    if min(len(left.right), len(right.right)) < 2:
        return image_by_image
    return _wider(image_by_image, welch(left.accuracies(), right.accuracies()))


def _known(study: Study, name: str) -> str:
    """The id that is meant: ``first/3`` is ``first/0003``."""
    named = labels.parse_trial(name)
    found = f"{named[0]}/{labels.trial_number(named[1])}" if named else name
    for reason in study.trials.loc[study.trials["id"] == found, "excluded"]:
        if reason:
            raise UserError(labels.excluded(name, reason))
    if not _trials(study, found).any():
        raise UserError(f"{study.name} has no finished trial {name}; name it STUDY/NUMBER, as `study trials` does")
    return found


def _seen(study: Study, name: str, accuracy: str) -> Seen | None:
    return seen(study, study.finished[_trials(study, name)], [accuracy])


def _trials(study: Study, name: str) -> pd.Series[bool]:
    """Which of the finished trials are the candidate of that name."""
    finished = study.finished
    own = finished["id"] == name
    if confirms(study) and not own.any():
        own = finished["number"].isin(seeds_of(study, name))
    return own


def _wider(one: Interval, other: Interval) -> Interval:
    return Interval(one.mean, min(one.low, other.low), max(one.high, other.high))
