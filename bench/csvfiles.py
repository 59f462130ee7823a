"""The files of :mod:`bench.reading`: seeded rows of activity data or of plain columns, with what makes reading hard.

``mixed`` is activity data, ``unquoted`` plain columns without a quote. The others are ``mixed`` with another comment in
some rows: in every third a quoted newline (``newlines``), one bare quote (``bare``) or text after a closing quote
(``broken``) in a thousand, and in every third backslashes before quotes (``escaped``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate, cycle

from bench.data import Activity, build
from bench.workloads import make_files

__all__ = ["FILES", "CsvFile", "make_file"]

FILES = ("mixed", "unquoted", "newlines", "bare", "broken", "escaped")

_POOL_ROWS = 50_000  # plain rows are drawn one by one, which is slow: more than a chunk of them, over and over


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file with a header, in UTF-8 with LF.

    Attributes:
        rows: records after the header, broken ones too.
        cuts: where chunks of whole records end; the header is the first.
        escape: the dialect's escape character.
    """

    name: str
    data: bytes
    rows: int
    cuts: list[int]
    escape: str | None = None


def make_file(name: str, size: int, chunk_bytes: int) -> CsvFile:
    """One of :data:`FILES`.

    Args:
        size: bytes it is to have, about.
        chunk_bytes: a chunk has as many records as fit.
    """
    if name == "unquoted":
        header, rows = _plain(size)
    else:
        whole, _ = build(Activity(size=size))
        header, *rows, _ = whole.split(b"\n")
        rows = _spoil(name, rows)
    data = b"\n".join([header, *rows, b""])
    ends = list(accumulate((len(row) + 1 for row in rows), initial=len(header) + 1))
    return CsvFile(name, data, len(rows), _cuts(ends, chunk_bytes), "\\" if name == "escaped" else None)


def _plain(size: int) -> tuple[bytes, list[bytes]]:
    data, _ = make_files("plain", min(_POOL_ROWS, 2 + size // 50))[0.0]
    header, *pool, _ = data.split(b"\n")
    rows: list[bytes] = []
    for row in cycle([row for row in pool if b'"' not in row]):
        rows.append(row)
        size -= len(row) + 1
        if size <= 0:
            break
    return header, rows


def _cuts(ends: list[int], chunk_bytes: int) -> list[int]:
    cuts = ends[:1]
    while cuts[-1] < ends[-1]:
        at = bisect_right(ends, cuts[-1] + chunk_bytes) - 1
        cuts.append(max(ends[at], ends[bisect_right(ends, cuts[-1])]))  # a record at least
    return cuts


def _spoil(name: str, rows: list[bytes]) -> list[bytes]:
    if name == "newlines":
        return _every(3, rows, lambda row: _with_comment(row, b'"would buy again\nand again"'))
    if name == "bare":
        return _every(1000, rows, lambda row: _with_comment(row, b'5" pipe'))
    if name == "broken":
        return _every(1000, rows, lambda row: _with_comment(row, b'"great" value'))
    if name == "escaped":
        plain = (row for row in rows if b"\\" not in row)
        return _every(3, plain, lambda row: row.replace(b'""', b'\\"'))
    return rows


def _every(number: int, rows: Iterable[bytes], change: Callable[[bytes], bytes]) -> list[bytes]:
    """The rows with each ``number``-th of them changed."""
    return [row if place % number else change(row) for place, row in enumerate(rows, 1)]


def _with_comment(row: bytes, comment: bytes) -> bytes:
    """The row with this for its last cell but one; a quoted one begins after a comma that no space follows."""
    head, _, country = row.rpartition(b",")
    start = head.rindex(b',"' if head.endswith(b'"') else b",") + 1
    return b",".join([head[: start - 1], comment, country])
