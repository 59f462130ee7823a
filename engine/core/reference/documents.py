"""``json``."""

from __future__ import annotations

import re

from pydantic_core import from_json, to_json

from engine.core.reference.faults import CellFault

__all__ = ["JSON_DEPTH", "to_json_text"]

JSON_DEPTH = 64

# Brackets that are not inside a string; a string that never ends swallows the rest, which is no JSON anyway.
_JSON_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|([\[{])|([\]}])', re.DOTALL)


def to_json_text(text: str) -> str:
    """``json``: one RFC 8259 value, at most 64 deep; gives its compact text (of duplicate keys the last wins)."""
    depth = deepest = 0
    for match in _JSON_STRUCTURE.finditer(text) if len(text) > 2 * JSON_DEPTH else ():
        depth += 1 if match[1] else -1 if match[2] else 0
        deepest = max(deepest, depth)
    if deepest > JSON_DEPTH:
        raise CellFault(f"JSON nested more than {JSON_DEPTH} deep")
    try:
        value = from_json(text.encode(), allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise CellFault("not valid JSON") from None
    compact = to_json(value, inf_nan_mode="null")
    if b"null" in compact and compact != to_json(value, inf_nan_mode="constants"):  # 1e400 parses as infinity
        raise CellFault("JSON number too large for a 64-bit float")
    return compact.decode()
