"""``int``, ``float`` and ``decimal``: ASCII digits, no separators, no names for numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from engine.core.reference.faults import CellFault

__all__ = ["NUMBER_CHARS", "to_decimal", "to_float", "to_int"]

NUMBER_CHARS = 65_536
"""The longest text that is read as a number: reading digits takes time, and no number of use comes near."""

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(r"([+-]?)([0-9]*)\.?([0-9]*)")


def _bounded(text: str) -> str:
    if len(text) > NUMBER_CHARS:
        raise CellFault(f"longer than the {NUMBER_CHARS} characters that a number may have")
    return text


def to_int(text: str) -> int:
    """``int``: ``[+-]?[0-9]+``, ASCII, within 64 bits."""
    if not _INT.fullmatch(_bounded(text)):
        raise CellFault("not an integer")
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = sign * int(digits) if len(digits) <= 19 else None  # 20 digits never fit; the length bounds the work
    if value is None or not -(2**63) <= value < 2**63:
        raise CellFault("does not fit in 64 bits")
    return value


def to_float(text: str) -> float:
    """``float``: decimal or scientific notation, ASCII; no ``nan``, ``inf``, ``_`` or hexadecimal."""
    if not _FLOAT.fullmatch(_bounded(text)):
        raise CellFault("not a number")
    value = float(text)
    if math.isinf(value):
        raise CellFault("too large for a 64-bit float")
    return value


def to_decimal(text: str, precision: int, scale: int) -> Decimal:
    """``decimal(p,s)``: a sign, digits and a point, at least one of them a digit; exactly ``scale`` places come out.

    Leading zeros do not count as digits before the point; zeros at the end count as places, as they are written.
    A number that does not fit is a ``constraint-error``: nothing is rounded. There is no negative zero.
    """
    match = _DECIMAL.fullmatch(_bounded(text))
    if not match or not (match[2] or match[3]):
        raise CellFault("not a decimal number")
    whole, places = match[2].lstrip("0"), match[3]
    if len(places) > scale:
        raise CellFault(f"more than {scale} digits after the point", "constraint-error")
    if len(whole) > precision - scale:
        raise CellFault(f"more than {precision - scale} digits before the point", "constraint-error")
    unscaled = int(whole + places.ljust(scale, "0") or "0")
    negative = match[1] == "-" and unscaled != 0
    return Decimal((int(negative), tuple(map(int, str(unscaled))), -scale))
