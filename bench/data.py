"""Activity data of any size: the CSV files that demo, tests and benchmarks read.

A file is a pure function of its :class:`Activity` description: the same description gives the same bytes on every
build, and the list of rows that were corrupted comes with them. Files are made a block of about a megabyte at a
time, so their size is bounded by the disk, never by memory. Cells are drawn from pools made once per seed, which is
what makes it fast; only :meth:`random.Random.random` and what is built on it alone is used, because Python promises
its sequence.

``python -m bench.data --rows 1_000_000 --files 4 --out DIR --corrupt 0.001`` writes files, their mapping and the
list of corrupted rows.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from bench.cells import BLOCK_ROWS, Pools

__all__ = ["COLUMNS", "Activity", "Block", "Corrupted", "activity_mapping", "blocks", "build", "write"]

COLUMNS = (
    "event_id",
    "user_id",
    "ts",
    "amount",
    "is_bot",
    "payload",
    "token",
    "user_agent",
    "comment",
    "country",
)
ROW_BYTES = 260
"""About how long a row is, for turning a size into a number of rows."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What a file is to hold.

    Attributes:
        rows: how many data rows; or
        size: how many bytes at least: the row that reaches them is the last. Exactly one of the two is given.
        seed: another seed gives other rows.
        corrupt: the share of rows that are corrupted, 0 to 1; each of them has exactly one error.
        newlines: the share of rows whose comment holds quoted newlines, 0 to 1.
        crlf: lines end in CRLF rather than LF (quoted newlines inside cells stay LF, as spreadsheets write them).
        bom: the file starts with a UTF-8 byte order mark.
        first_id: ``event_id`` of the first row; it goes up by one a row.
    """

    rows: int | None = None
    size: int | None = None
    seed: int = 1
    corrupt: float = 0.0
    newlines: float = 0.0
    crlf: bool = False
    bom: bool = False
    first_id: int = 1

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.size is None):
            raise ValueError("give rows or size, not both")
        if not (0 <= self.corrupt <= 1 and 0 <= self.newlines <= 1):
            raise ValueError("corrupt and newlines are shares, from 0 to 1")


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A row that a mapping must reject.

    Attributes:
        row: number of the data row, from 1.
        line: physical line where the row starts, from 1; the header is line 1.
        field: the field at fault; empty where it is the row as a whole (its cells' number, its encoding).
        code: the error code it must get.
    """

    row: int
    line: int
    field: str
    code: str


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole rows of a file; the first block starts with the header."""

    data: bytes
    rows: int
    corrupted: tuple[Corrupted, ...]


def activity_mapping() -> dict[str, Any]:
    """The mapping document that fits the files made here; a new one on each call."""
    types = dict.fromkeys(COLUMNS, "string") | {
        "event_id": "int",
        "user_id": "uuid",
        "ts": "timestamp",
        "amount": "float",
        "is_bot": "bool",
        "payload": "json",
    }
    fields: list[dict[str, Any]] = [{"name": name, "type": types[name]} for name in COLUMNS]
    for field in fields[:3]:
        field["required"] = True
    return {"version": 1, "id": "activity", "fields": fields}


def blocks(activity: Activity) -> Iterator[Block]:
    """Makes a file, a block at a time, in order. Holds no more than one block and the pools."""
    pools = Pools.make(activity.seed)
    random = Random(f"rows {activity.seed} {activity.first_id}")
    end = b"\r\n" if activity.crlf else b"\n"
    head = (b"\xef\xbb\xbf" if activity.bom else b"") + ",".join(COLUMNS).encode() + end
    made, size, line = 0, len(head), 2
    while True:
        wanted = BLOCK_ROWS if activity.rows is None else min(BLOCK_ROWS, activity.rows - made)
        columns = pools.draw(random, activity.first_id + made, wanted, made // BLOCK_ROWS)
        broken = _spoil(activity, random, columns, pools.multiline)
        rows = list(map(b",".join, zip(*columns, strict=True)))
        for index, fault in broken:
            rows[index] = fault.apply(rows[index])
        if activity.size is not None:
            rows = _until(rows, activity.size - size, len(end))
        data = end.join([*rows, b""])
        yield Block(head + data, len(rows), tuple(_locate(rows, broken, made, line)))
        head = b""
        made += len(rows)
        size += len(data)
        line += data.count(b"\n")
        if made == activity.rows or (activity.size is not None and size >= activity.size):
            return


def build(activity: Activity) -> tuple[bytes, list[Corrupted]]:
    """A small file whole, with its corrupted rows."""
    made = list(blocks(activity))
    return b"".join(block.data for block in made), [found for block in made for found in block.corrupted]


def write(activity: Activity, path: Path, on_block: Callable[[Block], None] | None = None) -> list[Corrupted]:
    """Writes a file to ``path``, calling ``on_block`` after each block; returns its corrupted rows."""
    corrupted: list[Corrupted] = []
    with path.open("wb") as file:
        for block in blocks(activity):
            file.write(block.data)
            corrupted += block.corrupted
            if on_block is not None:
                on_block(block)
    return corrupted


@dataclass(frozen=True, slots=True)
class _Fault:
    """One way to break a row: another text for a cell, or a cell more or less (no text)."""

    code: str
    column: str
    text: bytes | None

    @property
    def field(self) -> str:
        return self.column if self.code in ("type-error", "missing-value") else ""

    def apply(self, row: bytes) -> bytes:
        """Breaks the shape of a finished row; faults of one cell were put there before."""
        if self.code == "extra-cell":
            return row + b",surplus"
        if self.code == "missing-cell":
            return row[: row.rindex(b",")]
        return row


_FAULTS = (
    _Fault("type-error", "event_id", b"12x4"),
    _Fault("type-error", "event_id", b"9223372036854775808"),
    _Fault("missing-value", "event_id", b""),
    _Fault("type-error", "user_id", b"anonymous"),
    _Fault("type-error", "user_id", b"4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5"),
    _Fault("missing-value", "user_id", b'""'),
    _Fault("type-error", "ts", b"2026-02-30T10:00:00Z"),
    _Fault("type-error", "ts", b"yesterday"),
    _Fault("missing-value", "ts", b""),
    _Fault("type-error", "amount", b"nan"),
    _Fault("type-error", "amount", b'"1,299.00"'),
    _Fault("type-error", "is_bot", b"maybe"),
    _Fault("type-error", "payload", b'"{""ev"":""click"",""page"":"'),
    _Fault("type-error", "payload", b'"{""ms"":1},{""ms"":2}"'),
    _Fault("encoding-error", "comment", b"caf\xe9 au lait"),
    _Fault("extra-cell", "", None),
    _Fault("missing-cell", "country", None),
)


def _spoil(
    activity: Activity, random: Random, columns: list[list[bytes]], multiline: Sequence[bytes]
) -> list[tuple[int, _Fault]]:
    """Puts quoted newlines and broken cells into a block's columns; returns which rows are broken, and how."""
    count = len(columns[0])
    draw = random.random
    if activity.newlines:
        comments = columns[COLUMNS.index("comment")]
        for index in range(count):
            if draw() < activity.newlines:
                comments[index] = multiline[int(draw() * len(multiline))]
    broken = []
    if activity.corrupt:
        for index in range(count):
            if draw() < activity.corrupt:
                fault = _FAULTS[int(draw() * len(_FAULTS))]
                broken.append((index, fault))
                if fault.text is not None:
                    columns[COLUMNS.index(fault.column)][index] = fault.text
    return broken


