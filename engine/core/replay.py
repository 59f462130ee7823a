"""Reject records in, in any pieces; the rows that they hold out, parsed, each with its place in its own source."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from pydantic_core import from_json

from engine.core.chunk import BLANK, Aside, Chunk, parse_chunk
from engine.core.dialect import Dialect
from engine.core.framing import records
from engine.core.held import Held
from engine.core.limits import Limits
from engine.core.reader import CHUNK_BYTES, UNCLOSED, CsvReader
from engine.core.rows import SourceRow
from engine.errors import ConservationError, FileError

__all__ = ["RejectsReader", "Replayed", "read_labels"]

_RECORD_ROWS = 8  # a record holds its row escaped, and the cells in fault once more: so many times row_bytes at most


@dataclass(frozen=True, slots=True)
class Replayed:
    """The rows of some reject records: parsed, and as their source has them, in the same order."""

    chunk: Chunk
    rows: Sequence[SourceRow]


class RejectsReader:
    """Turns a reject file back into rows, as :class:`CsvReader` does with the file that they are from.

    Each record is one row, whatever its text: one with an open quote, or one that this dialect sees as several rows or
    as none, is set aside and never takes part of another with it.

    Args:
        labels: the header labels of the source file, which give each row its width.
        bind: called once, before the first row; gives the positions of the columns to parse. May raise.
        null_values: cells that are null.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        labels: Sequence[str],
        bind: Callable[[list[str]], Sequence[int]],
        null_values: Sequence[str],
        limits: Limits,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._dialect = dialect
        self._one_row = _one_row(dialect)
        self._labels = list(labels)
        self._bind = bind
        self._null_values = null_values
        self._longest = _RECORD_ROWS * limits.row_bytes
        self._held = Held(chunk_bytes)
        self._line = 1  # of the reject file, where what is held begins
        self._wanted: Sequence[int] | None = None

    def feed(self, data: bytes) -> Iterator[Replayed]:
        """Takes the reject file's next bytes; gives the rows whose records are complete.

        Raises:
            HeaderError: from ``bind``.
            FileError: a line is no reject record, or is far longer than ``limits.row_bytes`` allows.
        """
        if self._held.add(data):
            yield from self._drain(final=False)

    def finish(self) -> Iterator[Replayed]:
        """Gives what is left; the reader is done. A last record without a line end counts if it is whole."""
        yield from self._drain(final=True)

    def _drain(self, *, final: bool) -> Iterator[Replayed]:
        data = self._held.take()
        end = len(data) if final else data.rfind(b"\n") + 1
        lines = data[:end].removesuffix(b"\n").split(b"\n")
        rows = [_row(line, place) for place, line in enumerate(lines, self._line) if line.strip()]
        self._line += data.count(b"\n", 0, end)
        self._hold(data[end:])
        if rows:
            yield Replayed(self._parse(rows), rows)

    def _hold(self, data: bytes) -> None:
        if len(data) > self._longest:
            raise FileError(
                f"line {self._line} is longer than any reject record under limits.row_bytes ({self._longest} bytes)"
            )
        self._held.keep(data)

    def _parse(self, rows: Sequence[SourceRow]) -> Chunk:
        if self._wanted is None:
            self._wanted = self._bind(self._labels)
        one_row = self._one_row.fullmatch
        faults = [None if row.raw and one_row(row.raw) else _fault(row.raw, self._dialect) for row in rows]
        whole = [ordinal for ordinal, fault in enumerate(faults) if fault is None]
        data = b"".join(rows[ordinal].raw + b"\n" for ordinal in whole)
        dialect = replace(self._dialect, blank_rows=False)  # blank rows are among the faults
        chunk = parse_chunk(data, dialect, len(self._labels), self._wanted, self._null_values)
        if chunk.rows != len(whole):
            raise ConservationError(f"{len(whole)} reject records became {chunk.rows} rows")
        aside = [Aside(ordinal, *fault) for ordinal, fault in enumerate(faults) if fault is not None]
        aside += [row._replace(ordinal=whole[row.ordinal]) for row in chunk.aside]
        return replace(chunk, rows=len(rows), aside=sorted(aside))


def read_labels(data: Iterator[bytes], dialect: Dialect, *, header: bool, limits: Limits) -> tuple[str, ...]:
    """The labels of a CSV file as a run finds them; reads no more of ``data`` than it needs, and is empty where it is.

    Args:
        header: whether the first record holds the labels, or only tells how many numbered columns there are.

    Raises:
        HeaderError: the first record is not UTF-8.
        FileError: it is longer than ``limits.row_bytes``.
    """
    labels: list[str] = []

    def take(found: list[str]) -> tuple[int, ...]:
        labels.extend(found)
        return (0,)

    reader = CsvReader(dialect, header=header, bind=take, null_values=(), limits=limits, chunk_bytes=1)
    for piece in data:
        next(reader.feed(piece), None)
        if labels:
            return tuple(labels)
    next(reader.finish(), None)
    return tuple(labels)


def _row(line: bytes, place: int) -> SourceRow:
    try:
        record: Any = from_json(line, cache_strings="none")  # the cache has a lock that all threads would share
    except ValueError as error:
        raise FileError(f"line {place} is not a reject record: not JSON ({error}); is the file cut short?") from None
    if not isinstance(record, dict):
        raise FileError(f"line {place} is not a reject record: not an object")
    file, row, number, text = (record.get(key) for key in ("file", "row", "line", "raw"))
    if not isinstance(file, str):
        raise FileError(f"line {place} is not a reject record: 'file' is no text")
    if not (_is_count(row) and _is_count(number)):
        raise FileError(f"line {place} is not a reject record: 'row' and 'line' must be whole numbers from 1")
    if not isinstance(text, str):
        raise FileError(f"line {place} is not a reject record: 'raw' is no text")
    return SourceRow(file, row, number, _raw(text, record.get("raw_base64"), place))


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value > 0


def _raw(text: str, exact: object, place: int) -> bytes:
    """The row's bytes: ``raw_base64`` where they are not UTF-8, else ``raw``."""
    if exact is None:
        return text.encode()
    try:
        return b64decode(exact, validate=True)  # type: ignore[arg-type]  # what is no text raises TypeError
    except (TypeError, ValueError):
        raise FileError(f"line {place} is not a reject record: 'raw_base64' is not base64") from None


def _one_row(dialect: Dialect) -> re.Pattern[bytes]:
    """Matches text that is surely one whole row, and in linear time: nothing that it took is ever given back.

    A cell that starts with a quote goes on, line ends and all, to the quote that closes it; what stands between that
    and the delimiter is text, as is all of any other cell.
    """
    quote, delimiter = re.escape((dialect.quote or "").encode()), re.escape(dialect.delimiter.encode())
    text = rb"[^%b\r\n]*+" % delimiter
    cell = rb"(?:%b[^%b]*+(?:%b%b[^%b]*+)*+%b%b|(?!%b)%b)" % (*[quote] * 6, text, quote, text)
    return re.compile(rb"%b(?:%b%b)*+" % (cell, delimiter, cell))


def _fault(raw: bytes, dialect: Dialect) -> tuple[str, str] | None:
    """Code and message where ``raw`` is not exactly one row."""
    found = [record for record in records(raw + b"\n", dialect) if record.cells]
    if not found:
        return "blank-row", BLANK
    if not found[-1].complete:
        return "quote-error", UNCLOSED
    if len(found) > 1:
        return "quote-error", f"one row where it was rejected, {len(found)} rows to this mapping's csv section"
    return None
