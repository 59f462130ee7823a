"""``python -m bench reading``: how fast files are read, without mapping: framing plus parse into text columns.

Every contender is a process of its own, on each build that it has, and reads local files (``/dev/shm``) on one thread
in chunks of 2 MiB; the driver runs them by turns, each round in another order, and medians count. First each
contender's cells are compared with ``csv.reader``'s. One that reads a file otherwise is measured, and marked; where the
engine does, the command ends with status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.csvfiles import FILES, CsvFile, make_file
from bench.machine import describe
from bench.peers.readers import PACKAGES, Source
from bench.served import Run, Served, builds, interpreter_with
from engine.codec import encode_json
from engine.core.reader import CHUNK_BYTES

__all__ = ["EXPECTED", "difference", "main"]

EXPECTED = {
    ("mixed", "arrow"): 0.8,
    ("unquoted", "arrow"): 0.8,
    ("newlines", "csv"): 0.7,
    ("bare", "csv"): 0.7,
    ("broken", "csv"): 0.7,
    ("escaped", "csv"): 0.7,
}
"""What the engine must reach, by file and yardstick; judged by processor time, which a busy machine changes less."""

_ON_EVERY_BUILD = ("engine", "arrow", "arrow-stream", "csv")
_YARDSTICKS = ("arrow", "csv")  # of the same build
_MEASURES = ("wall", "cpu")


@dataclass(slots=True)
class _Timed:
    """A contender's process, how its cells of the file in hand differ from csv.reader's, and its runs over it."""

    kind: str
    child: Served
    differs: str | None = None
    cannot: bool = False  # it gives up on the file: there are no runs
    rows: int = 0  # that it was seen to make of the file, before time counted
    runs: list[Run] = field(default_factory=list)

    @property
    def build(self) -> str:
        return f"{self.child.about['python']}{'' if self.child.about['gil'] else 't'}"


def _processes(stack: contextlib.ExitStack, kinds: Sequence[str]) -> list[_Timed]:
    """Every contender in fresh processes; the yardsticks are always among them."""
    everywhere = [kind for kind in _ON_EVERY_BUILD if kind in kinds or kind in _YARDSTICKS]
    places = [(kind, python) for python in builds() for kind in everywhere]
    places += [
        (kind, interpreter_with(PACKAGES[kind])) for kind in PACKAGES if kind in kinds and kind not in everywhere
    ]
    return [_Timed(kind, stack.enter_context(_served(kind, python))) for kind, python in places]


def _served(kind: str, python: str) -> Served:
    return Served(kind, [python, "-m", "bench.peers.readers", kind])


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """In words, how one digest differs from another; None where it does not."""
    if found["rows"] != expected["rows"]:
        return f"{found['rows']:,} rows, not {expected['rows']:,}"
    for label, total in expected["bytes"].items():
        if found["bytes"][label] != total:
            return f"{found['bytes'][label]:,} bytes of {label}, not {total:,}"
    for label, cells in expected["cells"].items():
        if found["cells"][label] != cells:
            return f"other cells in {label}"
    return None


def _measure(file: CsvFile, contenders: list[_Timed], folder: Path, chunk_bytes: int, rounds: int) -> dict[str, Any]:
    path = folder / f"{file.name}.csv"
    path.write_bytes(file.data)
    labels = file.data[: file.cuts[0] - 1].decode().split(",")
    source = asdict(Source(str(path), labels, file.cuts, file.escape, chunk_bytes))
    _check(contenders, source)
    running = [each for each in contenders if not each.cannot]
    for number in range(rounds):
        for turn in range(len(running)):
            each = running[(turn + number * 4) % len(running)]
            run = Run(**each.child.ask(source | {"check": False}))
            if run.rows != each.rows:
                raise SystemExit(f"{each.child.name} read {run.rows} rows of {file.name}, and {each.rows} when checked")
            each.runs.append(run)
    path.unlink()
    return {
        "file": file.name,
        "rows": file.rows,
        "bytes": len(file.data),
        "results": [_report(each, contenders, file) for each in contenders],
    }


def _check(contenders: list[_Timed], source: dict[str, Any]) -> None:
    """Compares all digests with that of the first csv.reader, which is the law."""
    found = [each.child.ask(source | {"check": True}) for each in contenders]
    expected = next(digest for each, digest in zip(contenders, found, strict=True) if each.kind == "csv")
    if "error" in expected:
        raise SystemExit(f"csv.reader cannot read {source['path']}: {expected['error']}")
    for each, digest in zip(contenders, found, strict=True):
        each.runs = []
        each.rows = digest.get("rows", 0)
        each.cannot = "error" in digest
        each.differs = digest["error"] if each.cannot else difference(digest, expected)


def _report(each: _Timed, contenders: list[_Timed], file: CsvFile) -> dict[str, Any]:
    said = {"contender": each.kind, "build": each.build, "differs": each.differs, "cannot": each.cannot}
    if each.cannot:
        return said
    ns = {measure: statistics.median(_ns(each, measure, file)) for measure in _MEASURES}
    return said | {
        "ns_per_row": ns["wall"],
        "cpu_ns_per_row": ns["cpu"],
        "mb_s": len(file.data) / file.rows / ns["wall"] * 1e3,
        "times": {
            other.kind: {measure: _speed(_ns(each, measure, file), _ns(other, measure, file)) for measure in _MEASURES}
            for other in contenders
            if other.kind in _YARDSTICKS and other.build == each.build and not other.cannot
        },
        "runs": [run._asdict() for run in each.runs],
    }


def _ns(each: _Timed, measure: str, file: CsvFile) -> list[float]:
    """Nanoseconds a row of each run, by ``wall`` or ``cpu``."""
    return [getattr(run, measure) / file.rows * 1e9 for run in each.runs]


def _speed(mine: list[float], theirs: list[float]) -> float:
    """How many times as fast as another: the median of the rounds' ratios."""
    return statistics.median(other / one for one, other in zip(mine, theirs, strict=True))


