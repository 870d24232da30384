"""How many trials share a GPU."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from study.resources.packing import RESERVE, WORTHWHILE, counts_to_try, most_in_memory, pack

memory = st.none() | st.floats(0.01, 200)
speeds = st.dictionaries(st.sampled_from([1, 2, 4, 8, 16]), st.floats(1e-3, 1e9), min_size=1).map(
    lambda found: found | {1: found.get(1, 1.0)}
)


@given(memory, st.floats(0.1, 200), speeds)
def test_what_is_chosen_fits_and_nothing_that_fits_gets_much_more_done(need, device, throughput) -> None:
    chosen = pack(need, device, throughput)
    assert chosen.processes * chosen.fraction == pytest.approx(1)
    assert chosen.processes in throughput
    if need is not None and need <= device * (1 - RESERVE):
        assert chosen.processes * need <= device * (1 - RESERVE) + 1e-9
    able = [
        speed for count, speed in throughput.items() if need is None or count <= (most_in_memory(need, device) or 1)
    ]
    assert throughput[chosen.processes] * WORTHWHILE >= max(able)
    fewer = [speed for count, speed in throughput.items() if count < chosen.processes]
    assert all(speed * WORTHWHILE < max(able) for speed in fewer), "no fewer would have done"


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.1, 200), speeds)
def test_a_smaller_need_never_packs_fewer(one, other, device, throughput) -> None:
    assume(all(throughput[low] <= throughput[high] for low in throughput for high in throughput if low <= high))
    small, large = sorted((one, other))
    assert pack(small, device, throughput).processes >= pack(large, device, throughput).processes


@given(memory, st.floats(0.1, 200), st.floats(0.5, 64), st.floats(0.5, 8))
def test_what_is_tried_fits_memory_and_cores(need, device, cores, each) -> None:
    counts = counts_to_try(need, device, cores, each)
    assert counts[0] == 1
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(counts))
    assert counts[-1] == 1 or counts[-1] * each <= cores + 1e-6
    assert counts[-1] == 1 or need is None or counts[-1] * need <= device * (1 - RESERVE) + 1e-9
    limits = [cores / each] if need is None else [cores / each, device * (1 - RESERVE) / need]
    assert 2 * counts[-1] > min(limits) - 1, "twice as many would not fit"


@pytest.mark.parametrize(
    ("need", "throughput", "processes"),
    [
        (10.0, {1: 100.0, 2: 180.0, 4: 200.0}, 4),
        (10.0, {1: 100.0, 2: 180.0, 4: 185.0}, 2),
        (10.0, {1: 100.0, 2: 90.0}, 1),
        (50.0, {1: 100.0, 2: 180.0}, 1),
        (None, {1: 100.0, 2: 180.0}, 2),
        (10.0, {1: 100.0}, 1),
    ],
)
def test_packings_of_an_80_gib_gpu(need: float | None, throughput: dict[int, float], processes: int) -> None:
    assert pack(need, 80.0, throughput).processes == processes


def test_reasons_are_given() -> None:
    assert pack(None, None, {1: 2.0, 2: 4.0}).why == (
        "measured: memory unknown on the CPU; forward-equivalents a second by trials side by side: 1: 2, 2: 4"
    )
    assert "10.00 of 80.00 GiB" in pack(10.0, 80.0, {1: 2.0}).why
    assert "does not fit even a whole GPU" in pack(None, 80.0, {}).why
