"""``bytes`` columns: strict base64."""

from __future__ import annotations

from binascii import a2b_base64

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native, reference
from engine.core.columns import Converted, column_bytes, convert_nulls, convert_rest, spread
from engine.core.native.textcells import decode_base64

__all__ = ["to_bytes"]

_BASE64 = r"\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z"
_PADDING = bytes.maketrans(b"=", b"A")


def to_bytes(column: pa.Array) -> Converted:
    """Text becomes the bytes that it stands for; a binary column stays as it is."""
    if column.type == pa.binary():
        return Converted(column)
    if native.kernels is not None:
        return convert_nulls(column, decode_base64(column, urlsafe=False), reference.to_bytes)
    cells = column.drop_null() if column.null_count else column
    values = _decode(cells)
    if values is not None:
        return Converted(spread(values, pc.is_valid(column)) if column.null_count else values)
    common = pc.match_substring_regex(column, _BASE64)
    good = pc.fill_null(common, False)
    values = _decode(column.filter(good))
    assert values is not None
    return convert_rest(column, common, spread(values, good), reference.to_bytes)


def _decode(cells: pa.Array) -> pa.Array | None:
    """All cells decoded; None where one is not base64.

    Where every cell is whole groups of four and has padding at its end only, the cells end to end are one text; with
    padding taken for zeros it decodes if each cell does. Then those zeros are cut off.
    """
    if len(cells) == 0:
        return pa.array([], pa.binary())
    sizes = pc.binary_length(cells)
    if pc.any(pc.not_equal(pc.bit_wise_and(sizes, 3), 0)).as_py():
        return None
    text = column_bytes(cells)
    padded, twice = pc.ends_with(cells, "="), pc.ends_with(cells, "==")
    if text.count(b"=") != (pc.sum(padded).as_py() or 0) + (pc.sum(twice).as_py() or 0):
        return None
    try:
        data = a2b_base64(text.translate(_PADDING), strict_mode=True)
    except ValueError:
        return None
    lengths = pc.multiply(pc.shift_right(sizes, 2), 3)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cast(pc.cumulative_sum(lengths), pa.int32())])
    decoded = pa.Array.from_buffers(pa.binary(), len(cells), [None, offsets.buffers()[1], pa.py_buffer(data)])
    decoded = pc.if_else(padded, pc.binary_slice(decoded, 0, -1), decoded)
    return pc.if_else(twice, pc.binary_slice(decoded, 0, -1), decoded)
