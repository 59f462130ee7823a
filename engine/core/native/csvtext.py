"""CSV text to columns by the C kernels. Only where :data:`~engine.core.native.kernels` is there."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from engine.core.native import kernels, room, validity_bytes

__all__ = ["Rows", "line_counts", "prove_quotes", "read_rows", "row_places"]

_ADDRESS, _NUMBER, _BYTE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint8
_SPARE = 16  # bytes that a kernel may write beyond a column's
_LONGEST = 2**31 - 1

if kernels is not None:
    kernels.csv_lines.argtypes = (ctypes.c_char_p, _NUMBER, _ADDRESS)
    kernels.csv_lines.restype = None
    kernels.csv_prove.argtypes = (ctypes.c_char_p, _NUMBER, _NUMBER, _BYTE, _BYTE, _ADDRESS)
    kernels.csv_prove.restype = ctypes.c_int
    kernels.csv_index.argtypes = (ctypes.c_char_p, _NUMBER, _BYTE, _BYTE, _ADDRESS, _NUMBER)
    kernels.csv_index.restype = _NUMBER
    kernels.csv_cells.argtypes = (
        ctypes.c_char_p, _NUMBER, _BYTE, _BYTE, _ADDRESS, _NUMBER, ctypes.c_int32, _ADDRESS, _ADDRESS, _NUMBER,
        _ADDRESS, _ADDRESS,
    )  # fmt: skip
    kernels.csv_cells.restype = ctypes.c_int
    kernels.csv_size.argtypes = (_ADDRESS, _NUMBER)
    kernels.csv_size.restype = _NUMBER
    kernels.csv_column.argtypes = (
        ctypes.c_char_p, _NUMBER, _BYTE, _ADDRESS, _NUMBER, _ADDRESS, ctypes.c_int32, ctypes.c_char_p, _ADDRESS,
        _ADDRESS, _ADDRESS,
    )  # fmt: skip
    kernels.csv_column.restype = _NUMBER
    kernels.csv_rows.argtypes = (ctypes.c_char_p, _NUMBER, _BYTE, _ADDRESS, _ADDRESS, _ADDRESS, _NUMBER)
    kernels.csv_rows.restype = _NUMBER


def line_counts(data: bytes) -> tuple[int, int]:
    """How many LFs there are in ``data``, and how many CRs that no LF follows."""
    assert kernels is not None
    found = (_NUMBER * 2)()
    kernels.csv_lines(data, len(data), ctypes.addressof(found))
    return found[0], found[1]


def prove_quotes(data: bytes, stop: int, quote: int, delimiter: int) -> tuple[bool, int] | None:
    """As :func:`engine.core.quotes.prove`: whether the last quote is left open, and how many LFs there are."""
    assert kernels is not None
    found = (_NUMBER * 2)()
    if not kernels.csv_prove(data, stop, len(data), quote, delimiter, ctypes.addressof(found)):
        return None
    return bool(found[0]), found[1]


class Rows(NamedTuple):
    """Text columns by position, of equal length; and the ordinals and widths of the rows of another width."""

    height: int
    columns: dict[int, pa.Array]
    others: list[int]
    widths: list[int]


def read_rows(
    text: bytes, lines: int, quote: int, delimiter: int, width: int, wanted: Sequence[int], null_values: Sequence[str]
) -> Rows | None:
    """Makes columns of records whose quotes are all in their places; None: of too much text, or too many odd rows.

    Args:
        text: each record ended by a line end; blank lines are no rows.
        lines: how many lines there are, at most.
        quote: 0 where ``text`` has none.
        wanted: positions of the columns to make.
    """
    assert kernels is not None
    size = len(text)
    most = lines * (width + 2) + 64
    if size > _LONGEST:
        return None
    places = room(4 * most)
    count = kernels.csv_index(text, size, quote, delimiter, places.address, most)
    if count < 0:
        return None
    columns = (ctypes.c_int32 * width)(*[-1] * width)
    for number, place in enumerate(wanted):
        columns[place] = number
    cells, others, counts = room(8 * lines * len(wanted)), room(16 * lines), (_NUMBER * 2)()
    failed = kernels.csv_cells(
        text, size, quote, delimiter, places.address, count, width, ctypes.addressof(columns), cells.address, lines,
        others.address, ctypes.addressof(counts),
    )  # fmt: skip
    if failed:
        return None
    rows, odd = counts
    ragged = memoryview(others)[: 16 * odd].cast("q").tolist()
    nulls = [each.encode() for each in null_values]
    starts = [sum(map(len, nulls[:number])) for number in range(len(nulls) + 1)]
    bounds, texts = (ctypes.c_int32 * len(starts))(*starts), b"".join(nulls)
    made: dict[int, pa.Array] = {}
    for number, place in enumerate(wanted):
        spans = cells.address + 8 * lines * number
        offsets, valid = room(4 * (rows + 1)), room(validity_bytes(rows))
        data = room(kernels.csv_size(spans, rows) + _SPARE)
        null = kernels.csv_column(
            text, size, quote, spans, rows, ctypes.addressof(bounds), len(nulls), texts, offsets.address, valid.address,
            data.address,
        )  # fmt: skip
        made[place] = pa.Array.from_buffers(pa.string(), rows, [valid if null else None, offsets, data], null)
    return Rows(rows, made, ragged[::2], ragged[1::2])


def row_places(text: bytes, most: int, quote: int) -> tuple[memoryview[int], memoryview[int], memoryview[int]] | None:
    """Where the rows of a text whose quotes are in their places begin and end, and each one's line, from 0.

    Args:
        most: rows that there are, at most; None is given where there are more.
    """
    assert kernels is not None
    starts, ends, lines = (room(4 * most) for _ in range(3))
    count = kernels.csv_rows(text, len(text), quote, starts.address, ends.address, lines.address, most)
    if count < 0:
        return None
    made = [memoryview(each)[: 4 * count].cast("i") for each in (starts, ends, lines)]
    return made[0], made[1], made[2]
