"""Whether a file's first record is a header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from engine.core.inference.judge import judge
from engine.core.inference.nulls import NULL_WORDS
from engine.core.inference.reading import Reading, accepts
from engine.core.reference import to_float

__all__ = ["Header", "find_header"]

_VOTES = 100  # of columns; more cost time and decide no differently


class Header(NamedTuple):
    """The verdict; not ``sure`` where nothing but custom speaks for it."""

    present: bool
    sure: bool


def find_header(first: Sequence[str], below: Iterable[Reading | None], again: Iterable[bool]) -> Header:
    """Judges the first record by the columns below it.

    Each column with a type, or of digits that are no number, votes: a first cell that is something else speaks for a
    header, one that is alike against it. The first columns that do are enough. Where none does, a first record of plain
    texts that are all different, and none of which its column holds again, is taken for a header, as most files have
    one.

    Args:
        first: the first record's cells.
        below: how each column would be read without its first cell; None for a column without any.
        again: whether the column has the first cell's text once more. Both are taken only as far as they are needed.
    """
    votes = list(islice(_votes(first, below), _VOTES))
    if votes:
        return Header(sum(votes) * 2 > len(votes), sure=True)
    labels = [cell for cell in first if cell]
    different = len(set(labels)) == len(labels) > 0 and not any(again)
    return Header(different and all(judge([cell], "").is_plain for cell in labels), sure=False)


def _votes(first: Sequence[str], below: Iterable[Reading | None]) -> Iterator[bool]:
    for cell, reading in zip(first, below, strict=False):
        if reading is not None and (reading.remarks or not reading.is_plain) and cell and cell not in NULL_WORDS:
            yield not _is_alike(cell, reading)


def _is_alike(cell: str, below: Reading) -> bool:
    return accepts(to_float, cell) if below.is_plain else below.takes(cell)
