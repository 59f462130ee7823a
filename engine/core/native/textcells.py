"""Base64, UTF-8 and UUIDs by the C kernels. Only where :data:`~engine.core.native.kernels` is there.

What they read they are certain of; any other cell is null, for the reference to judge.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa

from engine.core.native import CELLS, bits, cells, data_size, kernels, room, validity_bytes

__all__ = ["decode_base64", "read_uuids", "utf8_faults"]

_ADDRESS, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_UUID = 36

if kernels is not None:
    kernels.base64_decode.argtypes = (*CELLS, ctypes.c_bool, _ADDRESS, _ADDRESS, _ADDRESS)
    kernels.base64_decode.restype = _NUMBER
    kernels.uuids.argtypes = (*CELLS, _ADDRESS, _ADDRESS, _ADDRESS)
    kernels.uuids.restype = _NUMBER
    kernels.utf8_faults.argtypes = (*CELLS, _ADDRESS)
    kernels.utf8_faults.restype = _NUMBER


def decode_base64(column: pa.Array, *, urlsafe: bool) -> pa.Array:
    """A text column's bytes, padded strict base64 of either alphabet."""
    assert kernels is not None
    rows, where = len(column), cells(column)
    good, ends, data = room(validity_bytes(rows)), room(4 * (rows + 1)), room(data_size(column) // 4 * 3)
    refused = kernels.base64_decode(*where, urlsafe, good.address, ends.address, data.address)
    return pa.Array.from_buffers(pa.binary(), rows, [good if refused else None, ends, data], refused)


def read_uuids(column: pa.Array) -> pa.Array:
    """A text column's UUIDs, in lower case with hyphens."""
    assert kernels is not None
    rows, where = len(column), cells(column)
    good, ends, texts = room(validity_bytes(rows)), room(4 * (rows + 1)), room(_UUID * rows)
    refused = kernels.uuids(*where, good.address, ends.address, texts.address)
    return pa.Array.from_buffers(pa.string(), rows, [good if refused else None, ends, texts], refused)


def utf8_faults(column: pa.Array) -> pa.Array | None:
    """Which cells of a binary column are no UTF-8; None: none."""
    assert kernels is not None
    bad = room(validity_bytes(len(column)))
    return bits(bad, len(column)) if kernels.utf8_faults(*cells(column), bad.address) else None
