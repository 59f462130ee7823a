"""CSV bytes in, in any pieces; parsed chunks out, with their place in the file."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from engine.core.chunk import Aside, Chunk, parse_chunk
from engine.core.dialect import Dialect
from engine.core.framing import count_lines, exact_end, parity_end, records
from engine.core.held import Held
from engine.core.limits import Limits
from engine.errors import FileError, HeaderError

__all__ = ["CHUNK_BYTES", "UNCLOSED", "CsvReader", "Placed"]

CHUNK_BYTES = 2_097_152  # records are parsed about so many bytes at a time: enough to make calls cheap, few to hold
UNCLOSED = "a quote is opened and never closed"


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk and where it stands: the number of its first row, and of its first line, both from 1."""

    chunk: Chunk
    first_row: int
    first_line: int


class CsvReader:
    """Splits a CSV file into parsed chunks, whatever the pieces it comes in.

    Args:
        header: as in the mapping: labels in the first record, numbered columns, or the labels given.
        bind: called once, when the labels are known; gives the positions of the columns to parse. May raise.
        null_values: cells that are null.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        header: bool | Sequence[str],
        bind: Callable[[list[str]], Sequence[int]],
        null_values: Sequence[str],
        limits: Limits,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._dialect = dialect
        self._header = header
        self._bind = bind
        self._null_values = null_values
        self._limits = limits
        self._held = Held(chunk_bytes)
        self._row = 1
        self._line = 1
        self._width: int | None = None  # cells a record must have; None before the header was read
        self._wanted: Sequence[int] = ()

    def feed(self, data: bytes) -> Iterator[Placed]:
        """Takes the next bytes; gives the chunks that are complete.

        Raises:
            HeaderError: from ``bind``.
            FileError: a record is longer than ``limits.row_bytes``.
        """
        if self._held.add(data):
            yield from self._drain(final=False)

    def finish(self) -> Iterator[Placed]:
        """Gives what is left; the reader is done. A last record without a line end is a record."""
        yield from self._drain(final=True)

    def _drain(self, *, final: bool) -> Iterator[Placed]:
        data = self._held.take()
        if self._width is None:
            data = self._start(data, final=final)
        if self._width is not None:
            if final and data and not data.endswith(b"\n"):
                data += b"\n"
            while data:
                end = len(data) if final else data.rfind(b"\n") + 1
                chunk = self._parse(data[:end])
                data = data[len(chunk.data) :]
                if chunk.data:
                    yield self._place(chunk)
                if not final:
                    break
                if not chunk.data:  # a quote that the file's end leaves open: its first line is the culprit
                    data = yield from self._unclosed(data)
        self._hold(data)

    def _hold(self, data: bytes) -> None:
        if len(data) > self._limits.row_bytes:
            raise FileError(
                f"the record at line {self._line} is longer than limits.row_bytes ({self._limits.row_bytes} bytes);"
                " is a quote left open?"
            )
        self._held.keep(data)

    def _start(self, held: bytes, *, final: bool) -> bytes:
        """Reads the header, once it is whole; returns the bytes after it, or all of ``held`` when it is not."""
        if not final and len(held) < len(codecs.BOM_UTF8):
            return held
        data = held.removeprefix(codecs.BOM_UTF8)
        if not isinstance(self._header, bool):
            self._bind_labels(list(self._header))
            return data
        found = records(data, self._dialect)
        first = next((record for record in found if record.cells), None)
        following = next(found, None)
        if not final and (first is None or following is None):  # the next record's start proves the first one's end
            return held
        if first is None:
            return b""
        self._bind_labels(self._labels(first.cells))
        if self._header is not True:
            return data
        after = following.start if following is not None else len(data)
        self._line += count_lines(data[:after])
        return data[after:]

    def _labels(self, cells: list[str]) -> list[str]:
        if self._header is not True:
            return [str(number + 1) for number in range(len(cells))]
        try:
            return [cell.encode("latin-1").decode() for cell in cells]
        except UnicodeDecodeError:
            raise HeaderError("the header is not UTF-8") from None

    def _bind_labels(self, labels: list[str]) -> None:
        self._width = len(labels)
        self._wanted = self._bind(labels)

    def _parse(self, data: bytes) -> Chunk:
        """Parses whole lines, less a last record whose quote is still open.

        A line end mostly is a record's end, so all is parsed before quotes are looked at. Where the last record may be
        open after all, the parity of the quotes says where it begins; where bare quotes may have deceived it, the
        exact way does.
        """
        assert self._width is not None
        if (self._dialect.quote or "").encode() not in data:
            return parse_chunk(data, self._dialect, self._width, self._wanted, self._null_values)
        wanted = sorted({*self._wanted, self._width - 1})
        chunk = parse_chunk(data, self._dialect, self._width, wanted, self._null_values)
        if not self._may_be_open(chunk):
            return chunk
        end = parity_end(data, self._dialect)
        if len(data) // 2 <= end < len(data):  # a cut far from the end hints at a bare quote
            chunk = parse_chunk(data[:end], self._dialect, self._width, wanted, self._null_values)
            if not self._may_be_open(chunk):
                return chunk
        end = exact_end(data, self._dialect)
        return parse_chunk(data[:end], self._dialect, self._width, wanted, self._null_values)

    def _may_be_open(self, chunk: Chunk) -> bool:
        """Whether the last record may be inside quotes at the chunk's end: its last cell holds the newline then."""
        assert self._width is not None
        if not chunk.rows:
            return False
        if chunk.aside and chunk.aside[-1].ordinal == chunk.rows - 1:
            return True
        last = chunk.columns[self._width - 1][-1].as_py()
        return last is not None and last.endswith("\n")

    def _unclosed(self, data: bytes) -> Generator[Placed, None, bytes]:
        """Sets the first line of ``data`` aside; returns the rest."""
        line = data[: data.find(b"\n") + 1]
        empty = parse_chunk(b"", self._dialect, self._width or 0, self._wanted, self._null_values)
        aside = [Aside(0, "quote-error", UNCLOSED)]
        yield self._place(Chunk(line, 1, 1, empty.columns, aside))
        return data[len(line) :]

    def _place(self, chunk: Chunk) -> Placed:
        placed = Placed(chunk, self._row, self._line)
        self._row += chunk.rows
        self._line += chunk.lines
        return placed
