"""``json``."""

from __future__ import annotations

import re
import secrets
from typing import Any

from pydantic_core import from_json, to_json

from engine.core.reference.faults import CellFault

__all__ = ["JSON_DEPTH", "compact_json", "parse_json", "to_json_text"]

JSON_DEPTH = 64

# Brackets that are not inside a string; a string that never ends swallows the rest, which is no JSON anyway.
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|([\[{])|([\]}])', re.DOTALL)

# Integers are kept as written, and no int of Python's is -0: a secret number stands for it between parse and text.
_MINUS_ZERO = -(secrets.randbelow(9 * 10**17) + 10**17)
_MINUS_ZERO_TEXT = str(_MINUS_ZERO).encode()
_MINUS_ZERO_PERHAPS = re.compile(r"-0(?![0-9.eE])")
_WRITTEN_MINUS_ZERO = re.compile(r'("(?:[^"\\]|\\.)*"?)|(?<![0-9eE])-0(?![0-9.eE])', re.DOTALL)


def parse_json(text: str) -> Any:
    """One RFC 8259 value, at most 64 deep, without a number beyond a 64-bit float; of duplicate keys the last wins.

    Only :func:`compact_json` can turn the value back: it knows what stands for ``-0``.
    """
    depth = deepest = 0
    for match in _STRUCTURE.finditer(text) if text.count("[") + text.count("{") > JSON_DEPTH else ():
        depth += 1 if match[1] else -1 if match[2] else 0
        deepest = max(deepest, depth)
    if deepest > JSON_DEPTH:
        raise CellFault(f"JSON nested more than {JSON_DEPTH} deep")
    if "-0" in text and _MINUS_ZERO_PERHAPS.search(text):
        text = _WRITTEN_MINUS_ZERO.sub(lambda match: match[1] or str(_MINUS_ZERO), text)
    try:
        value = from_json(text.encode(), allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise CellFault("not valid JSON") from None
    compact = to_json(value, inf_nan_mode="null")
    if b"null" in compact and compact != to_json(value, inf_nan_mode="constants"):  # 1e400 parses as infinity
        raise CellFault("JSON number too large for a 64-bit float")
    return value


def compact_json(value: Any) -> bytes:
    """A parsed value as compact JSON in UTF-8."""
    return to_json(value).replace(_MINUS_ZERO_TEXT, b"-0")


def to_json_text(text: str) -> str:
    """``json``: the compact text of the value that :func:`parse_json` accepts."""
    return compact_json(parse_json(text)).decode()
