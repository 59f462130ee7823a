"""What a dialect makes of a file's beginning: read as the engine would read it, and measured."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from engine.core.dialect import Dialect

__all__ = ["Row", "Trial", "is_typed", "try_dialect"]

_RECORDS = 500
_REFUSED = 20  # records refused: as many times is the rest of the text read again

# Numbers, a comma as decimal point included, dates and times, and nothing at all: what ends where a delimiter stands.
_TYPED = re.compile(
    r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?|[0-9]{1,4}([-/.])[0-9]{1,2}\3[0-9]{1,4}.{0,20}"
    r"|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?|"
)


class Row(NamedTuple):
    """A record that is no blank line: its line from 0, and its cells; none where it is refused."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """A dialect and the records that it gives.

    Attributes:
        rows: the first ones, refused ones too.
        width: how many cells most of them have.
    """

    dialect: Dialect
    rows: Sequence[Row]
    width: int

    @property
    def first(self) -> int:
        """The width of the first record."""
        return len(self.rows[0].cells) if self.rows else 0

    @property
    def share(self) -> float:
        """Of the records: as wide as most."""
        return sum(len(row.cells) == self.width for row in self.rows) / len(self.rows) if self.rows else 1.0

    @property
    def evenness(self) -> float:
        """From 0 to 2, how even the records are; the most where all are as wide as the first."""
        return self.share + sum(len(row.cells) == self.first for row in self.rows) / max(len(self.rows), 1)

    @property
    def split(self) -> float:
        """The share of the records that have several cells."""
        return sum(len(row.cells) > 1 for row in self.rows) / len(self.rows) if self.rows else 0.0

    @property
    def refused(self) -> int:
        return sum(not row.cells for row in self.rows)

    @property
    def even(self) -> list[Sequence[str]]:
        """The cells of the records that are as wide as most."""
        return [row.cells for row in self.rows if len(row.cells) == self.width]

    @property
    def typed(self) -> float:
        """The share of the even records' cells that look like numbers or dates."""
        cells = [cell for cells in self.even for cell in cells]
        return sum(map(is_typed, cells)) / len(cells) if cells else 0.0

    @property
    def has_typed_column(self) -> bool:
        """Whether all cells of a column, but perhaps for a label, look like numbers or dates."""
        columns = zip(*self.even[1:], strict=True)
        return any(all(map(is_typed, column)) and any(column) for column in columns)

    def below(self, start: int) -> Trial:
        """The same without the first records."""
        return _measured(self.dialect, self.rows[start:])


def is_typed(cell: str) -> bool:
    """Whether a cell looks like a number or a date, or is empty."""
    return _TYPED.fullmatch(cell) is not None


def try_dialect(lines: Sequence[str], dialect: Dialect, *, whole: bool) -> Trial:
    """Reads the first records.

    Args:
        lines: the physical lines of a file's beginning, with their ends.
        whole: whether there are no more; otherwise the last record may be cut off and does not count.
    """
    rows = list(islice(_records(lines, dialect), _RECORDS + 1))
    if len(rows) > _RECORDS or (len(rows) > 2 and not whole):
        rows.pop()
    return _measured(dialect, rows)


def _measured(dialect: Dialect, rows: Sequence[Row]) -> Trial:
    widths = Counter(len(row.cells) for row in rows if row.cells)
    return Trial(dialect, rows, max(widths, key=widths.__getitem__, default=0))  # the first of equals


def _records(lines: Sequence[str], dialect: Dialect) -> Iterator[Row]:
    """The records but blank ones. One that is refused loses its first line only; the next line begins another."""
    start = refused = 0
    while start < len(lines) and refused < _REFUSED:
        reader = csv.reader(
            islice(lines, start, None),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            quoting=csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL,
            escapechar=dialect.escape,
            doublequote=True,
            strict=True,
        )
        line = start
        try:
            for cells in reader:
                if cells:
                    yield Row(line, cells)
                line = start + reader.line_num
        except csv.Error:
            yield Row(line, ())
            refused += 1
            start = line + 1
        else:
            return
