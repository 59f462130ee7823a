"""JSON paths: the singular queries of RFC 9535 (``$.a.b``, ``$['a'][0]``, ``$.items[-1].id``)."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["ABSENT", "JsonPath", "follow", "parse_path"]

type JsonPath = tuple[str | int, ...]

ABSENT: Any = object()
"""What a path finds where there is nothing."""

_LARGEST_INDEX = 2**53 - 1  # RFC 9535, section 2.1
_SEGMENT = re.compile(
    r"""
    \.(?P<name>[A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF][0-9A-Za-z_\u0080-\uD7FF\uE000-\U0010FFFF]*)
    | \[[ \t\n\r]*(?:
        (?P<index>0|-?[1-9][0-9]*)
        | "(?P<double>(?:[^"\\\x00-\x1f]|\\.)*)"
        | '(?P<single>(?:[^'\\\x00-\x1f]|\\.)*)'
    )[ \t\n\r]*\]
    | (?P<space>[ \t\n\r]+(?=[.\[]))
    """,
    re.VERBOSE,
)
_DOUBLE_ESCAPED = re.compile(r'(?<!\\)(?:\\\\)*\\"')  # only a double-quoted name may escape a double quote


def parse_path(text: str) -> JsonPath:
    """The member names and array indexes that a path goes through, from the root.

    Raises:
        ValueError: not a singular query; says at which position.
    """
    if not text.startswith("$"):
        raise ValueError("a JSON path starts with $")
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _SEGMENT.match(text, at)
        if match is None:
            raise ValueError(f"not a singular JSON path (RFC 9535): unexpected {text[at]!r} at position {at}")
        if match["name"] is not None:
            steps.append(match["name"])
        elif match["index"] is not None:
            if len(match["index"]) > 17 or abs(int(match["index"])) > _LARGEST_INDEX:
                raise ValueError(f"the index at position {at} is out of range")
            steps.append(int(match["index"]))
        elif match["double"] is not None:
            steps.append(_unescape(match["double"], at))
        elif match["single"] is not None:
            if _DOUBLE_ESCAPED.search(match["single"]):
                raise ValueError(f"the name at position {at} is not well formed")
            swapped = re.sub(r'\\.|"', lambda part: {"\\'": "'", '"': '\\"'}.get(part[0], part[0]), match["single"])
            steps.append(_unescape(swapped, at))
        at = match.end()
    return tuple(steps)


def _unescape(text: str, at: int) -> str:
    try:
        name: str = json.loads(f'"{text}"')
        name.encode()  # a lone surrogate names nothing that UTF-8 can hold
    except ValueError:
        raise ValueError(f"the name at position {at} is not well formed") from None
    return name


def follow(value: Any, path: JsonPath) -> Any:
    """What the path finds in a parsed JSON value; :data:`ABSENT` where it finds nothing."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return ABSENT
            value = value[step]
        else:
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return ABSENT
            value = value[step]
    return value
