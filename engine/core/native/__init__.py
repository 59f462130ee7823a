"""Kernels in C, for what Arrow has no fast call for: built at installation where there is a compiler.

Each does what a kernel in Python and Arrow does too, which is what runs where :data:`library` is None, and which tests
hold it against. They are called through ctypes: one library serves every build of Python, and needs none to compile.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

__all__ = ["LIBRARY", "Cells", "address", "cells", "library", "room", "validity_bytes"]

LIBRARY = Path(__file__).with_name("libkernels.so.1")  # no name of a module: Python would take it for one
"""Where ``scripts/build_native.py`` puts it."""


def _load() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(LIBRARY))
    except OSError:  # not built, or for another machine
        return None


library = _load()
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


def room(size: int) -> pa.Buffer:
    """A buffer for a kernel to fill."""
    return pa.allocate_buffer(max(size, 1))


def validity_bytes(rows: int) -> int:
    """How many bytes a bit for each row takes."""
    return (rows + 7) // 8
