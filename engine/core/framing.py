"""Where records begin and end: cutting a byte stream into chunks of whole records.

Bytes are looked at as Latin-1 text where Python's ``csv`` module must decide: every byte is one character, and the
characters that structure CSV are ASCII in UTF-8 too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import octets
from engine.core.dialect import Dialect

__all__ = ["Record", "count_lines", "exact_end", "lone_returns", "parity_end", "records"]

_LINE_FEED = pa.scalar(10, pa.uint8())
_RETURN = pa.scalar(13, pa.uint8())

csv.field_size_limit(2**31 - 1)  # process-wide, once, at import; the engine's own limits bound cells


class Record(NamedTuple):
    """One record: where it starts in the chunk, its physical line in the chunk from 0, its cells, whether it ended."""

    start: int
    line: int
    cells: list[str]
    complete: bool


def parity_end(data: bytes, dialect: Dialect) -> int:
    """Index after the newline that ends the last whole record, judged by the parity of quotes; 0 when there is none.

    Exact for RFC 4180 text. Text with bare quotes (``5" pipe``) can deceive it, never past the end of ``data``.
    """
    end = data.rfind(b"\n") + 1
    quote = (dialect.quote or "").encode()
    if end and data.count(quote, 0, end) % 2:
        end = data.rfind(b"\n", 0, data.rfind(quote, 0, end)) + 1
    return end


def records(data: bytes, dialect: Dialect) -> Iterator[Record]:
    """The records of ``data`` exactly as Python's ``csv.reader`` sees them, blank rows (no cells) included.

    A record is ``complete`` when a line end, or the end of ``data`` outside quotes, ended it. Slow: for headers and for
    chunks that the fast ways cannot decide.
    """
    consumed = lines = 0
    exhausted = False

    def feed() -> Iterator[str]:
        nonlocal consumed, lines, exhausted
        for line in io.StringIO(data.decode("latin-1"), newline=""):
            consumed += len(line)
            lines += 1
            yield line
        exhausted = True

    reader = csv.reader(feed(), delimiter=dialect.delimiter, quotechar=dialect.quote, doublequote=True, strict=False)
    while True:
        start, line = consumed, lines
        try:
            row = next(reader)
        except StopIteration:
            return
        yield Record(start, line, row, complete=not exhausted)


def exact_end(data: bytes, dialect: Dialect) -> int:
    """Index after the last whole record of ``data``, as ``csv.reader`` sees it; 0 when there is none."""
    end = data.rfind(b"\n") + 1  # a CR at the very end may be half of a CRLF
    last = None
    for last in records(data[:end], dialect):  # noqa: B007 - only the last one matters
        pass
    return end if last is None or last.complete else last.start


def count_lines(data: bytes) -> int:
    """How many line ends (LF, CRLF or a lone CR) there are in ``data``."""
    return _count(data, _LINE_FEED) + lone_returns(data)


def lone_returns(data: bytes) -> int:
    """How many CRs there are in ``data`` that no LF follows: line ends of their own."""
    return _count(data, _RETURN) - data.count(b"\r\n") if b"\r" in data else 0


def _count(data: bytes, octet: pa.Scalar) -> int:
    """``data.count`` of one octet, at half its cost."""
    found: int = pc.equal(octets(data), octet).true_count
    return found
