"""Draws of candidates that saw the same images, against closed forms, other draws, and what must never happen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta, kstest

from analysis.frontier.dominance import chances
from analysis.frontier.resampling import DRAWS, Candidate, candidates, resample, sharing
from analysis.frontier.same_images import Seen
from analysis.layout import StudyPaths
from analysis.reading.runs import Study, read_study

CLEAN, PGD, AUTO = PLANE = ("clean_accuracy", "pgd_accuracy", "auto_attack_accuracy")
IMAGES = 2501
"""Several blocks of images, the last of them short and no whole number of bytes."""
Right = NDArray[np.bool_]


def candidate(*seeds: Sequence[Right], identity: str = "same") -> Candidate:
    """Measured on all images; of each seed the rows by accuracy."""
    right = np.array(seeds)
    counted = np.packbits(np.ones(right.shape[1:], dtype=bool), axis=-1)
    images = right.shape[-1]
    seen = Seen(identity, images, np.packbits(right, axis=-1), counted)
    return Candidate("any", right.mean(axis=-1), np.full(right.shape[1], float(images)), seen)


def drawn(*found: Candidate, draws: int = DRAWS) -> NDArray[np.float64]:
    return resample(found, PLANE[: found[0].values.shape[1]], draws)


def alone(found: Candidate) -> Candidate:
    return found._replace(seen=None)


def read(folder: Any) -> Study:
    paths: StudyPaths = folder.paths
    return read_study(paths)


def first(count: int, images: int = IMAGES, after: int = 0) -> Right:
    """Of ``images``, ``count`` after the first ``after``."""
    return (np.arange(images) >= after) & (np.arange(images) < after + count)


def test_one_accuracy_is_drawn_from_the_same_beta_as_without_outcomes() -> None:
    for right in (0, 1, 40, IMAGES):
        values = drawn(candidate([first(right)]), candidate([first(7, after=9)]), draws=4000)[:, 0, 0]
        assert kstest(values, beta(right + 0.5, IMAGES - right + 0.5).cdf).pvalue > 1e-3


def test_clean_and_pgd_accuracy_go_together_as_without_outcomes() -> None:
    one = candidate([first(2000), first(1300)])
    for values in (drawn(one)[:, 0], drawn(alone(one))[:, 0]):
        assert (values[:, 1] <= values[:, 0] + 1e-12).all()
        shares = np.array([2000, 1300]) / IMAGES
        assert values.mean(axis=0) == pytest.approx(shares, abs=0.001)
        covariance = np.minimum.outer(shares, shares) - np.outer(shares, shares)
        assert np.cov(values.T) * IMAGES == pytest.approx(covariance, rel=0.12)


@pytest.mark.parametrize(("gained", "lost"), [(200, 150), (300, 60), (40, 40)])
def test_a_difference_varies_as_mcnemars(gained: int, lost: int) -> None:
    """By the images that one alone gets right; (b + c - (b - c)^2 / n) / n^2."""
    one, other = candidate([first(1500)]), candidate([first(1500 - gained + lost, after=gained)])
    gain = np.diff(drawn(other, one), axis=1).ravel()
    assert gain.mean() == pytest.approx((gained - lost) / IMAGES, abs=0.001)
    variance = (gained + lost - (gained - lost) ** 2 / IMAGES) / IMAGES**2
    assert gain.var() == pytest.approx(variance, rel=0.13)
    independent = np.diff(drawn(alone(other), alone(one)), axis=1)
    assert independent.var() > 3 * gain.var()


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (3, 0), (2, 1), (6, 2)])
def test_few_images_tell_as_little_as_jeffreys_prior_has_them_tell(gained: int, lost: int) -> None:
    one, other = candidate([first(1200)]), candidate([first(1200 - gained + lost, after=gained)])
    values = drawn(one, other, draws=4000)[:, :, 0]
    surer = beta(gained + 0.5, lost + 0.5).sf(0.5)
    assert (values[:, 0] > values[:, 1]).mean() == pytest.approx(surer, abs=0.06)
    assert (values[:, 0] > values[:, 1]).mean() < 0.999


def test_trials_with_the_same_outcome_on_every_image_are_never_better_than_each_other(
    new_study: Callable[..., Any],
) -> None:
    folder = new_study()
    for number in range(3):
        folder.judged(number, first(300, 400), first(100, 400))
    folder.judged(3, first(50, 400), first(20, 400))
    study = read(folder)
    values = resample(candidates(study, PLANE[:2]), PLANE[:2])
    assert (values[:, 0] == values[:, 1]).all()
    assert (values[:, 0] == values[:, 2]).all()
    assert values[:, 0].std() > 0
    assert chances(study) == {f"tiny/000{number}": chance for number, chance in enumerate([1.0, 1.0, 1.0, 0.0])}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=11, max_size=11), min_size=1, max_size=5),
    st.integers(1, 11),
    st.integers(1, 3),
)
def test_draws_are_shares_and_nested_whatever_was_right(kinds: list[list[int]], images: int, accuracies: int) -> None:
    found = [candidate([np.array(one[:images]) > attack for attack in range(accuracies)]) for one in kinds]
    values = drawn(*found, draws=30)
    assert ((values >= 0) & (values <= 1)).all()
    assert (np.diff(values, axis=2) <= 1e-12).all()
    ends = [np.minimum(one[:images], accuracies) for one in (kinds[0], kinds[-1])]
    assert (values[:, 0] == values[:, -1]).all() == np.array_equal(*ends), "equal draws of equal outcomes alone"


def test_auto_attack_is_drawn_on_its_own_images_among_the_others(new_study: Callable[..., Any]) -> None:
    folder, attacked = new_study(), first(100, 1000)
    same, other = first(60, 1000), first(60, 1000) | first(300, 1000, after=500)
    for number, pgd in enumerate((same, other)):
        folder.judged(number, first(900, 1000), pgd, (first(40, 1000), attacked))
    values = resample(candidates(read(folder), PLANE), PLANE)
    assert values[:, :, 2].mean(axis=0) == pytest.approx([0.4, 0.4], abs=0.01)
    assert values[:, 0, 2].std() == pytest.approx(math.sqrt(0.24 / 100), rel=0.1)
    gain = values[:, 1] - values[:, 0]
    assert gain[:, 1].mean() == pytest.approx(0.3, abs=0.005)
    assert gain[:, 2].std() < 0.2 * values[:, 0, 2].std(), "both survive on the same of its images"
    # it is one with the images that PGD saw: of those attacked, 40 of the 60 that survive PGD
    assert np.corrcoef(values[:, 0, 1], values[:, 0, 2])[0, 1] > 0.15


def test_seeds_that_agree_do_not_make_the_images_more_and_are_drawn_beside_them(
    new_confirmation: Callable[..., Any],
) -> None:
    child = new_confirmation({3: [], 4: []})
    for place, (configuration, right) in enumerate([(3, 200), (3, 200), (3, 200), (4, 190), (4, 200), (4, 210)]):
        params = {"configuration": configuration, "seed": place % 3}
        child.judged(place, first(right, 400), first(0, 400), params=params)
    found = candidates(read(child), [CLEAN])
    assert [one.seen.right.shape for one in found if one.seen] == [(3, 1, 50)] * 2
    agreeing, apart = resample(found, [CLEAN])[:, :, 0].T
    assert agreeing.var() == pytest.approx(0.25 / 400, rel=0.12)
    # s^2 / k of 0.475, 0.5, 0.525, and of the images nothing: all but a few are right in both or wrong in both
    assert (agreeing - apart).var() == pytest.approx(0.025**2 / 3, rel=0.25)


def test_a_seed_without_outcomes_leaves_its_configuration_to_independent_draws(
    new_confirmation: Callable[..., Any],
) -> None:
    child = new_confirmation({3: [], 4: []})
    for place, configuration in enumerate((3, 3, 4, 4)):
        params = {"configuration": configuration, "seed": place % 2}
        child.judged(place, first(180, 360), first(0, 360), params=params, **{"outcomes": None} if place == 3 else {})
    assert [one.seen is None for one in candidates(read(child), [CLEAN])] == [False, True]


def test_in_a_study_of_mixed_ages_those_are_drawn_together_that_can_be(new_study: Callable[..., Any]) -> None:
    folder = new_study()
    folder.judged(0, first(300, 400), first(100, 400))
    folder.finished(1, 0.75, 0.25, images=400)
    folder.judged(2, first(290, 400), first(110, 400))
    folder.judged(3, first(290, 400), first(110, 400), identity="other images")
    found = candidates(read(folder), PLANE[:2])
    together = np.corrcoef(resample(found, PLANE[:2])[:, :, 0].T)
    assert together[0, 2] > 0.9
    assert np.abs(together[[0, 0, 1, 1, 2], [1, 3, 2, 3, 3]]).max() < 0.1
    assert sharing(found) == " (the same images for 2 of the 4)"
    assert (sharing(found[::2]), sharing(found[:2])) == (" (the same images for all)", "")


def test_trials_of_two_studies_pair_where_their_images_are_the_same(new_study: Callable[..., Any]) -> None:
    found = []
    for name in ("one", "other"):
        folder = new_study(name)
        folder.judged(0, first(300, 400), first(100, 400))
        found += candidates(read(folder), [CLEAN])
    values = resample(found, [CLEAN])[:, :, 0]
    assert (values[:, 0] == values[:, 1]).all()


WHOLE: dict[str, Any] = {
    "identity": "same",
    "images": 16,
    "rows": {"robust_head/clean": "/wA=", "robust_head/pgd_8_worst": "8AA="},
}


@pytest.mark.parametrize(
    "outcomes",
    [
        "torn",
        {**WHOLE, "images": 24},
        {**WHOLE, "rows": {"robust_head/clean": "/wA="}},
        {**WHOLE, "rows": WHOLE["rows"] | {"robust_head/clean": "/4A="}},
        {**WHOLE, "rows": WHOLE["rows"] | {"robust_head/pgd_8_worst": "8A"}},
        {**WHOLE, "rows": {name.replace("robust", "clean"): row for name, row in WHOLE["rows"].items()}},
    ],
    ids=["no outcomes", "too few bits", "no PGD", "not the figure's", "torn base64", "another head's"],
)
def test_outcomes_that_are_damaged_or_foreign_are_as_none(new_study: Callable[..., Any], outcomes: Any) -> None:
    folder = new_study()
    for number, told in enumerate((WHOLE, WHOLE, outcomes)):
        folder.finished(number, 0.5, 0.25, images=16, outcomes=told)
    study = read(folder)
    assert [one.seen is None for one in candidates(study, PLANE[:2])] == [False, False, True]
    assert len(chances(study)) == 3


def test_the_images_beyond_the_last_count_for_nobody(new_study: Callable[..., Any]) -> None:
    """A row's last byte may have bits of no image; set by whom they may, they make another figure."""
    folder = new_study()
    rows = {"robust_head/clean": "//8=", "robust_head/pgd_8_worst": "8AA="}
    folder.finished(0, 1.0, 4 / 12, images=12, outcomes={**WHOLE, "images": 12, "rows": rows})
    assert candidates(read(folder), PLANE[:2])[0].seen is None


