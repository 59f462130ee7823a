"""The record that a file begins with: its header, or the first of its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from engine.core.dialect import Dialect
from engine.core.framing import file_ending, unescaped
from engine.core.limits import MAX_COLUMNS
from engine.errors import HeaderError

__all__ = ["FirstRecord", "labels_of", "read_first"]

csv.field_size_limit(2**31 - 1)  # process-wide, once, at import; the engine's own limits bound cells


class FirstRecord(NamedTuple):
    """Its cells in UTF-8, and the index after it. There are no cells where a file has no record that is not blank."""

    cells: list[bytes]
    end: int


def read_first(data: bytes, dialect: Dialect, row_bytes: int, *, final: bool) -> FirstRecord | None:
    """The first record of a file that is not blank, read by Python's ``csv``.

    Args:
        data: the file's beginning, in UTF-8.
        final: whether this is all of it.

    Returns:
        None where the record may go on beyond ``data``.

    Raises:
        HeaderError: ``csv`` refuses it, or it is longer than ``row_bytes``, or has more than ``MAX_COLUMNS`` cells.
    """
    consumed, text = 0, data
    if final and file_ending(data, unescaped(data, dialect), dialect) == "missing":
        text += b"\n"

    def lines() -> Iterator[str]:  # bytes as Latin-1: one character each, and what structures CSV is ASCII
        nonlocal consumed
        for line in io.StringIO(text.decode("latin-1"), newline=""):
            consumed += len(line)
            yield line

    reader = csv.reader(
        lines(),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        quoting=csv.QUOTE_MINIMAL if dialect.quote is not None else csv.QUOTE_NONE,
        strict=True,
    )
    cells: list[str] | None = []
    begun = 0
    try:
        while cells is not None and not cells:
            begun = consumed
            cells = next(reader, None)
    except csv.Error as error:
        if consumed < len(data) or final:  # what follows cannot mend it
            raise HeaderError(f"the first record cannot be read: {error}; is a quote left open?") from None
    if min(consumed, len(data)) - begun > row_bytes:
        what = f"longer than limits.row_bytes ({row_bytes} bytes)"
        raise HeaderError(f"the first record is {what}; is a quote left open?")
    if consumed == len(data) and not final:
        return None
    if cells is not None and len(cells) > MAX_COLUMNS:
        what = f"has {len(cells):,} columns, and a file has at most {MAX_COLUMNS:,}"
        raise HeaderError(f"the first record {what}; is the delimiter right?")
    if cells is None:
        return FirstRecord([], len(data))
    return FirstRecord([cell.encode("latin-1") for cell in cells], min(consumed, len(data)))


def labels_of(cells: list[bytes], encoding: str, *, trim: bool) -> list[str]:
    """A header's labels.

    Raises:
        HeaderError: it is not text.
    """
    try:
        labels = [cell.decode() for cell in cells]
    except UnicodeDecodeError:
        raise HeaderError(f"the header is not {encoding.upper()}") from None
    return [label.strip() for label in labels] if trim else labels
