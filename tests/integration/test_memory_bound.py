"""The memory bound that ``engine doctor`` prints is kept by real runs: all workers and pipelines busy, over HTTP."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.data import Activity, activity_mapping, build
from bench.hollow import Repeated, hollow_s3
from bench.peaks import family_peak_kb
from engine.core.reader import CHUNK_BYTES
from engine.memory import MemoryBound, Sizes, fit, memory_bound
from engine.pool.build import Executor
from engine.progress import size
from tests.cli.command import ENGINE, engine, environment

MIB = 1 << 20
WORKERS, PIPELINES = 2, 2
FILES = WORKERS * PIPELINES
ROWS = 2  # of a file of long ones
HEADER = b"id,note\n"
NOTES: dict[str, Any] = {
    "version": 1,
    "id": "notes",
    "fields": [{"name": "id", "type": "int"}, {"name": "note", "type": "string"}],
}
FLAGS = ("--workers", str(WORKERS), "--pipelines", str(PIPELINES))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run was: its peak, all processes together, in bytes, and its manifest's files."""

    peak: int
    files: list[dict[str, Any]]

    def total(self, name: str) -> int:
        return sum(file[name] for file in self.files)


def run(
    folder: Path, mapping: dict[str, Any], file: Repeated, suffix: str, *, count: int = FILES, **variables: str
) -> Ran:
    """``engine run`` over so many copies of a file, one for every pipeline unless told otherwise, from a store that
    makes them as they are read to one that drops what it gets."""
    names = [f"{number}.csv{suffix}" for number in range(count)]
    (folder / "mapping.json").write_text(json.dumps(mapping))
    with hollow_s3({f"client/{name}": file for name in names}) as s3:
        process = subprocess.Popen(
            [ENGINE, "run", "mapping.json", *(f"s3://client/{name}" for name in names), "--output", "s3://ours/out",
             "--report", "report.json", *FLAGS],
            cwd=folder, env=environment(**s3.env, **variables), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        with process:
            peak = family_peak_kb(process)
            assert process.stderr is not None
            assert process.returncode == 0, process.stderr.read().decode()
    return Ran(peak * 1024, json.loads((folder / "report.json").read_bytes())["files"])


EXECUTOR: Executor = "processes" if sys._is_gil_enabled() else "threads"


def sizes(row_bytes: int) -> Sizes:
    """The configuration's own but ``row_bytes``."""
    return Sizes(read_bytes=MIB, chunk_bytes=CHUNK_BYTES, part_bytes=8 * MIB, row_bytes=row_bytes)


def bound(row_bytes: int = 16 * MIB) -> MemoryBound:
    """The formula for these runs on this build."""
    return memory_bound(EXECUTOR, WORKERS, PIPELINES, sizes(row_bytes))


def activity(pack: Callable[[bytes], bytes], megabytes: int) -> Repeated:
    """Activity data, with some rejected rows."""
    data, _ = build(Activity(size=2_000_000, corrupt=0.001))
    header, newline, rows = data.partition(b"\n")
    return Repeated(pack(header + newline), pack(rows), megabytes // 2)


def test_doctor_prints_the_bound(tmp_path: Path) -> None:
    """What the command says of a configuration is what the formula gives for it, so what holds here holds for that."""
    done = engine("doctor", *FLAGS, cwd=tmp_path, env={"ENGINE_LIMITS__ROW_BYTES": str(4 * MIB)})
    expected = bound(4 * MIB)
    assert f"at most {size(expected.usual)} of the " in done.stdout
    assert f"at most {size(expected.parquet)} if every pipeline wrote Parquet" in done.stdout
    assert f"at most {size(expected.longest)} if, besides, every pipeline held a row of {size(4 * MIB)}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("format_", "suffix", "pack"), [("jsonl", "", bytes), ("parquet", ".gz", gzip.compress)])
def test_ordinary_rows_keep_the_bound(
    format_: str, suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Files of several chunks and parts, all pipelines at once, stay below the bound for short rows."""
    file = activity(pack, 8)
    ran = run(tmp_path, activity_mapping() | {"output": {"format": format_}}, file, suffix)
    assert ran.total("bytes_read") == FILES * file.size
    assert ran.total("rows_rejected") > 0
    most = bound().parquet if format_ == "parquet" else bound().usual
    print(f"{ran.peak / MIB:.0f} of {most / MIB:.0f} MiB")
    assert ran.peak < most


COLUMNS = [f"c{place}" for place in range(40)]
TINY: dict[str, tuple[bytes, list[str]]] = {
    "all rejected": (b"abc\n", ["a"]),
    "forty nulls": (b"," * 39 + b"\n", COLUMNS),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TINY)
def test_tiny_rows_keep_the_bound(kind: str, tmp_path: Path) -> None:
    """Rows of a few bytes, of which each becomes many times as much, stay below the bound for short rows."""
    row, names = TINY[kind]
    header = ",".join(names).encode() + b"\n"
    mapping = NOTES | {"fields": [{"name": name, "type": "int"} for name in names]}
    ran = run(tmp_path, mapping, Repeated(header, row * 1000, 600_000 // (1000 * len(row))), "", count=4)
    rejected = ran.total("rows_read") if kind == "all rejected" else 0
    assert ran.total("rows_rejected") == rejected
    print(f"{ran.peak / MIB:.0f} of {bound().usual / MIB:.0f} MiB")
    assert ran.peak < bound().usual


def text(length: int) -> bytes:
    """Plain text that no two rows share."""
    return random.Random(length).randbytes(length // 2).hex().encode()


def doubled(length: int) -> bytes:
    """A quoted cell of doubled quotes and line ends alone: as much structure as a cell can have."""
    return b'"' + b'""\n""' * ((length - 2) // 5) + b'"'


def lists(length: int) -> bytes:
    """A JSON array of empty arrays, quoted: objects that are much larger than their text."""
    return b'"[' + b"[]," * ((length - 6) // 3) + b'[]]"'


LONG: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "text": ("string", text),
    "doubled quotes": ("string", doubled),
    "json": ("json", lists),
}


@pytest.mark.slow
@pytest.mark.parametrize(("format_", "kind"), [("parquet", "text"), ("jsonl", "doubled quotes"), ("jsonl", "json")])
def test_rows_as_long_as_they_may_be_keep_the_bound(format_: str, kind: str, tmp_path: Path) -> None:
    """Every pipeline holds rows of almost ``row_bytes`` all the time, and memory stays below the bound for these."""
    row_bytes = 4 * MIB
    type_, make = LONG[kind]
    row = b"1," + make(row_bytes - 100) + b"\n"
    assert row_bytes - 200 < len(row) <= row_bytes
    mapping = NOTES | {"fields": [NOTES["fields"][0], {"name": "note", "type": type_}], "output": {"format": format_}}
    ran = run(tmp_path, mapping, Repeated(HEADER, row, ROWS), "", ENGINE_LIMITS__ROW_BYTES=str(row_bytes))
    assert ran.total("rows_written") == FILES * ROWS
    print(f"{ran.peak / MIB:.0f} of {bound(row_bytes).longest / MIB:.0f} MiB")
    assert ran.peak < bound(row_bytes).longest


@pytest.mark.slow
def test_long_rows_wait_for_memory(tmp_path: Path) -> None:
    """With memory for one row of ``row_bytes`` in a process, all pipelines have such rows all the time: they wait for
    each other, every row is written, and the limit is kept, though all of them at once are bounded by more."""
    row_bytes = 4 * MIB
    processes = WORKERS if EXECUTOR == "processes" else 1
    limit = bound(row_bytes).parquet + processes * 28 * (2 * row_bytes - CHUNK_BYTES)
    room = fit(limit, EXECUTOR, WORKERS, PIPELINES, sizes(row_bytes), fewer_workers=False).room
    assert room is not None
    assert room.row == room.total
    row = b"1," + doubled(row_bytes - 100) + b"\n"
    ran = run(
        tmp_path, NOTES, Repeated(HEADER, row, ROWS), "",
        ENGINE_LIMITS__ROW_BYTES=str(row_bytes), ENGINE_LIMITS__MEMORY_BYTES=str(limit),
    )  # fmt: skip
    assert ran.total("rows_written") == FILES * ROWS
    print(f"{ran.peak / MIB:.0f} of {limit / MIB:.0f} MiB, {bound(row_bytes).longest / MIB:.0f} without a limit")
    assert ran.peak < limit


def test_a_row_beyond_all_memory_fails_its_file(tmp_path: Path) -> None:
    """Where the memory there is leaves too little for a row that ``limits.row_bytes`` allows, the batch fails and says
    which row it was, rather than be killed for it; shorter rows beside it are no reason to fail."""
    limit = memory_bound(EXECUTOR, 1, 1, sizes(16 * MIB)).parquet + 28 * 4 * MIB
    (tmp_path / "mapping.json").write_text(json.dumps(NOTES))
    env = {"ENGINE_LIMITS__MEMORY_BYTES": str(limit)}

    def ran(name: str, megabytes: int) -> tuple[int, str]:
        (tmp_path / f"{name}.csv").write_bytes(HEADER + b"1,a\n2," + b"x" * (megabytes * MIB) + b"\n3,c\n")
        flags = ("--output", name, "--workers", "1", "--pipelines", "1")
        done = engine("run", "mapping.json", f"{name}.csv", *flags, cwd=tmp_path, env=env)
        return done.returncode, done.stderr

    assert ran("short", 2) == (0, "")
    status, said = ran("long", 6)
    assert status == 1
    assert "long.csv: row 2: memory-error: the row goes on beyond" in said
    assert not (tmp_path / "long" / "manifest.json").exists()
