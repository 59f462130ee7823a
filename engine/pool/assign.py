"""Which worker gets which file."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Literal

from engine.errors import ConfigError, Problem

__all__ = ["AssignPolicy", "assign"]

type AssignPolicy = Literal["round_robin", "largest_first"]


def assign(sizes: Sequence[int], workers: int, policy: AssignPolicy) -> list[int]:
    """The worker, from 0, for each file. The same input always gives the same answer.

    ``round_robin``: file ``i`` goes to worker ``i % workers``; the numbers of files differ by at most one.
    ``largest_first``: from the largest file to the smallest, each to the worker with the fewest bytes so far, of
    those the one with the fewest files (Graham's LPT: the fullest worker gets at most 4/3 of the best possible).

    Args:
        sizes: bytes of each file.
        workers: how many there are, at least 1.

    Raises:
        ConfigError: no workers, or a policy that does not exist.
    """
    if workers < 1:
        raise ConfigError([Problem("pool.workers", f"{workers} workers cannot do anything")])
    if policy == "round_robin":
        return [index % workers for index in range(len(sizes))]
    if policy != "largest_first":
        raise ConfigError([Problem("pool.assign", f"{policy!r} is neither round_robin nor largest_first")])
    loads = [(0, 0, worker) for worker in range(workers)]  # bytes, files, worker: a heap
    chosen = [0] * len(sizes)
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        load, files, worker = loads[0]
        heapq.heapreplace(loads, (load + sizes[index], files + 1, worker))
        chosen[index] = worker
    return chosen
