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

from engine.core.patterns import UNROLLED, check_bounds, unrolled
from engine.core.re2 import weight
from engine.core.stepping.grammar import Unusual, read_pattern

__all__ = ["PATTERNS_SIZE", "Suspect", "oversized", "suspects"]

PATTERNS_SIZE = 100_000
"""The most characters that a mapping's patterns may have together, their counted repeats written out."""

_SMALL = 1_000  # characters, its repeats written out


class Suspect(NamedTuple):
    """A pattern that may take too much to compile, and its place in the document."""

    where: str
    pattern: str
    re2: bool = False


def suspects(document: object) -> list[Suspect]:
    """The patterns that validation of a decoded mapping document would compile, but for those that are known to be
    harmless. What validation refuses without compiling it is left out; the document may be anything."""
    return [found for found in _patterns(document) if not found.re2 and _needs_trial(found)]


def oversized(document: object) -> bool:
    """Whether the patterns of a document have more than :data:`PATTERNS_SIZE` characters. Those over their own bounds
    do not count, which validation refuses; RE2's go by a tenth of their weight."""
    size = 0
    for found in _patterns(document):
        size += _size(found)
        if size > PATTERNS_SIZE:  # no need to look at megabytes
            return True
    return False


def _size(suspect: Suspect) -> int:
    pattern = suspect.pattern
    if suspect.re2:
        return min(weight(pattern) // 10, UNROLLED)
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
                text = _get(rule, "pattern")
                if isinstance(text, str):
                    where = f"fields[{place}].steps[{number}].{name}.pattern"
                    yield Suspect(where, text, _get(rule, "engine") == "re2")
        text = _get(field, "pattern")
        if isinstance(text, str):
            yield Suspect(f"fields[{place}].pattern", text)


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: object, key: str) -> list[object]:
    found = _get(value, key)
    return found if isinstance(found, list) else []


def _needs_trial(suspect: Suspect) -> bool:
    size = _size(suspect)
    try:
        read_pattern(suspect.pattern[:_SMALL])
    except (Unusual, IndexError):  # the reader takes valid patterns only
        return size > 0
    return size > _SMALL
