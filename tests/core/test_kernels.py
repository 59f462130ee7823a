"""The column kernels give, cell by cell, what the reference converters give."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import reference
from engine.core.fieldtypes import FieldType, parse_type
from engine.core.reference import NUMBER_CHARS, CellFault
from engine.core.types import TypeConverter, compile_type
from tests.examples import examples


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

_DIGITS = st.text("0123456789", min_size=1, max_size=22)
_TWO = st.integers(0, 70).map("{:02}".format)
_FEW = st.text("0123456789", min_size=1, max_size=2)
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
_BASE64 = st.one_of(
    st.binary(max_size=12).map(lambda data: b64encode(data).decode()),
    st.text("AQg+/=-_ \n", max_size=9),
)
_DECIMAL = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-", "+", "+-", " "]),
    st.one_of(st.just(""), st.text("0123456789", max_size=3), st.text("0123456789", max_size=40)),
    st.sampled_from(["", ".", ".."]),
    st.one_of(st.just(""), st.text("0123456789", max_size=3), st.text("0123456789", max_size=40), st.just("e3")),
)
_YEAR = st.one_of(st.integers(0, 9999), st.sampled_from([1, 1900, 1999, 2000, 2024, 2026, 2100, 9999])).map(
    "{:04}".format
)
# Local times near changes of zones, as well as any.
_MOMENT = st.one_of(
    st.datetimes(),
    st.builds(
        "2026-{}T{:02}:{:02}:00".format,
        st.sampled_from(["03-29", "10-25", "03-08", "11-01", "04-05", "10-04"]),
        st.integers(0, 4),
        st.integers(0, 59),
    ).map(datetime.fromisoformat),
)
_ISO = st.one_of(
    _MOMENT.map(lambda at: at.isoformat(sep="T")),
    _MOMENT.map(lambda at: at.isoformat(sep=" ", timespec="minutes")),
    st.builds(
        "{}-{}-{}{}{}:{}{}{}{}".format,
        _YEAR,
        _TWO,
        _TWO,
        st.sampled_from(["T", " ", "t"]),
        _TWO,
        _TWO,
        st.sampled_from(["", ":00", ":59", ":60"]),
        st.sampled_from(["", ".1", ".123456", ".1234567", ".123456789", "."]),
        st.sampled_from(["", "Z", "+01:00", "-0130", "+23", "+24:00", "z", " Z"]),
    ),
    st.builds("{}-{}-{}".format, _YEAR, _TWO, _TWO),
    st.sampled_from(
        ["2026-11-22T10", "2026-11-22T10Z", "2024-02-29T00:00", "1900-02-29", "0001-01-01T00:00:00+01:00",
         "0000-12-31T23:30:00-01:00", "9999-12-31T23:59:59-00:01", "2026-11-22T10:11:12.1.1234567Z"]
    ),
)  # fmt: skip
_EPOCH = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.sampled_from(
        ["253402300799", "253402300800", "-62135596800", "-62135596801", "253402300799999", "-62135596800001", "+5",
         "1e3", "99999999999999999999", "0" * 25 + "7", "-" + "0" * 25 + "7", "1.5", "+-5", "-+5"]
    ),
)  # fmt: skip


def _render(at: datetime, form: str) -> str:
    """``strftime`` with four digits of year on every platform."""
    return str(at.strftime(form.replace("%Y", f"{at.year:04}")))


_WRITTEN = st.one_of(
    *(
        _MOMENT.map(partial(_render, form=form))
        for form in (
            "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y", "%m/%d/%Y", "%Y%j", "%Y%m%dT%H%M%S.%f",
            "%d%m%Y%H%M%S",
            "%d.%m.%y %HH", "%Y-%m-%dT%H:%M:%S.%f+0530", "%Y-%m-%dT%H:%M:%S-01:00", "%Y-%m-%d %H:%M Z",
        )
    ),
    st.builds("{}/{}/{} {}:{}".format, _FEW, _FEW, _YEAR, _FEW, _FEW),
    st.builds("{}/{}/{} {}:{}:{} {}".format, _FEW, _FEW, _YEAR, _FEW, _FEW, _FEW, st.sampled_from(["AM", "pm", "Pm",
    "XM"])),
    st.builds("{}/{}/{}".format, _FEW, _FEW, _YEAR),
    st.builds("{}{}".format, _YEAR, st.integers(0, 400)),
    st.builds("{}.{}.{} {}{}".format, _FEW, _FEW, _FEW, _FEW, st.sampled_from("hHx")),
    st.text("0123", min_size=6, max_size=14),
    st.builds("{}-{}-{}T{}:{}:{}{}".format, _YEAR, _FEW, _FEW, _FEW, _FEW, _FEW,
              st.sampled_from(["Z", ".5Z", "+0530", ".123456+05:30", "+24:00", "+05", "-0060", "z", ".1234567Z"])),
)  # fmt: skip


_TIMES = st.one_of(_ISO, _ISO, _EPOCH, _WRITTEN, _WRITTEN)
# Cells of the common shape, cells that are nearly right, and any text at all.
CELLS: dict[str, st.SearchStrategy[str]] = {
    "string": st.text(),
    "int": st.builds("{}{}".format, st.sampled_from(["", "-", "+", "0x", " ", "+-", "-+"]), _DIGITS),
    "float": st.one_of(
        st.floats().map(repr),
        st.builds(
            "{}{}.{}{}".format, st.sampled_from(["", "-", "+"]), _DIGITS, _DIGITS, st.sampled_from(["", "e5", "E-9"])
        ),
        st.text("0123456789.-+eE", max_size=8),
        st.sampled_from(["nan", "inf", "1e400", "1e308", "9" * 400, "0x10", "1_0", "5.", ".5", "."]),
    ),
    "decimal": _DECIMAL,
    "bool": st.sampled_from(
        [*reference.TRUE, *reference.FALSE, "TRUE", "No", "", "tru", "2", "\u017f", "JA", "ДА", "Да", "i\u0307",
        "\u0130",
         "o\u212a", "Nein", "WAHR", "N"]
    ),
    "uuid": st.one_of(
        st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.uuids().map(lambda u: str(u).upper()), _HEX
    ),
    "json": _JSON,
    "bytes": _BASE64,
    "date": _TIMES,
    "timestamp": _TIMES,
}  # fmt: skip


def cells_of(rule: Rule) -> st.SearchStrategy[str]:
    return CELLS[rule.field_type.kind]


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
