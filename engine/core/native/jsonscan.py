"""JSON columns by the C kernels: which cells are valid, their compact text, and what paths find in them.

What a kernel is not certain of it leaves to the reference. Only where :data:`~engine.core.native.kernels` is there.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.jsonpath import JsonPath
from engine.core.native import CELLS, address, cells, kernels, room, validity_bytes

__all__ = ["MOST_PATHS", "Forms", "Found", "find", "is_findable", "read_forms"]

MOST_PATHS = 64
_LARGEST_INDEX = 2**31 - 1
_SPAN = 8  # bytes
_ADDRESS, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_ADDRESSES = (_ADDRESS,) * 5

if kernels is not None:
    kernels.json_forms.argtypes = (*CELLS, _ADDRESS, _ADDRESS)
    kernels.json_forms.restype = None
    kernels.json_compact.argtypes = (*CELLS, _ADDRESS, _ADDRESS, _ADDRESS)
    kernels.json_compact.restype = None
    kernels.json_find.argtypes = (*CELLS, ctypes.c_int32, *_ADDRESSES)
    kernels.json_find.restype = _NUMBER
    kernels.json_size.argtypes = (_ADDRESS, _NUMBER)
    kernels.json_size.restype = _NUMBER
    kernels.json_texts.argtypes = (_ADDRESS, _NUMBER, *_ADDRESSES[:4])
    kernels.json_texts.restype = _NUMBER


@dataclass(frozen=True, slots=True)
class Forms:
    """What a column's cells are.

    Attributes:
        forms: by row: 0 for compact JSON and null, 1 for JSON that is not compact, 2 for the reference to judge.
        rewritten, unsure: how many rows have the forms 1 and 2.
    """

    column: pa.Array
    forms: pa.Buffer
    rewritten: int
    unsure: int

    def compact(self) -> pa.Array:
        """The cells as compact JSON, null where null; those to be judged are empty."""
        if not self.rewritten and not self.unsure:
            return self.column
        assert kernels is not None
        column, rows = self.column, len(self.column)
        ends = room(4 * (rows + 1))
        offsets = memoryview(column.buffers()[1]).cast("i")
        texts = room(offsets[column.offset + rows] - offsets[column.offset])
        kernels.json_compact(*cells(column), self.forms.address, ends.address, texts.address)
        validity = _validity(column)
        return pa.Array.from_buffers(pa.string(), rows, [validity, ends, texts], column.null_count)

    def judged(self) -> pa.Array:
        """Which rows the reference has to judge."""
        forms = pa.Array.from_buffers(pa.uint8(), len(self.column), [None, self.forms])
        return pc.equal(forms, 2)


def read_forms(column: pa.Array) -> Forms:
    """Looks at a text column."""
    assert kernels is not None
    forms, counts = room(len(column)), (_NUMBER * 3)()
    kernels.json_forms(*cells(column), forms.address, ctypes.addressof(counts))
    return Forms(column, forms, counts[1], counts[2])


def _validity(column: pa.Array) -> pa.Buffer | None:
    """The validity of a column as one of its length that begins at bit 0."""
    if not column.null_count:
        return None
    if not column.offset:
        return column.buffers()[0]
    return pc.is_valid(column).buffers()[1]


def is_findable(path: JsonPath) -> bool:
    """Whether the kernel can follow the path: it does not count from an array's end."""
    return all(isinstance(step, str) or 0 <= step <= _LARGEST_INDEX for step in path)


@dataclass(frozen=True, slots=True)
class Found:
    """What paths found in a text column.

    Attributes:
        unsure: the rows whose cells the reference has to judge; the paths find nothing there. None: there are none.
    """

    column: pa.Array
    paths: Sequence[JsonPath]
    spans: pa.Buffer
    unsure: pa.Array | None

    def texts(self, path: JsonPath) -> pa.Array:
        """What one of the paths found: strings as their text, the rest as compact JSON; null where nothing is."""
        assert kernels is not None
        rows = len(self.column)
        spans = self.spans.address + _SPAN * rows * self.paths.index(path)
        offsets, validity = room(4 * (rows + 1)), room(validity_bytes(rows))
        texts = room(kernels.json_size(spans, rows))
        data = address(self.column.buffers()[2])
        nulls = kernels.json_texts(spans, rows, data, offsets.address, validity.address, texts.address)
        return pa.Array.from_buffers(pa.string(), rows, [validity, offsets, texts], nulls)


def find(column: pa.Array, paths: Sequence[JsonPath]) -> Found:
    """Follows at most :data:`MOST_PATHS` findable paths into every cell of a text column at once."""
    assert kernels is not None
    first, steps, names = _program(paths)
    rows = len(column)
    spans, flags = room(_SPAN * rows * len(paths)), room(rows)
    unsure = kernels.json_find(*cells(column), len(paths), first, steps, names, spans.address, flags.address)
    mask = pc.equal(pa.Array.from_buffers(pa.uint8(), rows, [None, flags]), 1) if unsure else None
    return Found(column, tuple(paths), spans, mask)


def _program(paths: Sequence[JsonPath]) -> tuple[ctypes.Array[ctypes.c_char], ...]:
    """The paths as the kernel reads them: where each one's steps begin, the steps, the names in them."""
    first, steps, names = [0], b"", b""
    for path in paths:
        for step in path:
            name = step.encode() if isinstance(step, str) else b""
            steps += struct.pack("=iii", -1 if isinstance(step, str) else step, len(names), len(name))
            names += name
        first.append(len(steps) // 12)
    packed = struct.pack(f"={len(first)}i", *first)
    return tuple(ctypes.create_string_buffer(each, len(each) + 1) for each in (packed, steps, names))
