"""The first rows of a file as columns of text, read as the engine itself reads them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.dialect import Dialect
from engine.core.encodings import ToUtf8
from engine.core.inference.dialect import Found, sniff
from engine.core.inference.encoding import find_encoding
from engine.core.limits import Limits
from engine.core.reader import CsvReader, Placed
from engine.core.rows import RowIndex
from engine.errors import FileError

__all__ = ["SAMPLE_BYTES", "Broken", "Sample", "read_sample"]

SAMPLE_BYTES = 33_554_432
"""How much of a file is looked at, at most, whatever the number of rows."""

_HEAD_BYTES = 131_072  # that the dialect is judged by; csv takes no longer cells by itself


_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # how gzip and zstd begin
_NO_ROWS = "there are no rows to infer anything from"


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that is no row: its number in the file from 0, the header's included; its line from 1; its error code;
    and why."""

    record: int
    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file.

    Attributes:
        notes: on how it is written, where that is a guess; none for a dialect that was given.
        records: how many were looked at, the header and those that are no rows included.
        columns: their cells, the header's too, as text columns without nulls.
        numbers: for each row of the columns its record's number in the file, from 0; the first is there.
        broken: the records that are not in the columns.
        whole: whether the file ends there.
    """

    name: str
    dialect: Dialect
    notes: Sequence[str]
    records: int
    columns: tuple[pa.Array, ...]
    numbers: array[int]
    broken: tuple[Broken, ...]
    whole: bool


def read_sample(
    pieces: Iterable[bytes], name: str, *, rows: int, limits: Limits, dialect: Dialect | None = None
) -> Sample:
    """Reads a file's first records, as many as ``rows`` rows and a header need.

    No more of the file is read than that needs, except to know its encoding: what is all ASCII is searched for the
    first character that is not. In no case are more than ``SAMPLE_BYTES`` and a piece read.

    Args:
        pieces: the file's bytes.
        name: its name, for errors.
        dialect: how it is written; judged by its beginning unless given.

    Raises:
        FileError: the file has no rows at all or is compressed, or its first record is broken.
    """
    source = _limited(pieces)
    read: list[bytes] = []  # what was looked at to judge the dialect
    found = Found(dialect) if dialect is not None else _judged(_recorded(source, read), read, name)
    try:
        return _read(chain(read, source), name, found, rows + 1, limits)
    except FileError as error:
        raise error.at(file=name) from None


def _limited(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces; an empty one at last where the file goes on beyond what is looked at."""
    size = 0
    for piece in filter(None, pieces):
        if size >= SAMPLE_BYTES:
            yield b""
            return
        size += len(piece)
        yield piece


def _recorded(source: Iterator[bytes], read: list[bytes]) -> Iterator[bytes]:
    for piece in source:
        read.append(piece)
        yield piece


def _judged(source: Iterator[bytes], read: list[bytes], name: str) -> Found:
    """How a file is written.

    Args:
        source: its pieces; those that are taken from it are added to ``read``.
    """
    first = next(source, b"")
    if first.startswith(_COMPRESSED):
        raise FileError("is compressed; give the text itself", file=name)
    encoding = find_encoding(chain([first], source))
    head = bytearray()
    for piece in chain(tuple(read), source):
        head += piece
        if len(head) > _HEAD_BYTES:
            break
    text = ToUtf8(encoding.name).feed(bytes(head[:_HEAD_BYTES])).decode(errors="replace")
    if not text.strip("\r\n"):
        raise FileError(_NO_ROWS, file=name)
    found = sniff(text, whole=len(head) <= _HEAD_BYTES)
    notes = found.notes
    if encoding.guess is not None:
        notes = (f"csv.encoding {encoding.name} is a guess: {encoding.guess}; set another if that looks wrong", *notes)
    return Found(replace(found.dialect, encoding=encoding.name), notes)


def _read(pieces: Iterable[bytes], name: str, found: Found, count: int, limits: Limits) -> Sample:
    """Reads the first ``count`` records."""
    width = 0

    def bind(labels: list[str]) -> range:
        nonlocal width
        width = len(labels)
        return range(width)

    reader = CsvReader(found.dialect, header=False, bind=bind, null_values=(), limits=limits)
    placed: list[Placed] = []
    whole = False
    for piece in pieces:
        if not piece or (placed and _records(placed) > count):
            break
        placed += reader.feed(piece)
    else:
        placed += reader.finish()
        whole = _records(placed) <= count
    parts = [_cut(each, count - each.first_row + 1) for each in placed]
    numbers = array("q", (number for part in parts for number in part.numbers))
    broken = tuple(each for part in parts for each in part.broken)
    if not numbers and not broken:
        raise FileError(_NO_ROWS)
    if not numbers or numbers[0] != 0:
        raise FileError(f"the first record is broken: {broken[0].message}")
    columns = tuple(pa.concat_arrays([part.columns[place] for part in parts]) for place in range(width))
    records = min(_records(placed), count)
    return Sample(name, found.dialect, found.notes, records, columns, numbers, broken, whole)


def _records(placed: Sequence[Placed]) -> int:
    return placed[-1].first_row - 1 + placed[-1].chunk.rows if placed else 0


@dataclass(frozen=True, slots=True)
class _Part:
    """Records of one chunk, as of :class:`Sample`."""

    columns: Sequence[pa.Array]
    numbers: Sequence[int]
    broken: Sequence[Broken]


def _cut(placed: Placed, left: int) -> _Part:
    """A chunk's first ``left`` records."""
    chunk, first = placed.chunk, placed.first_row - 1
    ordinals = chunk.ordinals(range(chunk.height))
    height = bisect_left(ordinals, left)
    columns = [chunk.columns[place].slice(0, height) for place in sorted(chunk.columns)]
    if chunk.frame.dialect.missing_cells:
        columns = [pc.fill_null(column, "") for column in columns]
    aside = [row for row in chunk.aside if row.ordinal < left]
    sources = (chunk.index or RowIndex(chunk.frame, chunk.rows)).sources(row.ordinal for row in aside) if aside else []
    broken = [
        Broken(first + row.ordinal, placed.first_line + source.line, row.code, row.message)
        for row, source in zip(aside, sources, strict=True)
    ]
    return _Part(columns, [first + ordinal for ordinal in ordinals[:height]], broken)
