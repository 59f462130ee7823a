"""``python -m bench.profiles``: where each workload's time goes in the core, measured into ``bench/profiles.md``.

One thread, a file in memory: processor time by part of the core, page faults, garbage collections, what Arrow holds at
its peak, and the calls that cost most. Written between the file's marks; what stands outside them is written by hand.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.breakdown import feed_all, where_time_goes
from bench.machine import describe
from bench.workloads import WORKLOADS, make_files, plan_of
from engine.core.encoders.formats import Format
from engine.core.transform import Transform

__all__ = ["main"]

_FILE = Path(__file__).with_name("profiles.md")
_BEGIN, _END = "<!-- measured -->", "<!-- end of what is measured -->"
_FORMATS: tuple[Format, ...] = ("jsonl", "parquet")
_CALLS = 8


@dataclass(slots=True)
class _Costs:
    """What a run over a file took beside processor time."""

    faults: int = 0
    collections: int = 0
    stopped_s: float = 0.0
    peak_bytes: int = 0


@contextmanager
def _watched() -> Iterator[_Costs]:
    costs, begun = _Costs(), 0.0

    def collected(phase: str, _: object) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            costs.collections += 1
            costs.stopped_s += time.perf_counter() - begun

    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    gc.callbacks.append(collected)
    try:
        yield costs
    finally:
        gc.callbacks.remove(collected)
    costs.faults = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before
    costs.peak_bytes = pa.default_memory_pool().max_memory() or 0


def _profile(workload: str, rows: int, rounds: int) -> Iterator[str]:
    data, _ = make_files(workload, rows)[0.0]
    yield f"### {workload}: {rows:,} rows of {len(data) / rows:.0f} bytes"
    yield ""
    by_part: dict[str, dict[Format, float]] = {}
    for format_ in _FORMATS:
        seen = [where_time_goes(workload, data, rows, format_) for _ in range(rounds)]
        for part in seen[0]:
            by_part.setdefault(part, {})[format_] = statistics.median(each[part] for each in seen)
    yield "| ns of processor time a row | JSONL | Parquet |"
    yield "|---|---|---|"
    for part, found in by_part.items():
        yield f"| {part} | {_cell(found, 'jsonl')} | {_cell(found, 'parquet')} |"
    yield ""
    for format_ in _FORMATS:
        plan = plan_of(workload, format_)
        with _watched() as costs:
            feed_all(Transform(plan, file=workload), data)
        yield (
            f"- {format_}: {costs.faults / len(data) * 1e6:,.0f} page faults a MB; {costs.collections} garbage"
            f" collections, {costs.stopped_s / len(data) * 1e9:,.0f} us a GB stopped; Arrow's pool has held"
            f" {costs.peak_bytes / 1e6:,.0f} MB at most."
        )
    yield ""
    yield "The calls that cost most, with JSONL (by `cProfile`, which makes calls dearer than they are):"
    yield ""
    profile = cProfile.Profile()
    profile.enable()
    feed_all(Transform(plan_of(workload, "jsonl"), file=workload), data)
    profile.disable()
    stats = pstats.Stats(profile).get_stats_profile()
    total = stats.total_tt
    dearest = sorted(stats.func_profiles.items(), key=lambda each: -each[1].tottime)[:_CALLS]
    for name, call in dearest:
        yield f"- {call.tottime / total:.0%} in {call.ncalls} calls of `{name}` ({Path(call.file_name).name})"
    yield ""


def _cell(found: dict[Format, float], format_: Format) -> str:
    return f"{found[format_]:,.0f}" if format_ in found else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and rewrites what the file says of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiles", description="Profiles the mapping core.")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a file (default 200000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; medians count (default 5)")
    options = parser.parse_args(arguments)
    machine = describe()
    where = (
        f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}; Python {machine['python']},"
        f" GIL {'on' if machine['gil'] else 'off'}; {time.strftime('%Y-%m-%d')}."
    )
    lines = [where, ""]
    for workload in WORKLOADS:
        lines += _profile(workload, options.rows, options.rounds)
    before, _, rest = _FILE.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _FILE.write_text(f"{before}{_BEGIN}\n{'\n'.join(lines)}{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
