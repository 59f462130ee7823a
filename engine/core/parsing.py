"""Whole records to text columns, by Arrow's parser; rows of another width by what the dialect says of them."""

from __future__ import annotations

import codecs
import secrets
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from engine.core import native
from engine.core.dialect import Dialect
from engine.core.framing import unescaped
from engine.core.native.csvtext import read_rows
from engine.core.spaces import SPACES

__all__ = ["Aside", "Parsed", "Shape", "parse_records"]


class Aside(NamedTuple):
    """A row set aside before its cells were looked at. ``ordinal`` counts the chunk's rows from 0."""

    ordinal: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What rows are to become.

    Attributes:
        width: how many cells a row has.
        wanted: positions of the columns to give back; others are not converted.
        null_values: cells equal to one of these are null.
    """

    width: int
    wanted: Sequence[int]
    null_values: Sequence[str]


class Parsed(NamedTuple):
    """Rows as columns.

    Attributes:
        height: of the columns.
        columns: text, by position.
        aside: rows of another width, where the dialect allows no such.
        usual: how many cells most rows had.
    """

    height: int
    columns: dict[int, pa.Array]
    aside: list[Aside]
    usual: int


class _Other(NamedTuple):
    """A row of another width than looked for."""

    ordinal: int
    width: int
    text: str


def parse_records(text: bytes, dialect: Dialect, shape: Shape, usual: int, *, lines: int | None = None) -> Parsed:
    """Parses records that strict CSV allows.

    Args:
        text: in UTF-8, each record ended by a line end.
        usual: how many cells most of them are thought to have; costs time if it is wrong, no more.
        lines: how many line ends there are in ``text``, where its quotes are proven to be in their places.
    """
    if lines is not None and native.kernels is not None and _is_plain(dialect):
        quote = ord(dialect.quote) if dialect.quote is not None else 0
        rows = read_rows(text, lines, quote, ord(dialect.delimiter), shape.width, shape.wanted, shape.null_values)
        if rows is not None:
            blame = {width: _blame(width, shape.width) for width in set(rows.widths)}
            aside = [Aside(ordinal, *blame[width]) for ordinal, width in zip(rows.others, rows.widths, strict=True)]
            return Parsed(rows.height, rows.columns, aside, shape.width)
    null = _stand_in(text, dialect) if b"\0" in text else "\0"
    if null != "\0":  # Arrow's parser loses separators and line ends after a NUL
        text = text.replace(b"\0", null.encode())
    parse = _Parser(dialect, shape, [] if dialect.trim else [each.replace("\0", null) for each in shape.null_values])
    height, columns, others = parse(text, usual)
    aside = [
        Aside(row.ordinal, *_blame(row.width, shape.width)) for row in others if not _allowed(row.width, shape, dialect)
    ]
    if len(aside) < len(others):
        kept = [row for row in others if _allowed(row.width, shape, dialect)]
        columns = _merge(parse, height, columns, kept, {row.ordinal for row in others})
        widths = Counter(row.width for row in kept)
        most = max(widths, key=widths.__getitem__)
        usual = most if widths[most] > height else usual
        height += len(kept)
    if null != "\0":
        columns = {place: pc.replace_substring(column, null, "\0") for place, column in columns.items()}
    if dialect.trim:
        columns = {place: _trimmed(column, shape.null_values) for place, column in columns.items()}
    return Parsed(height, columns, aside, usual)


def _is_plain(dialect: Dialect) -> bool:
    """Whether the kernels know all that the dialect allows."""
    return not (dialect.escape or dialect.trim or dialect.extra_cells or dialect.missing_cells or dialect.blank_rows)


def _allowed(width: int, shape: Shape, dialect: Dialect) -> bool:
    return width == shape.width or (dialect.extra_cells if width > shape.width else dialect.missing_cells)


def _blame(width: int, expected: int) -> tuple[str, str]:
    code, what = ("extra-cell", "more") if width > expected else ("missing-cell", "fewer")
    return code, f"{width} cells, {what} than the header's {expected}"


@dataclass(frozen=True, slots=True)
class _Parser:
    """Calls Arrow's parser.

    Attributes:
        nulls: the texts of null cells.
    """

    dialect: Dialect
    shape: Shape
    nulls: Sequence[str]

    def __call__(self, text: bytes, width: int) -> tuple[int, dict[int, pa.Array], list[_Other]]:
        """The rows of ``width`` cells as columns, null where they have no such cell; and the other rows."""
        others: list[_Other] = []

        def set_aside(row: pa_csv.InvalidRow) -> str:
            others.append(_Other(row.number - 1, row.actual_columns, row.text))
            return "skip"

        if text.startswith(codecs.BOM_UTF8):  # Arrow drops one
            text = codecs.BOM_UTF8 + text
        names = [str(place) for place in range(width)]
        dialect, wanted = self.dialect, self.shape.wanted
        table = pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote if dialect.quote is not None else False,
                double_quote=dialect.quote is not None,
                escape_char=dialect.escape if dialect.escape is not None else False,
                newlines_in_values=True,
                ignore_empty_lines=not dialect.blank_rows,
                invalid_row_handler=set_aside,
            ),
            convert_options=pa_csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.binary()),
                include_columns=[names[place] for place in wanted if place < width],
                null_values=self.nulls,
                strings_can_be_null=bool(self.nulls),
                quoted_strings_can_be_null=True,
            ),
        )
        columns = {
            place: _as_text(table.column(str(place))) if place < width else pa.nulls(table.num_rows, pa.string())
            for place in wanted
        }
        return table.num_rows, columns, others


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    """The same buffers under another type: the bytes are known to be UTF-8."""
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return pa.Array.from_buffers(pa.string(), len(whole), whole.buffers(), whole.null_count, whole.offset)


def _merge(
    parse: _Parser, height: int, columns: dict[int, pa.Array], rows: Sequence[_Other], gone: set[int]
) -> dict[int, pa.Array]:
    """Adds rows of other widths to the columns, in their places.

    Args:
        height: of the columns.
        gone: the ordinals that are not among the columns.
    """
    by_width: defaultdict[int, list[_Other]] = defaultdict(list)
    for row in rows:
        by_width[row.width].append(row)
    parts, ordinals = [columns], array("q", (row for row in range(height + len(gone)) if row not in gone))
    for width, group in by_width.items():
        count, found, _ = parse(b"".join(_text(row, parse.dialect) for row in group), width)
        assert count == len(group), "a row is a row by itself"
        parts.append(found)
        ordinals.extend(row.ordinal for row in group)
    order = pc.array_sort_indices(pa.Array.from_buffers(pa.int64(), len(ordinals), [None, pa.py_buffer(ordinals)]))
    return {place: pa.concat_arrays([part[place] for part in parts]).take(order) for place in columns}


def _text(row: _Other, dialect: Dialect) -> bytes:
    """The row with its line end. Arrow takes a CR that is escaped for a part of that."""
    text = row.text.encode()
    if dialect.escape is not None and unescaped(text, dialect).endswith(dialect.escape.encode()):
        text += b"\r"
    return text + b"\n"


def _trimmed(column: pa.Array, null_values: Sequence[str]) -> pa.Array:
    text = pc.utf8_trim(column, characters=SPACES)
    if not null_values:
        return text
    null = pc.is_in(text, value_set=pa.array(null_values, pa.string()))
    return pc.replace_with_mask(text, null, pa.scalar(None, pa.string()))


def _stand_in(text: bytes, dialect: Dialect) -> str:
    """A text that ``text`` does not have: a control character, or one that nobody can guess."""
    structure = f"\n\r{dialect.delimiter}{dialect.quote or ''}{dialect.escape or ''}"
    for code in range(1, 0x20):
        if chr(code) not in structure and bytes([code]) not in text:
            return chr(code)
    return f"\x01{secrets.token_hex(16)}\x01"
