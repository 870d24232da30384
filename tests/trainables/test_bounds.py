"""Values that are well typed and that no machine computes: each is refused with its bound and the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trainables.catalogue import default_config
from trainables.config import ConfigError, override
from trainables.data import load
from trainables.trial import unfit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.image_size": 100_000}, "data.image_size is 100000; it must be at most 1024: a batch of larger images"),
        ({"views.number": 10**9}, "views.number is 1000000000; it must be at most 10000: no paper"),
        ({"network.width": 10**8}, "network.width is 100000000; it must be at most 1024: "),
        ({"network.pre_feature": 10**12}, "network.pre_feature is 1000000000000; it must be at most 65536: two such"),
        ({"network.projector_hidden": 10**12}, "network.projector_hidden is 1000000000000; it must be at most"),
        ({"network.embedding": 2**62}, "network.embedding is 4611686018427387904; it must be at most 65536: "),
        ({"network.projector_layers": 10**9}, "network.projector_layers is 1000000000; it must be at most 64: "),
    ],
)
def test_a_value_beyond_all_machines_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(default_config("cf_amc_ssl"), changes)
    assert str(caught.value).startswith(message)


def test_the_largest_network_is_checked_without_the_memory_for_it() -> None:
    config = override(default_config("cf_amc_ssl"), {"data.source": "digits", "network.pre_feature": 65536})
    network = replace(config.network, width=1024, projector_hidden=65536, embedding=65536, projector_layers=64)
    splits = load(config.data)
    assert not list(unfit(replace(config, network=network), splits, splits))


@pytest.mark.parametrize("architecture", ["regnet_y_400mf", "inception_v3"])
def test_a_network_that_reads_numbers_while_it_is_built_is_checked_too(architecture: str) -> None:
    config = override(
        default_config("cf_amc_ssl"),
        {"data.source": "digits", "data.image_size": 80, "network.architecture": architecture},
    )
    splits = load(config.data)
    assert not list(unfit(config, splits, splits))
