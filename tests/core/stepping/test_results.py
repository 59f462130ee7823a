"""What functions return: every type as the text that CSV output has for it, and results of no use."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.encoders.delimited import DelimitedRows
from engine.core.fieldtypes import parse_type
from engine.core.stepping.call import CallTally
from engine.errors import TransformFailed
from engine.transforms import Transform, column_transform, transform
from tests import operators
from tests.core.stepping.calls import run, shown, text
from tests.examples import examples

# --- results as text --------------------------------------------------------------------------------------------------


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


VALUES: list[tuple[Any, str | None]] = [
    ("x", "x"), ("", ""), (None, None), (Colour.RED, "red"), (0, "0"), (-(2**70), str(-(2**70))), (Level.HIGH, "3"),
    (True, "true"), (False, "false"), (0.1, "0.1"), (-0.0, "-0.0"), (1e300, "1e+300"), (5.0, "5"),
    (Decimal("1.50"), "1.50"), (Decimal("1E+3"), "1000"), (Decimal("-1E-9"), "-0.000000001"),
    (date(33, 4, 3), "0033-04-03"),
    (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006Z"),  # noqa: DTZ001  UTC is assumed
    (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2025-12-31T23:00:00.000000Z"),
]  # fmt: skip
REFUSED: list[tuple[Any, str]] = [
    (float("nan"), "not a finite number"), (float("inf"), "not a finite number"), (Decimal("NaN"), "not a finite"),
    (Decimal("-Infinity"), "not a finite number"), (Decimal("sNaN"), "not a finite number"),
    (Decimal("1E+1000000"), "too many digits"), (Decimal("1E-1000000"), "too many digits"),
    (10**5000, "too many digits"),
    ("\ud800", "not Unicode text"), ("x" * 101, "longer than"), (10**101, "longer than"),
    (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "outside the years 1 to 9999"),
]  # fmt: skip


def test_values_become_the_text_of_csv() -> None:
    """Every type that a function may return is written as CSV output writes it, mixed with the others or not."""

    @transform
    def made(row: str) -> Any:
        return VALUES[int(row)][0]

    values, faults = shown(run(made, text(*map(str, range(len(VALUES))))))
    assert values == [expected for _, expected in VALUES]
    assert faults == []
    for row, (_, expected) in enumerate(VALUES):
        assert shown(run(made, text(str(row)))) == ([expected], [])


def test_values_that_cannot_be_written_refuse_their_row() -> None:
    """NaN, infinities, endless numbers, impossible years, lone surrogates and long texts are faults of the cell."""

    @transform
    def made(row: str) -> Any:
        return REFUSED[int(row)][0] if row.isdigit() else row

    values, faults = shown(run(made, text(*map(str, range(len(REFUSED))), "fine")))
    assert values == [None] * len(REFUSED) + ["fine"]
    assert [row for row, _, _ in faults] == list(range(len(REFUSED)))
    for (_, code, message), (_, expected) in zip(faults, REFUSED, strict=True):
        assert message.startswith("t: the result is ")
        assert expected in message
        assert code == ("too-long" if "longer" in expected else "step-error")


CSV_TYPES: list[tuple[str, pa.DataType, st.SearchStrategy[Any]]] = [
    ("int", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    ("float", pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    ("decimal(38,9)", pa.decimal128(38, 9), st.decimals(-(10**28), 10**28, places=9)),
    ("bool", pa.bool_(), st.booleans()),
    ("date", pa.date32(), st.dates()),
    ("timestamp", pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
]


@pytest.mark.parametrize(("type_", "arrow_type", "values"), CSV_TYPES, ids=lambda part: str(part)[:16])
@settings(max_examples=examples(100))
@given(data=st.data())
def test_results_read_as_csv_output_does(
    type_: str, arrow_type: pa.DataType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Both kinds of function: what a typed result becomes is, cell for cell, what the CSV encoder writes of it."""
    cells = data.draw(st.lists(values | st.none(), min_size=1, max_size=20))
    column = pa.array(cells, arrow_type)
    written = DelimitedRows([("a", parse_type("int")), ("b", parse_type(type_))]).encode(
        [pa.array(range(len(cells))), column]
    )
    expected = [line.partition(",")[2] or None for line in written.decode().splitlines()]

    @transform
    def of_values(row: str) -> Any:
        return cells[int(row)]

    @column_transform
    def of_columns(rows: pa.Array) -> pa.Array:
        return column

    rows = text(*map(str, range(len(cells))))
    assert shown(run(of_columns, rows)) == (expected, [])
    assert shown(run(of_values, rows)) == (expected, [])


