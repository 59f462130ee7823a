"""CSV bytes in, in any pieces; parsed chunks out, with their place in the file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.core.chunk import Chunk, Shape, parse_chunk
from engine.core.dialect import Dialect
from engine.core.encodings import ToUtf8, source_size
from engine.core.endless import EndlessLine
from engine.core.framing import frame
from engine.core.header import labels_of, read_first
from engine.core.held import Held
from engine.core.limits import Limits
from engine.core.lines import LineSkipper, count_lines
from engine.core.portion import Portion

__all__ = ["CHUNK_BYTES", "CsvReader", "Middle", "Placed"]

CHUNK_BYTES = 2_097_152  # records are parsed about so many bytes at a time: enough to make calls cheap, few to hold
CHUNK_CELLS = 655_360  # and no more of them: what becomes of an empty cell is far larger than it


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk and where it stands: the number of its first row, and of its first line, both from 1."""

    chunk: Chunk
    first_row: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Middle:
    """What has to be known of a file to read it from the middle: its labels, and the encoding it turned out to have."""

    labels: tuple[str, ...]
    encoding: str


class CsvReader:
    """Splits a CSV file into parsed chunks, whatever the pieces it comes in.

    What a record is depends on the bytes from its beginning on and on nothing before that: a file read from the
    beginning of any of its records gives the records that reading all of it gives from there on.

    Args:
        header: as in the mapping: labels in the first record, numbered columns, or the labels given.
        bind: called once, when the labels are known; gives the positions of the columns to parse. May raise.
        null_values: cells that are null.
        portion: of a chunk, that is parsed together.
        middle: where what is fed begins where a record of the file does, rather than the file itself. Rows and lines
            are counted from there on.

    Attributes:
        ended: whether all was read that :meth:`end_here` left to be read.
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
        portion: Portion = Portion(),  # noqa: B008 # frozen
        middle: Middle | None = None,
    ) -> None:
        self._dialect = dialect
        self._header = header
        self._bind = bind
        self._null_values = null_values
        self._limits = limits
        self._portion = portion
        self._text = ToUtf8(middle.encoding if middle else dialect.encoding, first=middle is None)
        self._title = LineSkipper(0 if middle else dialect.skip_lines)
        self._held = Held(chunk_bytes, limits.row_bytes)
        self._row = 1
        self._line = 1 + self._title.left
        self._shape: Shape | None = None  # None before the header was read
        self._usual = 0  # cells that most rows have
        self._endless: EndlessLine | None = None
        self._fed = 0  # bytes of UTF-8
        self._stop: int | None = None  # of them; the first record that ends there or later is the last
        self._unread = b""
        self.ended = False
        if middle is not None:
            self._bind_labels(list(middle.labels))

    @property
    def held(self) -> int:
        """Bytes of text that wait for more."""
        return self._held.size

    @property
    def rows(self) -> int:
        """Rows given so far."""
        return self._row - 1

    @property
    def lines(self) -> int:
        """Line ends in what was read so far, the header's and those skipped among them."""
        return self._line - 1

    @property
    def unread(self) -> int:
        """Bytes of the file that were fed, and come after the last record. For encodings that are divisible."""
        return source_size(self._unread, self._text.encoding)

    def end_here(self) -> None:
        """What was fed so far is to be read, and no more than the record takes that this place is in."""
        self._stop = self._fed
        self._held.hurry()

    def feed(self, data: bytes) -> Iterator[Placed]:
        """Takes the next bytes; gives the chunks that are complete.

        Raises:
            HeaderError: from ``bind``; or the header cannot be read, or is longer than ``limits.row_bytes``.
        """
        if self._hold(self._text.feed(data)):
            yield from self._drain(final=False)

    def finish(self) -> Iterator[Placed]:
        """Gives what is left; the reader is done. A last record without a line end is a record."""
        self._hold(self._text.finish())
        yield from self._drain(final=True)

    def _hold(self, text: bytes) -> bool:
        self._fed += len(text)
        return self._held.add(text)

    def _drain(self, *, final: bool) -> Iterator[Placed]:
        at_rows = self._shape is not None and self._endless is None and not self.ended
        data = self._held.take_lines() if at_rows and not final else self._held.take()
        if self.ended:
            self._unread += data
            self._held.keep(b"")
            return
        if self._shape is None:
            data = self._start(data, final=final)
        if self._shape is not None:
            data = yield from self._read(data, self._shape, final=final)
        self._held.keep(data)

    def _read(self, data: bytes, shape: Shape, *, final: bool) -> Generator[Placed, None, bytes]:
        """Gives the rows of ``data``; returns the bytes after them, but for those that are still held."""
        if self._endless is not None:
            data = self._endless.feed(data, final=final)
            if not self._endless.ended:
                return data
            yield self._place(self._endless.chunk(shape))
            self._endless = None
        beyond = self._held.size
        stop = None if self._stop is None else self._stop - (self._fed - len(data) - beyond)
        if stop is not None and stop <= 0:
            return self._end(data)
        framed = frame(data, self._dialect, self._limits.row_bytes, final=final, beyond=beyond)
        if stop is not None and stop <= len(framed.data):
            framed = framed.until(stop)
        if framed.data:
            data = data[len(framed.data) :]
            rows = min(self._portion.rows, max(CHUNK_CELLS // max(len(shape.wanted), 1), 1))
            for part in framed.split(replace(self._portion, rows=rows)):
                chunk = parse_chunk(part, shape, self._usual)
                self._usual = chunk.usual
                yield self._place(chunk)
            if stop is not None and stop <= len(framed.data):
                return self._end(data)
        if len(data) + beyond > self._limits.row_bytes:  # one line: of a record of several, less would be left
            self._endless = EndlessLine(self._dialect, self._limits.row_bytes)
            data = self._endless.feed(data + self._held.take(), final=False)
        return data

    def _end(self, unread: bytes) -> bytes:
        self.ended, self._unread = True, unread + self._held.take()
        return b""

    def _start(self, held: bytes, *, final: bool) -> bytes:
        """Reads the header, once it is whole; returns the bytes after it, or all of ``held`` when it is not."""
        data = self._title.skip(held, final=final)
        if self._title.left and not final:
            return data
        if not isinstance(self._header, bool):
            self._bind_labels(list(self._header))
            return data
        first = read_first(data, self._dialect, self._limits.row_bytes, final=final)
        if first is None:
            return data
        if not first.cells:
            return b""
        if not self._header:
            self._bind_labels([str(number + 1) for number in range(len(first.cells))])
            return data
        self._bind_labels(labels_of(first.cells, self._text.encoding, trim=self._dialect.trim))
        self._line += count_lines(data[: first.end])
        return data[first.end :]

    def _bind_labels(self, labels: list[str]) -> None:
        self._dialect = replace(self._dialect, encoding=self._text.encoding)
        self._shape = Shape(len(labels), self._bind(labels), self._null_values)
        self._usual = len(labels)

    def _place(self, chunk: Chunk) -> Placed:
        placed = Placed(chunk, self._row, self._line)
        self._row += chunk.rows
        self._line += chunk.frame.lines
        return placed
