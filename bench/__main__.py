"""``python -m bench``: measures this build on this machine and prints a table; ``--json FILE`` keeps it.

``python -m bench mapping``, ``reading`` and ``flat`` are the modules of these names, with options of their own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.core import measure_core
from bench.flat import main as flat
from bench.machine import describe
from bench.mapping import main as mapping
from bench.reading import main as reading
from bench.run import measure_run
from bench.stream import measure_stream
from engine.codec import encode_json


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=["core", "run", "stream"], help="leave the others out")
    parser.add_argument("--runs", type=int, default=5, help="runs per contender; the median counts (default 5)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the core's files (default 100000)")
    parser.add_argument("--mb", type=int, default=256, help="megabytes of engine run's files together (default 256)")
    parser.add_argument("--stream-mb", type=int, default=100, help="megabytes of the file through S3 (default 100)")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    options = parser.parse_args()
    machine = describe()
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}; Python {machine['python']}, "
          f"GIL {'on' if machine['gil'] else 'off'}")  # fmt: skip
    results: list[dict[str, Any]] = []
    if options.only in (None, "core"):
        results += measure_core(options.rows, options.runs)
    if options.only in (None, "run"):
        results += measure_run(options.mb, 8, options.runs)
    if options.only in (None, "stream"):
        results += measure_stream(options.stream_mb, 2)
    for result in results:
        figures = ", ".join(f"{key} {value:,.2f}" for key, value in result.items() if key != "what")
        print(f"{result['what']:45} {figures}")
    if options.json:
        options.json.write_bytes(encode_json({"machine": machine, "results": results}) + b"\n")


if __name__ == "__main__":
    command = {"mapping": mapping, "reading": reading, "flat": flat}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    command(sys.argv[2:]) if command is not None else main()
