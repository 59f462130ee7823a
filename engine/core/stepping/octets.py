"""The kernels of ``base64``, ``hex`` and ``url_decode``: a whole column's bytes are decoded in one call."""

from __future__ import annotations

from binascii import a2b_base64, unhexlify
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native
from engine.core.columns import (
    Converted,
    Fault,
    column_bytes,
    common_cells,
    convert_nulls,
    decode_column,
    spread,
    true_rows,
)
from engine.core.native.textcells import decode_base64
from engine.core.stepping import reference
from engine.core.stepping.cells import of_distinct, of_present, with_faults

__all__ = ["base64_column", "hex_column", "url_decode_column"]

_ALPHANUMERIC = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_ESCAPES = {
    f"{high}{low}".encode(): bytes((int(high + low, 16),))
    for high in "0123456789abcdefABCDEF"
    for low in "0123456789abcdefABCDEF"
}
_KINDS = 40
_PERCENT = b"\xff"
_BAD_ESCAPE = r"%(?:\z|[^0-9a-fA-F]|[0-9a-fA-F](?:\z|[^0-9a-fA-F]))"


def _offsets(column: pa.Array) -> pa.Array:
    """Where the cells of a text column start and the last one ends, from 0."""
    offsets = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, column.buffers()[1]], offset=column.offset)
    return offsets if offsets[0].as_py() == 0 else pc.subtract(offsets, offsets[0])


def _binary(offsets: pa.Array, data: bytes) -> pa.Array:
    """Cells without nulls over ``data``."""
    buffers = [None, offsets.buffers()[1], pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers, offset=offsets.offset)


def _each(column: pa.Array, whole: Callable[[pa.Array], Converted]) -> Converted:
    """``whole`` on a text or binary column's cells without its nulls."""
    decoded = decode_column(column)
    return with_faults(of_present(decoded.values, whole), decoded.faults)


# --- base64 ------------------------------------------------------------------------------------------------------


def base64_column(column: pa.Array, *, urlsafe: bool) -> Converted:
    """:func:`reference.base64` for a column."""
    if native.kernels is not None:
        text = decode_column(column)
        values = decode_base64(text.values, urlsafe=urlsafe)
        convert = partial(reference.base64, urlsafe=urlsafe)
        return with_faults(convert_nulls(text.values, values, convert), text.faults)
    return _each(column, partial(_base64, urlsafe=urlsafe))


def _base64(column: pa.Array, *, urlsafe: bool) -> Converted:
    signs = b"-_" if urlsafe else b"+/"
    data = column_bytes(column)
    whole = pc.equal(pc.bit_wise_and(pc.binary_length(column), 3), 0)
    if not data.translate(None, _ALPHANUMERIC + signs + b"=") and data.count(b"=") == pc.sum(_padding(column)).as_py():
        regular = whole
    else:
        regular = pc.and_(whole, pc.match_substring_regex(column, rf"\A[A-Za-z0-9{signs[::-1].decode()}]*={{0,2}}\z"))
    return _of_good(column, regular, partial(_decode_base64, signs=signs), reference.BAD_BASE64)


def _of_good(column: pa.Array, good: pa.Array, decode: Callable[[pa.Array], pa.Array], message: str) -> Converted:
    """``decode`` on the good cells of a column without nulls; the rest are exactly those that the reference refuses."""
    rows = true_rows(pc.invert(good))
    if not rows:
        return Converted(decode(column))
    values = spread(decode(column.filter(good)), good)
    return Converted(values, [Fault(row, "step-error", message) for row in rows])


def _padding(column: pa.Array) -> pa.Array:
    """How many ``=`` stand at the end of each cell, counting to two."""
    one, two = (pc.cast(pc.ends_with(column, ending), pa.int32()) for ending in ("=", "=="))
    return pc.add(one, two)


def _decode_base64(column: pa.Array, signs: bytes) -> pa.Array:
    """Decodes cells of whole groups of four, end to end in one call: with padding taken as zeros, which then go."""
    octets = a2b_base64(column_bytes(column).translate(bytes.maketrans(b"=" + signs, b"A+/")))
    groups = pc.shift_right(_offsets(column), pa.scalar(2, pa.int32()))
    decoded = _binary(pc.multiply(groups, pa.scalar(3, pa.int32())), octets)
    padding = _padding(column)
    for count in (1, 2):
        padded = pc.equal(padding, count)
        if pc.any(padded).as_py():
            decoded = pc.if_else(padded, pc.binary_slice(decoded, 0, -count), decoded)
    return decoded


# --- hex ---------------------------------------------------------------------------------------------------------


def hex_column(column: pa.Array) -> Converted:
    """:func:`reference.hexadecimal` for a column."""
    return _each(column, _hex)


def _hex(column: pa.Array) -> Converted:
    if not column_bytes(column).translate(None, _HEX_DIGITS):
        pairs = pc.equal(pc.bit_wise_and(pc.binary_length(column), 1), 0)
    else:
        pairs = pc.match_substring_regex(column, r"\A(?:[0-9a-fA-F]{2})*\z")
    return _of_good(column, pairs, _decode_hex, reference.BAD_HEX)


def _decode_hex(column: pa.Array) -> pa.Array:
    return _binary(pc.shift_right(_offsets(column), pa.scalar(1, pa.int32())), unhexlify(column_bytes(column)))


# --- percent-encoding --------------------------------------------------------------------------------------------


def url_decode_column(column: pa.Array) -> Converted:
    """:func:`reference.url_decode` for a column."""
    decoded = decode_column(column)
    if b"%" not in column_bytes(decoded.values):
        return decoded
    return with_faults(of_distinct(decoded.values, _url_decode_distinct), decoded.faults)


def _url_decode_distinct(column: pa.Array) -> Converted:
    bad = pc.fill_null(pc.match_substring_regex(column, _BAD_ESCAPE), False)
    rows = true_rows(bad)
    if not rows:
        return of_present(column, _unescaped)
    converted = of_present(common_cells(column, pc.invert(bad)), _unescaped)
    return with_faults(converted, [Fault(row, "step-error", reference.BAD_ESCAPE) for row in rows])


def _unescaped(column: pa.Array) -> Converted:
    return decode_column(_unescape(column))


def _unescape(column: pa.Array) -> pa.Array:
    """The bytes of cells without nulls that have no bad escape."""
    gone = pc.cumulative_sum(pc.multiply(pc.count_substring(column, "%"), pa.scalar(2, pa.int32())))
    starts = pa.concat_arrays([pa.array([0], pa.int32()), gone])
    return _binary(pc.subtract(_offsets(column), starts), _unescape_bytes(column_bytes(column)))


def _unescape_bytes(data: bytes) -> bytes:
    """Decodes all escapes: those of one kind at a time, which is fast as long as there are few kinds."""
    # An escaped % waits as a byte that UTF-8 has not, and the escape of that byte as another such.
    for escape in (b"%ff", b"%fF", b"%Ff", b"%FF"):
        data = data.replace(escape, b"\xfe")
    data = data.replace(b"%25", _PERCENT)
    for _ in range(_KINDS):
        at = data.find(b"%")
        if at < 0:
            break
        escape = data[at : at + 3]
        data = data.replace(escape, _ESCAPES[escape[1:]])
    first, *rest = data.split(b"%")
    return b"".join([first, *[_ESCAPES[part[:2]] + part[2:] for part in rest]]).replace(_PERCENT, b"%")
