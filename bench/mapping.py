"""``python -m bench mapping``: the mapping core against DuckDB and against a row-at-a-time loop, one thread each.

Every contender is a process of its own that reads a file in memory (``/dev/shm``) and writes one there; the driver runs
them by turns, each round in another order, and medians count. First each contender's output is compared with what the
reference converters make of the file, value by value.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.breakdown import where_time_goes
from bench.kernels import measure_kernels
from bench.machine import describe
from bench.turns import measure_mapping
from bench.workloads import SHARES, WORKLOADS, make_files
from engine.codec import encode_json

__all__ = ["EXPECTED", "main"]

EXPECTED = {
    ("engine/duckdb jsonl", 0.0): 0.8,
    ("engine/duckdb parquet", 0.0): 0.8,
    ("engine/loop jsonl", 0.0): 6.0,
    ("bad/clean jsonl", 0.01): 0.7,
    ("bad/clean parquet", 0.01): 0.7,
    ("bad/clean jsonl", 0.2): 0.3,
    ("bad/clean parquet", 0.2): 0.3,
}
"""What ``mixed`` must reach, by ratio of speeds and share of bad rows; judged by processor time, which a busy machine
changes less."""


def _print_mapping(report: dict[str, Any]) -> None:
    print(f"\n{report['workload']}: {report['rows']:,} rows of {report['bytes_per_row']:.0f} bytes")
    _print_table(
        "ns a row (of processor time), MB/s",
        report["results"],
        lambda each: f"{each['ns_per_row']:,.0f} ({each['cpu_ns_per_row']:,.0f}) {each['mb_s']:5.0f}",
    )
    judged = report["workload"] == "mixed"
    _print_table("times as fast (by processor time)", report["ratios"], lambda each: _ratio(each, judged=judged))


def _ratio(each: dict[str, Any], *, judged: bool) -> str:
    text = f"{each['wall']:.2f} ({each['cpu']:.2f})"
    least = EXPECTED.get((each["what"], each["share"])) if judged else None
    return text if least is None else f"{text} {'<' if each['cpu'] < least else '>='} {least}"


def _print_table(title: str, results: list[dict[str, Any]], show: Callable[[dict[str, Any]], str]) -> None:
    """A row each thing measured, a column each share of bad rows."""
    print(f"  {title:38}" + "".join(f"{f'{share:.0%} bad':>25}" for share in SHARES))
    by_name: dict[str, dict[float, str]] = {}
    for each in results:
        by_name.setdefault(each["what"], {})[each["share"]] = show(each)
    for name, cells in by_name.items():
        print(f"    {name:36}" + "".join(f"{cells.get(share, ''):>25}" for share in SHARES))


def _parts(workload: str, rows: int, rounds: int) -> list[dict[str, Any]]:
    """Where the engine's time goes: one record a part and share of bad rows, with the median for each format."""
    found: list[dict[str, Any]] = []
    for share, (data, _) in make_files(workload, rows).items():
        by_part: dict[str, dict[str, float]] = {}
        for format_ in ("jsonl", "parquet"):
            seen = [where_time_goes(workload, data, rows, format_) for _ in range(rounds)]
            for part in seen[0]:
                by_part.setdefault(part, {})[format_] = statistics.median(each[part] for each in seen)
        found += [{"what": part, "share": share, **by_format} for part, by_format in by_part.items()]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and writes what ``--json`` asks for; ends with status 1 where outputs do not agree."""
    parser = argparse.ArgumentParser(prog="python -m bench mapping", description="Measures the mapping core.")
    parser.add_argument("--only", choices=[*WORKLOADS, "kernels"], action="append", help="leave the others out")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of a file or column (default 200000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender; medians count (default 5)")
    parser.add_argument("--parts", action="store_true", help="say where the engine's time goes, too")
    parser.add_argument("--json", type=Path, help="write machine, versions and every run to this file")
    options = parser.parse_args(arguments)
    wanted = options.only or [*WORKLOADS, "kernels"]
    machine = describe()
    print(
        f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}; Python {machine['python']},"
        f" GIL {'on' if machine['gil'] else 'off'}; {machine['versions']}"
    )
    report: dict[str, Any] = {"machine": machine, "mappings": [], "kernels": []}
    for workload in WORKLOADS:
        if workload in wanted:
            measured = measure_mapping(workload, options.rows, options.rounds)
            _print_mapping(measured)
            if options.parts:
                measured["parts"] = _parts(workload, options.rows, options.rounds)
                _print_table(
                    "ns of processor time, jsonl / parquet",
                    measured["parts"],
                    lambda each: f"{each.get('jsonl', 0):,.0f} / {each.get('parquet', 0):,.0f}",
                )
            report["mappings"].append(measured)
    if "kernels" in wanted:
        report["kernels"] = measure_kernels(options.rows, options.rounds)
        print("\nkernels")
        _print_table(
            "ns of processor time a row, MB/s",
            report["kernels"],
            lambda each: f"{each['cpu_ns_per_row']:,.0f} {each['mb_s']:8,.0f}",
        )
    report["load_after"] = describe()["load"]
    if options.json:
        options.json.write_bytes(encode_json(report) + b"\n")
