"""Where records begin and end: the whole records at the beginning of a byte stream's next bytes.

The bytes are UTF-8, in which the characters that structure CSV stand for themselves alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from engine.core import native
from engine.core.dialect import Dialect
from engine.core.lines import count_lines, last_line_end, lone_returns, record_end, whole_lines
from engine.core.native.csvtext import row_places
from engine.core.portion import Portion
from engine.core.quotes import prove

if TYPE_CHECKING:
    from engine.core.places import Places
    from engine.core.strict import Refused

__all__ = ["Frame", "file_ending", "frame", "unescaped"]

_LINE_ENDS = (b"\n", b"\r")


@dataclass(frozen=True, slots=True)
class Frame:
    """Whole records.

    Attributes:
        data: their bytes, line ends included.
        seen: ``data`` with what is escaped, and its escapes, made plain text.
        lines: line ends in ``data``.
        refused: the lines among them that are no rows, in order.
        quotes: those of ``seen`` that open and close in turn; None where all do.
        proven: whether every quote is known to open or close a cell, or to be one of a pair inside.
    """

    dialect: Dialect
    data: bytes
    seen: bytes
    lines: int
    refused: list[Refused]
    quotes: Places | None
    proven: bool

    def text_end(self, end: int) -> int:
        """Where the text of the record, or line, before ``end`` ends. A line end that is escaped is part of it."""
        return end - (2 if self.seen.endswith(b"\r\n", 0, end) else 1)

    def spans(self) -> tuple[Places, Places]:
        """Where the records begin and end, lines that are no rows too, and blank ones if the dialect counts them."""
        from engine.core.places import full_lines, places_of, record_ends, starts_of

        ends = record_ends(
            self.seen, self.quotes if self.quotes is not None else places_of(self.seen, self.dialect.quote)
        )
        starts = starts_of(ends)
        if not self.dialect.blank_rows:
            full = full_lines(self.data, starts)
            starts, ends = starts[full], ends[full]
        return starts, ends

    def places(self, most: int) -> tuple[Sequence[int], Sequence[int], Sequence[int]] | None:
        """Where the rows begin and end, and the line of each, from 0; None where the C kernel cannot tell.

        Args:
            most: rows that there are, at most.
        """
        if native.kernels is None or not self.proven or self.seen is not self.data or self.dialect.blank_rows:
            return None
        return row_places(self.data, most, ord(self.dialect.quote) if self.dialect.quote is not None else 0)

    def split(self, portion: Portion) -> Iterator[Frame]:
        """The same records in order, at most a portion together."""
        if self.lines <= portion.rows and (portion.size is None or len(self.data) <= portion.size):
            yield self
            return
        found = self.places(self.lines)
        ends = found[1] if found is not None else self.spans()[1].tolist()
        cuts = [ends[stop - 1] for stop in portion.stops(ends)]
        for start, stop in pairwise([0, *cuts[:-1], len(self.data)]):
            yield self._part(start, stop)

    def until(self, place: int) -> Frame:
        """The records up to the first that ends at ``place`` or after it, of which there is one; all lines count."""
        if self.quotes is None:
            quote = self.dialect.quote
            inside = quote is not None and self.seen.count(quote.encode(), 0, place - 1) % 2 == 1
            stop = record_end(self.seen, quote, start=place - 1, inside=inside)
            assert stop is not None
        else:
            from engine.core.places import record_ends

            ends = record_ends(self.seen, self.quotes)
            stop = int(ends[ends.searchsorted(place)])
        return self if stop == len(self.data) else self._part(0, stop)

    def _part(self, start: int, stop: int) -> Frame:
        """The records between two places where one begins."""
        data = self.data[start:stop]
        quotes = self.quotes
        if quotes is not None:
            first, last = quotes.searchsorted([start, stop])
            quotes = quotes[first:last] - start
        return Frame(
            self.dialect,
            data,
            data if self.seen is self.data else self.seen[start:stop],
            count_lines(data),
            [line._replace(start=line.start - start, stop=line.stop - start) for line in self._refused(start, stop)],
            quotes,
            self.proven,
        )

    def _refused(self, start: int, stop: int) -> list[Refused]:
        first, last = (bisect_left(self.refused, place, key=attrgetter("start")) for place in (start, stop))
        return self.refused[first:last]


def frame(data: bytes, dialect: Dialect, row_bytes: int, *, final: bool = False, beyond: int = 0) -> Frame:
    """The whole records that ``data`` begins with; none where the first does not end in it.

    The rows are those that ``csv.reader(strict=True)`` finds in the whole file, however it is cut into pieces. Where it
    refuses a record, and where a record is longer than ``row_bytes``, the line on which that began is no row.

    Args:
        data: begins where a record does.
        final: whether the file ends here; the last record then needs no line end.
        beyond: how many bytes are known to follow ``data``, which then ends with an LF. They end no line.
    """
    known = len(data) + beyond
    seen = unescaped(data, dialect)
    ending = file_ending(data, seen, dialect) if final and data else "whole"
    unended = ending == "escaped"
    if ending != "whole":
        data, seen = data + b"\n", seen + b"\n"
    end = len(seen) if final else whole_lines(seen)
    quotes: Places | None = None
    refused: list[Refused] = []
    exact, feeds = known > row_bytes or unended, None
    if not exact and dialect.quote is not None and dialect.quote.encode() in seen:
        proven = prove(seen, end, dialect)
        exact = proven is None or (proven.left_open and final)
        if proven is not None and not exact:
            feeds = proven.feeds
            if proven.left_open:
                start = _open_record(seen, end, dialect)
                feeds, end = feeds - seen.count(b"\n", start, end), start
    if exact:
        from engine.core.strict import Strict

        strict = Strict(seen[:end], dialect, row_bytes, known=known, final=final, unended=unended)
        end, quotes, refused = strict.end, strict.quotes, strict.refused
    plain = seen is data
    data = data[:end]
    seen = data if plain else seen[:end]
    lines = feeds + lone_returns(data) if feeds is not None and plain else count_lines(data)
    return Frame(dialect, data, seen, lines, refused, quotes, not exact)


def unescaped(data: bytes, dialect: Dialect) -> bytes:
    """``data`` with each escape and what it escapes made plain text; of the same length."""
    if dialect.escape is None or dialect.escape.encode() not in data:
        return data
    return re.sub(re.escape(dialect.escape.encode()) + b".", dialect.filler * 2, data, flags=re.DOTALL)


def file_ending(data: bytes, seen: bytes, dialect: Dialect) -> Literal["whole", "missing", "escaped"]:
    """How a file ends: with a line end, without one, or with an escape or a line end that is escaped."""
    if seen.endswith(_LINE_ENDS):
        return "whole"
    escaped = data.endswith(_LINE_ENDS) or (dialect.escape is not None and seen.endswith(dialect.escape.encode()))
    return "escaped" if escaped else "missing"


def _open_record(seen: bytes, stop: int, dialect: Dialect) -> int:
    """Where the record begins whose quote is open at ``stop``, all quotes before that being in their places."""
    assert dialect.quote is not None
    quote = dialect.quote.encode()
    opening = seen.rfind(quote, 0, stop)
    while True:
        closing = seen.rfind(quote, 0, opening)
        found = last_line_end(seen, closing + 1, opening)
        if found or closing < 0:
            return found
        opening = seen.rfind(quote, 0, closing)