YEAR = 31_556_952
ARRAYS: list[tuple[pa.Array, list[Any], list[int]]] = [
    (pa.array(["a", None], pa.large_string()), ["a", None], []),
    (pa.array(["a", None], pa.string_view()), ["a", None], []),
    (pa.array([b"\xff", None], pa.binary_view()), [b"\xff", None], []),
    (pa.array([b"\xff", None], pa.large_binary()), [b"\xff", None], []),
    (pa.array([b"ab", None], pa.binary(2)), [b"ab", None], []),
    (pa.nulls(2), [None, None], []),
    (pa.array([255, None], pa.uint8()), ["255", None], []),
    (pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)], []),
    (pa.array([0.1, float("nan"), float("-inf"), None], pa.float64()), ["0.1", None, None, None], [1, 2]),
    (pa.array([0.1, -0.0], pa.float32()), ["0.1", "-0.0"], []),
    (pa.array([0.5, float("inf")], pa.float16()), ["0.5", None], [1]),
    (pa.array([Decimal("1.50")], pa.decimal256(40, 2)).cast(pa.decimal256(76, 2)), ["1.50"], []),
    (pa.array([Decimal("1.50")], pa.decimal32(5, 2)), ["1.50"], []),
    (pa.array([Decimal(1200)], pa.decimal128(5, 0)).cast(pa.decimal128(3, -2)), ["1200"], []),
    (pa.array([0, 86_400_000 * 3_000_000], pa.date64()), ["1970-01-01", None], [1]),
    (
        pa.array([-719_162, -719_163, 2_932_896, 2_932_897], pa.date32()),
        ["0001-01-01", None, "9999-12-31", None],
        [1, 3],
    ),
    (pa.array([-1], pa.timestamp("ns")), ["1969-12-31T23:59:59.999999Z"], []),
    (pa.array([0], pa.timestamp("ms", "Asia/Tokyo")), ["1970-01-01T00:00:00.000000Z"], []),
    (pa.array([2**62, 0, 9000 * YEAR], pa.timestamp("s")), [None, "1970-01-01T00:00:00.000000Z", None], [0, 2]),
    (pa.array(["x", "a" * 101, "y"]).slice(1), [None, "y"], [0]),
]


@pytest.mark.parametrize(("array", "values", "bad"), ARRAYS, ids=lambda part: str(getattr(part, "type", ""))[:16])
def test_arrays_of_every_type(array: pa.Array, values: list[Any], bad: list[int]) -> None:
    """An array of text, bytes, numbers, bools, dates or timestamps of any width is taken, but for bad cells."""

    @column_transform
    def made(column: pa.Array) -> pa.Array:
        return array

    got, faults = shown(run(made, text(*["r"] * len(array))))
    assert got == values
    assert [row for row, _, _ in faults] == bad


def test_an_array_may_hold_bytes_beneath_its_nulls() -> None:
    """What Arrow leaves there is not seen by the steps and encoders after."""

    @column_transform
    def hidden(column: pa.Array) -> tuple[pa.Array, list[tuple[int, str]]]:
        return pc.if_else(pc.equal(column, "b"), None, column), [(0, "no")]

    assert shown(run(hidden, text("a", "b", "c"))) == ([None, None, "c"], [(0, "step-error", "t: no")])


# --- results that cannot be used --------------------------------------------------------------------------------------

