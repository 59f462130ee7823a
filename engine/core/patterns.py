"""Patterns that a client writes, in the syntax of the ``regex`` package: checked when a mapping is loaded."""

from __future__ import annotations

import re
from math import prod

import regex

__all__ = [
    "PATTERN_BYTES",
    "REPEATS",
    "UNROLLED",
    "check_bounds",
    "check_pattern",
    "check_replacement",
    "compile_pattern",
    "unrolled",
]

PATTERN_BYTES = 10_000
REPEATS = 1_000
UNROLLED = 50_000
"""The size that a pattern may have when its counted repeats are written out, as the package does: compiling
``(?:(?:a{1000}){1000}){1000}`` takes all the memory there is."""

_COUNTED = re.compile(r"(?<!\\)(?:\\\\)*\{([0-9]*)(?:,([0-9]*))?\}")
_LEAST = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
_TOKEN = re.compile(r"\\.|\[(?:[^\]\\]|\\.)*\]|\{[0-9]+(?:,[0-9]*)?\}|.", re.DOTALL)
# Verbose patterns, comments and sets within sets could hide a bracket from _TOKEN, or show it one that is none.
_MISLEADING = re.compile(r"\(\?[a-zA-Z0-9-]*[xV]|\(\?#|\[[^\]]*\[|\[\^?\]|\[:")


def compile_pattern(pattern: str) -> regex.Pattern[str]:
    """Compiles a pattern that was checked. One compiled pattern a thread: the package has crashed on shared ones."""
    return regex.compile(pattern, cache_pattern=False)


def check_pattern(pattern: str) -> str:
    """The pattern itself, if it may be used.

    Raises:
        ValueError: over a bound of :func:`check_bounds`, or not a pattern; says what is wrong where.
    """
    check_bounds(pattern)
    try:
        compile_pattern(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise ValueError(f"not a pattern: {error}") from None
    return pattern


def check_bounds(pattern: str) -> None:
    """What can be said against a pattern without compiling it.

    Raises:
        ValueError: longer than 10 kB, with a counted repeat above 1,000, or with repeats that multiply to more than
            50,000; says what is wrong where.
    """
    if len(pattern.encode()) > PATTERN_BYTES:
        raise ValueError(f"a pattern may have {PATTERN_BYTES:,} bytes")
    for match in _COUNTED.finditer(pattern):
        for count in match.groups():
            if count and (len(count) > 4 or int(count) > REPEATS):
                raise ValueError(f"the repeat at position {match.start()} counts to {count}; {REPEATS:,} is the most")
    if unrolled(pattern) > UNROLLED:
        raise ValueError(f"the pattern's counted repeats multiply to more than {UNROLLED:,}")


def unrolled(pattern: str) -> int:
    """An upper bound of the pattern's size with every counted repeat written out as often as it must match."""
    if _MISLEADING.search(pattern):
        return len(pattern) * prod(max(1, int(count)) for count in _LEAST.findall(pattern))
    sizes, last = [0], 0  # of the groups that are open, and of what a repeat would repeat
    for part in _TOKEN.findall(pattern):
        if part == "(":
            sizes.append(0)
        elif part == ")" and len(sizes) > 1:
            last = sizes.pop() + 1  # an empty group takes memory, too
            sizes[-1] += last
        elif part[0] == "{" and len(part) > 1:
            repeated = last * max(1, int(_LEAST.fullmatch(part)[1]))  # type: ignore[index]  # _TOKEN says so
            sizes[-1] += repeated - last
            last = repeated
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)


def check_replacement(pattern: regex.Pattern[str], template: str) -> None:
    """Checks what matches are to be replaced with; it may name groups of the pattern.

    Raises:
        ValueError: the template names a group that the pattern has not, or is not well formed.
    """
    names = {number: f"?P<{name}>" for name, number in pattern.groupindex.items()}
    same_groups = "".join(f"({names.get(number, '')})" for number in range(1, pattern.groups + 1))
    match = compile_pattern(same_groups).match("")
    assert match is not None  # empty groups match the empty text
    try:
        match.expand(template).encode()  # a lone surrogate is no text that could be written
    except (regex.error, IndexError, ValueError) as error:
        raise ValueError(f"with: {error}") from None
