"""Arrow text columns as the kernels need them: their bytes, their cells, and repair of single cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native
from engine.core.native import numbers, textcells
from engine.core.reference import CellFault

__all__ = [
    "Converted",
    "Fault",
    "cast_all",
    "cells_at",
    "column_bytes",
    "common_cells",
    "convert_nulls",
    "convert_rest",
    "decode_column",
    "mask_of",
    "octets",
    "raw_cells",
    "spread",
    "too_long",
    "true_rows",
    "valid_at",
    "widths",
]


_PROBE = 64  # cells tried before a whole column is


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


def octets(data: bytes) -> pa.Array:
    """The bytes as a column of numbers, without a copy: to look at all of them at once."""
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])


def raw_cells(column: pa.Array) -> list[bytes]:
    """The cells of a text column without nulls (a tenth of the cost of ``to_pylist``)."""
    if len(column) == 0:
        return []
    offsets = _offsets(column)
    first = offsets[0]
    data = column_bytes(column)
    return [data[start - first : end - first] for start, end in pairwise(offsets)]


def cells_at(column: pa.Array, rows: Iterable[int]) -> list[bytes]:
    """Some cells of a text column, none of them null: for a few of many."""
    offsets, data = _offsets(column), column.buffers()[2]
    view = memoryview(data if data is not None else b"")
    return [bytes(view[offsets[row] : offsets[row + 1]]) for row in rows]


def valid_at(column: pa.Array, rows: Iterable[int]) -> list[int]:
    """Those of some rows that are not null: for a few of many."""
    if not column.null_count:
        return list(rows)
    bits, first = memoryview(column.buffers()[0]), column.offset
    return [row for row in rows if bits[first + row >> 3] >> (first + row & 7) & 1]


def widths(column: pa.Array) -> tuple[int, int]:
    """The shortest and the longest non-null cell, in bytes; ``(0, 0)`` when there is none."""
    extremes = pc.min_max(pc.binary_length(column))
    return extremes["min"].as_py() or 0, extremes["max"].as_py() or 0


def too_long(column: pa.Array, most: int, *, why: str = "limits.cell_bytes") -> list[Fault]:
    """The cells of a text column that are longer than ``most`` bytes, because of ``why``. Costs nothing where all
    together are not."""
    offsets = _offsets(column)
    if len(column) == 0 or offsets[-1] - offsets[0] <= most:
        return []
    over = pc.fill_null(pc.greater(pc.binary_length(column), most), False)
    return [Fault(row, "too-long", f"longer than {why} ({most} bytes)") for row in true_rows(over)]


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


def cast_all(column: pa.Array, cast: Callable[[pa.Array], pa.Array]) -> pa.Array | None:
    """The whole column cast, or None when a cell refuses.

    A cast that fails costs about as much as ten that succeed, so the first cells are tried before all are.
    """
    try:
        if len(column) > _PROBE:
            cast(column.slice(0, _PROBE))
        return cast(column)
    except pa.ArrowInvalid:
        return None


def common_cells(column: pa.Array, common: pa.Array) -> pa.Array:
    """The column with null for every cell that is not common. To be cast, no more: the bytes of those cells remain."""
    return pc.if_else(common, column, pa.scalar(None, column.type))


def spread(values: pa.Array, places: pa.Array) -> pa.Array:
    """A column as long as ``places`` (boolean, no nulls): the values in order where it is true, else null."""
    return pc.replace_with_mask(pa.nulls(len(places), values.type), places, values)


def convert_rest[T](column: pa.Array, common: pa.Array, values: pa.Array, reference: Callable[[str], T]) -> Converted:
    """Completes a column of which the common cells are converted.

    Args:
        column: text, nulls allowed.
        common: true for the cells that are converted in ``values``; null where ``column`` is.
        values: typed; anything where ``common`` is not true.
        reference: the definition of the type, for one cell; called for the rest, so its cost is in proportion to the
            uncommon cells.
    """
    rest = pc.fill_null(pc.invert(common), False)
    rows = true_rows(rest)
    if not rows:
        return Converted(values)
    repaired, faults = _judge(rows, raw_cells(column.filter(rest)), reference)
    return Converted(pc.replace_with_mask(values, rest, pa.array(repaired, values.type)), faults)


def convert_nulls[T](column: pa.Array, values: pa.Array, reference: Callable[[str], T]) -> Converted:
    """Completes a column of which those cells are converted that are not null in ``values``."""
    if values.null_count == column.null_count:
        return Converted(values)
    if native.kernels is None:
        common = pc.if_else(pc.is_valid(column), pc.is_valid(values), None)
        return convert_rest(column, common, values, reference)
    rows = numbers.rows_lost(column, values)
    repaired, faults = _judge(rows, cells_at(column, rows), reference)
    if len(faults) == len(rows):  # as mostly: what is no common cell is a bad one, and null already
        return Converted(values, faults)
    return Converted(pc.replace_with_mask(values, mask_of(rows, len(column)), pa.array(repaired, values.type)), faults)


def _judge[T](
    rows: Sequence[int], cells: Sequence[bytes], reference: Callable[[str], T]
) -> tuple[list[T | None], list[Fault]]:
    """What the reference says of cells in these rows: their values, None for bad ones, and the faults."""
    repaired: list[T | None] = []
    faults: list[Fault] = []
    known: dict[bytes, T | CellFault] = {}  # what is uncommon mostly is so again and again: n/a, unknown, -
    for row, cell in zip(rows, cells, strict=True):
        found = known.get(cell)
        if found is None:
            found = known[cell] = _outcome(cell, reference)
        if isinstance(found, CellFault):
            faults.append(Fault(row, found.code, found.message))
            repaired.append(None)
        else:
            repaired.append(found)
    return repaired, faults


def _outcome[T](cell: bytes, reference: Callable[[str], T]) -> T | CellFault:
    try:
        return reference(cell.decode())
    except CellFault as fault:
        return fault.with_traceback(None)


def decode_column(column: pa.Array) -> Converted:
    """Bytes as the UTF-8 text that they are; a cell that is no UTF-8 is a ``step-error``.

    Args:
        column: binary, nulls allowed; a text column is given back as it is.
    """
    if column.type == pa.string():
        return Converted(column)
    if native.kernels is not None:
        bad = textcells.utf8_faults(column)
        return Converted(column.view(pa.string())) if bad is None else _without(column, true_rows(bad))
    values = cast_all(column, _cast_text)
    if values is not None:
        return Converted(values)
    seen = column.view(pa.string())  # as text, unchecked: only kernels that look at single bytes may see it
    suspects = pc.fill_null(pc.invert(pc.string_is_ascii(seen)), False)
    rows = true_rows(suspects)
    cells = zip(rows, raw_cells(seen.filter(suspects)), strict=True)
    return _without(column, [row for row, cell in cells if not _is_utf8(cell)])


def _without(column: pa.Array, bad: list[int]) -> Converted:
    """The text of a binary column in which all cells but the bad ones are UTF-8."""
    values = pc.replace_with_mask(column, mask_of(bad, len(column)), pa.scalar(None, pa.binary()))
    return Converted(values.view(pa.string()), [Fault(row, "step-error", "not valid UTF-8") for row in bad])


def _cast_text(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.string())


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
