r"""Patterns that a mapping wants matched by RE2, in RE2's own syntax: linear time, no back references, no look-arounds.

What RE2 takes, and what it matches, is asked of Arrow, which is the only way to it here. Arrow extracts named groups
only, and all of them, so a pattern is rewritten to have one group: :func:`with_group`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.core.patterns import PATTERN_BYTES

__all__ = ["Groups", "check_re2", "check_rewrite", "groups_of", "weight", "with_group"]

# What a pattern is made of. A quotation and a class may hold brackets that are none.
_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\p(?:\{[^}]*\}|.)|\\P(?:\{[^}]*\}|.)|\\."
    r"|\[\^?\]?(?:\\.|\[:[^\]]*?:\]|[^\]\\])*\]"
    r"|\(\?P?<(?P<name>[^>]*)>|\(\?[^:)(<]*[:)]|\("
    r"|\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\}|.",
    re.DOTALL,
)

_PROPERTY, _WIDE, _PLAIN = 400, 10, 1  # states of a matcher that goes through UTF-8 byte by byte


class Groups(NamedTuple):
    """A pattern's capturing groups: how many, and the numbers of those that have names."""

    total: int
    names: dict[str, int]


def check_re2(pattern: str) -> str:
    """The pattern itself, if RE2 takes it.

    Raises:
        ValueError: longer than 10 kB, or none of RE2's; says what RE2 says.
    """
    if len(pattern.encode()) > PATTERN_BYTES:
        raise ValueError(f"a pattern may have {PATTERN_BYTES:,} bytes")
    import pyarrow as pa  # most mappings have no such pattern, and are read before Arrow is needed
    import pyarrow.compute as pc

    nothing = pa.array([""])
    try:
        pc.match_substring_regex(nothing, pattern)
        found = pc.extract_regex(nothing, with_group(pattern, 0, full=False))
    except pa.ArrowInvalid as error:
        said = " ".join(str(error).removeprefix("Invalid regular expression: ").split())
        raise ValueError(f"not a pattern for RE2: {said[:200]}") from None
    if found.type.num_fields != 1:  # brackets that are read here in another way than there
        raise ValueError("not a pattern for RE2 that can be used here: write its groups and classes more plainly")
    return pattern


def groups_of(pattern: str) -> Groups:
    """The groups of a pattern, numbered as they open."""
    names: dict[str, int] = {}
    count = 0
    for token in _TOKEN.finditer(pattern):
        if _opens_group(token):
            count += 1
            if token["name"] is not None:
                names[token["name"]] = count
    return Groups(count, names)


def with_group(pattern: str, group: int, *, full: bool) -> str:
    """The pattern with one group, ``g``: the one of this number, or all that matches for 0."""
    parts: list[str] = []
    count = 0
    for token in _TOKEN.finditer(pattern):
        if _opens_group(token):
            count += 1
            parts.append("(?P<g>" if count == group else "(?:")
        else:
            parts.append(token[0])
    text = "".join(parts)
    text = text if group else f"(?P<g>{text})"
    return rf"\A(?:{text})\z" if full else text


def _opens_group(token: re.Match[str]) -> bool:
    return token[0] == "(" or token["name"] is not None


def check_rewrite(template: str, groups: int) -> None:
    r"""Checks what matches are to be replaced with: ``\0`` to ``\9`` stand for groups, ``\\`` for a backslash.

    Raises:
        ValueError: another escape, or a group that the pattern has not.
    """
    for escape in re.findall(r"\\(.?)", template, re.DOTALL):
        if escape != "\\" and not (escape.isascii() and escape.isdigit()):
            raise ValueError(r"with: RE2 knows \0 to \9 and \\ only")
        if escape != "\\" and int(escape) > groups:
            raise ValueError(f"with: the pattern has {groups} groups, no group {escape}")


def weight(pattern: str) -> int:
    """About how many states RE2 may be in at once: the pattern's size with its repeats written out."""
    sizes, last = [0], 0  # of the groups that are open, and of what a repeat would repeat
    for token, size in _sizes(pattern):
        if token[0].startswith("(") and not token[0].endswith(")"):
            sizes.append(1)
            continue
        if token[0] == ")" and len(sizes) > 1:
            last = sizes.pop()
        elif token["least"] is not None:
            count = max(_count(token["least"]), _count(token["most"]), 1)
            sizes[-1] += last * (count - 1)
            last *= count
            continue
        else:
            last = size
        sizes[-1] += last
    return sum(sizes)


def _count(digits: str | None) -> int:
    """RE2 takes no count above 1,000; what is longer is no more than that here."""
    return int(digits) if digits and len(digits) <= 4 else 1_000 * bool(digits)


def _sizes(pattern: str) -> Iterator[tuple[re.Match[str], int]]:
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if text[:2] in (r"\p", r"\P"):
            yield token, _PROPERTY
        elif text.startswith("["):
            yield token, _PROPERTY if r"\p" in text or r"\P" in text else _WIDE + len(text)
        elif text == "." or text in (r"\D", r"\W", r"\S"):
            yield token, _WIDE
        else:
            yield token, len(text) if text.startswith(r"\Q") else _PLAIN
