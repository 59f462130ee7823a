"""``iso8601`` by the C kernels. Only where :data:`~engine.core.native.kernels` is there.

They are exact: null for a null, and for every cell that the format refuses, no other.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa

from engine.core.native import CELLS, bits, cells, kernels, room, validity_bytes

__all__ = ["dates", "timestamps"]

_ADDRESS, _NUMBER = ctypes.c_void_p, ctypes.c_int64

if kernels is not None:
    kernels.iso_timestamps.argtypes = (*CELLS, ctypes.c_bool, *(_ADDRESS,) * 4)
    kernels.iso_timestamps.restype = _NUMBER
    kernels.iso_dates.argtypes = (*CELLS, _ADDRESS, _ADDRESS)
    kernels.iso_dates.restype = _NUMBER


def timestamps(column: pa.Array, *, local: bool) -> tuple[pa.Array, pa.Array | None]:
    """The microseconds since 1970 of a text column, int64.

    Args:
        local: a cell without an offset is local time, not UTC.

    Returns:
        The values, and which of them are local time; None: none.
    """
    assert kernels is not None
    rows, marked = len(column), _NUMBER()
    micros, good, naive = room(8 * rows), room(validity_bytes(rows)), room(validity_bytes(rows))
    refused = kernels.iso_timestamps(
        *cells(column), local, micros.address, good.address, naive.address, ctypes.addressof(marked)
    )
    values = pa.Array.from_buffers(pa.int64(), rows, [good if refused else None, micros], refused)
    return values, bits(naive, rows) if marked.value else None


def dates(column: pa.Array) -> pa.Array:
    """The days since 1970 of a text column, int64."""
    assert kernels is not None
    rows = len(column)
    days, good = room(8 * rows), room(validity_bytes(rows))
    refused = kernels.iso_dates(*cells(column), days.address, good.address)
    return pa.Array.from_buffers(pa.int64(), rows, [good if refused else None, days], refused)
