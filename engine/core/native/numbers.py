"""Integers and floats by the C kernels. Only where :data:`~engine.core.native.kernels` is there.

What they read they are certain of; any other cell is null, for the reference to judge.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pyarrow as pa

from engine.core.native import CELLS, address, cells, kernels, room, validity_bytes

__all__ = ["read_floats", "read_ints", "rows_lost"]

_ADDRESS, _NUMBER = ctypes.c_void_p, ctypes.c_int64

if kernels is not None:
    for _kernel in (kernels.read_ints, kernels.read_floats):
        _kernel.argtypes = (*CELLS, _ADDRESS, _ADDRESS)
        _kernel.restype = _NUMBER
    kernels.rows_lost.argtypes = (_ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _NUMBER, _ADDRESS)
    kernels.rows_lost.restype = _NUMBER


def read_ints(column: pa.Array) -> pa.Array:
    """A text column's integers of up to 18 digits."""
    assert kernels is not None
    return _read(column, kernels.read_ints, pa.int64())


def read_floats(column: pa.Array) -> pa.Array:
    """A text column's floats of few digits."""
    assert kernels is not None
    return _read(column, kernels.read_floats, pa.float64())


def _read(column: pa.Array, kernel: Callable[..., int], type_: pa.DataType) -> pa.Array:
    rows = len(column)
    values, good = room(8 * rows), room(validity_bytes(rows))
    refused = kernel(*cells(column), values.address, good.address)
    return pa.Array.from_buffers(type_, rows, [good if refused else None, values], refused)


def rows_lost(column: pa.Array, values: pa.Array) -> list[int]:
    """The rows, in order, that are null in ``values`` and not in ``column``."""
    assert kernels is not None
    if not values.null_count:
        return []
    count = values.null_count
    rows = room(8 * count)
    validity = address(column.buffers()[0]) if column.null_count else 0
    found = kernels.rows_lost(
        validity, column.offset, address(values.buffers()[0]), values.offset, len(column), rows.address
    )
    lost: list[int] = memoryview(rows).cast("q")[:found].tolist()
    return lost
