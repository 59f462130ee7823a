"""Files to workers."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.pool.assign import AssignPolicy, assign

POLICIES: list[AssignPolicy] = ["round_robin", "largest_first"]
sizes_of = st.lists(st.integers(0, 1 << 40), max_size=60)
some_workers = st.integers(1, 20)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure


def loads(sizes: list[int], chosen: list[int], workers: int) -> list[int]:
    return [sum(size for size, one in zip(sizes, chosen, strict=True) if one == worker) for worker in range(workers)]


@UNHURRIED
@given(sizes_of, some_workers, st.sampled_from(POLICIES))
def test_every_file_gets_one_existing_worker_and_always_the_same(
    sizes: list[int], workers: int, policy: AssignPolicy
) -> None:
    """The answer covers every file, names only workers that exist, and does not change."""
    chosen = assign(sizes, workers, policy)
    assert len(chosen) == len(sizes)
    assert all(0 <= worker < workers for worker in chosen)
    assert assign(sizes, workers, policy) == chosen


@UNHURRIED
@given(sizes_of, some_workers)
def test_round_robin_counts_differ_by_at_most_one(sizes: list[int], workers: int) -> None:
    """Round robin spreads the number of files evenly, in order."""
    chosen = assign(sizes, workers, "round_robin")
    counts = [Counter(chosen)[worker] for worker in range(workers)]
    assert max(counts) - min(counts) <= 1
    assert chosen[:workers] == list(range(min(workers, len(sizes))))


@UNHURRIED
@given(sizes_of, some_workers)
def test_largest_first_gap_is_at_most_the_smallest_file_of_the_fullest(sizes: list[int], workers: int) -> None:
    """No worker has more bytes than another by more than its own smallest file: moving that one could not help."""
    chosen = assign(sizes, workers, "largest_first")
    has = loads(sizes, chosen, workers)
    fullest = has.index(max(has))
    smallest = min((size for size, worker in zip(sizes, chosen, strict=True) if worker == fullest), default=0)
    assert has[fullest] - min(has) <= smallest


@UNHURRIED
@given(st.lists(st.integers(0, 50), max_size=6), st.integers(1, 3))
def test_largest_first_keeps_grahams_bound(sizes: list[int], workers: int) -> None:
    """The fullest worker has at most 4/3 - 1/(3N) of what the best of all assignments gives it."""
    got = max(loads(sizes, assign(sizes, workers, "largest_first"), workers))
    best = min(max(loads(sizes, list(one), workers)) for one in product(range(workers), repeat=len(sizes)))
    assert 3 * workers * got <= (4 * workers - 1) * best


@UNHURRIED
@given(st.integers(0, 100), some_workers)
def test_unknown_sizes_are_spread_by_number(files: int, workers: int) -> None:
    """Files of which no size is known are not all given to one worker."""
    counts = Counter(assign([0] * files, workers, "largest_first"))
    assert max((counts[worker] for worker in range(workers)), default=0) == -(-files // workers)


def test_largest_first_by_example() -> None:
    """One large file has a worker to itself, the small ones share the other."""
    assert assign([1, 100, 2, 3], 2, "largest_first") == [1, 0, 1, 1]


@pytest.mark.parametrize(("workers", "policy"), [(0, "round_robin"), (2, "alphabetical")])
def test_wrong_arguments_are_configuration_errors(workers: int, policy: Any) -> None:
    """No workers, or a policy that does not exist, is refused with its configuration key."""
    with pytest.raises(ConfigError, match=r"^pool\.(workers|assign): "):
        assign([1], workers, policy)
