"""Typed columns as text, the same in JSON Lines and CSV; nulls stay null."""

from __future__ import annotations

import sys
from binascii import b2a_base64

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import column_bytes

__all__ = [
    "base64_text",
    "bool_text",
    "date_text",
    "decimal_text",
    "float_text",
    "int_text",
    "same_text",
    "timestamp_text",
]

_TEXT = pa.string()
_SCIENTIFIC_FROM = 7  # fraction digits from which Arrow writes the smallest decimals as 1E-7


def same_text(column: pa.Array) -> pa.Array:
    """``string``, ``uuid`` and ``json`` are text already."""
    return column


def int_text(column: pa.Array) -> pa.Array:
    return pc.cast(column, _TEXT)


def float_text(column: pa.Array) -> pa.Array:
    """The shortest text that reads back as the same number. Minus zero is ``-0.0``: many read ``-0`` as an integer."""
    text = pc.cast(column, _TEXT)
    if pc.any(pc.equal(column, 0.0)).as_py():
        return pc.if_else(pc.equal(text, "-0"), "-0.0", text)
    return text


def decimal_text(column: pa.Array) -> pa.Array:
    """All digits of the scale after the point, never an exponent."""
    text = pc.cast(column, _TEXT)
    if column.type.scale < _SCIENTIFIC_FROM or b"E" not in column_bytes(text):
        return text
    tiny = pc.fill_null(pc.match_substring(text, "E"), False)
    cells = column.filter(tiny)
    # Their digits, as an integer: the same 128 bits with no scale.
    whole = pa.Array.from_buffers(
        pa.decimal128(column.type.precision, 0), len(cells), cells.buffers(), -1, cells.offset
    )
    digits = pc.cast(whole, _TEXT)
    sign = pc.if_else(pc.starts_with(digits, "-"), "-0.", "0.")
    fraction = pc.ascii_lpad(pc.ascii_ltrim(digits, "-"), column.type.scale, "0")
    return pc.replace_with_mask(text, tiny, pc.binary_join_element_wise(sign, fraction, ""))


def bool_text(column: pa.Array) -> pa.Array:
    return pc.if_else(column, "true", "false")


def date_text(column: pa.Array) -> pa.Array:
    """``YYYY-MM-DD``, also for the years below 1000."""
    return pc.cast(column, _TEXT)


def timestamp_text(column: pa.Array) -> pa.Array:
    """``YYYY-MM-DDTHH:MM:SS.ffffff``, the ``Z`` left to the caller."""
    # Casting a column with a zone to text is thirty times slower than one without; both are UTC here.
    return pc.binary_replace_slice(pc.cast(column.view(pa.timestamp("us")), _TEXT), 10, 11, "T")


# --- base64 ------------------------------------------------------------------------------------------------------

_THREE, _FOUR = pa.scalar(3, pa.int32()), pa.scalar(4, pa.int32())
_FILL = pa.array([b"", b"\0\0", b"\0"], pa.binary())  # by bytes in a cell beyond a multiple of three


def base64_text(column: pa.Array) -> pa.Array:
    """Standard base64 with padding.

    All cells are encoded in one call: each is filled up to a multiple of three bytes, so that its text begins and ends
    where its bytes do; then the fill's letters at its end become ``=``.
    """
    if len(column) == column.null_count:
        return pa.nulls(len(column), _TEXT)
    length = pc.binary_length(column)
    beyond = pc.subtract(length, pc.multiply(pc.divide(length, _THREE), _THREE))
    filled = pc.binary_join_element_wise(column, _FILL.take(beyond), b"")
    validity, ends, _ = filled.buffers()
    offsets = pa.Array.from_buffers(pa.int32(), len(filled) + 1, [None, ends])
    offsets = pc.multiply(pc.divide(offsets, _THREE), _FOUR)
    data = pa.py_buffer(b2a_base64(column_bytes(filled), newline=False))
    text = pa.Array.from_buffers(_TEXT, len(filled), [validity, offsets.buffers()[1], data])
    for bytes_beyond, padding in ((1, "=="), (2, "=")):
        padded = pc.binary_replace_slice(text, -len(padding), sys.maxsize, padding)
        text = pc.if_else(pc.equal(beyond, bytes_beyond), padded, text)
    return text
