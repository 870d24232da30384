"""What a trial needs and gives, measured on a few steps of it."""

from __future__ import annotations

import pytest
import torch

from trainables import footprint
from trainables.config import ConfigError, override
from trainables.footprint import Rehearsal, _shortened, measure
from trainables.losses import Losses
from trainables.trial import run

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(footprint, "STEPS", 1)
    monkeypatch.setattr(footprint, "SECONDS", 0.0)


def test_on_the_cpu_the_speed_is_known_and_the_memory_is_not(trainable, tiny_config):
    found = measure(tiny_config(trainable))
    assert found.forward_equivalents_per_second > 0
    assert (found.peak_memory_gib, found.memory_gib, found.device) == (None, None, "CPU")


def test_speed_is_work_over_time(tiny_config, monkeypatch):
    """Two batches of 40 images with 3 views and 3 replays, each a forward and a full backward pass, in 0.5 s."""
    times = iter([10.0, 10.1, 10.5, 10.5])
    rehearsal = Rehearsal(tiny_config("cf_amc_ssl"))
    monkeypatch.setattr(footprint, "STEPS", 2)
    monkeypatch.setattr(footprint.time, "monotonic", lambda: next(times))
    assert rehearsal.time(0.0).forward_equivalents_per_second == pytest.approx(2 * 40 * 3 * 3 * 3 / 0.5)


def test_what_is_timed_is_the_real_step(tiny_config, monkeypatch):
    trained, rehearsal = [], Rehearsal(tiny_config("robust_simclr"))
    real = Losses.trained

    def counted(self, views, *rest):
        trained.append((tuple(views.shape), views.requires_grad or self.model.training))
        return real(self, views, *rest)

    monkeypatch.setattr(Losses, "trained", counted)
    rehearsal.time(0.0)
    assert trained == [((2, 40, 3, 8, 8), True)]
    assert all(parameter.requires_grad for parameter in rehearsal._pretraining.model.parameters())


def test_the_largest_batch_of_each_part_is_rehearsed(tiny_config):
    plain = {"evaluation__attack_batch_size": 100, "evaluation__head_batch_size": 64, "evaluation__images": None}
    more = {"evaluation__heads": ["robust", "alf"], "evaluation__attacks": ["pgd", "auto_attack"]}
    shortened = [
        _shortened(tiny_config("cf_amc_ssl", **plain, **further, evaluation__auto_attack_batch_size=200)).evaluation
        for further in ({}, more)
    ]
    assert [each.images for each in shortened] == [100, 200]
    assert [each.head_images for each in shortened] == [64, 512]


def test_a_rehearsal_leaves_a_trial_as_it_was(tiny_config):
    config = tiny_config("cf_amc_ssl", optimiser__epochs=1)
    before = run(config).metrics()
    measure(config)
    after = run(config).metrics()
    assert {name: value for name, value in before.items() if "minutes" not in name} == {
        name: value for name, value in after.items() if "minutes" not in name
    }


def test_what_a_trial_refuses_is_refused(tiny_config):
    with pytest.raises(ConfigError, match=r"optimiser\.batch_size is 5000"):
        measure(override(tiny_config("cf_amc_ssl"), {"optimiser.batch_size": 5000}))


@gpu
def test_more_views_need_more_memory(tiny_config):
    few, many = (measure(tiny_config("cf_amc_ssl", device="cuda", views__number=number)) for number in (2, 16))
    assert 0 < few.peak_memory_gib < many.peak_memory_gib < many.memory_gib < many.device_memory_gib
    assert many.context_memory_gib > 0.05


@gpu
def test_the_peak_is_that_of_the_trial(tiny_config):
    config = tiny_config("cf_amc_ssl", device="cuda", views__number=16, optimiser__epochs=1)
    assert measure(config).peak_memory_gib == pytest.approx(run(config).cost.peak_memory_gib, rel=0.25)
