"""How a file is written, judged by its first records: the delimiter and the quote."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.core.dialect import Dialect
from engine.core.framing import records

__all__ = ["sniff"]

_DELIMITERS = (",", ";", "\t", "|")
_RECORDS = 500
_ENOUGH = 0.75  # the share of records as wide as the first that a delimiter must give
_CLOSE = 0.05  # shares that differ by less decide nothing

# Numbers, a comma as decimal point included, dates and times, and nothing at all: what ends where a delimiter stands.
_TYPED = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?|[0-9]{1,4}([-/.])[0-9]{1,2}\3[0-9]{1,4}.{0,20}|")


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a dialect makes of a file's beginning.

    Attributes:
        share: of the records that are as wide as the first.
        width: of the first record.
        typed: share of the cells that look like numbers or dates.
        enclosed: some column's cells all stand between the quotes of the other dialect.
    """

    dialect: Dialect
    share: float
    width: int
    typed: float
    enclosed: bool


def sniff(head: bytes) -> Dialect:
    """The dialect that cuts a file's beginning into the most even records.

    Of delimiters that do so equally well the one wins whose cells are more often numbers and dates, then the one that
    gives more columns. A file in which no delimiter gives two columns throughout has one column: its delimiter is the
    first that its records do not hold. An apostrophe is the quote only where that makes records more even, or where
    all cells of a column stand between two.

    Args:
        head: the file's first bytes, without a byte order mark; a last record that is cut off does little harm.
    """
    trials = [_try(head, Dialect(delimiter, quote)) for quote in "\"'" for delimiter in _DELIMITERS]
    double, single = _best(trials[: len(_DELIMITERS)]), _best(trials[len(_DELIMITERS) :])
    if single.width > 1 and (double.width <= 1 or single.share > double.share + _CLOSE):
        return single.dialect
    if double.enclosed and single.share >= double.share:
        return single.dialect
    return double.dialect


def _best(trials: list[_Trial]) -> _Trial:
    wide = [trial for trial in trials if trial.width > 1 and trial.share >= _ENOUGH]
    if not wide:
        return max(trials, key=lambda trial: trial.share if trial.width == 1 else 0)  # the first of equals
    most = max(trial.share for trial in wide)
    return max(
        (trial for trial in wide if trial.share >= most - _CLOSE),
        key=lambda trial: (round(trial.typed, 1), trial.share, trial.width),
    )


def _try(head: bytes, dialect: Dialect) -> _Trial:
    found: list[list[str]] = []
    for record in records(head, dialect):
        if record.cells:
            found.append(record.cells)
        if len(found) == _RECORDS:
            break
    if len(found) > 2 and not head.endswith(b"\n"):
        found.pop()  # perhaps cut off
    if not found:
        return _Trial(dialect, 1.0, 0, 0.0, enclosed=False)
    width = len(found[0])
    even = [cells for cells in found if len(cells) == width]
    cells = [cell for row in even for cell in row]
    return _Trial(
        dialect,
        len(even) / len(found),
        width,
        sum(_TYPED.fullmatch(cell) is not None for cell in cells) / len(cells),
        any(_enclosed(column, '"' if dialect.quote == "'" else "'") for column in zip(*even, strict=True)),
    )


def _enclosed(column: tuple[str, ...], quote: str) -> bool:
    return all(len(cell) > 1 and cell[0] == quote == cell[-1] for cell in column)
