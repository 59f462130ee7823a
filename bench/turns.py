"""The contenders run by turns over one workload's files: what each took, and how their speeds compare."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agreement import check_rejects, check_rows
from bench.contender import Child, Run
from bench.workloads import SHARES, make_files, mapping_of
from engine.core.encoders.formats import Format

__all__ = ["measure_mapping"]

_CONTENDERS: tuple[tuple[str, Format], ...] = (
    ("engine", "jsonl"),
    ("engine", "parquet"),
    ("duckdb", "jsonl"),
    ("duckdb", "parquet"),
    ("loop", "jsonl"),
)
_LOOP_ROWS = 20_000  # what the loop is timed with: it is slow, and linear


@dataclass(frozen=True, slots=True)
class _Case:
    """A file to map, and how many rows it has."""

    share: float
    source: Path
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class _Timed:
    """A contender's runs over one file."""

    child: Child
    case: _Case
    runs: list[Run]

    @property
    def key(self) -> tuple[str, Format, float]:
        return self.child.kind, self.child.format, self.case.share

    def ns(self, measure: str) -> list[float]:
        """Nanoseconds a row of each run, by ``wall`` or ``cpu``."""
        return [getattr(run, measure) / self.case.rows * 1e9 for run in self.runs]

    def report(self, workload: str) -> dict[str, Any]:
        kind, format_, share = self.key
        wall = statistics.median(self.ns("wall"))
        return {
            "what": f"{workload} {kind} {format_}",
            "share": share,
            "ns_per_row": wall,
            "cpu_ns_per_row": statistics.median(self.ns("cpu")),
            "mb_s": self.case.size / self.case.rows / wall * 1e3,
            "runs": [run._asdict() for run in self.runs],
        }


def measure_mapping(workload: str, rows: int, rounds: int) -> dict[str, Any]:
    """Figures of every contender and share of bad rows, and the ratios between them."""
    shared = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)))
        children = [stack.enter_context(Child(kind, workload, format_)) for kind, format_ in _CONTENDERS]
        timed: list[_Timed] = []
        for share, (data, bad) in make_files(workload, rows).items():
            whole = _case(folder, share, data, rows)
            _check(workload, children, whole, rows - bad, folder)
            head = data if rows <= _LOOP_ROWS else data[: _end_of_row(data, _LOOP_ROWS)]
            short = _case(folder, share, head, min(rows, _LOOP_ROWS))
            timed += [_Timed(child, short if child.kind == "loop" else whole, []) for child in children]
        for number in range(rounds):
            for turn in range(len(timed)):
                each = timed[(turn + number * 4) % len(timed)]
                each.runs.append(each.child.run(each.case.source, folder / "timed"))
        return {
            "workload": workload,
            "rows": rows,
            "bytes_per_row": timed[0].case.size / rows,
            "contenders": {f"{child.kind} {child.format}": child.about for child in children},
            "results": [each.report(workload) for each in timed],
            "ratios": _ratios({each.key: each for each in timed}),
        }


def _case(folder: Path, share: float, data: bytes, rows: int) -> _Case:
    source = folder / f"{share}-{rows}.csv"
    source.write_bytes(data)
    return _Case(share, source, rows, len(data))


def _end_of_row(data: bytes, rows: int) -> int:
    """Where the header and so many rows end; no cell holds a newline."""
    end = 0
    for _ in range(rows + 1):
        end = data.index(b"\n", end) + 1
    return end


def _check(workload: str, children: Sequence[Child], case: _Case, good: int, folder: Path) -> None:
    """Has every contender map the file once, and compares all they wrote with the loop's output."""
    mapping = mapping_of(workload, "jsonl")
    expected = folder / "expected"
    for child in sorted(children, key=lambda child: child.kind != "loop"):
        output = expected if child.kind == "loop" else folder / "checked"
        who = f"{workload}, {case.share:.0%} bad rows: {child.kind} {child.format}"
        rows = child.run(case.source, output).rows
        if rows != good:
            raise SystemExit(f"{who} wrote {rows} rows; {good} of {case.rows} are good")
        if child.kind != "loop":
            check_rows(who, output, child.format, expected, mapping)
        if child.kind == "engine":
            check_rejects(who, output.with_suffix(".rejects"), expected.with_suffix(".rejects"))


def _ratios(timed: dict[tuple[str, Format, float], _Timed]) -> list[dict[str, Any]]:
    """How many times as fast the engine is as another, or as itself without bad rows: medians of the rounds' ratios."""
    found: list[dict[str, Any]] = []
    for format_ in ("jsonl", "parquet"):
        for share in SHARES:
            engine = timed["engine", format_, share]
            others = {"engine/duckdb": timed["duckdb", format_, share]}
            if format_ == "jsonl":
                others["engine/loop"] = timed["loop", format_, share]
            if share:
                others["bad/clean"] = timed["engine", format_, 0.0]
            for what, other in others.items():
                speeds = {measure: _speed(engine.ns(measure), other.ns(measure)) for measure in ("wall", "cpu")}
                found.append({"what": f"{what} {format_}", "share": share, **speeds})
    return found


def _speed(mine: list[float], theirs: list[float]) -> float:
    return statistics.median(other / one for one, other in zip(mine, theirs, strict=True))
