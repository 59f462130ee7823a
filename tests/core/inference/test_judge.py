"""A column gets the most specific reading that takes all of its cells."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.inference.judge import judge, mixed
from tests.core.inference.samples import field_of
from tests.examples import examples

UUIDS = [str(uuid.UUID(int=number << 64 | 4 << 76 | 8 << 60)) for number in range(7, 12)]


def encoded(*texts: str | bytes) -> list[str]:
    return [base64.b64encode(text.encode() if isinstance(text, str) else text).decode() for text in texts]


BINARY = encoded(*(bytes(range(start, start + 16)) for start in (3, 90, 150, 200)))

READINGS: list[tuple[list[str], dict[str, Any]]] = [
    # bool: its own words, not numbers, not a letter that may mean anything
    (["true", "false"], {"type": "bool"}),
    (["TRUE", "0", "1", "No"], {"type": "bool"}),
    (["false"], {"type": "bool"}),
    (["yes", "no"], {"type": "bool"}),
    (["Y", "N"], {"type": "bool"}),
    (["t", "f"], {"type": "bool"}),
    (["F", "F"], {"type": "string"}),
    (["no"], {"type": "string"}),
    (["0", "1"], {"type": "int"}),
    (["m", "f"], {"type": "string"}),
    # int
    (["1", "-2", "+3", "0"], {"type": "int"}),
    (["9223372036854775807"], {"type": "int"}),
    (["9223372036854775808", "1"], {"type": "string"}),
    (["007", "12"], {"type": "string"}),
    (["01234", "56789"], {"type": "string"}),
    (["+4915123456789", "+33123456789"], {"type": "string"}),
    (["1_000", "2"], {"type": "string"}),
    (["0x10"], {"type": "string"}),
    (["2013", "2014"], {"type": "int"}),
    # float and decimal
    (["1.5", "2"], {"type": "float"}),
    (["1e5", "-.5"], {"type": "float"}),
    (["39.02", "8.05546"], {"type": "float"}),
    (["12.50", "3.00", "0"], {"type": "decimal(12,2)"}),
    (["-12.50", "+1234567.89"], {"type": "decimal(12,2)"}),
    (["123456789.12"], {"type": "decimal(18,2)"}),
    (["1" * 20 + ".125"], {"type": "decimal(38,3)"}),
    (["1" * 40 + ".25"], {"type": "float"}),
    (["1.5", "2.5"], {"type": "float"}),  # one place is a measurement's
    (["0.123456", "1.654321"], {"type": "float"}),
    (["1.25", "3"], {"type": "float"}),
    (["1,5", "2,5"], {"type": "string"}),
    (["1e999"], {"type": "string"}),
    # dates
    (["2026-01-02", "2025-12-31"], {"type": "date"}),
    (["2026-02-30", "2026-01-01"], {"type": "string"}),
    (["2026/01/02"], {"type": "date", "formats": ["%Y/%m/%d"]}),
    (["20260102", "20251231"], {"type": "date", "formats": ["%Y%m%d"]}),
    (["20260102", "20251399"], {"type": "int"}),
    (["31/01/2026", "1/2/2026"], {"type": "date", "formats": ["%d/%m/%Y"]}),
    (["01/31/2026", "1/2/2026"], {"type": "date", "formats": ["%m/%d/%Y"]}),
    (["31.01.26"], {"type": "date", "formats": ["%d.%m.%y"]}),
    (["99-01-31", "26-02-01"], {"type": "date", "formats": ["%y-%m-%d"]}),
    (["31/01/2026", "01/31/2026"], {"type": "string"}),  # both orders: somebody must look
    (["2026-01-02", "31.01.2026", "2026/05/06"], {"type": "date", "formats": ["iso8601", "%d.%m.%Y", "%Y/%m/%d"]}),
    (["1.2.34", "1.20.3"], {"type": "string"}),
    # timestamps
    (["2026-01-02T03:04:05Z", "2026-01-02 03:04+01:00"], {"type": "timestamp"}),
    (["2026-01-02", "2026-01-02T03:04:05Z"], {"type": "timestamp"}),
    (["31/01/2026 10:05"], {"type": "timestamp", "formats": ["%d/%m/%Y %H:%M"]}),
    (["1/31/2026 9:05:06 PM"], {"type": "timestamp", "formats": ["%m/%d/%Y %I:%M:%S %p"]}),
    (["2026-01-02 9:05PM"], {"type": "timestamp", "formats": ["%Y-%m-%d %I:%M%p"]}),
    (["31.01.2026, 10:05:06.25 +0100"], {"type": "timestamp", "formats": ["%d.%m.%Y, %H:%M:%S.%f %z"]}),
    (["2026/01/02T10:05:06,123Z"], {"type": "timestamp", "formats": ["%Y/%m/%dT%H:%M:%S,%f%z"]}),
    (["20260102T100506Z"], {"type": "timestamp", "formats": ["%Y%m%dT%H%M%S%z"]}),
    (["20260102100506"], {"type": "timestamp", "formats": ["%Y%m%d%H%M%S"]}),
    (["1767323045", "1700000000"], {"type": "timestamp", "formats": ["epoch_s"]}),
    (["1767323045123", "1700000000000"], {"type": "timestamp", "formats": ["epoch_ms"]}),
    (["1767323045", "999"], {"type": "int"}),
    (["10:05", "11:00"], {"type": "string"}),
    # uuid, not somebody's hash
    (UUIDS, {"type": "uuid"}),
    ([UUIDS[0].upper(), UUIDS[1].replace("-", "")], {"type": "uuid"}),
    ([each.replace("-", "") for each in UUIDS], {"type": "uuid"}),
    (["d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661"], {"type": "string"}),
    # JSON
    (['{"a": 1}', "[]", ' {"b": [1, 2]}'], {"type": "json"}),
    (['{"a": 1}', "[2]", "3"], {"type": "json"}),
    (['{"a": 1}', "{"], {"type": "string"}),
    (['"a"', '"b"'], {"type": "string"}),
    # base64 of text, of JSON, of anything
    (encoded("hello, world", "bye"), {"steps": ["base64"], "type": "string"}),
    (encoded('{"a": 1}', '{"b": "é"}'), {"steps": ["base64"], "type": "json"}),
    (BINARY, {"type": "bytes"}),
    (["activity", "password"], {"type": "string"}),
    (["deadbeefdeadbeef", "cafebabecafebabe", "0123456789abcdef"], {"type": "string"}),
    (["V1StGXR8Z5jdHi6BmyT1", "aStGXR8Z5jdHi6BmyT1b", "bStGXR8Z5jdHi6BmyT1c"], {"type": "string"}),
    # white space around typed values; text keeps its own
    ([" 1", "2 "], {"steps": ["trim"], "type": "int"}),
    ([" 31/01/2026", "01/02/2026"], {"steps": ["trim"], "type": "date", "formats": ["%d/%m/%Y"]}),
    ([" Ada", "Bob "], {"type": "string"}),
    (["Ada", "Bob", "1"], {"type": "string"}),
]


@pytest.mark.parametrize(("cells", "expected"), READINGS, ids=lambda value: json.dumps(value)[:60])
def test_readings(cells: list[str], expected: dict[str, Any]) -> None:
    """Each kind of column is proposed as an engineer would write it; required, as no cell is empty."""
    field, _ = field_of(cells * 2)
    assert field == expected | {"required": True}


@pytest.mark.parametrize(
    ("label", "formats"),
    [("created_at", ["epoch_s"]), ("t", ["epoch_s"]), ("user_id", None), ("orderNumber", None), ("phone", None)],
)
def test_a_label_may_say_that_digits_are_no_time(label: str, formats: list[str] | None) -> None:
    """Ten digits in the range of times are one unless the label says that they number something."""
    reading = judge(["1700000000", "1767323045"], label)
    assert reading.settings() == ({"type": "int"} if formats is None else {"type": "timestamp", "formats": formats})


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["1/2/2026", "3/4/2026"], "no cell tells %d/%m/%Y from %m/%d/%Y; %d/%m/%Y is proposed"),
        (["007", "8"], "some have leading zeros, as 007, so no number; proposed as string"),
        (["1700000000"], "integers that are times of the years 2001 to 2034 as epoch_s; make it int if they are not"),
        (["2026-01-02 10:00"], "times have no offset and are read as UTC; set timezone if they are local"),
        (["2026-01-02 10:00Z", "2026-01-02"], "some times have no offset and are read as UTC;"),
        (["9" * 20, "1"], f"integers beyond 64 bits, as {'9' * 20}; proposed as string"),
        (["", ""], "no cell has a value; proposed as string"),
        (["Ada", "N/A"], "1 cell is 'N/A' (row 2); add it to csv.null_values if it is null"),
        (
            ["12"] * 40 + ["x"] + ["7"] * 40 + [" "],
            "2 of 82 cells are no int: row 41 'x', row 82 ' '; proposed as string",
        ),
        (["1.50"] * 50 + ["1,299.00"], "1 of 51 cells is no decimal(12,2): row 51 '1,299.00'; proposed as string"),
        (
            ["5/31/2026"] * 50 + ["soon", "2/30/2026"],
            "2 of 52 cells are no date (%m/%d/%Y): row 51 'soon', row 52 '2/30/2026'; proposed as string",
        ),
        (["true", "no"] * 50 + ["maybe"], "1 of 101 cells is no bool: row 101 'maybe'; proposed as string"),
        (['{"a": 1}'] * 50 + ["{" + "x" * 50], f"1 of 51 cells is no json: row 51 '{{{'x' * 38}…'; proposed as string"),
    ],
)
def test_notes(cells: list[str], note: str) -> None:
    """What a sample leaves open, or what kept a column from having a type, is told with the first rows."""
    _, notes = field_of(cells)
    assert any(what.startswith(note) for what in notes), notes


def test_a_column_of_many_things_is_text_without_a_word() -> None:
    """Where fewer than 95 % of the cells agree nothing is called mixed."""
    field, notes = field_of(["1"] * 90 + ["a", "b", "c", "d", "e", "f"])
    assert field == {"type": "string", "required": True}
    assert not notes


@settings(max_examples=examples(300))
@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.integers().map(str),
            st.floats().map(repr),
            st.dates().map(str),
            st.datetimes().map(str),
            st.datetimes().map(lambda at: at.strftime("%d/%m/%Y %H:%M")),
            st.uuids().map(str),
            st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode()),
            st.sampled_from(["true", "no", "0", "{}", "[1]", " 7", "1e400", "99999999", "20260230"]),
        ),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_a_reading_takes_every_cell(texts: list[str]) -> None:
    """The reading proposed takes all texts; what most of a mixed column is takes all but those set apart."""
    reading = judge(texts, "a")
    assert all(map(reading.takes, texts))
    found = mixed(dict.fromkeys(texts, 1) | {texts[0]: 100}, "a")
    if found is not None:
        assert found.refused
        assert all(found.reading.takes(text) for text in texts if text not in found.refused)
