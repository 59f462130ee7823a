"""Formats of dates and timestamps that read one text as two times, as ``%d/%m/%Y`` and ``%m/%d/%Y`` do.

Found by trying: moments of our time are written in either format, with and without leading zeros, and read in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.core.reference import CellFault, compile_format, parse_layout
from engine.core.reference.times import iso_date
from engine.core.timeformats import EPOCHS, ISO8601

__all__ = ["differing_text"]

# Chosen so that day, month and two-digit year could each be taken for another.
_MOMENTS = tuple(
    datetime(*parts)  # noqa: DTZ001  # as written
    for parts in ((2001, 2, 3, 4, 5, 6), (2012, 11, 10, 9, 8, 7), (2020, 10, 12, 11, 10, 12), (2026, 1, 25, 13, 14, 15))
)


def differing_text(first: str, second: str, *, date: bool) -> str | None:
    """A text that two formats both read, but as different times; None where no such text is found.

    Args:
        first: a format that a mapping may name, as ``second``; each other than an epoch for a date.
        date: whether they are for a date, of which only the day counts.
    """
    read = [iso_date if date and name == ISO8601 else compile_format(name) for name in (first, second)]
    for text in (*_written(first, date=date), *_written(second, date=date)):
        try:
            one, other = (reader(text) for reader in read)
        except CellFault:
            continue
        if one[0].date() != other[0].date() if date else _moment(*one) != _moment(*other):
            return text
    return None


def _moment(local: datetime, offset: timedelta | None) -> datetime:
    return local - (offset or timedelta())


def _written(name: str, *, date: bool) -> Iterator[str]:
    """Texts of a format: moments of our time, with and without leading zeros."""
    for moment in _MOMENTS:
        if name == ISO8601:
            yield moment.date().isoformat() if date else moment.isoformat()
            if not date:
                yield moment.date().isoformat()
        elif name in EPOCHS:
            yield str(int((moment - datetime(1970, 1, 1)).total_seconds() * 1_000_000) // EPOCHS[name])  # noqa: DTZ001
        else:
            pieces = parse_layout(name).pieces
            for padded in (True, False):
                yield "".join(_part(letter, moment, padded=padded) if letter else char for letter, char in pieces)


def _part(letter: str, moment: datetime, *, padded: bool) -> str:
    """What ``strftime`` gives, where a leading zero may be left out; without names, so the same on every machine."""
    if letter == "z":
        return "+0000"
    if letter == "p":
        return "AM" if moment.hour < 12 else "PM"
    text = moment.strftime(f"%{letter}")
    return text if padded or letter in "Yyf" else text.lstrip("0") or "0"
