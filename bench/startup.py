"""``python -m bench startup``: what a command costs before it does anything, and a batch of many small files."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.data import Activity, activity_mapping, write
from bench.results import new_result, save
from bench.served import ROOT
from bench.watched import Took, watch

__all__ = ["WANTED", "main", "measure_startup"]

WANTED = {"--version": 0.2, "run, 1 kB": 1.5, "run, 500 files of 10 kB": 500 / 150}
"""Seconds that each is to take at most, on a machine that does nothing else."""

_BUILDS = {"3.13t": ".venv", "3.13": ".venv-gil", "3.14t": ".venv-3.14t", "3.14": ".venv-3.14"}


def measure_startup(rounds: int, small_files: int = 500) -> list[dict[str, Any]]:
    """One record a build and command: the median time and processor time, and the most memory."""
    engines = {
        build: str(ROOT / folder / "bin" / "engine")
        for build, folder in _BUILDS.items()
        if (ROOT / folder / "bin" / "engine").exists()
    }
    found: dict[tuple[str, str], list[Took]] = {}
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        (folder / "activity.json").write_text(json.dumps(activity_mapping()), encoding="utf-8")
        (folder / "many").mkdir()
        write(Activity(size=1_000), folder / "one.csv")
        for number in range(small_files):
            write(Activity(size=10_000, first_id=1 + 100 * number), folder / "many" / f"{number:04}.csv")
        commands: dict[str, tuple[str, ...]] = {
            "--version": ("--version",),
            "run, 1 kB": ("run", "activity.json", "one.csv", "--output", "out"),
            f"run, {small_files} files of 10 kB": ("run", "activity.json", "many", "--output", "out"),
        }
        for number in range(rounds + 1):
            for what, arguments in commands.items():
                for build, engine in engines.items():
                    took = watch([engine, *arguments], cwd=folder)
                    shutil.rmtree(folder / "out", ignore_errors=True)
                    if number:  # the first of each warms the page cache up
                        found.setdefault((build, what), []).append(took)
    return [_report(build, what, runs) for (build, what), runs in found.items()]


def _report(build: str, what: str, runs: Sequence[Took]) -> dict[str, Any]:
    median: Callable[[Sequence[float]], float] = statistics.median
    others = median([run.others for run in runs])
    return {
        "build": build,
        "what": what,
        "seconds": median([run.wall for run in runs]),
        "cpu": median([run.cpu for run in runs]),
        "peak_mb": max(run.peak_mb for run in runs),
        "doubts": [f"others took {others:.0%} of the processors"] if others > 0.1 else [],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints a table, and writes what ``--json`` and ``--keep`` ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench startup", description="What commands cost at the least.")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command; medians count (default 5)")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--keep", action="store_true", help="keep the result in bench/results")
    options = parser.parse_args(arguments)
    result = new_result("startup", rounds=options.rounds)
    result["results"] = measure_startup(options.rounds)
    print(f"\n{'build':8}{'command':28}{'seconds':>8}{'wanted':>8}{'cpu s':>7}{'MB':>6}")
    for each in result["results"]:
        print(
            f"{each['build']:8}{each['what']:28}{each['seconds']:>8.2f}{WANTED[each['what']]:>8.2f}{each['cpu']:>7.2f}"
            f"{each['peak_mb']:>6.0f}  {'; '.join(each['doubts'])}"
        )
    save(result, keep=options.keep, path=options.json)
