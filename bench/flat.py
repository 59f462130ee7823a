"""``python -m bench flat``: the peak memory of ``engine run`` against the size of its file, plain and gzip.

The file comes from an S3 that makes it as it is read, and its output goes to one that drops it, so that no disk needs
the room. One worker; memory is that of all the run's processes together.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.data import Activity, activity_mapping, build
from bench.hollow import Repeated, hollow_s3
from bench.machine import describe
from bench.peaks import family_peak_kb
from bench.served import builds
from engine.codec import encode_json

__all__ = ["Flat", "main", "measure_flat"]

_BLOCK_BYTES = 2_000_000  # what a file repeats; rejected rows are among them
_KINDS = ("plain", "gzip")
_SIZES_MB = (10, 100, 1_000, 4_000)


@dataclass(frozen=True, slots=True)
class Flat:
    """One run.

    Attributes:
        build: what Python: ``3.13t`` is the free-threaded one.
        text_bytes: of the file, before compression.
        file_bytes: as it was read.
        seconds: from start to end.
        peak_kb: resident memory, all processes together.
    """

    build: str
    kind: str
    text_bytes: int
    file_bytes: int
    rows: int
    seconds: float
    peak_kb: int


def measure_flat(python: str, kind: str, size: int) -> Flat:
    """Runs the engine of an interpreter over one file; checks that it has read all of it.

    Args:
        kind: ``plain`` or ``gzip``.
        size: bytes of text, about.
    """
    data, corrupted = build(Activity(size=_BLOCK_BYTES, corrupt=0.001))
    header, newline, rows = data.partition(b"\n")
    pack = gzip.compress if kind == "gzip" else bytes
    file = Repeated(pack(header + newline), pack(rows), max(1, round(size / len(rows))))
    name = "big.csv.gz" if kind == "gzip" else "big.csv"
    with hollow_s3({f"client/{name}": file}) as s3, tempfile.TemporaryDirectory(prefix="engine-bench-") as folder:
        mapping, report = Path(folder, "mapping.json"), Path(folder, "report.json")
        mapping.write_bytes(encode_json(activity_mapping()))
        command = [
            str(Path(python).with_name("engine")), "run", str(mapping), f"s3://client/{name}",
            "--output", "s3://ours/flat", "--workers", "1", "--report", str(report),
        ]  # fmt: skip
        start = time.perf_counter()
        env = {name: value for name, value in os.environ.items() if not name.startswith("ENGINE_")} | s3.env
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
        peak = family_peak_kb(process)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"engine run failed with {process.returncode}")
        (entry,) = json.loads(report.read_bytes())["files"]
        written = entry["output"]["bytes"] + entry["rejects"]["bytes"]
        expected = (file.size, rows.count(b"\n") * file.times, len(corrupted) * file.times)
        if (entry["bytes_read"], entry["rows_read"], entry["rows_rejected"]) != expected or s3.received < written:
            raise SystemExit(f"wrong result: {entry}")
    text = len(header) + 1 + len(rows) * file.times
    return Flat(_build(python), kind, text, file.size, entry["rows_read"], seconds, peak)


def _build(python: str) -> str:
    show = "import sys; print(sys.version.split()[0] + ('' if sys._is_gil_enabled() else 't'))"
    return subprocess.run([python, "-c", show], capture_output=True, text=True, check=True).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table, and writes what ``--json`` asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench flat", description="Peak memory against file size.")
    parser.add_argument("--mb", type=int, action="append", help=f"sizes of the text, in MB (default {_SIZES_MB})")
    parser.add_argument("--only", choices=_KINDS, help="leave the other kind out")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    options = parser.parse_args(arguments)
    machine = describe()
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}; {machine['versions']}")
    print(f"{'build':9}{'kind':7}{'text MB':>9}{'file MB':>9}{'rows':>12}{'seconds':>9}{'MB/s':>6}{'peak MiB':>10}")
    results: list[dict[str, Any]] = []
    for python in builds():
        for kind in _KINDS if options.only is None else (options.only,):
            for size in options.mb or _SIZES_MB:
                found = measure_flat(python, kind, size * 1_000_000)
                print(
                    f"{found.build:9}{kind:7}{found.text_bytes / 1e6:>9,.0f}{found.file_bytes / 1e6:>9,.0f}"
                    f"{found.rows:>12,}{found.seconds:>9.1f}{found.text_bytes / 1e6 / found.seconds:>6.0f}"
                    f"{found.peak_kb / 1024:>10,.0f}",
                    flush=True,
                )
                results.append(asdict(found))
    if options.json:
        options.json.write_bytes(encode_json({"machine": machine, "results": results}) + b"\n")
