"""``int``, ``float`` and ``decimal`` columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native, reference
from engine.core.columns import (
    Converted,
    cast_all,
    column_bytes,
    common_cells,
    convert_nulls,
    convert_rest,
    widths,
)
from engine.core.native.numbers import read_floats, read_ints

__all__ = ["DecimalKernel", "read_int", "to_float", "to_int"]

_INT_DIGITS = 18  # always fit 64 bits
_INT_COMMON = rf"\A-?[0-9]{{1,{_INT_DIGITS}}}\z"
_INT_RARE = r"\A[+-]?0*[0-9]{1,19}\z"
_FLOAT_COMMON = r"\A[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?\z"
_MOST_DIGITS = 38
_FLOAT_COMMON_BYTES = 200  # with a two-digit exponent, so short a number is finite


# --- int -----------------------------------------------------------------------------------------------------------


def _cast_int(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.int64())


def _without_plus(column: pa.Array, data: bytes) -> pa.Array:
    """The cells without a plus in front, which the cast does not take; with it where a minus follows."""
    if b"+" not in data or b"+-" in data:
        return column
    return pc.if_else(pc.starts_with(column, "+"), pc.binary_replace_slice(column, 0, 1, ""), column)


def _common_ints(column: pa.Array) -> tuple[pa.Array | None, pa.Array]:
    """Which cells are common (None: all that are not null), and the column with their values."""
    data = column_bytes(column)
    fits = widths(column)[1] <= reference.NUMBER_CHARS
    column = _without_plus(column, data)
    if fits and not data.translate(None, b"0123456789+-"):
        values = cast_all(column, _cast_int)  # which would also take 0x10
        if values is not None:
            return None, values
    common = _matching_ints(column)
    return common, _cast_int(common_cells(column, common))


def _matching_ints(column: pa.Array) -> pa.Array:
    """Which cells are a sign, perhaps, and up to 18 digits; null where the column is."""
    plain = pc.and_(pc.ascii_is_decimal(column), pc.less_equal(pc.binary_length(column), _INT_DIGITS))
    others = pc.fill_null(pc.invert(plain), False)
    if not others.true_count:
        return plain
    return pc.replace_with_mask(plain, others, pc.match_substring_regex(column.filter(others), _INT_COMMON))


def to_int(column: pa.Array) -> Converted:
    if native.kernels is not None:
        return convert_nulls(column, read_ints(column), reference.to_int)
    common, values = _common_ints(column)
    return Converted(values) if common is None else convert_rest(column, common, values, reference.to_int)


def read_int(cells: pa.Array) -> pa.Array:
    """The integers of a text column; null for every cell that is none, or does not fit 64 bits."""
    common, values = _common_ints(cells)
    if common is None or pc.all(common).as_py():
        return values
    perhaps = pc.and_not(pc.match_substring_regex(cells, _INT_RARE), common)
    return convert_rest(cells, pc.invert(perhaps), values, reference.to_int).values


# --- float ---------------------------------------------------------------------------------------------------------


def _cast_float(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.float64())


def to_float(column: pa.Array) -> Converted:
    if native.kernels is not None:
        return convert_nulls(column, read_floats(column), reference.to_float)
    longest = widths(column)[1]
    # The cast would also take nan and inf.
    if longest <= reference.NUMBER_CHARS and not column_bytes(column).translate(None, b"0123456789.-+eE"):
        values = cast_all(column, _cast_float)
        if values is not None and pc.all(pc.is_finite(values)).as_py() in (True, None):  # None: no cell but nulls
            return Converted(values)
    common = pc.match_substring_regex(column, _FLOAT_COMMON)
    if longest > _FLOAT_COMMON_BYTES:
        common = pc.and_(common, pc.less_equal(pc.binary_length(column), _FLOAT_COMMON_BYTES))
    return convert_rest(column, common, _cast_float(common_cells(column, common)), reference.to_float)


# --- decimal -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecimalKernel:
    """``decimal(p,s)``."""

    precision: int
    scale: int

    @property
    def arrow_type(self) -> pa.DataType:
        return pa.decimal128(self.precision, self.scale)

    def __call__(self, column: pa.Array) -> Converted:
        # The cast would also take exponents, and zeros at the end beyond the scale; it is wrong beyond 128 bits.
        if not column_bytes(column).translate(None, b"0123456789.-+") and self._digits_fit(column):
            values = cast_all(column, self._cast)
            if values is not None:
                return Converted(values)
        common = pc.match_substring_regex(column, self._common)
        if widths(column)[1] > reference.NUMBER_CHARS:
            common = pc.and_(common, pc.less_equal(pc.binary_length(column), reference.NUMBER_CHARS))
        convert = partial(reference.to_decimal, precision=self.precision, scale=self.scale)
        return convert_rest(column, common, self._cast(common_cells(column, common)), convert)

    def _cast(self, column: pa.Array) -> pa.Array:
        return pc.cast(column, self.arrow_type)

    def _digits_fit(self, column: pa.Array) -> bool:
        """Whether no cell has too many digits after the point, nor so many before it that 128 bits could overflow."""
        lengths, points = pc.binary_length(column), pc.find_substring(column, ".")
        points = pc.if_else(pc.less(points, 0), lengths, points)
        places, whole = pc.max(pc.subtract(lengths, points)).as_py(), pc.max(points).as_py()
        # Of digits and sign before the point one too many is for the cast to judge, if 128 bits hold it.
        spare = 1 if self.precision < _MOST_DIGITS else 0
        return places is None or (places <= self.scale + 1 and whole <= self.precision - self.scale + spare)

    @property
    def _common(self) -> str:
        """The texts that the type accepts."""
        whole = f"[0-9]{{1,{self.precision - self.scale}}}" if self.precision > self.scale else "0"
        if not self.scale:
            return rf"\A[+-]?0*{whole}\.?\z"
        return rf"\A[+-]?0*(?:{whole}(?:\.[0-9]{{0,{self.scale}}})?|\.[0-9]{{1,{self.scale}}})\z"
