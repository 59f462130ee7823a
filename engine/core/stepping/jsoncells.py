"""The kernel of ``json``: a column is parsed once, for as many paths as a mapping has."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json, to_json

from engine.core.columns import Converted, Fault, decode_column, raw_cells, true_rows, widths
from engine.core.jsonpath import JsonPath
from engine.core.reference import JSON_DEPTH, CellFault
from engine.core.stepping.reference import json_text, json_value

__all__ = ["ParsedJson", "parse_json_column"]

# Cells are parsed as one array, with a secret number between them: [cell,SECRET,cell,SECRET,cell]. If the array's odd
# elements are exactly those numbers, each text between two of them took the parser from "a value must follow" to "a
# value has ended", so it is one whole value. Without the secret, "1,[2" and "3]" would pass together.
_SECRET = secrets.randbelow(9 * 10**17) + 10**17
_BETWEEN = f",{_SECRET},"
_BLOCK = 16  # cells tried together after the column failed: small, so that a bad cell takes few good ones with it

# A number beyond a double has an exponent of three digits or two hundred digits in a row: looked for with all digits
# taken as one letter, so that other numbers, and most texts, cost no second look.
_SHAPE = bytes.maketrans(b"0123456789E", b"dddddddddde")
_LONG = b"d" * 200


@dataclass(frozen=True, slots=True)
class ParsedJson:
    """A column's JSON values; null for what is null in JSON, no cell, or faulty.

    Attributes:
        values: one a row.
        faults: the cells that are not JSON as the type ``json`` takes it. They are faults of every path.
    """

    values: list[Any]
    faults: tuple[Fault, ...]

    def extract(self, path: JsonPath) -> Converted:
        """What the path finds in each row: strings as their text, the rest as compact JSON, null where nothing is."""
        found = self.values
        for step in path:
            if isinstance(step, str):
                found = [value.get(step) if type(value) is dict else None for value in found]
            else:
                found = [
                    value[step] if type(value) is list and -len(value) <= step < len(value) else None for value in found
                ]
        texts = [value.encode() if type(value) is str else json_text(value) for value in found]
        return Converted(pa.array(texts, pa.binary()).view(pa.string()), self.faults)


def parse_json_column(column: pa.Array) -> ParsedJson:
    """Parses a text or binary column; :meth:`ParsedJson.extract` then is :func:`reference.json_path` for it."""
    decoded = decode_column(column)
    text = decoded.values
    present = text.drop_null() if text.null_count else text
    values, faults = _parse(present)
    if text.null_count:
        rows = true_rows(pc.is_valid(text))
        everywhere: list[Any] = [None] * len(text)
        for row, value in zip(rows, values, strict=True):
            everywhere[row] = value
        values = everywhere
        faults = [Fault(rows[fault.row], fault.code, fault.message) for fault in faults]
    return ParsedJson(values, tuple(sorted([*faults, *decoded.faults])))


def _parse(column: pa.Array) -> tuple[list[Any], list[Fault]]:
    """The values of a text column without nulls."""
    if len(column) == 0:
        return [], []
    if not _deep_perhaps(column):
        separated = pc.binary_join(pa.ListArray.from_arrays([0, len(column)], column), _BETWEEN)
        values = _parse_joined(b"[%s]" % separated[0].as_buffer().to_pybytes(), len(column))
        if values is not None:
            return values, []
    return _parse_blocks(raw_cells(column))


def _deep_perhaps(column: pa.Array) -> bool:
    if widths(column)[1] <= 2 * JSON_DEPTH:
        return False
    openers = pc.add(pc.count_substring(column, "["), pc.count_substring(column, "{"))
    return bool(pc.max(openers).as_py() > JSON_DEPTH)


def _parse_joined(joined: bytes, count: int) -> list[Any] | None:
    """The cells' values, if they are ``count`` valid cells without a number beyond a double."""
    try:
        values = from_json(joined, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return None
    if len(values) != 2 * count - 1 or values[1::2] != [_SECRET] * (count - 1):
        return None
    cells: list[Any] = values[::2]
    return None if _holds_large_perhaps(joined.translate(_SHAPE)) and _holds_infinity(cells) else cells


def _holds_large_perhaps(shape: bytes) -> bool:
    return (b"de" in shape and (b"deddd" in shape or b"de+ddd" in shape)) or _LONG in shape


def _holds_infinity(values: list[Any]) -> bool:
    return to_json(values, inf_nan_mode="null") != to_json(values, inf_nan_mode="constants")


def _parse_blocks(raw: list[bytes]) -> tuple[list[Any], list[Fault]]:
    """The same for a column that has bad cells: block by block, and only in bad blocks cell by cell."""
    values: list[Any] = []
    faults: list[Fault] = []
    between = _BETWEEN.encode()
    for start in range(0, len(raw), _BLOCK):
        block = raw[start : start + _BLOCK]
        parsed = None
        if not any(map(_cell_deep_perhaps, block)):
            parsed = _parse_joined(b"[%s]" % between.join(block), len(block))
        if parsed is not None:
            values += parsed
            continue
        for row, cell in enumerate(block, start):
            value = _parse_cell(cell)
            if isinstance(value, CellFault):
                faults.append(Fault(row, value.code, value.message))
                value = None
            values.append(value)
    return values, faults


def _cell_deep_perhaps(cell: bytes) -> bool:
    return len(cell) > 2 * JSON_DEPTH and cell.count(b"[") + cell.count(b"{") > JSON_DEPTH


def _parse_cell(cell: bytes) -> Any:
    """The value of a cell, or its fault."""
    if not _cell_deep_perhaps(cell):
        values = _parse_joined(b"[%s]" % cell, 1)
        if values is not None:
            return values[0]
    try:
        return json_value(cell.decode())
    except CellFault as fault:
        return fault
