"""The oracle against cases worked out by hand: it judges the engine, so something must judge it."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from tests.oracle import BadHeader, Failure, Reject, expect, read_jsonl, read_rejects

pytestmark = pytest.mark.one_build("gil")


def mapping(*fields: dict[str, Any], **dialect: Any) -> dict[str, Any]:
    return {"version": 1, "id": "t", "csv": dialect, "fields": list(fields)}


ID = {"name": "id", "type": "int", "required": True}
NOTE = {"name": "note", "type": "string"}


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


@pytest.mark.parametrize(
    ("data", "rows", "rejects"),
    [
        (b'id,note\n1,"a"b\n2,c\n', [2], [(1, 2, '1,"a"b')]),
        (b'id,note\n1,"a\n2,b\n3,c', [2, 3], [(1, 2, '1,"a')]),
        (b'id,note\r\n1,"a\r\nb"c\r\n2,d\r\n', [2], [(1, 2, '1,"a'), (2, 3, 'b"c')]),
    ],
    ids=["text after a quote", "open at the end", "several lines"],
)
def test_what_csv_refuses(data: bytes, rows: list[int], rejects: list[tuple[int, int, str]]) -> None:
    """Where ``csv.reader`` refuses a record, its first line is a quote error and the next is read again."""
    expected = expect(data, mapping({"name": "id", "type": "int"}, NOTE))
    assert [row["id"] for row in expected.rows] == rows
    codes = {1: "quote-error", 2: "missing-cell"}
    assert expected.rejects == [Reject(row, line, (("", codes[row]),), raw) for row, line, raw in rejects]


def with_policy(policy: str) -> dict[str, Any]:
    amount = {"name": "amount", "type": "float", "min": 0, "on_error": policy}
    return mapping(ID, amount)


POLICIES = b"id,amount\n1,1.5\n2,x\n3,-1\n,x\n"


def test_policies() -> None:
    """A bad cell rejects its row, is written as null, or fails the file at its row; a row rejected names all it has."""
    rejecting = expect(POLICIES, with_policy("reject_row"))
    assert [reject.errors for reject in rejecting.rejects] == [
        (("amount", "type-error"),),
        (("amount", "constraint-error"),),
        (("id", "missing-value"), ("amount", "type-error")),
    ]
    assert rejecting.codes == {"type-error": 2, "constraint-error": 1, "missing-value": 1}
    nulling = expect(POLICIES, with_policy("null_value"))
    assert nulling.values == [{"id": 1, "amount": 1.5}, {"id": 2, "amount": None}, {"id": 3, "amount": None}]
    assert (nulling.nulled, [reject.row for reject in nulling.rejects]) == (2, [4])
    assert nulling.codes == rejecting.codes
    assert expect(POLICIES, with_policy("fail_file")).failed == Failure("type-error", 2, 3)
    ragged = {**mapping(ID, NOTE), "on_error": "fail_file"}
    assert expect(b"id,note\n1,a\n2\n", ragged).failed == Failure("missing-cell", 2, 3)


@pytest.mark.parametrize(
    ("budget", "fails"),
    [({"rows": 3}, False), ({"rows": 2}, True), ({"ratio": 0.75}, False), ({"ratio": 0.74}, True), ({}, False)],
)
def test_budgets(budget: dict[str, Any], fails: bool) -> None:
    """Three of four rows rejected are within a budget or not."""
    failed = expect(POLICIES, {**with_policy("reject_row"), "budget": budget}).failed
    assert failed == (Failure("budget-exceeded") if fails else None)


def test_too_long() -> None:
    """A cell over the limit is no value of any field that uses it, whatever it holds; others do not mind it."""
    data = "id,note,other\n1,ééé,aaaaaaaa\n2,éééé,a\n".encode()
    expected = expect(data, mapping(ID, NOTE), cell_bytes=7)
    assert expected.rows == [{"id": 1, "note": "ééé"}]
    assert expected.rejects == [Reject(2, 3, (("note", "too-long"),), "2,éééé,a")]


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
