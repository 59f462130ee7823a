"""The first rows of a file as columns of text, read as the engine itself reads them."""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import pyarrow as pa

from engine.core.dialect import Dialect
from engine.core.framing import records
from engine.core.inference.dialect import sniff
from engine.core.limits import Limits
from engine.core.reader import CsvReader, Placed
from engine.core.rows import RowIndex
from engine.errors import FileError

__all__ = ["SAMPLE_BYTES", "Broken", "Sample", "read_sample"]

SAMPLE_BYTES = 33_554_432
"""How much of a file is looked at, at most, whatever the number of rows."""

_HEAD_BYTES = 131_072  # that the dialect is judged by


_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # how gzip and zstd begin


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that is no row: its number in the file from 0, the header's included; its line from 1; and why."""

    record: int
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file.

    Attributes:
        data: the bytes of the records that were looked at, without a byte order mark.
        columns: their cells, the header's too, as text columns without nulls.
        numbers: for each row of the columns its record's number in the file, from 0.
        broken: the records that are not in the columns.
        whole: whether the file ends there.
    """

    name: str
    dialect: Dialect
    data: bytes
    columns: tuple[pa.Array, ...]
    numbers: array[int]
    broken: tuple[Broken, ...]
    whole: bool


def read_sample(
    pieces: Iterable[bytes], name: str, *, rows: int, limits: Limits, dialect: Dialect | None = None
) -> Sample:
    """Reads a file's first records, as many as ``rows`` rows and a header need, and little more of the file than that.

    Args:
        pieces: the file's bytes.
        name: its name, for errors.
        dialect: how it is written; judged by its beginning unless given.

    Raises:
        FileError: the file has no rows at all or is compressed, or a record is longer than ``limits.row_bytes``.
    """
    source = iter(pieces)
    head = _head(source)
    if not head.strip(b"\r\n"):
        raise FileError("there are no rows to infer anything from", file=name)
    if head.startswith(_COMPRESSED):
        raise FileError("is compressed; give the text itself", file=name)
    dialect = dialect or sniff(head)
    try:
        data, whole = _first_records(chain([head], source), dialect, rows + 1, limits)
    except FileError as error:
        raise error.at(file=name) from None
    width = 0

    def bind(labels: list[str]) -> range:
        nonlocal width
        width = len(labels)
        return range(width)

    reader = CsvReader(dialect, header=False, bind=bind, null_values=(), limits=limits)
    placed = [*reader.feed(data), *reader.finish()]
    return Sample(
        name,
        dialect,
        data,
        tuple(pa.concat_arrays([each.chunk.columns[place] for each in placed]) for place in range(width)),
        array(
            "q",
            (
                each.first_row - 1 + ordinal
                for each in placed
                for ordinal in each.chunk.ordinals(range(each.chunk.height))
            ),
        ),
        tuple(broken for each in placed for broken in _broken(each, dialect)),
        whole,
    )


def _head(source: Iterator[bytes]) -> bytes:
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < _HEAD_BYTES and (piece := next(source, b"")):
        pieces.append(piece)
    return b"".join(pieces).removeprefix(codecs.BOM_UTF8)


def _first_records(pieces: Iterable[bytes], dialect: Dialect, count: int, limits: Limits) -> tuple[bytes, bool]:
    """The bytes of a file's first ``count`` records, and whether it has no more."""
    found: list[bytes] = []
    for placed in _placed(pieces, dialect, limits):
        if placed is None:
            return b"".join(found), False
        left = count - placed.first_row + 1
        if placed.chunk.rows > left:
            return b"".join([*found, _first(placed.chunk.data, left, dialect)]), False
        found.append(placed.chunk.data)
    return b"".join(found), True


def _placed(pieces: Iterable[bytes], dialect: Dialect, limits: Limits) -> Iterator[Placed | None]:
    """The file's chunks; None at last where it goes on beyond what is looked at."""
    reader = CsvReader(dialect, header=False, bind=lambda _: (0,), null_values=(), limits=limits)
    read = 0
    for piece in pieces:
        if read >= SAMPLE_BYTES:
            yield None
            return
        read += len(piece)
        yield from reader.feed(piece)
    yield from reader.finish()


def _first(data: bytes, count: int, dialect: Dialect) -> bytes:
    """The first ``count`` records of a chunk that has more."""
    rows = (record for record in records(data, dialect) if record.cells)
    return data[: next(islice(rows, count, None)).start]


def _broken(placed: Placed, dialect: Dialect) -> Iterator[Broken]:
    if placed.chunk.aside:
        index = RowIndex(placed.chunk.data, dialect, placed.chunk.rows)
        for row in placed.chunk.aside:
            line = placed.first_line + index.source(row.ordinal).line
            yield Broken(placed.first_row - 1 + row.ordinal, line, row.message)