def _until(rows: list[bytes], size: int, end: int) -> list[bytes]:
    """The first rows that together have at least ``size`` bytes; all where they have fewer."""
    for count, row in enumerate(rows, 1):
        size -= len(row) + end
        if size <= 0:
            return rows[:count]
    return rows


def _locate(rows: list[bytes], broken: list[tuple[int, _Fault]], made: int, line: int) -> Iterator[Corrupted]:
    """Says where a block's broken rows lie; ``made`` rows came before it, and it starts on ``line``."""
    seen = 0
    for index, fault in broken:
        if index < len(rows):
            line += b"\n".join([*rows[seen:index], b""]).count(b"\n")
            seen = index
            yield Corrupted(made + index + 1, line, fault.field, fault.code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes files, their mapping (``activity.json``) and the rows that must be rejected (``corrupted.jsonl``)."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description="Makes activity data.")
    amount = parser.add_mutually_exclusive_group(required=True)
    amount.add_argument("--rows", type=int, help="rows a file")
    amount.add_argument("--size", type=int, help="bytes a file, at least")
    parser.add_argument("--files", type=int, default=1, metavar="K")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corrupt", type=float, default=0.0, metavar="SHARE", help="share of corrupted rows, 0 to 1")
    parser.add_argument("--newlines", type=float, default=0.0, metavar="SHARE", help="share with quoted newlines")
    parser.add_argument("--crlf", action="store_true")
    parser.add_argument("--bom", action="store_true")
    options = vars(parser.parse_args(arguments))
    files, out = options.pop("files"), options.pop("out")
    try:
        activity = Activity(**options)
    except ValueError as error:
        parser.error(str(error))
    out.mkdir(parents=True, exist_ok=True)
    (out / "activity.json").write_text(json.dumps(activity_mapping(), indent=2) + "\n", encoding="utf-8")
    started, size, faults = time.perf_counter(), 0, 0
    with (out / "corrupted.jsonl").open("w", encoding="utf-8") as listed:
        for number in range(files):
            path = out / f"activity-{number:04d}.csv"
            ids = activity.rows if activity.rows is not None else (activity.size or 0) // 100
            for found in write(replace(activity, first_id=1 + number * ids), path):
                listed.write(json.dumps({"file": path.name, **asdict(found)}) + "\n")
                faults += 1
            size += path.stat().st_size
    seconds = time.perf_counter() - started
    print(f"{files} files, {size / 1e6:.1f} MB, {faults} corrupted rows in {out} ({size / 1e6 / seconds:.0f} MB/s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
