"""The column kernels give, cell by cell, what the reference converters give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.fieldtypes import FieldType, parse_type
from engine.core.reference import NUMBER_CHARS, CellFault
from engine.core.types import TypeConverter, compile_type
from tests.core.cells import TOGETHER_VALID_JSON, of_type
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")


@dataclass(frozen=True, slots=True)
class Rule:
    """What ``compile_type`` reads of a field's rule."""

    type: str
    formats: Sequence[str] | None = None
    timezone: str | None = None
    true: Sequence[str] | None = None
    false: Sequence[str] | None = None

    @property
    def field_type(self) -> FieldType:
        return parse_type(self.type)


EXAMPLES = 100  # for each of many rules

RULES = {
    "string": Rule("string"),
    "int": Rule("int"),
    "float": Rule("float"),
    "decimal(12,2)": Rule("decimal(12,2)"),
    "decimal(38,0)": Rule("decimal(38,0)"),
    "decimal(5,5)": Rule("decimal(5,5)"),
    "decimal(38,37)": Rule("decimal(38,37)"),
    "bool": Rule("bool"),
    "bool, words": Rule("bool", true=["Ja", "да", "\u0130", "OK"], false=["nein", "no"]),
    "bool, true words only": Rule("bool", true=["wahr", "n"]),
    "uuid": Rule("uuid"),
    "json": Rule("json"),
    "bytes": Rule("bytes"),
    "date": Rule("date"),
    "date, formats": Rule("date", ["%d/%m/%Y", "%m/%d/%Y", "iso8601"]),
    "date, day of year": Rule("date", ["%Y%j", "%Y-%m-%d %H:%M %z"]),
    "timestamp": Rule("timestamp"),
    "timestamp, zone": Rule("timestamp", timezone="Europe/Berlin"),
    "timestamp, New York": Rule("timestamp", ["%m/%d/%Y %I:%M:%S %p", "iso8601"], "America/New_York"),
    "timestamp, many": Rule("timestamp", ["epoch_ms", "%d/%m/%Y %H:%M", "iso8601",
    "%Y%m%dT%H%M%S.%f"], "Europe/Berlin"),
    "timestamp, epochs": Rule("timestamp", ["epoch_s", "epoch_ms"]),
    "timestamp, two digits": Rule("timestamp", ["%d.%m.%y %Hh", "%d%m%Y%H%M%S"], "Australia/Lord_Howe"),
    "timestamp, offsets": Rule("timestamp", ["%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z",
    "%d/%m/%Y"], "Asia/Kolkata"),
}  # fmt: skip


def cells_of(rule: Rule) -> st.SearchStrategy[str]:
    return of_type(rule.type)


def check(converter: TypeConverter, values: Sequence[str | None]) -> None:
    converted = converter.kernel(pa.array(values, pa.string()))
    expected: list[Any] = []
    faults: list[tuple[int, str, str]] = []
    for row, value in enumerate(values):
        try:
            expected.append(None if value is None else converter.reference(value))
        except CellFault as fault:
            expected.append(None)
            faults.append((row, fault.code, fault.message))
    converted.values.validate(full=True)
    assert converted.values.type == converter.arrow_type
    assert [tuple(fault) for fault in converted.faults] == faults
    wanted = pa.array(expected, converter.arrow_type).to_pylist()  # Arrow's UTC is another object than datetime's
    assert list(map(repr, converted.values.to_pylist())) == list(map(repr, wanted))


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=examples(EXAMPLES), deadline=None)
@given(data=st.data())
def test_equals_the_reference(name: str, data: st.DataObject) -> None:
    """On columns that mix common, nearly right and arbitrary cells and nulls, values and faults are the reference's."""
    cell = st.one_of(
        cells_of(RULES[name]), cells_of(RULES[name]), cells_of(RULES[name]), st.text(max_size=6), st.none()
    )
    check(compile_type(RULES[name]), data.draw(st.lists(cell, max_size=25)))


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=examples(EXAMPLES), deadline=None)
@given(data=st.data())
def test_equals_the_reference_on_uniform_columns(name: str, data: st.DataObject) -> None:
    """One cell repeated, perhaps with one other, so that whole-column shortcuts are taken."""
    value = data.draw(cells_of(RULES[name]))
    nulls = data.draw(st.integers(0, 2))
    other: list[str | None] = list(data.draw(st.lists(cells_of(RULES[name]), max_size=1)))
    check(
        compile_type(RULES[name]),
        [value] * data.draw(st.integers(1, 4)) + [None] * nulls + other,
    )


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("values", [[], [None], [None, None, None], [""], ["", None], ["x"], ["\0"], ["9" * 100_000]])
def test_empty_and_null_columns(name: str, values: list[str | None]) -> None:
    """Columns without a cell, without a text, or with one that nothing expects, convert like any."""
    check(compile_type(RULES[name]), values)


