"""The reference of every step: what it does to one cell, in plain Python.

A cell is text, bytes (what ``base64`` and ``hex`` give) or null. Null passes through every step but ``default``. Bytes
that reach a step which works on text are read as UTF-8. :class:`CellFault` with the code ``step-error`` says that a
step cannot be applied.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Mapping, Sequence
from typing import Any

import regex
from pydantic_core import to_json

from engine.core.jsonpath import ABSENT, JsonPath, follow
from engine.core.reference import CellFault, compact_json, parse_json, to_bytes
from engine.core.stepping.guard import Guard

__all__ = [
    "BAD_BASE64",
    "BAD_ESCAPE",
    "BAD_HEX",
    "NOT_LISTED",
    "NO_MATCH",
    "Value",
    "as_text",
    "base64",
    "default",
    "default_text",
    "hexadecimal",
    "join",
    "json_path",
    "json_text",
    "json_value",
    "lookup",
    "lower",
    "regex_group",
    "replace",
    "replaced",
    "split",
    "trim",
    "upper",
    "url_decode",
]

type Value = str | bytes | None

BAD_BASE64 = "not valid base64"
BAD_HEX = "not pairs of hexadecimal digits"
BAD_ESCAPE = "a % without two hexadecimal digits"
NO_MATCH = "the pattern does not match"
NOT_LISTED = "not in the lookup table"

_HEX = frozenset("0123456789abcdefABCDEF")
_URLSAFE = str.maketrans("-_+/", "+/!!")  # "!" is in neither alphabet


def as_text(value: str | bytes) -> str:
    """The text itself, or the text that bytes are in UTF-8."""
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CellFault("not valid UTF-8", "step-error") from None


def trim(value: Value) -> Value:
    """Without the white space around it: every character that ``str.isspace`` knows, beyond ASCII too."""
    return None if value is None else as_text(value).strip()


def lower(value: Value) -> Value:
    """In lower case, as ``str.lower``: full Unicode mappings, a capital sigma by its place in the word."""
    return None if value is None else as_text(value).lower()


def upper(value: Value) -> Value:
    """In upper case, as ``str.upper``: full Unicode mappings (``ß`` gives ``SS``)."""
    return None if value is None else as_text(value).upper()


def base64(value: Value, *, urlsafe: bool) -> Value:
    """The bytes that base64 text stands for, as strict as the type ``bytes`` is: padded, nothing between or around.

    ``urlsafe``: with ``-`` and ``_`` instead of ``+`` and ``/``, which are refused then.
    """
    if value is None:
        return None
    text = as_text(value)
    try:
        return to_bytes(text.translate(_URLSAFE) if urlsafe else text)
    except CellFault:
        raise CellFault(BAD_BASE64, "step-error") from None


def hexadecimal(value: Value) -> Value:
    """The bytes that pairs of hexadecimal digits stand for, in either case, with nothing between or around."""
    if value is None:
        return None
    text = as_text(value)
    if len(text) % 2 or not _HEX.issuperset(text):
        raise CellFault(BAD_HEX, "step-error")
    return unhexlify(text)


def url_decode(value: Value) -> Value:
    """Percent-decoded (RFC 3986): every ``%`` must have two hexadecimal digits, and the bytes must be UTF-8.

    A ``+`` stays: only in forms does it stand for a space, and a ``replace`` before this step says so.
    """
    if value is None:
        return None
    first, *rest = as_text(value).encode().split(b"%")
    octets = bytearray(first)
    for part in rest:
        if len(part) < 2 or not _HEX.issuperset(part[:2].decode("latin-1")):
            raise CellFault(BAD_ESCAPE, "step-error")
        octets += unhexlify(part[:2]) + part[2:]
    return as_text(bytes(octets))


def regex_group(
    value: Value, *, pattern: regex.Pattern[str], group: int, full: bool, required: bool, guard: Guard
) -> Value:
    """What the group matches; null where nothing matches or the group takes no part in the match.

    Args:
        full: the whole text must match.
        required: no match is a fault.
        guard: the pattern's time limit; exceeding it raises ``PatternTimeout``.
    """
    if value is None:
        return None
    match = guard.one(pattern.fullmatch if full else pattern.search, as_text(value))
    if match is None:
        if required:
            raise CellFault(NO_MATCH, "step-error")
        return None
    found: str | None = match[group]
    return found


def replace(value: Value, *, pattern: regex.Pattern[str], template: str, most_bytes: int, guard: Guard) -> Value:
    """Every match replaced by the template, in which ``\\1`` and ``\\g<name>`` stand for groups.

    Args:
        most_bytes: the longest text that may come of it; beyond, the cell is ``too-long``.
        guard: the pattern's time limit; exceeding it raises ``PatternTimeout``.
    """
    if value is None:
        return None

    def all_replaced(text: str, timeout: float | None = None) -> str | CellFault:
        return replaced(text, timeout, pattern=pattern, template=template, most_bytes=most_bytes)

    result = guard.one(all_replaced, as_text(value))
    if isinstance(result, CellFault):
        raise result
    return result


def replaced(
    text: str, timeout: float | None = None, *, pattern: regex.Pattern[str], template: str, most_bytes: int
) -> str | CellFault:
    """:func:`replace` for one text. A template can make a text many times longer: that is seen before it is done."""
    longest_of_one = len(template) + template.count("\\") * len(text)
    if 4 * (len(text) + (len(text) + 1) * longest_of_one) > most_bytes:
        length = len(text.encode())
        for match in pattern.finditer(text, timeout=timeout):
            length += len(match.expand(template).encode()) - len(match[0].encode())
            if length > most_bytes + len(text):
                break
        if length > most_bytes:
            return CellFault(f"longer than {most_bytes:,} bytes once replaced", "too-long")
    result: str = pattern.sub(template, text, timeout=timeout)
    return result


def split(value: Value, *, sep: str, index: int | None) -> Value:
    """The part at ``index``, negative from the end, null where there is none; all parts as JSON without an index."""
    if value is None:
        return None
    parts = as_text(value).split(sep)
    if index is None:
        return to_json(parts).decode()
    return parts[index] if -len(parts) <= index < len(parts) else None


def json_value(text: str) -> Any:
    """The value of a cell that the type ``json`` accepts."""
    try:
        return parse_json(text)
    except CellFault as fault:
        raise CellFault(fault.message, "step-error") from None


def json_text(found: Any) -> bytes | None:
    """What a path found, as a cell in UTF-8: a string's text, null for null, compact JSON for anything else."""
    if found is None or found is ABSENT:
        return None
    return found.encode() if isinstance(found, str) else compact_json(found)


def json_path(value: Value, *, path: JsonPath) -> Value:
    """What the path finds in a JSON text; null where it finds nothing."""
    if value is None:
        return None
    found = json_text(follow(json_value(as_text(value)), path))
    return None if found is None else found.decode()


def lookup(value: Value, *, table: Mapping[str, str], otherwise: str) -> Value:
    """What the table has for the text; else the text itself (``keep``), null (``null``) or a fault (``error``)."""
    if value is None:
        return None
    text = as_text(value)
    if text in table:
        return table[text]
    if otherwise == "error":
        raise CellFault(NOT_LISTED, "step-error")
    return text if otherwise == "keep" else None


def default(value: Value, *, text: str) -> Value:
    """The text instead of null."""
    return text if value is None else value


def default_text(value: str | float | bool) -> str:
    """The text of a default as a mapping writes it: ``true`` or ``false``, a number as in JSON."""
    return value if isinstance(value, str) else to_json(value).decode()


def join(values: Sequence[Value], *, sep: str) -> Value:
    """The texts with ``sep`` between them; nulls count as empty, and only nulls give null."""
    if all(value is None for value in values):
        return None
    return sep.join("" if value is None else as_text(value) for value in values)
