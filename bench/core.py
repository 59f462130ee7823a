"""The columnar core alone: one thread, a file in memory, no stores."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from bench.data import Activity, activity_mapping, build
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.transform import Transform

__all__ = ["measure_core"]

_PIECE = 1_048_576


def _transform(data: bytes, plan: Plan) -> None:
    transform = Transform(plan, file="bench")
    for start in range(0, len(data), _PIECE):
        for _ in transform.feed(data[start : start + _PIECE]):
            pass
    for _ in transform.finish():
        pass


def _parse(data: bytes) -> None:
    """The floor: Arrow's parser over the same pieces, all columns text, one thread."""
    table = pa_csv.open_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=_PIECE),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
        convert_options=pa_csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(activity_columns(), pa.binary())
        ),
    )
    for _ in table:
        pass


def activity_columns() -> list[str]:
    return [field["name"] for field in activity_mapping()["fields"]]


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_core(rows: int, runs: int) -> list[dict[str, Any]]:
    """One record a share of bad rows: ns per row, MB/s, and the time as a multiple of the bare parse.

    The contenders alternate, so that a noisy neighbour hits all of them; figures are medians.
    """
    plan = Plan.compile(validate_mapping(activity_mapping(), "bench"), Limits())
    results = []
    for corrupt in (0.0, 0.01, 0.2):
        data, _ = build(Activity(rows=rows, corrupt=corrupt))
        times: dict[str, list[float]] = {"core": [], "parse": []}
        for _ in range(runs):
            times["core"].append(_seconds(lambda data=data: _transform(data, plan)))  # type: ignore[misc]
            times["parse"].append(_seconds(lambda data=data: _parse(data)))  # type: ignore[misc]
        core = statistics.median(times["core"])
        ratio = statistics.median(core / parse for core, parse in zip(times["core"], times["parse"], strict=True))
        results.append(
            {
                "what": f"core, {corrupt:.0%} bad rows",
                "mb_s": len(data) / core / 1e6,
                "ns_per_row": core / rows * 1e9,
                "times_bare_parse": ratio,
            }
        )
    return results
