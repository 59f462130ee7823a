"""Kernels in C, for what Arrow has no fast call for: built at installation where there is a compiler.

Each does what a kernel in Python and Arrow does too, which is what runs where :data:`kernels` is None, and which tests
hold it against. They are called through ctypes: one library serves every build of Python, and needs none to compile.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

__all__ = [
    "LIBRARY",
    "Cells",
    "address",
    "bits",
    "cells",
    "data_size",
    "filled_bytes",
    "kernels",
    "room",
    "validity_bytes",
]

LIBRARY = Path(__file__).with_name("libkernels.so.1")  # no name of a module: Python would take it for one
"""Where ``scripts/build_native.py`` puts it."""


def _load() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(LIBRARY))
    except OSError:  # not built, or for another machine
        return None


kernels = _load()
"""The kernels; None where they were not built. Any thread may call any of them."""


class Cells(NamedTuple):
    """A variable-width column as kernels take it: addresses of its buffers, 0 for one that is not there.

    Good for as long as the column is held.
    """

    valid: int
    bit: int
    offsets: int
    data: int
    rows: int


CELLS = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
"""The types of :class:`Cells` as arguments."""


def cells(column: pa.Array) -> Cells:
    """A text or binary column with 32-bit offsets."""
    validity, offsets, data = column.buffers()
    return Cells(
        address(validity) if column.null_count else 0,
        column.offset,
        address(offsets) + 4 * column.offset,
        address(data),
        len(column),
    )


def address(buffer: pa.Buffer | None) -> int:
    return buffer.address if buffer is not None else 0


def data_size(column: pa.Array) -> int:
    """How many bytes the cells of a text or binary column have, with those beneath nulls."""
    if not len(column):
        return 0
    offsets = memoryview(column.buffers()[1]).cast("i")
    size: int = offsets[column.offset + len(column)] - offsets[column.offset]
    return size


def room(size: int) -> pa.Buffer:
    """A buffer for a kernel to fill."""
    return pa.allocate_buffer(max(size, 1))


def bits(buffer: pa.Buffer, rows: int) -> pa.Array:
    """A kernel's bits as a boolean column."""
    return pa.Array.from_buffers(pa.bool_(), rows, [None, buffer])


def validity_bytes(rows: int) -> int:
    """How many bytes a bit for each row takes."""
    return (rows + 7) // 8


_PYTHON = ctypes.pythonapi
_PYTHON.PyBytes_FromStringAndSize.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)
_PYTHON.PyBytes_FromStringAndSize.restype = ctypes.c_void_p  # not an object until it is filled
_PYTHON.PyBytes_AsString.argtypes = (ctypes.c_void_p,)
_PYTHON.PyBytes_AsString.restype = ctypes.c_void_p
_PYTHON._PyBytes_Resize.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)  # noqa: SLF001  # documented
_PYTHON.Py_DecRef.argtypes = (ctypes.c_void_p,)
_PYTHON.Py_DecRef.restype = None


def filled_bytes(most: int, fill: Callable[[int], int]) -> bytes | None:
    """Bytes that a kernel writes where they stay: a copy of a batch's text costs as much as half of writing it.

    Args:
        most: how many there may be.
        fill: gets the address to write to; gives how many bytes there are, or less than none for None.
    """
    made = ctypes.c_void_p(_PYTHON.PyBytes_FromStringAndSize(None, max(most, 2)))  # shorter ones may be shared
    try:
        size = fill(_PYTHON.PyBytes_AsString(made))
        if size < 0:
            return None
        _PYTHON._PyBytes_Resize(ctypes.byref(made), size)  # noqa: SLF001
        found: bytes = ctypes.cast(made, ctypes.py_object).value
        return found
    finally:
        _PYTHON.Py_DecRef(made)
