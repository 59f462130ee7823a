"""A CSV file read by the engine, and by the oracle, in one form to be compared; texts that are hard to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from engine.core.limits import Limits
from engine.core.mapping import CsvDialect
from engine.core.reader import CsvReader, Placed
from engine.core.rows import RowIndex
from engine.errors import HeaderError
from tests.oracle.rows import BadHeader, read_rows
from tests.oracle.texts import read_text

__all__ = ["ROW_BYTES", "Read", "Row", "cuts", "read", "reference", "spelled"]

ROW_BYTES = 16_777_216

type Row = tuple[int, int, list[str | None] | str, str]
"""A row's number and line, its cells or its code, its source text (bad bytes as surrogates)."""


@dataclass(slots=True)
class Read:
    """What reading a file gives: labels and rows, or that the header is wrong."""

    labels: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    bad_header: bool = False

    @property
    def outcomes(self) -> list[list[str | None] | str]:
        """Of each row its cells, or its code."""
        return [row[2] for row in self.rows]


def read(
    data: bytes,
    cuts: Iterable[int] = (),
    *,
    chunk_bytes: int = 16,
    row_bytes: int = ROW_BYTES,
    **dialect: Any,
) -> Read:
    """What the engine makes of a file in the pieces that ``cuts``, in order, make of it.

    Args:
        dialect: settings of a mapping's ``csv`` section.
    """
    found = Read()

    def bind(labels: list[str]) -> Sequence[int]:
        found.labels = labels
        return range(len(labels))

    rules = CsvDialect(**dialect)
    reader = CsvReader(
        rules.dialect, header=rules.header, bind=bind, null_values=[], limits=Limits(row_bytes=row_bytes),
        chunk_bytes=chunk_bytes,
    )  # fmt: skip
    codec = read_text(data[:4], rules.encoding).codec
    try:
        for start, end in pairwise([0, *cuts, len(data)]):
            for placed in reader.feed(data[start:end]):
                found.rows += _rows(placed, len(found.labels), codec)
        for placed in reader.finish():
            found.rows += _rows(placed, len(found.labels), codec)
    except HeaderError:
        return Read(bad_header=True)
    return found


def _rows(placed: Placed, width: int, codec: str) -> list[Row]:
    chunk = placed.chunk
    index = chunk.index or RowIndex(chunk.frame, chunk.rows)
    columns = [chunk.columns[place].to_pylist() for place in range(width)]
    cells: list[list[str | None]] = [list(row) for row in zip(*columns, strict=True)]
    outcomes: dict[int, list[str | None] | str] = dict(zip(chunk.ordinals(range(chunk.height)), cells, strict=True))
    outcomes |= {row.ordinal: row.code for row in chunk.aside}
    errors = "surrogateescape" if codec.startswith("utf-8") else "surrogatepass"
    return [
        (placed.first_row + ordinal, placed.first_line + line, outcomes[ordinal], raw.decode("utf-8", errors))
        for ordinal, (line, raw) in enumerate(index.sources(range(chunk.rows)))
    ]


def reference(data: bytes, *, row_bytes: int = ROW_BYTES, **dialect: Any) -> Read:
    """What the oracle makes of the whole file."""
    found = Read()
    try:
        for number, row in enumerate(read_rows(data, dialect, row_bytes, found.labels.extend), 1):
            found.rows.append((number, row.record.line, row.fault or row.cells, row.record.raw))
    except BadHeader:
        return Read(bad_header=True)
    return found


def cuts(size: int, step: int, first: int) -> range:
    """Where to cut ``size`` bytes: every ``step`` from ``first``; nowhere where ``step`` is 0."""
    return range(min(first, size), size, step) if step else range(0)


def spelled(drawn: bytes, tokens: Sequence[bytes]) -> bytes:
    """A text of these tokens, one for each byte drawn: bytes are far quicker to draw, and shrink, than lists are."""
    return b"".join([tokens[octet % len(tokens)] for octet in drawn])
