"""The C kernels of numbers read what the reference reads, to the last bit, or leave it alone."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native, reference
from engine.core.native.numbers import read_floats, read_ints, rows_lost
from tests.core.native.test_against_reference import spoilt, window
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")

_DIGITS = st.text("0123456789", max_size=20)
_SIGN = st.sampled_from(["", "-", "+"])
_INTS = st.one_of(st.integers(-(10**20), 10**20).map(str), st.builds("{}{}".format, _SIGN, _DIGITS))
_POINT = st.builds("{}{}.{}".format, _SIGN, _DIGITS, _DIGITS)
_EXPONENT = st.one_of(
    st.just(""), st.builds("{}{}{}".format, st.sampled_from("eE"), _SIGN, st.text("0123", max_size=3))
)
_FLOATS = st.one_of(st.builds("{}{}".format, st.one_of(_INTS, _POINT), _EXPONENT), st.floats(allow_nan=False).map(repr))


def _bits(value: Any) -> Any:
    return struct.pack("=d", value) if isinstance(value, float) else value


@settings(max_examples=examples(2000))
@given(kernel=st.sampled_from([read_ints, read_floats]), data=st.data())
def test_hostile_cells(kernel: Any, data: st.DataObject) -> None:
    """Every value is the reference's; a cell that it refuses, or that is null, has none."""
    cells, convert = (_INTS, reference.to_int) if kernel is read_ints else (_FLOATS, reference.to_float)
    texts = data.draw(st.lists(st.one_of(cells, spoilt(cells), st.text(max_size=4)), max_size=12))
    valid = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    column = window([*texts], valid, pa.string())
    found = kernel(column)
    found.validate(full=True)
    for text, good, value in zip(texts, valid, found.to_pylist(), strict=True):
        if value is not None:
            assert good
            assert _bits(value) == _bits(convert(text))
    lost = rows_lost(column, found)
    assert lost == [row for row, value in enumerate(found.to_pylist()) if value is None and valid[row]]


@settings(max_examples=examples(1000))
@given(st.integers(-(10**18) + 1, 10**18 - 1), st.integers(0, 9 * 10**14), st.integers(0, 9), st.integers(-9, 9))
def test_common_cells_are_read(whole: int, digits: int, places: int, exponent: int) -> None:
    """Integers of 18 digits, and floats of 15 with a small exponent, are never left to the reference."""
    assert read_ints(pa.array([str(whole)])).to_pylist() == [whole]
    text = f"{digits // 10**places}.{digits % 10**places:0{places or 1}d}"
    assert read_floats(pa.array([text, f"{text}e{exponent}"])).to_pylist() == [float(text), float(f"{text}e{exponent}")]
