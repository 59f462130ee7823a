"""The oracle against cases worked out by hand: it judges the engine, so something must judge it."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from tests.oracle import BadHeader, Reject, convert, expect, read_jsonl, read_rejects


def mapping(*fields: dict[str, Any], **dialect: Any) -> dict[str, Any]:
    return {"version": 1, "id": "t", "csv": dialect, "fields": list(fields)}


ID = {"name": "id", "type": "int", "required": True}
NOTE = {"name": "note", "type": "string"}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " as it is ", " as it is "),
        ("int", "+007", 7),
        ("int", "-9223372036854775808", -(2**63)),
        ("int", "0" * 5000 + "1", 1),
        ("float", "-1.5e-3", -0.0015),
        ("float", ".5", 0.5),
        ("float", "5.", 5.0),
        ("float", "1E2", 100.0),
        ("bool", "Yes", True),
        ("bool", "F", False),
        ("bool", "1", True),
        ("timestamp", "2026-11-22", "2026-11-22T00:00:00.000000Z"),
        ("timestamp", "2026-11-22 10:05", "2026-11-22T10:05:00.000000Z"),
        ("timestamp", "2026-11-22T10:05:06.1234567+02:00", "2026-11-22T08:05:06.123456Z"),
        ("timestamp", "2026-01-01T00:30:00+0530", "2025-12-31T19:00:00.000000Z"),
        ("timestamp", "2026-01-01T00:30:00.5-09", "2026-01-01T09:30:00.500000Z"),
        ("timestamp", "0001-01-01T00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("uuid", "4F9C2A1E-77B0-4C1D-9A55-0D1F2B3C4D5E", "4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e"),
        ("uuid", "4f9c2a1e77b04c1d9a550d1f2b3c4d5e", "4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e"),
        ("json", ' {"a": 1, "a": [2.50, null]} ', {"a": [2.5, None]}),
        ("json", "[" * 64 + "]" * 64, None),
        ("json", "null", None),
    ],
)
def test_accepts(kind: str, text: str, value: object) -> None:
    """Each type takes the texts that the contract's table allows and gives the value that it shows."""
    found = convert(text, kind)
    if text.startswith("[["):
        assert isinstance(found, list)
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("int", text) for text in ("1.0", "1_000", " 1", "0x1", "٣", "9223372036854775808", "+", "1\n", "--1")),
        *(("float", text) for text in ("nan", "inf", "1e999", "1_0.0", "0x1p3", ".", "1,5", "e5", " 1.0", "½")),
        *(("bool", text) for text in ("on", "2", "tru", "yes ", "-1")),
        *(("timestamp", text) for text in ("2026-02-30", "2026-1-01", "2026-01-01T24:00", "2026-01-01T10:00:60")),
        *(("timestamp", text) for text in ("0000-01-01", "2026-01-01T10", "2026-01-01t10:00", "2026-01-01T10:00z")),
        *(("timestamp", text) for text in ("2026-01-01T10:00+24:00", "2026-01-01T10:00+01:60", "0001-01-01T00:00+01")),
        *(("timestamp", text) for text in ("2026-01-01Z", "2026-01-01T10:00:00.", "1700000000", "٢٠٢٦-01-01")),
        *(("uuid", text) for text in ("4f9c2a1e-77b04c1d9a550d1f2b3c4d5e", "4f9c2a1e", "g" * 32, "{" + "a" * 32 + "}")),
        *(("json", text) for text in ("{", "1,2", "NaN", "-Infinity", "{'a':1}", "01", "1e999", '"\\ud800"')),
        ("json", "[" * 65 + "]" * 65),
        ("json", "[" * 200_000),
    ],
)
def test_refuses(kind: str, text: str) -> None:
    """Each type refuses what lies just outside the contract's table."""
    with pytest.raises(ValueError):  # noqa: PT011 - which refusal it is does not matter
        convert(text, kind)


def test_rows_and_rejects() -> None:
    """Good rows come out in order, bad ones with number, line, errors in field order and exact source text."""
    data = b'note,id\r\nfine,1\r\n"two\r\nlines",x\r\n,\r\nlast,4'
    expected = expect(data, mapping(ID, NOTE))
    assert expected.rows == [{"id": 1, "note": "fine"}, {"id": 4, "note": "last"}]
    assert expected.rejects == [
        Reject(2, 3, (("id", "type-error"),), '"two\r\nlines",x'),
        Reject(3, 5, (("id", "missing-value"),), ","),
    ]
    assert expected.rows_read == 4


