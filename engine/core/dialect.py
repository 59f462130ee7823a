"""How a CSV file is written: the mapping's ``csv`` section as the core reads it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dialect"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. Its characters are ASCII, and all different.

    Attributes:
        quote: encloses cells and is doubled inside them; None where no character does.
        escape: takes its meaning from the character that follows it, inside quotes and outside; None for none.
        encoding: the text codec; what a byte order mark says comes before it.
        skip_lines: physical lines before the header, or before the first row.
        trim: white space around a cell is not part of it.
        extra_cells: whether a row may have more cells than the header, which are not looked at then.
        missing_cells: whether a row may have fewer, which are null then.
        blank_rows: whether lines with nothing on them are rows; bad ones then.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    encoding: str = "utf-8"
    skip_lines: int = 0
    trim: bool = False
    extra_cells: bool = False
    missing_cells: bool = False
    blank_rows: bool = False

    @property
    def filler(self) -> bytes:
        """A byte that is only text in this dialect."""
        return next(each for each in "?xyz" if each not in (self.delimiter, self.quote, self.escape)).encode()