UNUSABLE: list[tuple[Any, str]] = [
    (pa.array([], pa.string()), "returned 0 results for 1 rows"),
    (pa.array(["a", "b"]), "returned 2 results for 1 rows"),
    (["a"], "returned list, not a pyarrow.Array"),
    (None, "returned NoneType, not a pyarrow.Array"),
    (pa.chunked_array([["a"]]), "returned ChunkedArray, not a pyarrow.Array"),
    (pa.array([["a"]]), "returned an array of list<"),
    (pa.array(["a"]).dictionary_encode(), "returned an array of dictionary<"),
    (pa.array([1], pa.duration("s")), "returned an array of duration[s]"),
    (pa.array([Decimal(10**60)], pa.decimal256(76, 0)), "returned an array that cannot be used: "),
    (pa.array([b"\xff"]).view(pa.string()), "returned an array that cannot be used: "),
    ((pa.array(["a"]), [(1, "x")]), "refused row 1 of 1, counted from 0"),
    ((pa.array(["a"]), [(-1, "x")]), "refused row -1 of 1, counted from 0"),
    ((pa.array(["a"]), ["no pair"]), "returned errors that are not pairs"),
    ((pa.array(["a"]), [("0", "x")]), "returned errors that are not pairs"),
    ((pa.array(["a"]), None), "returned errors that are not pairs"),
    ((pa.array(["a"]), [], []), "returned tuple, not a pyarrow.Array"),
]


@pytest.mark.parametrize(("returned", "problem"), UNUSABLE, ids=[problem[:40] for _, problem in UNUSABLE])
def test_a_result_of_the_wrong_length_or_type_fails_the_file(returned: Any, problem: str) -> None:
    """It says nothing of a row, so the file fails and the transform is named."""

    @column_transform
    def wrong(column: pa.Array) -> Any:
        return returned

    with pytest.raises(TransformFailed) as caught:
        run(wrong, text("a"))
    assert str(caught.value).startswith(f"transform 't' {problem}")


@pytest.mark.parametrize(
    "value", [[], {}, object(), 1j, bytearray(b"x"), timedelta(1)], ids=lambda value: type(value).__name__
)
def test_a_value_of_another_type_fails_the_file(value: Any) -> None:
    """What cannot be a cell is the function's mistake on every row, not a fault of this one."""

    @transform
    def wrong(text: str) -> Any:
        return value

    with pytest.raises(TransformFailed, match="it may return text, bytes, a number"):
        run(wrong, text("a"))


def test_an_array_whose_offsets_are_wrong_does_not_get_far() -> None:
    """A broken array, which would crash the process later, fails the file."""
    offsets = pa.array([0, 50, 1], pa.int32()).buffers()[1]
    array = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a")])

    @column_transform
    def broken(column: pa.Array) -> pa.Array:
        return array

    with pytest.raises(TransformFailed, match="an array that cannot be used"):
        run(broken, text("a", "b"))


def of_values(function: Callable[[str], Any]) -> Transform[..., Any]:
    return transform(function)


def test_text_and_bytes_do_not_mix_in_a_file() -> None:
    """What a cell means later would depend on its neighbours, so a file that has both fails, in whatever chunks."""
    mixed = of_values(lambda cell: cell.encode() if cell == "b" else cell)
    for chunks in (["a", "b"],), (["a"], ["b"]), (["b"], ["a"]):
        tally = CallTally("t")
        for cells in chunks[:-1]:
            run(mixed, text(*cells), tally=tally)
        with pytest.raises(TransformFailed, match="bytes for some rows and text for others"):
            run(mixed, text(*chunks[-1]), tally=tally)
    tally = CallTally("t")
    kinds = [run(mixed, text(cell), tally=tally).values.type for cell in (None, "b", None)]
    assert kinds == [pa.string(), pa.binary(), pa.binary()]


def test_bytes_of_both_kinds_of_function() -> None:
    """A binary result stays binary, also where some of its rows were refused or null."""
    assert shown(run(operators.reverse_bytes, text("ab", None, "é"))) == ([b"ba", None, b"\xa9\xc3"], [])

    @column_transform
    def octets(column: pa.Array) -> pa.Array:
        if pc.any(pc.equal(column, "x")).as_py():
            raise RuntimeError
        return pc.cast(column, pa.binary())

    assert shown(run(octets, text("x", "a", None, "b"))) == (
        [None, b"a", None, b"b"],
        [(0, "step-error", "t: RuntimeError:")],
    )
