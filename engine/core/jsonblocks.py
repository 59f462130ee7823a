"""Many JSON cells at once: parsed as one array, block by block, and in bad blocks cell by cell."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from engine.core.columns import Fault
from engine.core.reference import JSON_DEPTH, CellFault

__all__ = ["compact_cells", "parse_cells"]

# Cells are parsed as one array, with a secret number between them: [cell,SECRET,cell,SECRET,cell]. If the array's odd
# elements are exactly those numbers, each text between two of them took the parser from "a value must follow" to "a
# value has ended", so it is one whole value. Without the secret, "1,[2" and "3]" would pass together.
_SECRET = secrets.randbelow(9 * 10**17) + 10**17
_BETWEEN = b",%d," % _SECRET
# Cells tried together: so few that their objects are gone before a garbage collection finds many; after a bad cell
# fewer still, so that the next one takes few good ones with it.
_BLOCK, _BLOCK_AMONG_BAD = 64, 16

# What only the reference may judge. A number beyond a double has an exponent of three digits or two hundred digits in
# a row: looked for with all digits taken as one letter, so that most texts cost no second look.
_SHAPE = bytes.maketrans(b"0123456789E", b"dddddddddde")
_LONG = b"d" * 200
_MINUS_ZERO = re.compile(rb"[\[:,\s]-0[\]},\s]")


def parse_cells(raw: Sequence[bytes], reference: Callable[[str], Any]) -> tuple[list[Any], list[Fault]]:
    """The values of JSON cells, None for bad ones, and their faults by their places.

    Args:
        raw: cells in UTF-8.
        reference: the value of one cell, or its ``CellFault``.
    """
    return _by_blocks(raw, _values, reference)


def compact_cells(raw: Sequence[bytes], reference: Callable[[str], bytes]) -> tuple[list[bytes | None], list[Fault]]:
    """The same, but each cell's compact text in UTF-8."""
    return _by_blocks(raw, _compact, reference)


def _by_blocks(
    raw: Sequence[bytes], together: Callable[[list[Any]], list[Any]], alone: Callable[[str], Any]
) -> tuple[list[Any], list[Fault]]:
    found: list[Any] = []
    faults: list[Fault] = []
    while len(found) < len(raw):
        start = len(found)
        block = raw[start : start + (_BLOCK_AMONG_BAD if faults else _BLOCK)]
        parsed = _parse_joined(block)
        if parsed is not None:
            found += together(parsed)
            continue
        for row, cell in enumerate(block, start):
            try:
                found.append(alone(cell.decode()))
            except CellFault as fault:
                found.append(None)
                faults.append(Fault(row, fault.code, fault.message))
    return found, faults


def _values(parsed: list[Any]) -> list[Any]:
    return parsed[::2]


def _compact(parsed: list[Any]) -> list[bytes]:
    return to_json(parsed)[1:-1].split(_BETWEEN)


def _parse_joined(block: Sequence[bytes]) -> list[Any] | None:
    """The cells' values with the secret between them, if all are valid and none is one for the reference."""
    if max(map(len, block)) > 2 * JSON_DEPTH and max(map(_openers, block)) > JSON_DEPTH:
        return None
    joined = b"[%s]" % _BETWEEN.join(block)
    if b"-0" in joined and _MINUS_ZERO.search(joined):
        return None
    try:
        values: list[Any] = from_json(joined, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return None
    if len(values) != 2 * len(block) - 1 or values[1::2] != [_SECRET] * (len(block) - 1):
        return None
    return None if _holds_large_perhaps(joined.translate(_SHAPE)) and _holds_infinity(values) else values


def _openers(cell: bytes) -> int:
    return cell.count(b"[") + cell.count(b"{")


def _holds_infinity(values: list[Any]) -> bool:
    """Whether a number was beyond a double, and so parsed as infinity."""
    return to_json(values, inf_nan_mode="null") != to_json(values, inf_nan_mode="constants")


def _holds_large_perhaps(shape: bytes) -> bool:
    return (b"de" in shape and (b"deddd" in shape or b"de+ddd" in shape)) or _LONG in shape
