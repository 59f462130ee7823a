"""UTF-8 by the C kernels. Only where :data:`~engine.core.native.kernels` is there."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pyarrow as pa

from engine.core.native import kernels

__all__ = ["find_errors"]

_ADDRESS, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_MOST = 1024  # found in one call

if kernels is not None:
    kernels.utf8_errors.argtypes = (_ADDRESS, _NUMBER, _ADDRESS, _NUMBER, _ADDRESS)
    kernels.utf8_errors.restype = _NUMBER


def find_errors(data: bytes) -> Iterator[tuple[int, int]]:
    """Where bytes that are not UTF-8 begin and end, as Python's codec has it, in order."""
    assert kernels is not None
    places, seen = (_NUMBER * (2 * _MOST))(), _NUMBER()
    start, size = 0, len(data)
    begin = pa.py_buffer(data).address  # of what the caller holds
    while start < size:
        here = begin + start
        count = kernels.utf8_errors(here, size - start, ctypes.addressof(places), _MOST, ctypes.addressof(seen))
        found = places[: 2 * count]
        for first, last in zip(found[::2], found[1::2], strict=True):
            yield start + first, start + last
        start += seen.value
