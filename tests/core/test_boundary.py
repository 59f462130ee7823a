"""A file read from the middle: the same records, wherever it is divided; and where records are thought to begin."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.boundary import likely_record, middle_of
from engine.core.dialect import Dialect
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.reader import Middle
from engine.errors import FileError
from tests.core.mappings import Case, cases
from tests.core.parts import in_parts, rows_of
from tests.core.passing import pass_through
from tests.core.reading import spelled
from tests.examples import examples

PLACES = st.lists(st.integers(0, 400), max_size=6)


@settings(max_examples=examples(3000))
@given(case=cases(), ends=PLACES, step=st.integers(1, 60), chunk_bytes=st.sampled_from([1, 16, 1 << 21]))
def test_parts_give_what_the_whole_gives(case: Case, ends: list[int], step: int, chunk_bytes: int) -> None:
    """Whatever the mapping and the file, and wherever it is divided, parts give the data, rejects and counts of the
    whole; where the whole fails, so do they."""
    mapping: dict[str, Any] = case.mapping
    try:
        whole = pass_through(case.data, mapping)
    except FileError:
        whole = None
    try:
        found = in_parts(case.data, mapping, ends, step=step, chunk_bytes=chunk_bytes)
    except FileError:
        assert whole is None
        return
    if found is None:
        return
    assert whole is not None
    parts, files = found
    if mapping["output"]["format"] == "parquet":
        assert rows_of(files).equals(rows_of([whole.written]))
    else:
        assert parts.written == whole.written
    assert (parts.rejected, parts.counts) == (whole.rejected, whole.counts)


TOKENS = [b'"', b'"', b",", b",", b"\n", b"\n", b"\r", b"\r\n", b"a", b"b ", b'""', b'","', b'"\n', b"\\", b"\xc3\xa9"]
TOKENS += [b"\xff", b"0123456789", b"\xef\xbb\xbf", b"\0"]
DIALECTS: list[dict[str, Any]] = [
    {},
    {"escape": "\\"},
    {"quote": None},
    {"blank_rows": "error"},
    {"skip_lines": 2},
    {"encoding": "latin-1"},
    {"encoding": "cp1252", "blank_rows": "error"},
]


@settings(max_examples=examples(20_000))
@given(
    drawn=st.binary(max_size=80),
    ends=PLACES,
    step=st.integers(1, 20),
    dialect=st.sampled_from(DIALECTS),
    row_bytes=st.sampled_from([4, 9, 25, 1 << 24]),
)
def test_parts_of_hostile_text(
    drawn: bytes, ends: list[int], step: int, dialect: dict[str, Any], row_bytes: int
) -> None:
    """Quotes anywhere or left open, any line ends, bytes that are no text and rows over the limit change nothing."""
    data = b"x,y\n" * (dialect.get("skip_lines", 0) + 1) + spelled(drawn, TOKENS)
    mapping = {
        "csv": {**dialect, "extra_cells": "ignore"},
        "fields": [{"name": "x", "type": "string"}, {"name": "y", "type": "int"}],
        "on_error": "reject_row",
    }
    limits = Limits(row_bytes=row_bytes)
    try:
        whole = pass_through(data, mapping, limits=limits)
    except FileError:
        return
    found = in_parts(data, mapping, ends, step=step, limits=limits)
    if found is None:
        return  # nothing after the header
    assert (found[0].written, found[0].rejected, found[0].counts) == (whole.written, whole.rejected, whole.counts)


def plan(**section: Any) -> Plan:
    document = {"version": 1, "id": "m", "csv": section, "fields": [{"name": "a", "type": "string"}]}
    return Plan.compile(validate_mapping(document, "test"), Limits())


def test_what_a_head_tells() -> None:
    """Labels and encoding come from the head, a byte order mark included; not from half of a header."""
    assert middle_of(b"a,b\n1", plan()) == Middle(("a", "b"), "utf-8")
    assert middle_of(b"\xef\xbb\xbfa\n1", plan(encoding="latin-1")) == Middle(("a",), "utf-8")
    assert middle_of(b"a;b\n1", plan(encoding="latin-1", delimiter=";")) == Middle(("a", "b"), "iso8859-1")
    assert middle_of(b"", plan(header=["a", "b"])) is None
    assert middle_of(b"1,2\n", plan(header=["a", "b"])) == Middle(("a", "b"), "utf-8")
    assert middle_of(b"a,b", plan()) is None
    assert middle_of(b'a,"b\n', plan()) is None


def test_heads_that_are_no_use() -> None:
    """A header that a run of the whole file refuses, and encodings with more than a byte a character, tell nothing."""
    assert middle_of(b"b,c\n", plan()) is None
    assert middle_of(b'a,"b"x\nc\n', plan()) is None
    assert middle_of("a\n1\n".encode("utf-16"), plan()) is None
    assert middle_of(b"a\n", plan(encoding="shift_jis")) is None


@settings(max_examples=examples(500))
@given(
    rows=st.lists(st.tuples(st.text('ab\n, "é', max_size=12), st.text("xy", max_size=6)), min_size=6, max_size=30),
    share=st.floats(0, 0.6),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_guesses_are_of_a_record(rows: list[tuple[str, str]], share: float, end: str) -> None:
    """In a file that is written as it should be, where it is read from on is where one of its records begins, or the
    place was as good as any: inside quotes or not, the rows after it look the same."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows((*row, "z", "0", "q") for row in rows)
    data = text.getvalue().encode()
    start = int(len(data) * share)
    place = likely_record(data[start:], Dialect(), Middle(tuple("abcde"), "utf-8"))
    assert place is not None
    assert data[: start + place].endswith(b"\n")
    if b'"' not in data:
        assert place == data.index(b"\n", start) - start + 1


def test_guesses_inside_quotes() -> None:
    """A place inside a quoted cell of several lines is told from one outside by the rows after it."""
    row = b'1,"one\ntwo, three\nfour",x\n'
    data = row * 50
    for start in range(len(row), 2 * len(row)):
        place = likely_record(data[start:], Dialect(), Middle(("a", "b", "c"), "utf-8"))
        assert place is not None
        assert (start + place) % len(row) == 0


def test_nothing_to_guess_from() -> None:
    """Where no line ends, or perhaps half of a CRLF does, there is no place."""
    middle = Middle(("a",), "utf-8")
    assert likely_record(b"no line end", Dialect(), middle) is None
    assert likely_record(b"perhaps\r", Dialect(), middle) is None
    assert likely_record(b"one\r\ntwo", Dialect(), middle) == 5
