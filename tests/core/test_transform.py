"""A whole file through the pure core gives the oracle's rows and rejects, whatever the pieces it comes in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data import Activity, activity_mapping, build
from engine.core.transform import Counts
from engine.errors import HeaderError
from tests.core.passing import pass_through
from tests.examples import examples
from tests.oracle import expect, read_jsonl, read_rejects


def run(
    data: bytes, mapping: dict[str, Any], cuts: Iterable[int] = (), chunk_bytes: int = 4096
) -> tuple[bytes, bytes, Counts]:
    passed = pass_through(data, mapping, cuts, chunk_bytes=chunk_bytes)
    return passed.written, passed.rejected, passed.counts


def check(data: bytes, mapping: dict[str, Any], cuts: Iterable[int] = (), chunk_bytes: int = 4096) -> Counts:
    written, rejected, counts = run(data, mapping, cuts, chunk_bytes)
    expected = expect(data, mapping)
    assert read_jsonl(written) == expected.rows
    assert read_rejects(rejected) == expected.rejects
    assert (counts.rows_read, counts.rows_written, counts.rows_rejected) == (
        len(expected.rows) + len(expected.rejects),
        len(expected.rows),
        len(expected.rejects),
    )
    return counts


@pytest.mark.parametrize(
    "activity",
    [
        Activity(rows=3000, seed=2),
        Activity(rows=3000, seed=3, corrupt=0.02, newlines=0.1),
        Activity(rows=1000, seed=4, corrupt=0.3, newlines=0.3, crlf=True, bom=True),
        Activity(rows=100, seed=5, corrupt=1.0),
    ],
    ids=["clean", "some corrupted", "crlf, bom, many corrupted", "all corrupted"],
)
@pytest.mark.parametrize("chunk_bytes", [1, 10_000, 1_048_576])
def test_activity_files(activity: Activity, chunk_bytes: int) -> None:
    """Realistic files give the oracle's rows and rejects; the planted errors, and only they, are rejected."""
    data, corrupted = build(activity)
    counts = check(data, activity_mapping(), range(1000, len(data), 7919), chunk_bytes)
    assert counts.rows_rejected == len(corrupted)
    rejects = read_rejects(run(data, activity_mapping(), (), chunk_bytes)[1])
    assert [(reject.row, reject.line, [code for _, code in reject.errors]) for reject in rejects] == [
        (planted.row, planted.line, [planted.code]) for planted in corrupted
    ]


MAPPING: dict[str, Any] = {
    "version": 1,
    "id": "all-types",
    "csv": {"null_values": ["", "NULL"]},
    "fields": [
        {"name": "s", "type": "string"},
        {"name": "i", "type": "int", "required": True},
        {"name": "f", "type": "float"},
        {"name": "b", "type": "bool"},
        {"name": "t", "type": "timestamp"},
        {"name": "u", "type": "uuid"},
        {"name": "j", "type": "json"},
        {"name": "again", "from": "i", "type": "string"},
    ],
}
CELLS = {
    "s": st.text(max_size=8),
    "i": st.one_of(st.integers(-5, 5).map(str), st.sampled_from(["", "NULL", "x", "+1", "9" * 19])),
    "f": st.one_of(st.floats(allow_nan=False).map(repr), st.sampled_from(["", "1e400", "1,5"])),
    "b": st.sampled_from(["true", "N", "", "perhaps"]),
    "t": st.one_of(st.datetimes().map(str), st.sampled_from(["", "2026-11-22T10:11:12+01:00", "soon"])),
    "u": st.one_of(st.uuids().map(str), st.just("NULL"), st.just("0")),
    "j": st.sampled_from(['{"a": "b,\\n", "a": 2}', "[1.50]", "", "{", "1,[2", "3]", '"\u2028"']),
}


def _csv(rows: list[list[str]], end: str) -> bytes:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [list(CELLS), *rows]]
    return end.join(quoted).encode("utf-8", "surrogatepass")


@settings(max_examples=examples(300), deadline=None)
@given(
    rows=st.lists(st.tuples(*CELLS.values()).map(list), max_size=15),
    end=st.sampled_from(["\n", "\r\n"]),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    chunk_bytes=st.integers(1, 300),
)
def test_generated_files(rows: list[list[str]], end: str, cuts: list[int], chunk_bytes: int) -> None:
    """Files of all types with good and bad cells, nulls and control characters give the oracle's rows and rejects."""
    data = _csv(rows, end)
    check(data, MAPPING, [cut for cut in cuts if cut < len(data)], chunk_bytes)


def test_all_errors_of_a_row() -> None:
    """A reject names every bad field of its row, with the column it came from and the cell's text."""
    data = b"s,i,f,b,t,u,j\na,x,1e999,perhaps,soon,0,{\n"
    _, rejected, _ = run(data, MAPPING)
    record = json.loads(rejected)
    assert {key: record[key] for key in ("file", "row", "line", "raw")} == {
        "file": "f.csv", "row": 1, "line": 2, "raw": "a,x,1e999,perhaps,soon,0,{",
    }  # fmt: skip
    assert [(error["field"], error["column"], error["code"], error["value"]) for error in record["errors"]] == [
        ("i", "i", "type-error", "x"),
        ("f", "f", "type-error", "1e999"),
        ("b", "b", "type-error", "perhaps"),
        ("t", "t", "type-error", "soon"),
        ("u", "u", "type-error", "0"),
        ("j", "j", "type-error", "{"),
    ]


def test_raw_bytes_of_an_undecodable_row_are_kept() -> None:
    """The reject of a row that is not UTF-8 carries its exact bytes, so that nothing of it is lost."""
    import base64

    _, rejected, _ = run(b"s,i,f,b,t,u,j\n\xff\xfe,1,,,,,\n", MAPPING)
    record = json.loads(rejected)
    assert base64.b64decode(record["raw_base64"]) == b"\xff\xfe,1,,,,,"
    assert record["raw"] == "\ufffd\ufffd,1,,,,,"


@pytest.mark.parametrize(
    ("header", "where"),
    [
        (b"s,i,f,b,t,u\n", "no column 'j'"),
        (b"S,i,f,b,t,u,j\n", "no column 's' (did you mean"),
        (b"s,i,f,b,t,u,j,j\n", "2 columns 'j'"),
    ],
)
def test_header_errors(header: bytes, where: str) -> None:
    """A missing column, or one that stands twice, is a header-error that names it and the labels there are."""
    with pytest.raises(HeaderError) as caught:
        run(header + b"1\n", MAPPING)
    assert where in caught.value.message
    assert "the header has 's'" in caught.value.message or "the header has 'S'" in caught.value.message


def test_a_header_error_is_no_longer_than_its_reader() -> None:
    """Of thousands of labels, and of one that never ends, an error names the beginning."""
    with pytest.raises(HeaderError) as caught:
        run(b"x" * 100_000 + b"".join(b",c%d" % place for place in range(5_000)) + b"\n", MAPPING)
    assert len(caught.value.message) < 2_000
    assert caught.value.message.endswith("and 4,981 more")


@pytest.mark.parametrize("data", [b"", b"\n", b"s,i,f,b,t,u,j", b"s,i,f,b,t,u,j\n"])
def test_files_without_rows(data: bytes) -> None:
    """An empty file and a lone header are valid and give nothing."""
    assert run(data, MAPPING) == (b"", b"", Counts())
