"""What a column's texts are: the most specific reading that takes every one of them, or nearly every one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from engine.core.inference.numbers import read_numbers
from engine.core.inference.reading import STRING, Reading, accepts
from engine.core.inference.times import read_times, time_readers
from engine.core.inference.words import is_container, read_base64, read_bools, read_json, read_uuids
from engine.core.reference import to_bool, to_float, to_int, to_uuid

__all__ = ["MOSTLY", "Mixed", "judge", "mixed"]

MOSTLY = 0.95
"""The share of a column's cells that must agree for the others to be called exceptions."""

_TRIED = 20  # texts that a mixed column's formats are taken from


class Mixed(NamedTuple):
    """What most cells of a column are, and the texts that are not."""

    reading: Reading
    refused: Sequence[str]


def judge(texts: Sequence[str], label: str) -> Reading:
    """The reading of a column.

    Args:
        texts: its distinct texts, nulls left out; at least one.
        label: its header label: it may tell a number from a time.
    """
    reading = _exactly(texts, label)
    if reading is None and any(text != text.strip() for text in texts):
        trimmed = _exactly(list(dict.fromkeys(text.strip() for text in texts)), label)
        if trimmed is not None and not trimmed.is_plain:
            reading = trimmed.after("trim")
    return reading or STRING


def _exactly(texts: Sequence[str], label: str) -> Reading | None:
    return (
        read_bools(texts)
        or read_times(texts)
        or read_numbers(texts, label)
        or read_uuids(texts)
        or read_json(texts)
        or read_base64(texts)
    )


def mixed(counts: Mapping[str, int], label: str) -> Mixed | None:
    """What nearly all cells of a column are that no reading takes whole; None where they have nothing in common.

    Args:
        counts: how many cells have each text, nulls left out.
    """
    total = sum(counts.values())
    found = [[text for text in counts if takes(text)] for takes in _takers(counts)]
    weighed = [(sum(counts[text] for text in good), good) for good in found]
    for taken, good in sorted(weighed, key=lambda each: -each[0]):  # of equals the most specific stays first
        if MOSTLY * total <= taken < total:
            reading = _exactly(good, label)
            if reading is not None and not reading.is_plain:
                kept = set(good)
                return Mixed(reading, [text for text in counts if text not in kept])
    return None


def _takers(counts: Mapping[str, int]) -> Iterator[Callable[[str], bool]]:
    """Single types and formats that a column may mostly be, the most specific first."""
    seen: set[tuple[str, str]] = set()
    for text in islice(counts, _TRIED):
        for kind, name, read in time_readers(text):
            if (kind, name) not in seen:
                seen.add((kind, name))
                yield partial(accepts, read)
    for convert in (to_int, to_float, to_bool, to_uuid):
        yield partial(accepts, convert)
    yield is_container
