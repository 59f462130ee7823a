"""The oracle's reading of files against cases worked out by hand: dialects, encodings, limits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import BadHeader, Reject, expect, read_rejects

pytestmark = pytest.mark.one_build("gil")

FIELDS = [{"name": "a", "type": "string"}, {"name": "b", "type": "string"}]


def outcome(data: bytes, row_bytes: int = 1000, /, **dialect: Any) -> tuple[list[list[str | None]], list[Reject]]:
    """The cells of the good rows, and the rejects."""
    mapping = {"version": 1, "id": "t", "csv": {"null_values": [], **dialect}, "fields": FIELDS}
    expected = expect(data, mapping, row_bytes=row_bytes)
    return [list(row.values()) for row in expected.rows], expected.rejects


@pytest.mark.parametrize(
    ("data", "dialect", "rows"),
    [
        (b"a\tb\n1,2\t3\n", {"delimiter": "\t"}, [["1,2", "3"]]),
        (b"a\x01b\n1\x012\n", {"delimiter": "\x01"}, [["1", "2"]]),
        (b"a b\n1 '2 3'\n", {"delimiter": " ", "quote": "'"}, [["1", "2 3"]]),
        (b"axb\n1x2\n", {"delimiter": "x"}, [["1", "2"]]),
        (b'a,b\n"1",2"\n', {"quote": None}, [['"1"', '2"']]),
        (b'a,b\n1,"x"y"\n', {"quote": None}, [["1", '"x"y"']]),
        (b'a,b\n"1\\"2",3\\,4\n', {"escape": "\\"}, [['1"2', "3,4"]]),
        (b'a,b\n"1""2",3\n', {"escape": "\\"}, [['1"2', "3"]]),
        (b'a,b\n"1""2",3\\\n', {"escape": '"'}, [['1"2', "3\\"]]),
        (b"a,b\n1\\\n2,3\n", {"escape": "\\"}, [["1\n2", "3"]]),
        (b"a,b\n1,2\\\r\n3,4\n", {"escape": "\\"}, [["1", "2\r"], ["3", "4"]]),
        (b"a,b\n1,\\\n2", {"escape": "\\"}, [["1", "\n2"]]),
        (b"a,b\n1\\,2,\\\\\n", {"escape": "\\", "quote": None}, [["1,2", "\\"]]),
        (b"a,b\r1,2\r\r\n3,4\r", {}, [["1", "2"], ["3", "4"]]),
        ("a,b\n1\u2028,2\x85\n\0,\x0b\n".encode(), {}, [["1\u2028", "2\x85"], ["\0", "\x0b"]]),
        (b'"\n"" x\na,b\n1,2\n', {"skip_lines": 2}, [["1", "2"]]),
        (b"a,b\n1,2\n", {"skip_lines": 9}, []),
        (b' a ,"b "\n 1," \t2 "\n', {"trim": True}, [["1", "2"]]),
        (b" a ,b\n", {"header": ["a", "b"]}, [[" a ", "b"]]),
        (b"a,b\n1\n,\n", {"missing_cells": "null"}, [["1", None], ["", ""]]),
        (b"a,b\n1,2,3,4\n", {"extra_cells": "ignore"}, [["1", "2"]]),
        (b"a,b,c,c\n1,2,3,4\n", {}, [["1", "2"]]),
    ],
)
def test_dialects(data: bytes, dialect: dict[str, Any], rows: list[list[str | None]]) -> None:
    """Every setting of the ``csv`` section gives the cells that the contract says."""
    assert outcome(data, **dialect) == (rows, [])


@pytest.mark.parametrize(
    ("data", "encoding", "rows"),
    [
        ("a,b\né,1\n".encode("latin-1"), "latin-1", [["é", "1"]]),
        ("a,b\n€,1\n".encode("cp1252"), "windows-1252", [["€", "1"]]),
        ("a,b\nソ,1\n".encode("shift_jis"), "shift_jis", [["ソ", "1"]]),  # its second byte is that of a backslash
        ("\ufeffa,b\né,1\n".encode(), "latin-1", [["é", "1"]]),
        ("\ufeffa,b\né,1\n".encode("utf-16-le"), "utf-8", [["é", "1"]]),
        ("\ufeffa,b\né,1\n".encode("utf-16-be"), "utf-16", [["é", "1"]]),
        ("a,b\né,1\n".encode("utf-16-be"), "utf-16-be", [["é", "1"]]),
        ("a,b\né,1\n".encode("utf-32"), "utf-32", [["é", "1"]]),
        ("a,b\n\ufeff,1\n".encode(), "utf-8", [["\ufeff", "1"]]),
    ],
)
def test_encodings(data: bytes, encoding: str, rows: list[list[str | None]]) -> None:
    """A file is read in the encoding that the mapping names, unless its mark names another."""
    assert outcome(data, encoding=encoding) == (rows, [])


@pytest.mark.parametrize(
    ("data", "encoding", "raw"),
    [
        (b"a,b\n\x81,1\n2,3\n", "cp1252", "\udc81,1"),
        (b"a,b\n1,\xe9\n2,3\n", "ascii", "1,\udce9"),
        (b"a,b\n\x81\x20,1\n2,3\n", "shift_jis", "\udc81 ,1"),
        ("a,b\n1,".encode("utf-16-be") + b"\xd8\x00" + "\n2,3\n".encode("utf-16-be"), "utf-16-be", "1,\udcd8\udc00"),
    ],
)
def test_what_does_not_decode(data: bytes, encoding: str, raw: str) -> None:
    """Bytes that the codec refuses cost their row alone, and stay in its text as surrogates."""
    assert outcome(data, encoding=encoding) == ([["2", "3"]], [Reject(1, 2, (("", "encoding-error"),), raw)])


@pytest.mark.parametrize(
    ("data", "row_bytes", "dialect", "rows", "rejects"),
    [
        (b"a,b\n1,2345\n3,4\n", 6, {}, [["3", "4"]], [(2, "too-long", "1,2345")]),
        (b"a,b\n1,2345\n3,4\n", 7, {}, [["1", "2345"], ["3", "4"]], []),
        ("a,b\n1,éé\n".encode(), 6, {}, [], [(2, "too-long", "1,éé")]),
        ("a,b\n1,éé\n".encode("latin-1"), 6, {"encoding": "latin-1"}, [], [(2, "too-long", "1,éé")]),
        (b'a,b\n1,"2\n34"\n3,4\n', 9, {}, [["1", "2\n34"], ["3", "4"]], []),
        (b'a,b\n1,"2\n3,4\n5,6"\n', 9, {}, [["3", "4"], ["5", '6"']], [(2, "quote-error", '1,"2')]),
        (b'a,b\n"2""45678\n3,4\n', 9, {}, [["3", "4"]], [(2, "too-long", '"2""45678')]),
        (b'a,b\n"2"456789\n3,4\n', 9, {}, [["3", "4"]], [(2, "too-long", '"2"456789')]),
        (b"a,b\n1,2\\\n345\n3,4\n", 8, {"escape": "\\"}, [["3", "4"]], [(2, "too-long", "1,2\\\n345")]),
        (
            b'a,b\n1,"\\\n\n"x\n3,4\n', 8, {"escape": "\\"}, [["3", "4"]],
            [(2, "quote-error", '1,"\\\n'), (4, "quote-error", '"x')],
        ),
    ],
)  # fmt: skip
def test_long_rows(
    data: bytes, row_bytes: int, dialect: dict[str, Any], rows: list[list[str]], rejects: list[tuple[Any, ...]]
) -> None:
    """A line over the limit is too long; one that opens a quote not closed within the limit is a quote error."""
    found_rows, found = outcome(data, row_bytes, **dialect)
    assert found_rows == rows
    assert [(each.line, each.errors[0][1], each.raw) for each in found] == rejects


def test_raw_of_a_long_row_is_its_beginning() -> None:
    """Of a row over the limit the first 65,536 bytes are kept, less the part of a character that is cut there."""
    data = "a,b\n1,x{}\n".format("é" * 50_000).encode()
    _, (reject,) = outcome(data)
    assert (reject.raw, reject.raw_bytes) == ("1,x" + "é" * 32_766, 100_003)


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        (b'"a"x,b\n1,2\n', {}),
        (b'a,"b\n1,2\n', {}),
        (b"a,\xff\n1,2\n", {}),
        (b'"1"x,2\n1,2\n', {"header": False}),
        (b"aa,bb,cc,dd,ee,ff\n1,2\n", {}),
        (b"a,a,b\n", {}),
    ],
)
def test_headers_that_cannot_be_read(data: bytes, dialect: dict[str, Any]) -> None:
    """A first record that is refused, does not decode or is too long leaves a file without labels."""
    with pytest.raises(BadHeader):
        outcome(data, 12, **dialect)


def test_reject_records_of_other_encodings() -> None:
    """``raw_base64`` is read in the encoding that stands beside it; ``raw`` has to show the same text."""
    record = (
        '{"file":"a.csv","row":1,"line":2,"errors":[{"field":null,"column":null,"code":"encoding-error","message":"",'
        '"value":null}],"raw":"é\ufffd","raw_base64":"6YE=","raw_encoding":"cp1252"}\n'
    )
    assert read_rejects(record.encode()) == [Reject(1, 2, (("", "encoding-error"),), "é\udc81")]
    with pytest.raises(AssertionError):
        read_rejects(record.replace("é", "e").encode())
    long = '{"file":"a.csv","row":1,"line":2,"errors":[],"raw":"ab","raw_bytes":99}\n'
    assert read_rejects(long.encode()) == [Reject(1, 2, (), "ab", 99)]