def test_accuracies_of_several_heads_are_each_drawn_from_their_own_beta() -> None:
    names = ["slf_head/pgd_8_zero", "clean_accuracy", "slf_head/clean"]
    counts = {"clean_accuracy": 40, "slf_head/clean": 900, "slf_head/pgd_8_zero": 0}
    in_chains = ["clean_accuracy", "slf_head/clean", "slf_head/pgd_8_zero"]
    found = candidate([first(counts[name]) for name in in_chains])
    found = found._replace(values=np.array([[counts[name] / IMAGES for name in names]]))
    for one, lowest in ((found, 1e-3), (alone(found), 1e-3)):
        values = resample([one], names, 4000)[:, 0]
        for place, name in enumerate(names):
            more = (0.5, 1.0) if name.endswith("_zero") else (1.0, 0.5) if name == "slf_head/clean" else (0.5, 0.5)
            expected = beta(counts[name] + more[0], IMAGES - counts[name] + more[1])
            assert kstest(values[:, place], expected.cdf).pvalue > lowest
        clean, slf, pgd = values[:, 1], values[:, 2], values[:, 0]
        assert (pgd <= slf).all(), "within a head what withstands an attack is right without it"
        assert (clean < slf).all()


def test_a_lead_in_another_heads_accuracy_is_paired_too() -> None:
    """Of two candidates each is the better one in one figure; that few images tell them apart is what counts."""
    names = ["clean_accuracy", "slf_head/clean"]
    one = candidate([first(1000), first(1500)])
    other = candidate([first(1012), first(1488)])
    paired = resample([one, other], names)
    gains = paired[:, 0] - paired[:, 1]
    assert (gains[:, 0] < 0).mean() > 0.95
    assert (gains[:, 1] > 0).mean() > 0.95
    apart = resample([alone(one), alone(other)], names)
    assert (apart[:, 0] - apart[:, 1] < 0).mean(axis=0)[0] < 0.9
