"""What ``csv.reader(strict=True)`` makes of quotes that are not all in their places, and of records that never end.

Every quote is known by its rank in an index of all quotes. From a place outside quotes on, quotes open and close in
turn until one is wrong for its turn: it should open but follows text, and so is a bare quote in a cell that does not
begin with one; or it should close but text follows, which the reader refuses. The wrong ones are found for all quotes
at once, for either turn; so the work is in proportion to their number, not to the number of rows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.core.dialect import Dialect
from engine.core.limits import TOO_LONG
from engine.core.lines import next_line
from engine.core.onerow import one_row
from engine.core.places import Places, line_ends, places_of, record_ends
from engine.core.quotes import structural

__all__ = ["Refused", "Strict"]

# What is said of a line depends on that line alone, so that its replay says the same.
_TEXT_AFTER = "text follows the quote that closes a cell"
_UNCLOSED = "a quote is opened and not properly closed"
_UNENDED = "the file ends with an escape character"


class Refused(NamedTuple):
    """A line that is no row: where it starts, and where the next one does."""

    start: int
    stop: int
    code: str
    message: str


class Strict:
    """Finds the records of ``data``, and the lines that are none.

    Where the reader refuses a record, or a record is longer than ``row_bytes``, its first line is set aside and
    reading goes on at the next one. In linear time whatever the text: each line end that a failed record spans is
    inside its quotes; so a line tried after it as a record of its own either ends outside quotes, and is a row, or
    fails by itself, or is in the state that the failed record was in, and fails where that did.

    Args:
        data: begins where a record does, ends with a line end; what the dialect escapes has been taken out of it.
        known: how many bytes of the file there are from where ``data`` begins: more than ``data`` has where the last
            line is not whole, one less where it has been given a line end.
        final: whether the file ends with ``data``, and with it a quote that is still open.
        unended: whether the file's last line end was escaped: one was put there, but its last record never ends.

    Attributes:
        end: index after the last record, or line set aside, that is whole.
        quotes: places of quotes; a line end is inside a record exactly if an odd number of them comes before it.
        refused: the lines set aside, in order.
    """

    def __init__(
        self, data: bytes, dialect: Dialect, row_bytes: int, *, known: int, final: bool, unended: bool = False
    ) -> None:
        self._data = data
        self._row_bytes = row_bytes
        self._known = known
        self._final = final
        self._unended = unended
        self._row, self._open_row = one_row(dialect), one_row(dialect, left_open=True)
        self._cell_end = re.compile(b"[%b\r\n]" % re.escape(dialect.delimiter.encode()))
        self._places = places_of(data, dialect.quote)
        self._wrong_opening, self._wrong_closing = _wrong(data, self._places, structural(dialect))
        self._stretches: list[tuple[int, int]] = []  # ranks of quotes that open and close in turn, from the floor on
        self._line_ends = line_ends(data)
        self._floor = 0  # a line begins here, outside quotes; what comes before is settled
        self._settled: list[Places] = []
        self.refused: list[Refused] = []
        self.end = self._read()
        checked = 0
        while min(self.end, known) > row_bytes and (found := self._split_long(checked)) is not None:
            checked = self._floor = found
            self.end = self._read()
        self.quotes: Places = np.concatenate([*self._settled, self._kept()])
        self.refused.sort()

    def _read(self) -> int:
        """Goes through the text from the floor on; gives the end of what is whole."""
        last, size = len(self._places), len(self._data)
        while True:
            rank = self._rank(self._floor)
            while (wrong := self._next_wrong(rank)) < last and (wrong - rank) % 2 == 0:
                # A bare quote: all quotes of its cell are.
                self._stretches.append((rank, wrong))
                cell_end = self._cell_end.search(self._data, int(self._places[wrong]))
                assert cell_end is not None  # the text ends with a line end
                rank = self._rank(cell_end.start())
            waits = False
            if wrong < last:  # text follows the quote that should close
                opened, stop = wrong - 1, min(next_line(self._data, int(self._places[wrong])), self._known)
            elif (last - rank) % 2:
                opened, stop, waits = last - 1, self._known, not self._final
            elif self._unended and self._floor < size:
                opened, stop = last, self._known
            else:
                self._stretches.append((rank, last))
                return size
            self._stretches.append((rank, opened))
            start = self._settle(int(self._places[opened]) if opened < last else size - 1)
            if waits and self._known - start <= self._row_bytes:
                return start
            self._floor = self._set_aside(start, stop, waits=waits)

    def _set_aside(self, start: int, stop: int, *, waits: bool) -> int:
        """Sets the first line of a failed record aside, and those after it that fail with it.

        Args:
            start: where the record begins.
            stop: where it fails, or ends too late, or the text does.
            waits: whether a line that shares the record's state could be a record if it only began later than it did.

        Returns:
            where to read on: the line that ``stop`` is on, or one that may be a record after all.
        """
        line = start
        while line < min(stop, len(self._data)):
            end = next_line(self._data, line)
            if line > start and stop <= end:
                break
            fault = self._fault(line, end)
            if waits and fault is not None and stop - line <= self._row_bytes:
                break
            if min(end, self._known) - line > self._row_bytes:
                self.refused.append(Refused(line, end, "too-long", TOO_LONG % self._row_bytes))
            elif fault is not None:
                self.refused.append(Refused(line, end, "quote-error", fault))
            line = end
        return line

    def _fault(self, line: int, end: int) -> str | None:
        """Why a line is not a row by itself; None where it is."""
        if self._unended and end == len(self._data):
            return _UNENDED
        if self._row.fullmatch(self._data[line:end].rstrip(b"\r\n")):
            return None
        return _UNCLOSED if self._open_row.fullmatch(self._data, line, end) else _TEXT_AFTER

    def _split_long(self, checked: int) -> int | None:
        """Sets whole records aside that are too long; gives the line to go on at, if one spans lines.

        Args:
            checked: a record begins here, and none before it is too long.
        """
        quotes = np.concatenate([*self._settled, self._kept()])
        ends = record_ends(self._data[: self.end], quotes)
        ends = ends[ends > checked]
        starts = np.concatenate([[checked], ends[:-1]])
        known = {line.start for line in self.refused}
        for at in np.flatnonzero(np.minimum(ends, self._known) - starts > self._row_bytes):
            start, end = int(starts[at]), int(ends[at])
            if start in known:
                continue
            if next_line(self._data, start) < end:
                self.refused = [line for line in self.refused if line.start < start]
                self._settled, self._stretches = [quotes[: quotes.searchsorted(start)]], []
                return self._set_aside(start, min(end, self._known), waits=True)
            self.refused.append(Refused(start, end, "too-long", TOO_LONG % self._row_bytes))
        return None

    def _kept(self) -> Places:
        """The quotes after the floor that open and close."""
        kept = [self._places[first:stop] for first, stop in self._stretches]
        return np.concatenate(kept) if kept else self._places[:0]

    def _settle(self, at: int) -> int:
        """Finds the record that goes on outside quotes at ``at``, after all quotes kept.

        Forgets what was made of its quotes; what comes before it stands.

        Returns:
            where it begins.
        """
        kept = self._kept()
        first, last = self._line_ends.searchsorted([self._floor, at], side="right")
        start, window = self._floor, 16
        while first < last:
            ends = self._line_ends[max(first, last - window) : last]
            outside = np.flatnonzero(kept.searchsorted(ends) % 2 == 0)
            if len(outside):
                start = int(ends[outside[-1]])
                break
            last, window = last - len(ends), 8 * window
        self._settled.append(kept[: kept.searchsorted(start)])
        self._stretches = []
        return start

    def _next_wrong(self, rank: int) -> int:
        """The first quote that is wrong for its turn, if the one of ``rank`` opens; the number of quotes if none is."""
        opening, closing = self._wrong_opening[rank % 2], self._wrong_closing[1 - rank % 2]
        first, second = opening.searchsorted(rank), closing.searchsorted(rank)
        return min(
            int(opening[first]) if first < len(opening) else len(self._places),
            int(closing[second]) if second < len(closing) else len(self._places),
        )

    def _rank(self, place: int) -> int:
        """The first quote at ``place`` or after it."""
        return int(self._places.searchsorted(place))


type _ByTurn = tuple[Places, Places]


def _wrong(data: bytes, places: Places, near: bytes) -> tuple[_ByTurn, _ByTurn]:
    """The ranks of the quotes that cannot open, as they follow text, and that cannot close, as text follows them.

    Either by parity of rank: even ones, odd ones.
    """
    octets, allowed = np.frombuffer(data, np.uint8), np.zeros(256, bool)
    allowed[list(near)] = True
    opening, closing = ~allowed[octets[places - 1]], ~allowed[octets[places + 1]]
    if len(places) and places[0] == 0:
        opening[0] = False
    return _by_parity(opening), _by_parity(closing)


def _by_parity(flags: npt.NDArray[np.bool_]) -> _ByTurn:
    return np.flatnonzero(flags[::2]) * 2, np.flatnonzero(flags[1::2]) * 2 + 1
