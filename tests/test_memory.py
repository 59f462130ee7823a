"""The memory bound as arithmetic; that the engine keeps it is measured elsewhere."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.memory import CONVERT, PROCESS, RANGE, UNPACK, WAITING, WORKER, Sizes, fit, memory_bound
from engine.pool.build import Executor

MIB = 1 << 20


DEFAULT = Sizes(read_bytes=MIB, chunk_bytes=MIB, part_bytes=8 * MIB, row_bytes=16 * MIB)
NAMES = ("read_bytes", "chunk_bytes", "part_bytes", "row_bytes")
sizes = st.builds(Sizes, **dict.fromkeys(NAMES, st.integers(1, 1 << 32)))
some = st.integers(1, 64)


def test_by_hand() -> None:
    """The default sizes on two threads of four pipelines give the sum that the formula's text describes."""
    bound = memory_bound("threads", 2, 4, DEFAULT)
    usual = PROCESS + 2 * (WORKER + CONVERT * 2 * MIB + 4 * (3 * MIB + UNPACK + WAITING * 2 * MIB + 4 * 8 * MIB))
    groups = 2 * (2 + 4) * 16 * MIB
    longest = (
        PROCESS + 2 * (WORKER + CONVERT * 33 * MIB + 4 * (3 * MIB + UNPACK + WAITING * 33 * MIB + 4 * 8 * MIB)) + groups
    )
    assert (bound.usual, bound.parquet, bound.longest) == (usual, usual + groups, longest)
    assert bound.usual < 1024 * MIB  # what a small container has


def test_ranges_are_held_for_their_turn() -> None:
    """Splitting files costs each worker two results of ranges."""
    whole = memory_bound("threads", 3, 2, DEFAULT)
    split = memory_bound("threads", 3, 2, replace(DEFAULT, split=True))
    assert split.usual - whole.usual == split.longest - whole.longest == 3 * 2 * (8 * MIB + RANGE)


def test_processes_pay_for_their_interpreters() -> None:
    """N processes need N interpreters more than N threads."""
    threads = memory_bound("threads", 3, 2, DEFAULT)
    processes = memory_bound("processes", 3, 2, DEFAULT)
    assert processes.usual - threads.usual == processes.longest - threads.longest == 3 * PROCESS


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(sizes, some, some, st.sampled_from(["workers", "pipelines", *NAMES]))
def test_more_of_anything_never_needs_less(sizes: Sizes, workers: int, pipelines: int, name: str) -> None:
    """The bound grows with every one of its inputs, and long rows never need less than usual ones."""
    n, m = ((1 + (name == what)) * count for what, count in (("workers", workers), ("pipelines", pipelines)))
    larger = replace(sizes, **{name: 2 * asdict(sizes)[name]}) if name in NAMES else sizes
    less = memory_bound("threads", workers, pipelines, sizes)
    more = memory_bound("threads", n, m, larger)
    assert less.usual < less.parquet <= less.longest
    assert less.usual <= more.usual
    assert less.longest <= more.longest


@pytest.mark.parametrize("row_bytes", [1, MIB // 2])
def test_short_rows_cost_nothing(row_bytes: int) -> None:
    """A row that fits a chunk twice is no reason to hold more than a chunk."""
    bound = memory_bound("threads", 1, 1, replace(DEFAULT, row_bytes=row_bytes))
    assert bound.longest == bound.parquet


def test_what_fits_is_run_as_it_is_wanted() -> None:
    """Where the longest rows fit on every pipeline at once, nothing is less than was wanted and nothing is counted."""
    found = fit(1 << 40, "threads", 8, 16, DEFAULT, fewer_workers=True)
    assert (found.workers, found.pipelines, found.room, found.longest, found.warning) == (8, 16, None, 16 * MIB, None)


def test_fewer_files_at_once_where_memory_is_less() -> None:
    """M is the most that fits, and no more than was wanted; who reads the log learns of it."""
    limit = memory_bound("threads", 2, 3, DEFAULT).parquet
    found = fit(limit, "threads", 2, 8, DEFAULT, fewer_workers=False)
    assert (found.workers, found.pipelines, found.bound.parquet) == (2, 3, limit)
    assert found.warning is not None
    assert found.warning.endswith("running 2 with 3")
    assert fit(limit - 1, "threads", 2, 8, DEFAULT, fewer_workers=False).pipelines == 2


def test_fewer_workers_where_nobody_asked_for_so_many() -> None:
    """A machine of many processors and little memory runs fewer workers, unless their number was configured: then it
    says how many would fit."""
    limit = memory_bound("processes", 3, 1, DEFAULT).parquet
    found = fit(limit, "processes", 64, 4, DEFAULT, fewer_workers=True)
    assert (found.workers, found.pipelines) == (3, 1)
    with pytest.raises(ConfigError, match=r"^limits\.memory_bytes: .* set pool\.workers to 3 or less") as refused:
        fit(limit, "processes", 64, 4, DEFAULT, fewer_workers=False)
    assert "\n" not in str(refused.value)


def test_too_little_for_one_file_is_refused() -> None:
    """Where not even one worker with one file fits, nothing starts, and the sizes that could be less are named."""
    with pytest.raises(ConfigError, match=r"1 worker with a file each.*destination\.part_bytes"):
        fit(100 * MIB, "threads", 4, 4, DEFAULT, fewer_workers=True)


@given(sizes, some, some, st.sampled_from(["threads", "processes"]), st.integers(0, 1 << 36))
def test_what_runs_fits(sizes: Sizes, workers: int, pipelines: int, executor: Executor, more: int) -> None:
    """Whatever the sizes, what is run needs no more than there is, and long rows no more than it leaves."""
    limit = memory_bound(executor, 1, 1, sizes).parquet + more
    found = fit(limit, executor, workers, pipelines, sizes, fewer_workers=True)
    assert found.bound.parquet <= limit
    assert 1 <= found.workers <= workers
    assert 1 <= found.pipelines <= pipelines
    if found.room is None:
        assert found.bound.longest <= limit
    else:
        processes = found.workers if executor == "processes" else 1
        assert found.bound.parquet + processes * found.room.total * (CONVERT + WAITING) <= limit
    assert found.longest <= sizes.row_bytes or found.longest <= sizes.chunk_bytes
