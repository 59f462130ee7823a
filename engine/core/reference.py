"""The reference converters: what each type accepts, one plain function a type, one cell at a time.

These define the mapping language (CONTRACT section 1). The column kernels are fast ways to the same answers and are
tested against them.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone

from pydantic_core import from_json, to_json

__all__ = [
    "FALSE",
    "JSON_DEPTH",
    "TRUE",
    "CellFault",
    "to_bool",
    "to_float",
    "to_int",
    "to_json_text",
    "to_string",
    "to_timestamp",
    "to_uuid",
]

TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")
JSON_DEPTH = 64

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
# Brackets that are not inside a string; a string that never ends swallows the rest, which is no JSON anyway.
_JSON_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|([\[{])|([\]}])', re.DOTALL)


class CellFault(Exception):
    """A text that a type refuses: the contract's error code and one line for people, without the text itself."""

    def __init__(self, message: str, code: str = "type-error") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def to_string(text: str) -> str:
    """``string``: any text."""
    return text


def to_int(text: str) -> int:
    """``int``: ``[+-]?[0-9]+``, ASCII, within 64 bits."""
    if not _INT.fullmatch(text):
        raise CellFault("not an integer")
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = sign * int(digits) if len(digits) <= 19 else None  # 20 digits never fit; the length bounds the work
    if value is None or not -(2**63) <= value < 2**63:
        raise CellFault("does not fit in 64 bits")
    return value


def to_float(text: str) -> float:
    """``float``: decimal or scientific notation, ASCII; no ``nan``, ``inf``, ``_`` or hexadecimal."""
    if not _FLOAT.fullmatch(text):
        raise CellFault("not a number")
    value = float(text)
    if math.isinf(value):
        raise CellFault("too large for a 64-bit float")
    return value


def to_bool(text: str) -> bool:
    """``bool``: one of the usual words, in any case."""
    folded = text.lower() if text.isascii() else text
    if folded in TRUE:
        return True
    if folded in FALSE:
        return False
    raise CellFault("not a boolean (true/false, t/f, yes/no, y/n, 1/0)")


def to_timestamp(text: str) -> datetime:
    """``timestamp``, format ``iso8601``: UTC; a text without an offset is taken as UTC; digits after the sixth drop."""
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise CellFault("not an ISO 8601 timestamp")
    year, month, day, hour, minute, second, digits, offset = match.groups()
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((digits or "")[:6].ljust(6, "0")), tzinfo=_zone(offset),
        )  # fmt: skip
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CellFault("no such date or time") from None


def _zone(offset: str | None) -> timezone:
    if offset is None or offset == "Z":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
    if hours > 23 or minutes > 59:
        raise ValueError
    delta = timedelta(hours=hours, minutes=minutes)
    return timezone(-delta if offset[0] == "-" else delta)


def to_uuid(text: str) -> str:
    """``uuid``: 32 hex digits, with or without the usual hyphens; gives lower case with hyphens."""
    if not _UUID.fullmatch(text):
        raise CellFault("not a UUID")
    digits = text.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def to_json_text(text: str) -> str:
    """``json``: one RFC 8259 value, at most 64 deep; gives its compact text (of duplicate keys the last wins)."""
    depth = deepest = 0
    for match in _JSON_STRUCTURE.finditer(text) if len(text) > 2 * JSON_DEPTH else ():
        depth += 1 if match[1] else -1 if match[2] else 0
        deepest = max(deepest, depth)
    if deepest > JSON_DEPTH:
        raise CellFault(f"JSON nested more than {JSON_DEPTH} deep")
    try:
        value = from_json(text, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise CellFault("not valid JSON") from None
    compact = to_json(value, inf_nan_mode="null")
    if b"null" in compact and compact != to_json(value, inf_nan_mode="constants"):  # 1e400 parses as infinity
        raise CellFault("JSON number too large for a 64-bit float")
    return compact.decode()
