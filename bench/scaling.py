"""``python -m bench scaling``: 1 to N workers, threads of 3.13t against processes with the GIL, throughput and memory.

Every number of workers has the same files, a few for each of the most workers, and a fresh process a run. With more
workers than cores it still says what memory they take.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contenders import TOOLS, Contender, Job, absent
from bench.contention import LEAST_GROWTH, measure_contention
from bench.pooled import Corpus, write_corpus
from bench.results import new_result, save
from bench.served import ROOT
from bench.watched import Took, watch

__all__ = ["KEYS", "main", "measure_scaling"]

KEYS = ("engine-3.13t-threads", "engine-3.13-processes", "engine-3.14t-threads", "engine-3.14-processes")


@dataclass(slots=True)
class _Runs:
    contender: Contender
    runs: list[Took] = field(default_factory=list)

    def report(self, corpus: Corpus, alone: Sequence[Took]) -> dict[str, Any]:
        others = statistics.median(run.others for run in self.runs)
        return {
            "contender": self.contender.tool.key,
            "name": self.contender.tool.name,
            "workers": self.contender.workers,
            "mb_s": corpus.size / statistics.median(run.wall for run in self.runs) / 1e6,
            "cpu_s_per_gb": statistics.median(run.cpu for run in self.runs) / corpus.size * 1e9,
            "peak_mb": statistics.median(run.peak_mb for run in self.runs),
            "speedup": statistics.median(one.wall / run.wall for run, one in zip(self.runs, alone, strict=True)),
            "doubts": [f"others took {others:.0%} of the processors"] if others > 0.1 else [],
        }


def measure_scaling(
    workload: str, format_: str, workers: Sequence[int], files: int, size: int, rounds: int
) -> list[dict[str, Any]]:
    """One record a build and number of workers; speed-ups are medians of each round's, to the fewest workers."""
    tools = [tool for tool in TOOLS if tool.key in KEYS and absent(tool) is None]
    entries = [_Runs(Contender(tool, count)) for tool in tools for count in workers]
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > files * size * 6
    with tempfile.TemporaryDirectory(prefix="engine-bench-", dir=shared if roomy else None) as name:
        folder = Path(name)
        corpus = write_corpus(workload, 0.0, files, size, folder / "in")
        mapping = ROOT / "bench" / "mappings" / f"{workload}.json"
        for number in range(rounds):
            for turn in range(len(entries)):
                entry = entries[(turn + number * 3) % len(entries)]
                job = Job(workload, format_, corpus.files, folder / "out", mapping)
                entry.runs.append(watch(entry.contender.command(job), cwd=ROOT))
                rows = entry.contender.tool.read(job, "").rows
                if rows != corpus.good:
                    raise SystemExit(f"{entry.contender.key} wrote {rows} rows, not {corpus.good}")
                shutil.rmtree(job.output)
            sys.stderr.write(f"scaling: round {number + 1} of {rounds}\n")
    fewest = {entry.contender.tool.key: entry.runs for entry in entries if entry.contender.workers == workers[0]}
    return [entry.report(corpus, fewest[entry.contender.tool.key]) for entry in entries]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints tables, and writes what ``--json`` and ``--keep`` ask for."""
    options = _parser().parse_args(arguments)
    cores = os.process_cpu_count() or 1
    workers = options.workers or sorted({1, 2, 4, 8} | ({cores} if cores > 8 else set()))
    files = options.files or max(8, 2 * max(workers))
    result = new_result("scaling", workers=workers, files=files, mb=options.mb, rounds=options.rounds)
    result |= {"workload": options.workload, "format": options.format}
    result["results"] = measure_scaling(
        options.workload, options.format, workers, files, int(options.mb * 1_000_000), options.rounds
    )
    print(f"\n{'scaling':28}{'workers':>8}{'MB/s':>8}{'x':>7}{'MB':>8}")
    for each in result["results"]:
        print(
            f"{each['name']:28}{each['workers']:>8}{each['mb_s']:>8.0f}{each['speedup']:>7.2f}{each['peak_mb']:>8.0f}"
            f"  {'; '.join(each['doubts'])}"
        )
    threads = sorted({1, *(count for count in (2, 4, 8, 16, 32, 64, cores) if count <= cores)})
    result["contention"] = measure_contention(threads, int(options.chunk_mb * 1_000_000), options.rounds)
    print(f"\n{'the core in so many threads':28}{'':8}{'wall ms':>8}{'cpu ms':>8}{'growth':>9}{'of CPU':>9}")
    for each in result["contention"]:
        kept = "" if max(each["wall_growth"], each["cpu_growth"]) <= LEAST_GROWTH else f"  over {LEAST_GROWTH:.0%}"
        print(
            f"{'':28}{each['threads']:>8}{each['wall_ms']:>8.2f}{each['cpu_ms']:>8.2f}"
            f"{each['wall_growth']:>9.0%}{each['cpu_growth']:>9.0%}{kept}"
        )
    save(result, keep=options.keep, path=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench scaling", description="Workers, throughput and memory.")
    parser.add_argument("--workers", type=_numbers, help="numbers of workers, as 1,2,4,8 (default 1,2,4,8 and cores)")
    parser.add_argument("--workload", default="mixed", choices=["mixed", "plain", "hard"])
    parser.add_argument("--format", default="jsonl", choices=["jsonl", "parquet"])
    parser.add_argument("--files", type=int, help="how many files (default two for each of the most workers)")
    parser.add_argument("--mb", type=float, default=16, help="megabytes of each file (default 16)")
    parser.add_argument("--chunk-mb", type=float, default=24, help="megabytes a thread of the core maps (default 24)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each; medians count (default 5)")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--keep", action="store_true", help="keep the result in bench/results")
    return parser


def _numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})