@pytest.mark.parametrize("name", RULES)
def test_a_slice_is_a_column(name: str) -> None:
    """A column that is a window into a larger buffer converts like a column of its own."""
    values = ["1", "true", "2026-11-22T10:11:12Z", "0" * 32, "[1]", None, "x", "QUI=", "+5", "1.50", "2026-11-22"] * 3
    values += ["22/11/2026 10:11", "22/11/2026"] * 8
    column = pa.array([b"\xff", *(value and value.encode() for value in values), b"\xff"], pa.binary())
    text = column.slice(1, len(values)).cast(pa.string())
    converter = compile_type(RULES[name])
    for start, length in ((2, 15), (33, 16), (0, len(values)), (len(values), 0)):
        whole = converter.kernel(pa.array(values[start : start + length], pa.string()))
        part = converter.kernel(text.slice(start, length))
        assert part.values.to_pylist() == whole.values.to_pylist()
        assert list(part.faults) == list(whole.faults)


@pytest.mark.parametrize("values", TOGETHER_VALID_JSON)
def test_json_cells_that_only_together_look_valid(values: list[str]) -> None:
    """Parsing the cells as one array never makes a cell valid that is not so alone."""
    check(compile_type(RULES["json"]), values)


@pytest.mark.parametrize(
    "values", [["QUI", "DQUI="], ["QQ==", "Q=Q="], ["=QQ=", "QQQQ"], ["QUI==", "QUI"], ["QQ==QQ=="], ["==", "QUIQ=="]]
)
def test_base64_cells_that_only_together_look_valid(values: list[str]) -> None:
    """Decoding the cells as one text never makes a cell valid that is not so alone."""
    check(compile_type(RULES["bytes"]), values)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("int", "+{}", "x"),
        ("float", "{}.5", "1_0"),
        ("decimal(12,2)", "{}.25", "1.234"),
        ("bool", "yes", "maybe"),
        ("uuid", "0123456789abcdef0123456789{:06}", "g" * 32),
        ("json", "[{}]", "[1"),
        ("bytes", "AAAA", "AAA"),
        ("date, formats", "28/02/{:04}", "31/02/2026"),
        ("timestamp", "2026-11-22T10:11:12.{:06}789Z", "2026-11-22T10:11:60Z"),
        ("timestamp, zone", "2026-07-22T10:11:12.{:06}", "2026-03-29T02:30:00.000000"),
        ("timestamp, many", "22/11/2026 10:11", "29/03/2026 02:30"),
    ],
)
def test_bad_cells_in_a_long_column(name: str, good: str, bad: str) -> None:
    """100,000 rows with a bad cell here and there: each is found at its row, and no other; good values are right."""
    converter = compile_type(RULES[name])
    values = [good.format(1 + row % 9000) if row % 1000 else bad for row in range(100_000)]
    converted = converter.kernel(pa.array(values, pa.string()))
    assert [fault.row for fault in converted.faults] == list(range(0, 100_000, 1000))
    assert converted.values.null_count == 100
    wanted = pa.array([converter.reference(values[row]) for row in range(1, 1000)], converter.arrow_type)
    assert converted.values.slice(1, 999).to_pylist() == wanted.to_pylist()


def test_longer_than_a_number_may_be() -> None:
    """The limit on a number's length holds in a column as in the reference, at the limit and beyond."""
    values = ["0" * (NUMBER_CHARS - 1) + "7", "0" * NUMBER_CHARS + "7", "+" + "0" * NUMBER_CHARS, "5"]
    for name in ("int", "float", "decimal(12,2)", "timestamp, epochs"):
        check(compile_type(RULES[name]), values)
        check(compile_type(RULES[name]), values[1:2])


@pytest.mark.parametrize("name", RULES)
def test_bytes_that_reach_a_type(name: str) -> None:
    """A binary column is decoded as UTF-8, a cell that is none being a step-error; ``bytes`` takes it as it is."""
    converter = compile_type(RULES[name])
    cells = [b"1", b"\xff", None, b"true", "é".encode(), b"\xed\xa0\x80", b"{}", b"2026-11-22"]
    converted = converter.kernel(pa.array([b"\xff", *cells], pa.binary()).slice(1))
    if name == "bytes":
        assert (converted.values.to_pylist(), list(converted.faults)) == (cells, [])
        return
    texts = [None if row in (1, 5) else cell and cell.decode() for row, cell in enumerate(cells)]
    text = converter.kernel(pa.array(texts, pa.string()))
    assert converted.values.to_pylist() == text.values.to_pylist()
    assert [(fault.row, fault.code) for fault in converted.faults if fault.code == "step-error"] == [
        (1, "step-error"),
        (5, "step-error"),
    ]
    assert [fault for fault in converted.faults if fault.code != "step-error"] == list(text.faults)
    assert [fault.row for fault in converted.faults] == sorted(fault.row for fault in converted.faults)
