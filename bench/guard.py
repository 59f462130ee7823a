"""Whether the core has become slow: its processor time against that of pyarrow by hand, in the same process.

A ratio, never a time: both do the same rows by turns, so that a slow or busy machine slows both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.peers.contract import Order
from bench.peers.core import Core
from bench.peers.pyarrow_hand import map_file
from bench.pooled import write_corpus

__all__ = ["LEAST", "speed_ratio"]

LEAST = 6.0
"""Slower than this many times the speed of pyarrow by hand, something has gone wrong. *Measured*: 12 to 15 on a machine
with much else to do and over 20 on a quiet one, for a core with its C kernels; 6 to 9 without them."""


def speed_ratio(rounds: int = 3, size: int = 4_000_000) -> float:
    """How many times as fast the core maps ``mixed`` to JSON Lines, by processor time; the median of the rounds."""
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        (source,) = write_corpus("mixed", 0.0, 1, size, folder / "in").files
        core, order = Core("mixed", "jsonl"), Order("mixed", "jsonl", 1, folder, (source,))

        def ours() -> object:
            return core.run(source, folder / "core.jsonl")

        def theirs() -> object:
            return map_file(order, source)

        ours()  # what is compiled and learnt once does not count
        return statistics.median(_cpu(theirs) / _cpu(ours) for _ in range(rounds))


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
