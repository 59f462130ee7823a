"""Which patterns of a mapping document nobody may compile here before they were compiled elsewhere.

Compiling a pattern can take all memory, or crash: ``(?if)(?:[\\x00-\\U0010ffff]{200}){240}`` has 36 bytes and takes
2 GB. Most patterns need no trial. The plain part of the language (:mod:`engine.core.stepping.grammar`) has no sets that
grow when case is folded, no recursion, no sets within sets, and at most 20 groups within each other, so compiling takes
time and memory in proportion to the pattern with its repeats written out: *measured*, at most 100 us and 1 KB for
each of its characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.core.patterns import check_bounds, unrolled
from engine.core.stepping.grammar import Unusual, read_pattern

__all__ = ["PATTERNS_SIZE", "Suspect", "patterns_size", "suspects"]

PATTERNS_SIZE = 100_000
"""The most characters that a mapping's patterns may have together, their counted repeats written out."""

_SMALL = 1_000  # characters, its repeats written out


class Suspect(NamedTuple):
    """A pattern that may take too much to compile, and its place in the document."""

    where: str
    pattern: str


def suspects(document: object) -> list[Suspect]:
    """The patterns that validation of a decoded mapping document would compile, but for those that are known to be
    harmless. What validation refuses without compiling it is left out; the document may be anything."""
    return [found for found in _patterns(document) if _needs_trial(found.pattern)]


def patterns_size(document: object) -> int:
    """How many characters the patterns of a document have that is not validated yet, counted repeats written out; less
    those of patterns over their own bounds, which validation refuses."""
    return sum(_size(found.pattern) for found in _patterns(document))


def _size(pattern: str) -> int:
    try:
        check_bounds(pattern)
    except ValueError:
        return 0
    return max(len(pattern), unrolled(pattern))


def _patterns(document: object) -> Iterator[Suspect]:
    for place, field in enumerate(_list(document, "fields")):
        for number, step in enumerate(_list(field, "steps")):
            for name in ("regex", "replace"):
                rule = _get(step, name)
                if _get(rule, "engine") != "re2":
                    yield from _text(f"fields[{place}].steps[{number}].{name}.pattern", _get(rule, "pattern"))
        yield from _text(f"fields[{place}].pattern", _get(field, "pattern"))


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: object, key: str) -> list[object]:
    found = _get(value, key)
    return found if isinstance(found, list) else []


def _text(where: str, value: object) -> Iterator[Suspect]:
    if isinstance(value, str):
        yield Suspect(where, value)


def _needs_trial(pattern: str) -> bool:
    size = _size(pattern)
    try:
        read_pattern(pattern[:_SMALL])
    except (Unusual, IndexError):  # the reader takes valid patterns only
        return size > 0
    return size > _SMALL