def test_ragged_and_blank_rows() -> None:
    """A cell too many, a cell too few and a blank row are errors of their own, or none where the mapping says so."""
    data = b"id,note\n1\n\n2,b,c\n"
    assert expect(data, mapping(ID, NOTE)).rejects == [
        Reject(1, 2, (("", "missing-cell"),), "1"),
        Reject(2, 4, (("", "extra-cell"),), "2,b,c"),
    ]
    relaxed = expect(data, mapping(ID, NOTE, missing_cells="null", extra_cells="ignore", blank_rows="error"))
    assert relaxed.rows == [{"id": 1, "note": None}, {"id": 2, "note": "b"}]
    assert relaxed.rejects == [Reject(2, 3, (("", "blank-row"),), "")]


def test_bad_bytes_are_an_error_of_their_row() -> None:
    """Bytes that are not UTF-8, wherever they stand, reject their row alone and survive in its source text."""
    expected = expect(b"id,note\n1,caf\xe9\n2,\xc3\xa9\n", mapping(ID, NOTE))
    assert expected.rows == [{"id": 2, "note": "é"}]
    assert expected.rejects == [Reject(1, 2, (("", "encoding-error"),), "1,caf\udce9")]
    assert expected.rejects[0].raw.encode("utf-8", "surrogateescape") == b"1,caf\xe9"


def test_a_json_null_is_a_value() -> None:
    """A required cell may hold the JSON text null: what is required is a cell, not what is in it."""
    expected = expect(b'id\nnull\n""\n', mapping({"name": "id", "type": "json", "required": True}))
    assert expected.rows == [{"id": None}]
    assert expected.rejects == [Reject(2, 3, (("id", "missing-value"),), '""')]


def test_null_values_trim_and_from() -> None:
    """Nulls are told after trimming, quoted or not; ``from`` names the column a field is read from."""
    fields = (ID, {"name": "text", "from": "note", "type": "string", "required": True})
    data = b'id,note\n 1 , x \n2,"- "\n3,\n'
    expected = expect(data, mapping(*fields, trim=True, null_values=["-"]))
    assert expected.rows == [{"id": 1, "text": "x"}, {"id": 3, "text": ""}]
    assert expected.rejects == [Reject(2, 3, (("text", "missing-value"),), '2,"- "')]


def test_headers() -> None:
    """Labels come from the file, from the mapping, or count from 1; a byte order mark is no part of the first one."""
    assert expect(b"\xef\xbb\xbfid\n1\n", mapping(ID)).rows == [{"id": 1}]
    assert expect(b"1,a\n", mapping(ID, NOTE, header=["id", "note"])).rows == [{"id": 1, "note": "a"}]
    assert expect(b"7\n", mapping({"name": "x", "from": "1", "type": "int"}, header=False)).rows == [{"x": 7}]
    with pytest.raises(BadHeader):
        expect(b"note\na\n", mapping(ID))
    with pytest.raises(BadHeader):
        expect(b"id,id\n1,2\n", mapping(ID))


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"id\n", b"id"])
def test_files_without_rows(data: bytes) -> None:
    """An empty file and one that only has a header are valid and have no rows."""
    assert expect(data, mapping(ID)).rows_read == 0


def test_what_csv_refuses() -> None:
    """A quoting error is passed on, not papered over."""
    with pytest.raises(csv.Error):
        expect(b'id\n"1"2\n', mapping(ID))


def test_long_cells() -> None:
    """A cell longer than the csv module's default limit is read, and the limit is put back."""
    cell = "x" * 131_073
    lifted = csv.field_size_limit(131_072)  # the module's default; the engine lifts it for the process
    try:
        assert expect(f"note\n{cell}\n".encode(), mapping(NOTE)).rows == [{"note": cell}]
        assert csv.field_size_limit() == 131_072
    finally:
        csv.field_size_limit(lifted)


def test_reading_the_engines_output() -> None:
    """Output files are read back into what the oracle gives."""
    assert read_jsonl(b'{"id":1,"note":"a\xe2\x80\xa8b"}\n') == [{"id": 1, "note": "a\u2028b"}]
    record = (
        b'{"file":"a.csv","row":2,"line":3,"errors":[{"field":null,"column":null,"code":"extra-cell","message":"",'
        b'"value":null}],"raw":"1,2"}\n'
    )
    assert read_rejects(record) == [Reject(2, 3, (("", "extra-cell"),), "1,2")]
    undecodable = record.replace(b'"raw":"1,2"', b'"raw":"1,\xef\xbf\xbd","raw_base64":"MSzp"')
    assert read_rejects(undecodable)[0].raw == "1,\udce9"