def _print(report: dict[str, Any]) -> None:
    size = report["bytes"]
    print(f"\n{report['file']}: {report['rows']:,} rows of {size / report['rows']:.0f} bytes, {size / 1e6:.0f} MB")
    print(f"  {'':14}{'':9}{'ns a row (cpu)':>19}{'MB/s':>7}{'x arrow (cpu)':>17}{'x csv (cpu)':>16}")
    for line in _lines(report):
        print(line.rstrip())


def _lines(report: dict[str, Any]) -> Iterator[str]:
    for each in report["results"]:
        line = f"  {each['contender']:14}{each['build']:9}"
        if each["cannot"]:
            yield f"{line}cannot: {each['differs'][:100]}"
            continue
        line += f"{each['ns_per_row']:>10,.0f} {f'({each["cpu_ns_per_row"]:,.0f})':>8}{each['mb_s']:>7,.0f}"
        for other, width in zip(_YARDSTICKS, (17, 16), strict=True):
            times = each["times"].get(other)
            line += f"{f'{times["wall"]:.2f} ({times["cpu"]:.2f})' if times else '':>{width}}"
        least = _least(report["file"], each)
        differs = f"  DIFFERS: {each['differs']}" if each["differs"] else ""
        yield f"{line}  {least}{differs}"


def _least(file: str, each: dict[str, Any]) -> str:
    """Whether the engine is as fast as it must be."""
    for (name, other), least in EXPECTED.items():
        if (name, "engine") == (file, each["contender"]) and other in each["times"]:
            return f"{'>=' if each['times'][other]['cpu'] >= least else '<'} {least} {other}"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints, and writes what ``--json`` asks for; ends with status 1 where the engine reads a file wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench reading", description="Measures readers of CSV files.")
    parser.add_argument("--only", choices=FILES, action="append", help="leave the other files out")
    parser.add_argument("--contender", choices=list(PACKAGES), action="append", help="leave others out, but yardsticks")
    parser.add_argument("--mb", type=float, default=64, help="megabytes of a file (default 64)")
    parser.add_argument("--chunk", type=int, default=CHUNK_BYTES, help=f"bytes of a chunk (default {CHUNK_BYTES})")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender; medians count (default 5)")
    parser.add_argument("--json", type=Path, help="write machine, versions and every run to this file")
    options = parser.parse_args(arguments)
    machine = describe()
    print(f"{machine['cpu']}, {machine['cpus']} CPUs, load {machine['load']:.1f}; {machine['versions']}")
    report: dict[str, Any] = {"machine": machine, "chunk_bytes": options.chunk, "files": []}
    shared = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None)))
        contenders = _processes(stack, options.contender or list(PACKAGES))
        report["contenders"] = {f"{each.kind} {each.build}": each.child.about for each in contenders}
        for name in FILES:
            if name in (options.only or FILES):
                file = make_file(name, int(options.mb * 1e6), options.chunk)
                measured = _measure(file, contenders, folder, options.chunk, options.rounds)
                _print(measured)
                report["files"].append(measured)
    report["load_after"] = describe()["load"]
    if options.json:
        options.json.write_bytes(encode_json(report) + b"\n")
    wrong = [
        f"{measured['file']}, {each['build']}: {each['differs']}"
        for measured in report["files"]
        for each in measured["results"]
        if each["contender"] == "engine" and each["differs"]
    ]
    if wrong:
        sys.exit("the engine does not read what csv.reader reads: " + "; ".join(wrong))
