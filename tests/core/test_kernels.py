"""The column kernels give, cell by cell, what the reference converters give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import reference
from engine.core.kernels import KERNELS
from engine.core.mapping import TypeName
from engine.core.reference import CellFault

REFERENCES: dict[TypeName, Callable[[str], Any]] = {
    "string": reference.to_string,
    "int": reference.to_int,
    "float": reference.to_float,
    "bool": reference.to_bool,
    "timestamp": reference.to_timestamp,
    "uuid": reference.to_uuid,
    "json": reference.to_json_text,
}

_DIGITS = st.text("0123456789", min_size=1, max_size=22)
_TWO = st.integers(0, 70).map("{:02}".format)
_HEX = st.text("0123456789abcdefABCDEF-", min_size=30, max_size=38)
_JSON = st.recursive(
    st.sampled_from(["1", "-0", "1.50", "1e400", "true", "null", '"a,b"', '"\\u00e9"', '"]"', "01", "NaN", ""]),
    lambda inner: st.builds(
        "{}{}{}".format,
        st.sampled_from(["[", "{", '{"a":', "[1,", "", "[["]),
        st.lists(inner, max_size=3).map(",".join),
        st.sampled_from(["]", "}", ",2]", "", "]]", " ]"]),
    ),
    max_leaves=6,
)

# Cells of the common shape, cells that are nearly right, and any text at all.
CELLS: dict[TypeName, st.SearchStrategy[str]] = {
    "string": st.text(),
    "int": st.builds("{}{}".format, st.sampled_from(["", "-", "+", "0x", " "]), _DIGITS),
    "float": st.one_of(
        st.floats().map(repr),
        st.builds(
            "{}{}.{}{}".format, st.sampled_from(["", "-", "+"]), _DIGITS, _DIGITS, st.sampled_from(["", "e5", "E-9"])
        ),
        st.text("0123456789.-+eE", max_size=8),
        st.sampled_from(["nan", "inf", "1e400", "1e308", "9" * 400, "0x10", "1_0", "5.", ".5", "."]),
    ),
    "bool": st.sampled_from([*reference.TRUE, *reference.FALSE, "TRUE", "No", "", "tru", "2", "\u017f"]),
    "timestamp": st.one_of(
        st.datetimes().map(lambda at: at.isoformat(sep="T")),
        st.builds(
            "{:04}-{}-{}{}{}:{}{}{}{}".format,
            st.integers(0, 9999),
            _TWO,
            _TWO,
            st.sampled_from(["T", " ", "t"]),
            _TWO,
            _TWO,
            st.sampled_from(["", ":00", ":59", ":60"]),
            st.sampled_from(["", ".1", ".123456", ".1234567", "."]),
            st.sampled_from(["", "Z", "+01:00", "-0130", "+23", "+24:00", "z", " Z"]),
        ),
        st.sampled_from(
            ["2026-11-22", "2026-11-22T10", "2026-11-22T10Z", "2024-02-29T00:00", "0001-01-01T00:00:00+01:00"]
        ),
    ),
    "uuid": st.one_of(
        st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.uuids().map(lambda u: str(u).upper()), _HEX
    ),
    "json": _JSON,
}


def _check(kind: TypeName, values: Sequence[str | None]) -> None:
    converted = KERNELS[kind](pa.array(values, pa.string()))
    expected: list[Any] = []
    faults: list[tuple[int, str, str]] = []
    for row, value in enumerate(values):
        try:
            expected.append(None if value is None else REFERENCES[kind](value))
        except CellFault as fault:
            expected.append(None)
            faults.append((row, fault.code, fault.message))
    assert [tuple(fault) for fault in converted.faults] == faults
    assert list(map(repr, converted.values.to_pylist())) == list(map(repr, _like_arrow(kind, expected)))


def _like_arrow(kind: TypeName, values: list[Any]) -> list[Any]:
    """The values as Arrow gives them back (its UTC is another object than datetime's)."""
    return pa.array(values, pa.timestamp("us", "UTC")).to_pylist() if kind == "timestamp" else values


@pytest.mark.parametrize("kind", REFERENCES)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_equals_the_reference(kind: TypeName, data: st.DataObject) -> None:
    """On columns that mix common, nearly right and arbitrary cells and nulls, values and faults are the reference's."""
    cell = st.one_of(CELLS[kind], CELLS[kind], st.text(max_size=6), st.none())
    _check(kind, data.draw(st.lists(cell, max_size=40)))


@pytest.mark.parametrize("kind", REFERENCES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_equals_the_reference_on_uniform_columns(kind: TypeName, data: st.DataObject) -> None:
    """One cell repeated, so that the whole-column shortcuts are taken whenever a cell could deceive them."""
    value = data.draw(CELLS[kind])
    _check(kind, [value] * data.draw(st.integers(1, 4)) + [None] * data.draw(st.integers(0, 2)))


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("values", [[], [None], [None, None, None], [""], ["", None]])
def test_empty_and_null_columns(kind: TypeName, values: list[str | None]) -> None:
    """Columns without a cell, or without a text, convert to columns of the same length."""
    _check(kind, values)


@pytest.mark.parametrize(
    "values",
    [
        ["1,[2", "3]"],
        ["1],[2", "[[3", "4]]"],
        ['"a', 'b"'],
        ["1", "2,3", "4"],
        ["[", "]"],
        ["{", '"a":1}'],
        ["1", "", "2"],
        ["/*", "*/"],
    ],
)
def test_json_cells_that_only_together_look_valid(values: list[str]) -> None:
    """Parsing the cells as one array never makes a cell valid that is not so alone."""
    _check("json", values)


@pytest.mark.parametrize("kind", REFERENCES)
def test_a_slice_is_a_column(kind: TypeName) -> None:
    """A column that is a window into a larger buffer converts like a column of its own."""
    values = ["1", "true", "2026-11-22T10:11:12Z", "0" * 32, "[1]", None, "x"] * 3
    column = pa.array(values, pa.string()).slice(2, 15)
    whole = KERNELS[kind](pa.array(values[2:17], pa.string()))
    part = KERNELS[kind](column)
    assert part.values.to_pylist() == whole.values.to_pylist()
    assert list(part.faults) == list(whole.faults)


def test_bad_cells_in_a_long_column() -> None:
    """100,000 rows with a bad cell here and there: each is found at its row, and no other."""
    values: list[str | None] = [str(row) if row % 1000 else "x" for row in range(100_000)]
    converted = KERNELS["int"](pa.array(values, pa.string()))
    assert [fault.row for fault in converted.faults] == list(range(0, 100_000, 1000))
    assert converted.values.null_count == 100
