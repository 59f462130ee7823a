"""``engine run`` on local files: whole processes, each fresh, with their time and peak memory."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.data import Activity, activity_mapping, write
from engine.codec import encode_json

__all__ = ["measure_run", "peak_kb", "run_once"]


def peak_kb(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process to end; returns its peak resident memory in kB, looked at twenty times a second.

    What wait4 reports as a child's peak includes its parent's memory at the fork.
    """
    peak = 0
    while process.returncode is None:
        with contextlib.suppress(OSError):  # it has just ended
            for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmHWM"):
                    peak = max(peak, int(line.split()[1]))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    return peak


def run_once(command: list[str], env: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds, and the peak memory in MB of the process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    peak = peak_kb(process)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return seconds, peak / 1024


def measure_run(megabytes: int, files: int, runs: int) -> list[dict[str, Any]]:
    """One record a number of workers: seconds, rows/s, MB/s, peak memory, as medians of alternating runs."""
    engine = str(Path(sys.executable).with_name("engine"))
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as folder:
        root = Path(folder)
        (root / "in").mkdir()
        (root / "mapping.json").write_bytes(encode_json(activity_mapping()))
        for number in range(files):
            write(Activity(size=megabytes * 1_000_000 // files, seed=number), root / "in" / f"{number}.csv")
        rows = sum(path.read_bytes().count(b"\n") - 1 for path in (root / "in").iterdir())
        size = sum(path.stat().st_size for path in (root / "in").iterdir())
        seen: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
        for number in range(runs):
            for workers, found in seen.items():
                output = root / f"out-{workers}-{number}"
                found.append(
                    run_once([
                        engine, "run", str(root / "mapping.json"), str(root / "in"),
                        "--output", str(output), "--workers", str(workers),
                    ])
                )  # fmt: skip
    results = []
    for workers, found in seen.items():
        seconds = statistics.median(each[0] for each in found)
        results.append(
            {
                "what": f"engine run, {files} files, {size / 1e6:.0f} MB, {workers} workers",
                "seconds": seconds,
                "rows_s": rows / seconds,
                "mb_s": size / seconds / 1e6,
                "peak_mb": max(each[1] for each in found),
            }
        )
    return results
