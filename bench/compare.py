"""``python -m bench``: whole processes over local files, this engine's builds against what else does the same work.

Every run is a fresh process; rounds take the contenders in another order each; outputs are compared with the reference
on a small file from the same generator before a time counts. Files and outputs are in memory (``/dev/shm``) where there
is room, so that no disk decides.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.contenders import contenders
from bench.report import print_group
from bench.results import new_result, save
from bench.rounds import Plan, measure_group
from bench.targets import print_targets
from bench.workloads import WORKLOADS
from engine.core.encoders.formats import Format

__all__ = ["main"]

_FORMATS: tuple[Format, ...] = ("jsonl", "parquet")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and writes what ``--json`` and ``--keep`` ask for; ends with 1 where the engine is wrong."""
    options = _parser().parse_args(arguments)
    if options.full:
        options.mb = options.mb or 64
    plan = Plan(
        options.files,
        int((options.mb or 40) * 1_000_000),
        options.rounds,
        options.pipelines,
        with_bad=None if options.full else frozenset({"engine-3.13t-threads-2"}),
    )
    running = contenders(everybody=options.full, only=options.contender or ())
    result = new_result("compare", files=plan.files, mb=plan.size / 1e6, rounds=plan.rounds, pipelines=plan.pipelines)
    result["groups"] = []
    for workload in options.workload or WORKLOADS:
        for format_ in options.format or _FORMATS:
            with tempfile.TemporaryDirectory(prefix="engine-bench-", dir=_roomy(plan)) as folder:
                group = measure_group(workload, format_, running, plan, Path(folder), _say)
            print_group(group)
            result["groups"].append(group)
    print_targets(result)
    save(result, keep=options.keep, path=options.json)
    wrong = [each for group in result["groups"] for each in group["results"] if _is_wrong(each)]
    if wrong:
        raise SystemExit("\n".join(f"{each['contender']}: {'; '.join(each['doubts'])}" for each in wrong))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Whole processes over local files.")
    parser.add_argument("--workload", choices=WORKLOADS, action="append", help="leave the others out")
    parser.add_argument("--format", choices=_FORMATS, action="append", help="leave the other out")
    parser.add_argument("--contender", action="append", metavar="KEY", help="only these, by tool or tool and workers")
    parser.add_argument("--full", action="store_true", help="everybody, on clean and bad files, 64 MB each")
    parser.add_argument("--files", type=int, default=8, help="how many files (default 8)")
    parser.add_argument("--mb", type=float, help="megabytes of each file (default 40, with --full 64)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender; medians count (default 5)")
    parser.add_argument("--pipelines", type=int, default=4, help="the engine's files at once on a worker (default 4)")
    parser.add_argument("--json", type=Path, help="write machine, versions and every run to this file")
    parser.add_argument("--keep", action="store_true", help="keep the result in bench/results")
    return parser


def _roomy(plan: Plan) -> str | None:
    """Memory, where the files of two shares and an output fit in it three times over."""
    shared = Path("/dev/shm")
    needed = plan.files * plan.size * 4 * 3
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > needed else None


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _is_wrong(each: dict[str, Any]) -> bool:
    return each["contender"].startswith("engine-") and "mb_s" not in each
