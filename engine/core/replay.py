"""Reject records in, in any pieces; the rows that they hold out, parsed, each with its place in its own source."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, TypeGuard

from pydantic_core import from_json

from engine.core.chunk import BLANK, Aside, Chunk, Shape, parse_chunk
from engine.core.dialect import Dialect
from engine.core.encodings import codec_name, internal_bytes
from engine.core.framing import frame, unescaped
from engine.core.held import Held
from engine.core.limits import Limits
from engine.core.onerow import one_row
from engine.core.portion import Portion
from engine.core.reader import CHUNK_BYTES, CsvReader
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
        portion: of a chunk, that is given together.
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
        portion: Portion = Portion(),  # noqa: B008 # frozen
    ) -> None:
        self._dialect = dialect
        self._one_row = one_row(dialect)
        self._escape = (dialect.escape or "").encode()
        self._labels = list(labels)
        self._bind = bind
        self._null_values = null_values
        self._portion = portion
        self._longest = _RECORD_ROWS * limits.row_bytes
        self._held = Held(chunk_bytes, self._longest)
        self._line = 1  # of the reject file, where what is held begins
        self._shape: Shape | None = None

    @property
    def held(self) -> int:
        """Bytes of text that wait for more."""
        return self._held.size

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
        ends = list(accumulate(len(row.raw) for row in rows))
        for start, stop in pairwise([0, *self._portion.stops(ends)]):
            part = rows[start:stop]
            yield Replayed(self._parse(part), part)

    def _hold(self, data: bytes) -> None:
        if len(data) > self._longest:
            raise FileError(
                f"line {self._line} is longer than any reject record under limits.row_bytes ({self._longest} bytes)"
            )
        self._held.keep(data)

    def _parse(self, rows: Sequence[SourceRow]) -> Chunk:
        if self._shape is None:
            self._shape = Shape(len(self._labels), self._bind(self._labels), self._null_values)
        faults = [self._fault(row) for row in rows]
        whole = [ordinal for ordinal, fault in enumerate(faults) if fault is None]
        data = b"".join(rows[ordinal].raw + b"\n" for ordinal in whole)
        encoding = next((row.encoding for row in rows if row.encoding != "utf-8"), "utf-8")
        dialect = replace(self._dialect, blank_rows=False, encoding=encoding)  # blank rows are among the faults
        framed = frame(data, dialect, len(data), final=True)
        chunk = parse_chunk(framed, self._shape, self._shape.width)
        if framed.refused or chunk.rows != len(whole):
            raise ConservationError(f"{len(whole)} reject records became {chunk.rows} rows")
        aside = [Aside(ordinal, *fault) for ordinal, fault in enumerate(faults) if fault is not None]
        aside += [row._replace(ordinal=whole[row.ordinal]) for row in chunk.aside]
        return replace(chunk, rows=len(rows), aside=sorted(aside))

    def _fault(self, row: SourceRow) -> tuple[str, str] | None:
        """Code and message where a record's text is not exactly one row."""
        if row.raw_bytes is not None:
            return "too-long", f"{row.raw_bytes} bytes long; its reject record holds only the first {len(row.raw)}"
        seen = unescaped(row.raw, self._dialect)
        if row.raw and self._one_row.fullmatch(seen) and not (self._escape and seen.endswith(self._escape)):
            return None
        framed = frame(row.raw, replace(self._dialect, blank_rows=False), len(row.raw) + 1, final=True)
        if framed.refused:
            return framed.refused[0].code, framed.refused[0].message
        found = len(framed.spans()[0])
        if not found:
            return "blank-row", BLANK
        return "quote-error", f"one row where it was rejected, {found} rows to this mapping's csv section"


def read_labels(data: Iterator[bytes], dialect: Dialect, *, header: bool, limits: Limits) -> tuple[str, ...]:
    """The labels of a CSV file as a run finds them; reads no more of ``data`` than it needs, and is empty where it is.

    Args:
        header: whether the first record holds the labels, or only tells how many numbered columns there are.

    Raises:
        HeaderError: the first record cannot be read, or is longer than ``limits.row_bytes``.
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
    exact, codec, raw_bytes = (record.get(key) for key in ("raw_base64", "raw_encoding", "raw_bytes"))
    if not (raw_bytes is None or _is_count(raw_bytes)):
        raise FileError(f"line {place} is not a reject record: 'raw_bytes' must be a whole number from 1")
    encoding = _encoding(codec, place)
    return SourceRow(file, row, number, _raw(text, exact, encoding, place), encoding, raw_bytes)


def _encoding(name: object, place: int) -> str:
    try:
        return "utf-8" if name is None else codec_name(str(name))
    except ValueError as error:
        raise FileError(f"line {place} is not a reject record: 'raw_encoding': {error}") from None


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value > 0


def _raw(text: str, exact: object, encoding: str, place: int) -> bytes:
    """The row in UTF-8: of ``raw_base64`` where some of it is no text, else of ``raw``."""
    if exact is None:
        return text.encode()
    try:
        return internal_bytes(b64decode(exact, validate=True), encoding)  # type: ignore[arg-type]  # TypeError: no text
    except (TypeError, ValueError):
        raise FileError(f"line {place} is not a reject record: 'raw_base64' is not base64") from None
