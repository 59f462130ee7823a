"""Arrow text columns as the kernels need them: their bytes, their cells, and repair of single cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.reference import CellFault

__all__ = ["Converted", "Fault", "cells", "column_bytes", "convert_rest", "mask_of", "true_rows", "widths"]


class Fault(NamedTuple):
    """One bad cell: its row in the batch from 0, the contract's error code, and a line for people."""

    row: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A typed column. A faulty cell is null in ``values`` and listed in ``faults``, in row order."""

    values: pa.Array
    faults: Sequence[Fault] = ()


def _offsets(column: pa.Array) -> memoryview:
    return memoryview(column.buffers()[1]).cast("i")[column.offset : column.offset + len(column) + 1]


def column_bytes(column: pa.Array) -> bytes:
    """All cells of a text column, end to end. Nulls hold no bytes in the columns that the engine makes."""
    if len(column) == 0:
        return b""
    offsets = _offsets(column)
    return bytes(memoryview(column.buffers()[2])[offsets[0] : offsets[-1]]) if column.buffers()[2] is not None else b""


def cells(column: pa.Array) -> list[str]:
    """The cells of a text column without nulls, as Python strings (a tenth of the cost of ``to_pylist``)."""
    if len(column) == 0:
        return []
    offsets = _offsets(column)
    first = offsets[0]
    data = column_bytes(column)
    return [data[start - first : end - first].decode() for start, end in pairwise(offsets)]


def widths(column: pa.Array) -> tuple[int, int]:
    """The shortest and the longest non-null cell, in bytes; ``(0, 0)`` when there is none."""
    extremes = pc.min_max(pc.binary_length(column))
    return extremes["min"].as_py() or 0, extremes["max"].as_py() or 0


def true_rows(mask: pa.Array) -> list[int]:
    """The rows at which a boolean column is true."""
    rows = pc.indices_nonzero(mask)
    return memoryview(rows.buffers()[1]).cast("Q")[: len(rows)].tolist() if len(rows) else []


def mask_of(rows: Sequence[int], length: int) -> pa.Array:
    """A boolean column of ``length`` that is true at ``rows``."""
    flags = bytearray(length)
    for row in rows:
        flags[row] = 1
    return pc.cast(pa.Array.from_buffers(pa.uint8(), length, [None, pa.py_buffer(flags)]), pa.bool_())


def convert_rest[T](
    column: pa.Array,
    common: pa.Array,
    cast: Callable[[pa.Array], pa.Array],
    reference: Callable[[str], T],
) -> Converted:
    """Converts a column of which some cells have the common shape and some do not.

    Args:
        column: text, nulls allowed.
        common: true where ``cast`` is known to succeed and to agree with ``reference``; null where ``column`` is.
        cast: the vectorised conversion.
        reference: the definition of the type, for one cell; called for the rest, so its cost is in proportion to the
            uncommon cells.
    """
    values = cast(pc.if_else(common, column, pa.scalar(None, column.type)))
    rest = pc.fill_null(pc.invert(common), False)
    rows = true_rows(rest)
    if not rows:
        return Converted(values)
    repaired: list[T | None] = []
    faults: list[Fault] = []
    for row, cell in zip(rows, cells(column.filter(rest)), strict=True):
        try:
            repaired.append(reference(cell))
        except CellFault as fault:
            repaired.append(None)
            faults.append(Fault(row, fault.code, fault.message))
    return Converted(pc.replace_with_mask(values, rest, pa.array(repaired, values.type)), faults)
