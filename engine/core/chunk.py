"""A chunk of whole records, parsed: text columns, and the rows that could not become part of them."""

from __future__ import annotations

import codecs
import itertools
import re
import secrets
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import pack
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from engine.core.columns import mask_of
from engine.core.dialect import Dialect
from engine.core.framing import count_lines
from engine.core.rows import RowIndex

__all__ = ["BLANK", "Aside", "Chunk", "parse_chunk"]

BLANK = "nothing on the line"
_BLOCK = 65_536  # bytes that are looked at together for some that are not UTF-8
_NEAR = 128  # bytes that are looked at first after some that are not
_LINE_END = re.compile(rb"[\r\n]")


class Aside(NamedTuple):
    """A row set aside before its cells were looked at. ``ordinal`` counts the chunk's rows from 0."""

    ordinal: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Parsed records.

    Attributes:
        data: the bytes they were parsed from.
        lines: line ends in ``data``.
        rows: how many rows there are, aside or not (blank rows only where the dialect counts them).
        columns: text columns by position, for the positions asked for; equal lengths.
        aside: the rows not in ``columns``, in order.
        index: where the rows stand, if that had to be worked out.
    """

    data: bytes
    lines: int
    rows: int
    columns: dict[int, pa.Array]
    aside: Sequence[Aside]
    index: RowIndex | None = None

    @property
    def height(self) -> int:
        """The rows of ``columns``."""
        return self.rows - len(self.aside)

    def ordinals(self, rows: Iterable[int]) -> list[int]:
        """The ordinals of some rows of ``columns``."""
        before = [row.ordinal - place for place, row in enumerate(self.aside)]  # rows of the columns before each
        return [row + bisect_right(before, row) for row in rows]


def parse_chunk(data: bytes, dialect: Dialect, width: int, wanted: Sequence[int], null_values: Sequence[str]) -> Chunk:
    """Parses whole records.

    Args:
        data: records, each ended by a line end but perhaps the last.
        width: how many cells a record has; others are set aside.
        wanted: positions of the columns to give back; others are not converted.
        null_values: cells equal to one of these are null.
    """
    if data[:1] in (b"", b"\n", b"\r") and not data.strip(b"\r\n"):
        height = count_lines(data)
        aside = [Aside(row, "blank-row", BLANK) for row in range(height if dialect.blank_rows else 0)]
        return Chunk(data, height, len(aside), {place: pa.array([], pa.string()) for place in wanted}, aside)
    bad, text = (
        ([], data) if data.isascii() or _is_utf8(data) else _decodable(data)
    )  # Arrow fails on a ragged row that is not
    height, columns, aside = _read(text, dialect, width, wanted, null_values)
    rows = height + len(aside)
    blank = dialect.blank_rows and _blank_perhaps(data)
    index = RowIndex(data, dialect, rows) if blank or bad else None
    if index is not None:
        found = itertools.chain(_blank(index, rows) if blank else (), _undecodable(bad, data, index))
        aside, columns = _set_aside(found, aside, columns)
    texts = {place: _as_text(column) for place, column in columns.items()}
    return Chunk(data, count_lines(data), rows, texts, aside, index)


def _read(
    text: bytes, dialect: Dialect, width: int, wanted: Sequence[int], null_values: Sequence[str]
) -> tuple[int, dict[int, pa.Array], list[Aside]]:
    """The rows that have ``width`` cells, and those that have not.

    Arrow's parser loses separators and line ends after a NUL, so something else stands in for NULs.
    """
    null = _stand_in(text, dialect) if b"\0" in text else "\0"
    text = text.replace(b"\0", null.encode()) if null != "\0" else text
    ragged: list[Aside] = []

    def set_aside(row: pa_csv.InvalidRow) -> str:
        code, what = ("extra-cell", "more") if row.actual_columns > width else ("missing-cell", "fewer")
        message = f"{row.actual_columns} cells, {what} than the header's {width}"
        ragged.append(Aside(row.number - 1, code, message))
        return "skip"

    names = [str(place) for place in range(width)]
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote,
            double_quote=True,
            newlines_in_values=True,
            ignore_empty_lines=not dialect.blank_rows,
            invalid_row_handler=set_aside,
        ),
        convert_options=pa_csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.binary()),
            include_columns=[names[place] for place in wanted],
            null_values=[each.replace("\0", null) for each in null_values],
            strings_can_be_null=bool(null_values),
            quoted_strings_can_be_null=True,
        ),
    )
    columns = {place: _contiguous(table.column(str(place))) for place in wanted}
    if null != "\0":
        columns = {place: pc.replace_substring(column, null, "\0") for place, column in columns.items()}
    return table.num_rows, columns, ragged


def _stand_in(text: bytes, dialect: Dialect) -> str:
    """A text that ``text`` does not have: a control character, or one that nobody can guess."""
    structure = "\n\r" + dialect.delimiter + (dialect.quote or "")
    for code in range(1, 0x20):
        if chr(code) not in structure and bytes([code]) not in text:
            return chr(code)
    return f"\x01{secrets.token_hex(16)}\x01"


def _contiguous(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _as_text(column: pa.Array) -> pa.Array:
    """The same buffers under another type: the bytes are known to be UTF-8."""
    return pa.Array.from_buffers(pa.string(), len(column), column.buffers(), column.null_count, column.offset)


def _is_utf8(data: bytes | memoryview) -> bool:
    whole = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(pack("=ii", 0, len(data))), pa.py_buffer(data)])
    try:
        whole.cast(pa.string())  # checks without making a string: a quarter of the cost of decode()
    except pa.ArrowInvalid:
        return False
    return True


def _set_aside(
    found: Iterator[Aside], aside: list[Aside], columns: dict[int, pa.Array]
) -> tuple[list[Aside], dict[int, pa.Array]]:
    """Adds rows to those aside, and takes them out of the columns. A blank row is not called ragged."""
    gone = sorted(row.ordinal for row in aside)
    reasons = {row.ordinal: row for row in aside}
    drop: list[int] = []
    for row in found:
        passed = bisect_left(gone, row.ordinal)
        if row.ordinal not in reasons:
            drop.append(row.ordinal - passed)
            reasons[row.ordinal] = row
        elif row.code == "blank-row":
            reasons[row.ordinal] = row
    if not columns:  # the mapping has constants only
        return sorted(reasons.values()), columns
    height = len(next(iter(columns.values())))
    keep = pc.invert(mask_of(drop, height))
    return sorted(reasons.values()), {place: column.filter(keep) for place, column in columns.items()}


def _blank_perhaps(data: bytes) -> bool:
    return data.startswith((b"\n", b"\r")) or any(pair in data for pair in (b"\n\n", b"\n\r", b"\r\r"))


def _blank(index: RowIndex, rows: int) -> Iterator[Aside]:
    sources = index.sources(range(rows))
    return (Aside(ordinal, "blank-row", BLANK) for ordinal, source in enumerate(sources) if not source.raw)


def _undecodable(bad: Iterable[int], data: bytes, index: RowIndex) -> Iterator[Aside]:
    """The rows that hold bytes that are not UTF-8, in order, each once; the first such byte of each is named.

    Args:
        bad: the offsets of those bytes, in order.
    """
    last = end = -1
    for offset in bad:
        if offset < end:  # on the line of the one before, and so in its row
            continue
        found = _LINE_END.search(data, offset)
        end = found.start() if found else len(data)
        ordinal = index.ordinal_at(offset)
        if ordinal != last:
            last, row = ordinal, index.source(ordinal).raw
            try:
                row.decode()
            except UnicodeDecodeError as error:
                what = f"byte 0x{row[error.start]:02x} at offset {error.start} of the row is not UTF-8"
                yield Aside(ordinal, "encoding-error", what)


def _decodable(data: bytes) -> tuple[Sequence[int], bytes]:
    """Where ``data`` is not UTF-8, and ``data`` with question marks there."""
    bad = array("q")
    text = bytearray(data)
    view = memoryview(data)
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _BLOCK) + 1 or len(data)  # no character goes across a line end
        if not _is_utf8(view[start:end]):
            for first, last in _errors(view[start:end]):
                bad.append(start + first)
                text[start + first : start + last] = b"?" * (last - first)
        start = end
    return bad, bytes(text)


def _errors(block: memoryview) -> Iterator[tuple[int, int]]:
    """Where bytes that are not UTF-8 begin and end.

    An error of the codec brings a copy of all that it was given, so it is given little after one: linear in total.
    """
    start, size = 0, _NEAR
    while start < len(block):
        end = start + size
        try:
            _, used = codecs.utf_8_decode(block[start:end], "strict", end >= len(block))
        except UnicodeDecodeError as error:
            yield start + error.start, start + error.end
            start, size = start + error.end, _NEAR
        else:
            start, size = start + used, 2 * size
