"""The memory bound as arithmetic; that the engine keeps it is measured elsewhere."""

from __future__ import annotations

from typing import TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.memory import CONVERT, PROCESS, RANGE, UNPACK, WAITING, WORKER, memory_bound

MIB = 1 << 20


class Sizes(TypedDict):
    read_bytes: int
    chunk_bytes: int
    part_bytes: int
    row_bytes: int


DEFAULT: Sizes = {"read_bytes": MIB, "chunk_bytes": MIB, "part_bytes": 8 * MIB, "row_bytes": 16 * MIB}
sizes = st.fixed_dictionaries({name: st.integers(1, 1 << 32) for name in DEFAULT})
some = st.integers(1, 64)


def test_by_hand() -> None:
    """The default sizes on two threads of four pipelines give the sum that the formula's text describes."""
    bound = memory_bound("threads", workers=2, pipelines=4, **DEFAULT)
    usual = PROCESS + 2 * (WORKER + CONVERT * 2 * MIB + 4 * (3 * MIB + UNPACK + WAITING * 2 * MIB + 4 * 8 * MIB))
    groups = 2 * (2 + 4) * 16 * MIB
    longest = (
        PROCESS + 2 * (WORKER + CONVERT * 33 * MIB + 4 * (3 * MIB + UNPACK + WAITING * 33 * MIB + 4 * 8 * MIB)) + groups
    )
    assert (bound.usual, bound.parquet, bound.longest) == (usual, usual + groups, longest)
    assert bound.usual < 1024 * MIB  # what a small container has


def test_ranges_are_held_for_their_turn() -> None:
    """Splitting files costs each worker two results of ranges."""
    whole = memory_bound("threads", workers=3, pipelines=2, **DEFAULT)
    split = memory_bound("threads", workers=3, pipelines=2, split=True, **DEFAULT)
    assert split.usual - whole.usual == split.longest - whole.longest == 3 * 2 * (8 * MIB + RANGE)


def test_processes_pay_for_their_interpreters() -> None:
    """N processes need N interpreters more than N threads."""
    threads = memory_bound("threads", workers=3, pipelines=2, **DEFAULT)
    processes = memory_bound("processes", workers=3, pipelines=2, **DEFAULT)
    assert processes.usual - threads.usual == processes.longest - threads.longest == 3 * PROCESS


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(sizes, some, some, st.sampled_from(["workers", "pipelines", *DEFAULT]))
def test_more_of_anything_never_needs_less(sizes: Sizes, workers: int, pipelines: int, name: str) -> None:
    """The bound grows with every one of its inputs, and long rows never need less than usual ones."""
    inputs = {"workers": workers, "pipelines": pipelines, **sizes}
    less = memory_bound("threads", **inputs)  # type: ignore[arg-type]
    more = memory_bound("threads", **inputs | {name: 2 * inputs[name]})  # type: ignore[arg-type, operator]
    assert less.usual < less.parquet <= less.longest
    assert less.usual <= more.usual
    assert less.longest <= more.longest


@pytest.mark.parametrize("row_bytes", [1, MIB // 2])
def test_short_rows_cost_nothing(row_bytes: int) -> None:
    """A row that fits a chunk twice is no reason to hold more than a chunk."""
    sizes: Sizes = {**DEFAULT, "row_bytes": row_bytes}
    bound = memory_bound("threads", workers=1, pipelines=1, **sizes)
    assert bound.longest == bound.parquet
