"""The core alone in k threads at once: what a chunk costs must not grow with the number of threads.

Each thread maps a file of its own, in memory, with a plan of its own, as a worker does; nothing is read or written.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.data import Activity, build
from bench.peers.core import PIECE
from bench.workloads import plan_of
from engine.core.transform import Transform

__all__ = ["LEAST_GROWTH", "measure_contention"]

LEAST_GROWTH = 0.1
"""How much a chunk may cost more with as many threads as there are cores."""


class _Cost(NamedTuple):
    """Seconds a chunk."""

    wall: float
    cpu: float


def measure_contention(threads: list[int], size: int, rounds: int) -> list[dict[str, Any]]:
    """One record a number of threads: milliseconds a chunk on the clock and of processor time, and their growth.

    Numbers of threads take turns, and growth is the median of each round's.
    """
    data, _ = build(Activity(size=size))
    _together(1, data)
    taken: dict[int, list[_Cost]] = {count: [] for count in threads}
    for _ in range(rounds):
        for count in threads:
            taken[count].append(_together(count, data))
    alone = taken[threads[0]]
    return [
        {
            "threads": count,
            "wall_ms": statistics.median(cost.wall for cost in costs) * 1e3,
            "cpu_ms": statistics.median(cost.cpu for cost in costs) * 1e3,
            "wall_growth": statistics.median(cost.wall / one.wall for cost, one in zip(costs, alone, strict=True)) - 1,
            "cpu_growth": statistics.median(cost.cpu / one.cpu for cost, one in zip(costs, alone, strict=True)) - 1,
        }
        for count, costs in taken.items()
    ]


def _together(count: int, data: bytes) -> _Cost:
    """The mean over all threads' chunks, while all of them run."""
    start, costs = threading.Barrier(count), [_Cost(0.0, 0.0)] * count

    def work(place: int) -> None:
        transform = Transform(plan_of("mixed", "jsonl"), file="contention")
        start.wait()
        wall, cpu = time.perf_counter(), time.thread_time()
        chunks = sum(1 for _ in _outputs(transform, data))
        costs[place] = _Cost((time.perf_counter() - wall) / chunks, (time.thread_time() - cpu) / chunks)

    running = [threading.Thread(target=work, args=(place,)) for place in range(count)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return _Cost(*(statistics.mean(column) for column in zip(*costs, strict=True)))


def _outputs(transform: Transform, data: bytes) -> Iterator[object]:
    for first in range(0, len(data), PIECE):
        yield from transform.feed(data[first : first + PIECE])
    yield from transform.finish()
