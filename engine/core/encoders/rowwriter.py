"""The rows of JSON Lines and CSV by the C kernels. Only where :data:`~engine.core.native.kernels` is there."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pyarrow as pa

from engine.core.encoders import celltext
from engine.core.fieldtypes import FieldType, TypeKind
from engine.core.native import address, filled_bytes, kernels, room

__all__ = ["RowWriter"]

_AS_IT_IS, _JSON_STRING, _CSV_CELL, _BINARY, _INT64, _BOOL, _DATE, _TIMESTAMP, _DECIMAL, _SHORT_FLOAT = range(10)
_JSON: dict[TypeKind, tuple[int, bool]] = {
    "string": (_JSON_STRING, True),
    "int": (_INT64, False),
    "float": (_SHORT_FLOAT, False),
    "decimal": (_DECIMAL, False),
    "bool": (_BOOL, False),
    "date": (_DATE, True),
    "timestamp": (_TIMESTAMP, True),
    "uuid": (_AS_IT_IS, True),
    "json": (_AS_IT_IS, False),
    "bytes": (_BINARY, True),
}
_CSV: dict[TypeKind, tuple[int, bool]] = {kind: (form, False) for kind, (form, _) in _JSON.items()}
_CSV |= {"string": (_CSV_CELL, False), "json": (_CSV_CELL, False)}
_WIDTHS = {_INT64: 8, _DATE: 4, _TIMESTAMP: 8, _DECIMAL: 16}
_COLUMN = struct.Struct("=9q")
_ADDRESS, _NUMBER, _COUNT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32

if kernels is not None:
    kernels.rows_size.argtypes = (_ADDRESS, _COUNT, _NUMBER, _ADDRESS)
    kernels.rows_size.restype = _NUMBER
    kernels.rows_write.argtypes = (_ADDRESS, _COUNT, _NUMBER, _ADDRESS, _ADDRESS)
    kernels.rows_write.restype = _NUMBER
    kernels.short_floats.argtypes = (_ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS, _ADDRESS)
    kernels.short_floats.restype = ctypes.c_bool


class _Column(NamedTuple):
    """A column as the kernel takes it: where its values are, and what is held for as long as it looks."""

    column: pa.Array
    kind: int
    values: int
    data: int = 0
    scale: int = 0
    held: object = None


class RowWriter:
    """Rows of one kind. Holds no state between batches.

    Args:
        before: what stands in front of each column's value, the same in every row.
        end: what ends a row.
        null: what stands for a null.
        filled: whether it also stands for a value whose text is empty.
        guarded: whether texts that begin as formulas do get an apostrophe; CSV only.
    """

    def __init__(
        self,
        types: Sequence[FieldType],
        before: Sequence[bytes],
        *,
        end: bytes,
        null: bytes,
        csv: bool,
        filled: bool,
        guarded: bool = False,
    ) -> None:
        self._guarded = [guarded and each.kind == "string" for each in types]
        self._kinds = [(_CSV if csv else _JSON)[each.kind] for each in types]
        self._before = [(ctypes.create_string_buffer(text, len(text) + 1), len(text)) for text in before]
        self._end, self._null = (ctypes.create_string_buffer(text, len(text) + 1) for text in (end, null))
        places = ctypes.addressof(self._null), len(null), ctypes.addressof(self._end), len(end), filled
        self._form = struct.pack("=5q", *places)

    def write(self, columns: Sequence[pa.Array]) -> bytes | None:
        """The text of these rows, at least one; None where a date or time is outside the years 1 to 9999."""
        assert kernels is not None
        rows = len(columns[0])
        made = [
            _column(column, kind, guarded)
            for column, (kind, _), guarded in zip(columns, self._kinds, self._guarded, strict=True)
        ]
        packed = bytearray()
        for each, (_, quoted), (before, size) in zip(made, self._kinds, self._before, strict=True):
            valid = address(each.column.buffers()[0]) if each.column.null_count else 0
            packed += _COLUMN.pack(
                each.kind, quoted, valid, each.column.offset,
                each.values, each.data, each.scale, ctypes.addressof(before), size,
            )  # fmt: skip
        described = (ctypes.c_char * len(packed)).from_buffer(packed)
        most = kernels.rows_size(described, len(made), rows, self._form)
        return filled_bytes(most, partial(kernels.rows_write, described, len(made), rows, self._form))


def _column(column: pa.Array, kind: int, guarded: bool = False) -> _Column:
    if kind == _SHORT_FLOAT:
        return _floats(column)
    buffers = column.buffers()
    if kind == _BOOL:
        return _Column(column, kind, address(buffers[1]), scale=column.offset)
    if kind in _WIDTHS:
        scale = column.type.scale if kind == _DECIMAL else 0
        return _Column(column, kind, address(buffers[1]) + _WIDTHS[kind] * column.offset, scale=scale)
    return _Column(column, kind, address(buffers[1]) + 4 * column.offset, address(buffers[2]), guarded)


def _floats(column: pa.Array) -> _Column:
    """As decimals of few digits, if all are such, which most columns of floats are; else as Arrow's text."""
    assert kernels is not None
    rows = len(column)
    validity, values = column.buffers()
    digits, places = room(8 * rows), room(rows)
    valid, start = address(validity) if column.null_count else 0, address(values) + 8 * column.offset
    if kernels.short_floats(valid, column.offset, start, rows, digits.address, places.address):
        return _Column(column, _SHORT_FLOAT, digits.address, places.address, held=(digits, places))
    return _column(celltext.float_text(column), _AS_IT_IS)
