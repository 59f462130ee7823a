"""The column kernels: a text column in, a typed column and its faults out.

Each kernel first tries the whole column at once, where a cheap look at the column's bytes proves that Arrow's cast,
which accepts more than our types do, can only accept what the reference accepts. If that fails, cells of the common
shape (a pattern for which the cast is known to succeed) still go through the cast, and only the rest go to the
reference converter one by one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json, to_json

from engine.core import reference
from engine.core.columns import (
    Converted,
    Fault,
    cast_all,
    column_bytes,
    common_cells,
    convert_rest,
    raw_cells,
    true_rows,
    widths,
)
from engine.core.mapping import TypeName
from engine.core.reference import CellFault

__all__ = ["KERNELS", "Kernel"]

type Kernel = Callable[[pa.Array], Converted]

TIMESTAMP = pa.timestamp("us", "UTC")


def to_string(column: pa.Array) -> Converted:
    return Converted(column)


# --- numbers -----------------------------------------------------------------------------------------------------

_INT_COMMON = r"\A-?[0-9]{1,18}\z"
_FLOAT_COMMON = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?\z"
_FLOAT_COMMON_BYTES = 200  # with a two-digit exponent, so short a number is finite


def _cast_int(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.int64())


def to_int(column: pa.Array) -> Converted:
    if not column_bytes(column).translate(None, b"0123456789-"):  # the cast would also take 0x10
        values = cast_all(column, _cast_int)
        if values is not None:
            return Converted(values)
    common = pc.match_substring_regex(column, _INT_COMMON)
    return convert_rest(column, common, _cast_int(common_cells(column, common)), reference.to_int)


def _cast_float(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.float64())


def to_float(column: pa.Array) -> Converted:
    if not column_bytes(column).translate(None, b"0123456789.-+eE"):  # the cast would also take nan and inf
        values = cast_all(column, _cast_float)
        if values is not None and pc.all(pc.is_finite(values)).as_py() in (True, None):  # None: no cell but nulls
            return Converted(values)
    short = pc.less_equal(pc.binary_length(column), _FLOAT_COMMON_BYTES)
    common = pc.and_(pc.match_substring_regex(column, _FLOAT_COMMON), short)
    return convert_rest(column, common, _cast_float(common_cells(column, common)), reference.to_float)


# --- booleans ----------------------------------------------------------------------------------------------------

_BOOL_WORDS = pa.array(reference.TRUE + reference.FALSE)


def _cast_bool(column: pa.Array) -> pa.Array:
    return pc.less(pc.index_in(pc.ascii_lower(column), _BOOL_WORDS), len(reference.TRUE))


def to_bool(column: pa.Array) -> Converted:
    values = _cast_bool(column)
    if values.null_count == column.null_count:
        return Converted(values)
    common = pc.if_else(pc.is_valid(column), pc.is_valid(values), None)
    return convert_rest(column, common, values, reference.to_bool)


# --- timestamps --------------------------------------------------------------------------------------------------

# Years whose UTC form is in range whatever the offset, and no 29 February: the rest is for the reference to judge.
_DAY_TIME = (
    r"\A[1-8][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
)
_ZONED_COMMON = _DAY_TIME + r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)\z"
_NAIVE_COMMON = _DAY_TIME + r"\z"


_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # microseconds since 1970


def _cast_zoned(column: pa.Array) -> pa.Array:
    return pc.cast(column, TIMESTAMP)


def _cast_naive(column: pa.Array) -> pa.Array:
    return pc.cast(pc.cast(column, pa.timestamp("us")), TIMESTAMP)


def _in_range(values: pa.Array) -> bool:
    """Whether all are within the years 1 to 9999 of UTC: an offset can lead out of them, which the cast allows."""
    extremes = pc.min_max(pc.cast(values, pa.int64()))
    return bool(extremes["min"].as_py() >= _FIRST and extremes["max"].as_py() <= _LAST)


def to_timestamp(column: pa.Array) -> Converted:
    shortest, longest = widths(column)
    # The cast would also take an hour without minutes: 13 characters, up to 19 with an offset.
    zoned_only, naive_only = shortest >= 20, shortest >= 14 or shortest == longest == 10
    for usable, cast in ((zoned_only, _cast_zoned), (naive_only, _cast_naive)):
        values = cast_all(column, cast) if usable else None
        if values is not None and _in_range(values):
            return Converted(values)
    zoned = pc.match_substring_regex(column, _ZONED_COMMON)
    naive = pc.match_substring_regex(column, _NAIVE_COMMON)
    values = pc.coalesce(_cast_zoned(common_cells(column, zoned)), _cast_naive(common_cells(column, naive)))
    return convert_rest(column, pc.or_(zoned, naive), values, reference.to_timestamp)


# --- UUIDs -------------------------------------------------------------------------------------------------------

_UUID_COMMON = r"\A[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\z"


def _all_of_usual_shape(column: pa.Array) -> bool:
    if widths(column) != (36, 36):
        return False
    data = column_bytes(column)
    count = len(data) // 36
    return (
        not data.translate(None, b"0123456789abcdefABCDEF-")
        and data.count(b"-") == 4 * count
        and all(data[place::36].count(b"-") == count for place in (8, 13, 18, 23))
    )


def to_uuid(column: pa.Array) -> Converted:
    if _all_of_usual_shape(column):
        return Converted(pc.ascii_lower(column))
    common = pc.match_substring_regex(column, _UUID_COMMON)
    return convert_rest(column, common, pc.ascii_lower(column), reference.to_uuid)


# --- JSON --------------------------------------------------------------------------------------------------------

# Cells are parsed as one array, with a secret number between them: [cell,SECRET,cell,SECRET,cell]. If the array's odd
# elements are exactly those numbers, each text between two of them took the parser from "a value must follow" to "a
# value has ended", so it is one whole value. Without the secret, "1,[2" and "3]" would pass together.
_SECRET = secrets.randbelow(9 * 10**17) + 10**17
_SECRET_TEXT = f",{_SECRET},"
_SECRET_BYTES = _SECRET_TEXT.encode()
_BLOCK = 16  # cells tried together after the column failed: small, so that a bad cell takes few good ones with it


def to_json_column(column: pa.Array) -> Converted:
    present = column.drop_null()
    if len(present) == 0:
        return Converted(column)
    faults: list[Fault] = []
    texts = _compact(present)
    if texts is None:
        texts, faults = _compact_blocks(present)
    if texts is present:
        return Converted(column)
    if column.null_count == 0:
        return Converted(texts, faults)
    valid = pc.is_valid(column)
    rows = true_rows(valid)
    moved = [Fault(rows[fault.row], fault.code, fault.message) for fault in faults]
    return Converted(pc.replace_with_mask(column, valid, texts), moved)


def _compact(column: pa.Array) -> pa.Array | None:
    """The compact text of every cell (``column`` itself where nothing changes); None when a cell needs closer looks."""
    if _too_deep_perhaps(column):
        return None
    separated = pc.binary_join(pa.ListArray.from_arrays([0, len(column)], column), _SECRET_TEXT)
    joined = b"[%s]" % separated[0].as_buffer().to_pybytes()
    compact = _compact_joined(joined, len(column))
    if compact is None:
        return None
    return column if compact == joined else _text_array(compact[1:-1].split(_SECRET_BYTES))


def _compact_joined(joined: bytes, count: int) -> bytes | None:
    """The same array in compact form, if it holds ``count`` valid cells and none of them infinity."""
    try:
        values = from_json(joined, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return None
    if len(values) != 2 * count - 1 or values[1::2] != [_SECRET] * (count - 1):
        return None
    compact = to_json(values, inf_nan_mode="constants")
    return None if b"Infinity" in compact else compact


def _text_array(texts: Sequence[bytes | None]) -> pa.Array:
    return pa.array(texts, pa.binary()).cast(pa.string())


def _too_deep_perhaps(column: pa.Array) -> bool:
    if widths(column)[1] <= 2 * reference.JSON_DEPTH:
        return False
    openers = pc.add(pc.count_substring(column, "["), pc.count_substring(column, "{"))
    return bool(pc.max(openers).as_py() > reference.JSON_DEPTH)


def _compact_blocks(column: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """The same for a column that has bad cells: block by block, and only in bad blocks cell by cell."""
    raw = raw_cells(column)
    texts: list[bytes | None] = []
    faults: list[Fault] = []
    for start in range(0, len(raw), _BLOCK):
        block = raw[start : start + _BLOCK]
        compact = None
        if max(map(len, block)) <= 2 * reference.JSON_DEPTH or max(map(_openers, block)) <= reference.JSON_DEPTH:
            compact = _compact_joined(b"[%s]" % _SECRET_BYTES.join(block), len(block))
        if compact is not None:
            texts += compact[1:-1].split(_SECRET_BYTES)
            continue
        for row, cell in enumerate(block, start):
            try:
                texts.append(reference.to_json_text(cell.decode()).encode())
            except CellFault as fault:
                texts.append(None)
                faults.append(Fault(row, fault.code, fault.message))
    return _text_array(texts), faults


def _openers(cell: bytes) -> int:
    return cell.count(b"[") + cell.count(b"{")


KERNELS: dict[TypeName, Kernel] = {
    "string": to_string,
    "int": to_int,
    "float": to_float,
    "bool": to_bool,
    "timestamp": to_timestamp,
    "uuid": to_uuid,
    "json": to_json_column,
}
