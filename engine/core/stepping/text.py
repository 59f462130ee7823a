"""The kernels of ``trim``, ``lower``, ``upper``, ``split``, ``lookup``, ``join`` and ``default``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, column_bytes, mask_of, true_rows
from engine.core.spaces import SPACES
from engine.core.stepping import reference
from engine.core.stepping.cells import of_distinct, of_text, repaired
from engine.core.stepping.reference import Value

__all__ = [
    "fill_default",
    "join_columns",
    "lookup_column",
    "lower_column",
    "split_column",
    "trim_column",
    "upper_column",
]


def trim_column(column: pa.Array) -> Converted:
    """:func:`reference.trim` for a column."""
    return of_text(column, _trim)


def _trim(column: pa.Array) -> Converted:
    return Converted(pc.utf8_trim(column, characters=SPACES))


def lower_column(column: pa.Array) -> Converted:
    """:func:`reference.lower` for a column."""
    return of_text(column, _lower)


def _lower(column: pa.Array) -> Converted:
    return _in_case(column, pc.ascii_lower, reference.lower)


def upper_column(column: pa.Array) -> Converted:
    """:func:`reference.upper` for a column."""
    return of_text(column, _upper)


def _upper(column: pa.Array) -> Converted:
    return _in_case(column, pc.ascii_upper, reference.upper)


def _in_case(column: pa.Array, of_ascii: Callable[[pa.Array], pa.Array], exact: Callable[[Value], Value]) -> Converted:
    """Arrow maps character by character, and by tables of its own; beyond ASCII Python's mappings hold."""
    if column_bytes(column).isascii():
        return Converted(of_ascii(column))
    return of_distinct(column, lambda cells: repaired(cells, pc.string_is_ascii(cells), of_ascii, exact))


# --- split -------------------------------------------------------------------------------------------------------


def split_column(column: pa.Array, *, sep: str, index: int | None) -> Converted:
    """:func:`reference.split` for a column."""
    return of_text(column, lambda cells: Converted(_parts(cells, sep) if index is None else _part(cells, sep, index)))


def _part(column: pa.Array, sep: str, index: int) -> pa.Array:
    if abs(index) > sys.maxsize >> 33:  # no cell has so many parts
        return pa.nulls(len(column), pa.string())
    # Parts after the one that is wanted need not be cut off one by one.
    parts = pc.split_pattern(column, sep, max_splits=index + 1 if index >= 0 else None)
    counts = pc.list_value_length(parts)
    starts = pa.Array.from_buffers(pa.int32(), len(parts), [None, parts.buffers()[1]], offset=parts.offset)
    place = pc.add(starts, index if index >= 0 else pc.add(counts, index))
    reached = pc.greater(counts, index) if index >= 0 else pc.greater_equal(counts, -index)
    return parts.values.take(pc.if_else(reached, place, pa.scalar(None, place.type)))


def _parts(column: pa.Array, sep: str) -> pa.Array:
    parts = pc.split_pattern(column, sep)
    texts = _escaped(parts.values)
    validity = pc.is_null(column) if column.null_count else None
    offsets = pa.Array.from_buffers(pa.int32(), len(parts) + 1, [None, parts.buffers()[1]], offset=parts.offset)
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts, mask=validity), '","')
    return pc.binary_join_element_wise('["', joined, '"]', "")


_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _escaped(column: pa.Array) -> pa.Array:
    """As the contents of JSON strings."""
    data = column_bytes(column)
    for code in (0x5C, 0x22, *range(0x20)):  # the backslash first: the others bring new ones
        if bytes((code,)) in data:
            column = pc.replace_substring(column, chr(code), _SHORT.get(chr(code), f"\\u{code:04x}"))
    return column


# --- lookup ------------------------------------------------------------------------------------------------------


def lookup_column(column: pa.Array, *, keys: pa.Array, values: pa.Array, otherwise: str) -> Converted:
    """:func:`reference.lookup` for a column; the table's ``values`` stand where their ``keys`` do."""
    return of_text(column, lambda cells: _lookup(cells, keys, values, otherwise))


def _lookup(column: pa.Array, keys: pa.Array, values: pa.Array, otherwise: str) -> Converted:
    found = values.take(pc.index_in(column, keys))
    if otherwise == "keep":
        return Converted(pc.coalesce(found, column))
    if otherwise == "null" or found.null_count == column.null_count:
        return Converted(found)
    unlisted = pc.and_(pc.is_null(found), pc.is_valid(column))
    return Converted(found, [Fault(row, "step-error", reference.NOT_LISTED) for row in true_rows(unlisted)])


# --- nulls -------------------------------------------------------------------------------------------------------


def join_columns(columns: Sequence[pa.Array], sep: str) -> pa.Array:
    """The cells of each row with ``sep`` between them, nulls as empty text; null where all of a row's cells are.

    Args:
        columns: one or more text columns of equal length.
    """
    joined = pc.binary_join_element_wise(*columns, sep, null_handling="replace", null_replacement="")
    some = reduce(pc.or_, map(pc.is_valid, columns))
    return joined if pc.all(some).as_py() in (True, None) else pc.if_else(some, joined, pa.scalar(None, pa.string()))


def fill_default(column: pa.Array, text: str, faulty: Sequence[int]) -> pa.Array:
    """``text`` for every null but those at the rows ``faulty``, which are null because an earlier step failed.

    Args:
        column: text or binary, which stays what it is.
        text: :func:`engine.core.stepping.reference.default_text` of the mapping's value.
    """
    if not column.null_count:
        return column
    fill = pa.scalar(text.encode() if column.type == pa.binary() else text, column.type)
    filled = pc.fill_null(column, fill)
    return pc.if_else(mask_of(faulty, len(column)), pa.scalar(None, column.type), filled) if faulty else filled
