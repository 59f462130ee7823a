"""The rows that the C kernels write are, byte for byte, those that the Arrow way writes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native
from engine.core.encoders.delimited import DelimitedRows
from engine.core.encoders.jsonl import JsonLinesRows
from tests.core.encoders.typed import EXTREMES, FIELDS, columns_of, extreme_rows, field_named, values_of
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")

ROWS = pytest.mark.parametrize("rows_of", [JsonLinesRows, DelimitedRows, partial(DelimitedRows, guarded=True)])


def check(made: JsonLinesRows | DelimitedRows, columns: list[pa.Array]) -> None:
    """Values, also those beneath nulls, must be such that Arrow's casts take them."""
    written = made._writer.write(columns)
    assert written == made._joined(columns)
    assert made.encode(columns) == written


def window(column: pa.Array, start: int, valid: list[bool]) -> pa.Array:
    """A part of a column, with its values beneath nulls that are new."""
    bits = [False] * start + valid
    mask = pa.array(bits, pa.bool_()).buffers()[1]
    buffers = [mask, *column.buffers()[1:]]
    return pa.Array.from_buffers(column.type, len(bits), buffers).slice(start)


@ROWS
@settings(max_examples=examples(300))
@given(data=st.data())
def test_windows_with_something_beneath_nulls(rows_of: Any, data: st.DataObject) -> None:
    """Columns that begin in the middle of their buffers, and whose nulls hide values, are written like any."""
    cells = data.draw(st.lists(st.tuples(*(values_of(kind) for _, kind in FIELDS)), min_size=1, max_size=20))
    full = [[_some(kind.kind) if cell is None else cell for (_, kind), cell in zip(FIELDS, row, strict=True)]
            for row in cells]  # fmt: skip
    start = data.draw(st.integers(0, len(full) - 1))
    columns = []
    for column in columns_of(FIELDS, full):
        valid = data.draw(st.lists(st.booleans(), min_size=len(full) - start, max_size=len(full) - start))
        columns.append(window(column, start, valid))
    check(rows_of(FIELDS), columns)


def _some(kind: str) -> Any:
    return next(values[1] for name, values in EXTREMES.items() if name.startswith(kind))


@ROWS
def test_extremes(rows_of: Any) -> None:
    """Every extreme of every type, in whole columns, in windows of them, and each type alone."""
    columns = columns_of(FIELDS, extreme_rows())
    for start, length in ((0, len(columns[0])), (1, 5), (3, 1), (7, 9)):
        check(rows_of(FIELDS), [column.slice(start, length) for column in columns])
    for field, column in zip(FIELDS, columns, strict=True):
        check(rows_of([field]), [column])


_PIECES = st.sampled_from(
    [
        '"',
        "\\",
        ",",
        "=",
        "+",
        "-",
        "@",
        "\t",
        "\n",
        "\r",
        "\0",
        "\x1f",
        "\x7f",
        "\u2028",
        "é",
        "a",
        "abcdefgh",
        "12345678",
    ]
)


@ROWS
@settings(max_examples=examples(300))
@given(cells=st.lists(st.none() | st.lists(_PIECES, max_size=12).map("".join), min_size=1, max_size=12))
def test_what_is_escaped_or_quoted(rows_of: Any, cells: list[str | None]) -> None:
    """Texts with special characters at any place within words of eight bytes, beside ones without."""
    check(rows_of(field_named("string")), [pa.array(cells, pa.string())])


def _near(number: float, steps: int) -> float:
    for _ in range(abs(steps)):
        number = math.nextafter(number, math.inf if steps > 0 else -math.inf)
    return number


_SHORT = st.builds(lambda digits, places: digits / 10**places, st.integers(-(10**16), 10**16), st.integers(0, 9))
_DECIMALS = st.builds(lambda digits, places: digits / 10**places, st.integers(-(10**6), 10**6), st.integers(0, 7))
_EDGES = st.builds(_near, st.sampled_from([1e10, 1e-6, 1e15, 1e-5, 0.1, 1.0, 0.0, 1e9]), st.integers(-3, 3))
_FLOATS = st.one_of(_SHORT, _DECIMALS, _EDGES, st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0))


@ROWS
@settings(max_examples=examples(1000))
@given(value=st.one_of(_SHORT, _DECIMALS, _EDGES, _FLOATS), others=st.lists(st.none() | _DECIMALS, max_size=6))
def test_floats(rows_of: Any, value: float, others: list[float | None]) -> None:
    """Numbers of few digits, their neighbours, and any: the text is that of Arrow's cast."""
    check(rows_of(field_named("float")), [pa.array([value, *others], pa.float64())])


@ROWS
def test_many_floats(rows_of: Any) -> None:
    """A hundred thousand decimals of each number of places."""
    for places in range(7):
        values = [(number * 7919 % 999_999_937) / 10**places for number in range(100_000)]
        check(rows_of(field_named("float")), [pa.array(values, pa.float64())])


@pytest.mark.parametrize("type_", ["date", "timestamp"])
def test_times_that_are_none_are_left_to_arrow(type_: str) -> None:
    """What is outside the years 1 to 9999, as no column is, is not for the kernel; beneath a null it is no matter."""
    fields = field_named(type_)
    number, kind = (pa.int32(), pa.date32()) if type_ == "date" else (pa.int64(), pa.timestamp("us", "UTC"))
    for bad in (2**31 - 1, -(2**31)) if type_ == "date" else (2**63 - 1, -(2**63), 253_402_300_800_000_000):
        made = JsonLinesRows(fields)
        assert made._writer.write([pa.array([0, bad], number).view(kind)]) is None
        column = window(pa.array([0, bad], number).view(kind), 0, [True, False])
        assert made._writer.write([column]) is not None


def test_decimals_of_any_bits() -> None:
    """128 bits that are no decimal of the type's precision are written within the room that is made for them."""
    column = pa.Array.from_buffers(
        pa.decimal128(38, 38), 2, [None, pa.py_buffer(b"\xff" * 15 + b"\x7f" + b"\x00" * 15 + b"\x80")]
    )
    assert JsonLinesRows(field_named("decimal(38,38)")).encode([column]).count(b"\n") == 2
