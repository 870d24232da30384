from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.data import generator

LABELS = st.lists(st.one_of(st.text(max_size=8), st.integers(0, 9)), max_size=3).map(tuple)


def draw(seed: int, *labels: str | int) -> list[float]:
    return torch.rand(4, generator=generator(seed, *labels)).tolist()


@given(st.integers(0, 2**40), LABELS)
def test_equal_arguments_give_equal_streams(seed: int, labels: tuple[str | int, ...]) -> None:
    assert draw(seed, *labels) == draw(seed, *labels)


@given(st.integers(0, 99), LABELS, st.integers(0, 99), LABELS)
def test_other_arguments_give_other_streams(
    seed: int, labels: tuple[str | int, ...], other_seed: int, other_labels: tuple[str | int, ...]
) -> None:
    assert (draw(seed, *labels) == draw(other_seed, *other_labels)) == ((seed, labels) == (other_seed, other_labels))


def test_labels_do_not_run_into_each_other() -> None:
    streams = [draw(0, "ab"), draw(0, "a", "b"), draw(0, 1), draw(0, "1"), draw(0, "1", ""), draw(1)]
    assert len({tuple(stream) for stream in streams}) == len(streams)


def test_the_seed_depends_neither_on_process_nor_version() -> None:
    assert generator(7, "views", 3).initial_seed() == 215629798057930917


def test_neighbouring_epochs_are_uncorrelated() -> None:
    streams = torch.stack([torch.randn(2000, generator=generator(0, "views", epoch)) for epoch in range(20)])
    correlation = torch.corrcoef(streams) - torch.eye(20)
    assert correlation.abs().max() < 5 / 2000**0.5
