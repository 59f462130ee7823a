"""Columns of numbers: what is one to reckon with, and what only looks like one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.core.inference.reading import Reading, accepted
from engine.core.reference import to_float, to_int

__all__ = ["read_numbers"]

_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_FIXED = re.compile(r"[+-]?([0-9]+)\.([0-9]+)")
_PHONE_CHARS = 8  # a plus and so many characters in all: a telephone number rather than a sign
_MONEY_SCALES = range(2, 5)
_DIGITS = 38
_PRECISIONS = (12, 18, 38)
_SPARE = 2  # digits before the point beyond those of the sample, at least

# Seconds from September 2001, when they first had ten digits, to the end of 2034.
_EPOCH_S = range(1_000_000_000, 2_051_222_400)
_EPOCH_MS = range(_EPOCH_S.start * 1000, _EPOCH_S.stop * 1000)
_COUNTED = re.compile(
    r"(?:^|[\W_])(?:id|ids|no|nr|num|number|phone|tel|mobile|fax|code|zip|sku|ean|isbn|account|order)(?:[\W_]|$)"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_numbers(texts: Sequence[str], label: str) -> Reading | None:
    """The reading of texts that are all numbers; None where they are not.

    Digits that are no quantity stay text: leading zeros (``007``, postal codes), telephone numbers with their plus,
    integers beyond 64 bits. Ten or thirteen digits that are a time of the years 2001 to 2034 throughout are taken for
    one, unless the label says that they number something. Texts that all have two to four places are decimals, as
    money is written; other fractions are floats.
    """
    if not accepted(to_float, texts):
        return None
    zero = next((text for text in texts if _LEADING_ZERO.match(text)), None)
    if zero is not None:
        return Reading("string", remarks=(f"some have leading zeros, as {zero}, so no number; proposed as string",))
    if all(text.startswith("+") and len(text) >= _PHONE_CHARS for text in texts):
        return Reading("string", remarks=("numbers that start with + and look like telephone numbers; kept as string",))
    if accepted(to_int, texts):
        return _epochs(texts, label) or Reading("int")
    long = next((text for text in texts if _WHOLE.fullmatch(text) and not accepted(to_int, (text,))), None)
    if long is not None:
        return Reading("string", remarks=(f"integers beyond 64 bits, as {long[:40]}; proposed as string",))
    return _decimal(texts) or Reading("float")


def _epochs(texts: Sequence[str], label: str) -> Reading | None:
    if _COUNTED.search(_CAMEL.sub("_", label).lower()) or not all(text.isdigit() for text in texts):
        return None
    values = list(map(int, texts))
    for name, span in (("epoch_s", _EPOCH_S), ("epoch_ms", _EPOCH_MS)):
        if min(values) in span and max(values) in span:
            remark = f"integers that are times of the years 2001 to 2034 as {name}; make it int if they are not"
            return Reading("timestamp", (name,), remarks=(remark,))
    return None


def _decimal(texts: Sequence[str]) -> Reading | None:
    """A decimal for texts that all have as many places; a bare 0 may stand among them."""
    matches = [_FIXED.fullmatch(text) for text in texts if text != "0"]
    scales = {len(match[2]) if match else 0 for match in matches}
    scale = scales.pop()
    if scales or scale not in _MONEY_SCALES:
        return None
    whole = max(len(match[1]) for match in matches if match)
    for precision in _PRECISIONS:
        if whole + scale + _SPARE <= precision:
            return Reading(f"decimal({precision},{scale})")
    return Reading(f"decimal({_DIGITS},{scale})") if whole + scale <= _DIGITS else None
