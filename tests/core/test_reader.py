"""The reader of CSV files: ordinary files in any pieces, labels, places, and what costs a row or the file."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.limits import MAX_COLUMNS, Limits
from engine.core.reader import CsvReader
from engine.errors import HeaderError
from tests.core.passing import pass_through
from tests.core.reading import cuts, read, reference
from tests.examples import examples

CELL = st.one_of(
    st.text("ab é\u2028", max_size=4),
    st.text('a",\n\r', max_size=5).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.sampled_from(['5" pipe', 'a"', '"x\n"', '""', '"\r\n\r\n"', "\0"]),
)
LINE_END = st.sampled_from(["\n", "\r\n", "\n", "\n\n", "\r\n\r\n"])
FILES = st.builds(
    lambda bom, rows, last: (bom + "".join(",".join(cells) + end for cells, end in rows) + last).encode(),
    st.sampled_from(["", "", "\ufeff"]),
    st.lists(st.tuples(st.lists(CELL, min_size=1, max_size=4), LINE_END), max_size=12),
    st.sampled_from(["", "a,b", "x", '"q"', '"a\nb",c']),
)


@settings(max_examples=examples(1500), deadline=None)
@given(
    data=FILES, step=st.integers(0, 20), chunk_bytes=st.integers(1, 64), blank_rows=st.sampled_from(["skip", "error"])
)
@example(data=b'a,b\n1,5" pipe\n2,"x\ny"\n3,"z"\n', step=15, chunk_bytes=8, blank_rows="skip")
@example(data=b'a\n"x\n"\n"', step=0, chunk_bytes=1, blank_rows="skip")
@example(data=b'a\n\n""\n\r\n', step=0, chunk_bytes=64, blank_rows="error")
def test_files_that_are_mostly_right(data: bytes, step: int, chunk_bytes: int, blank_rows: str) -> None:
    """Labels, row numbers, lines, cells, ragged and blank rows are csv.reader's, whatever the pieces and chunk size."""
    found = read(data, cuts(len(data), step, step), chunk_bytes=chunk_bytes, blank_rows=blank_rows)
    assert found == reference(data, blank_rows=blank_rows)


@settings(max_examples=examples(300), deadline=None)
@given(data=FILES)
def test_raw_text_is_the_row_again(data: bytes) -> None:
    """Each row's raw text, read by itself, gives the row's cells."""
    for _, _, cells, raw in read(data).rows:
        if isinstance(cells, list):
            assert list(csv.reader(io.StringIO(raw, newline=""), strict=True)) == [cells]


@pytest.mark.parametrize("cells", [["y" * 12], ["y" * 12, "z" * 12], ["é" * 8, "y" * 30, "12345678"]])
@pytest.mark.parametrize("odd", ["\0", "yy\0", "\0y\0é", '"\0"', '"y\0,\0\n\0"'])
def test_nul_hides_nothing(cells: list[str], odd: str) -> None:
    """A NUL deep in a long chunk is a character like any other: the separator and the line end after it count."""
    width, usual = len(cells), ",".join(cells) + "\n"
    rows = 1_000_000 // len(usual.encode())
    for place in range(width):
        changed = [*cells[:place], odd, *cells[place + 1 :]]
        text = usual * rows + ",".join(changed) + "\n" + usual * 3
        reader = CsvReader(
            Dialect(), header=cells, bind=lambda labels: range(len(labels)), null_values=[], limits=Limits(),
            chunk_bytes=4_000_000,
        )  # fmt: skip
        chunks = [placed.chunk for placed in (*reader.feed(text.encode()), *reader.finish())]
        assert (sum(chunk.rows for chunk in chunks), [row for chunk in chunks for row in chunk.aside]) == (rows + 4, [])
        columns = [
            pa.chunked_array([chunk.columns[column] for chunk in chunks]).slice(rows - 1, 3).to_pylist()
            for column in range(width)
        ]
        wanted = [cells, [cell.strip('"') for cell in changed], cells]
        assert [list(row) for row in zip(*columns, strict=True)] == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_every_split(encoding: str) -> None:
    """A file with a mark, CRLF, quoted newlines and multi-byte characters reads the same split at any byte."""
    text = 'id,text\r\n1,"zwei\r\nZeilen"\r\n2,"é ""x"""\r\n\r\n3,\u20ac\r\n'
    data = (text if encoding == "gb18030" else "\ufeff" + text).encode(encoding)
    whole = read(data, encoding=encoding)
    assert whole.outcomes == [["1", "zwei\r\nZeilen"], ["2", 'é "x"'], ["3", "\u20ac"]]
    for cut in range(len(data)):
        assert read(data, [cut], chunk_bytes=1, encoding=encoding) == whole


@pytest.mark.parametrize(
    ("data", "labels", "rows"),
    [
        (b"", [], []),
        (b"\n\r\n", [], []),
        (b"\xef\xbb\xbf", [], []),
        (b"a,b", ["a", "b"], []),
        (b"a,b\n", ["a", "b"], []),
        (b"a,b\r\n1,2", ["a", "b"], [["1", "2"]]),
        (b"a\n\n\n1\n", ["a"], [["1"]]),
        (b'"a\nb",c\n1,2\n', ["a\nb", "c"], [["1", "2"]]),
    ],
)
def test_small_files(data: bytes, labels: list[str], rows: list[list[str]]) -> None:
    """Empty files, lone headers and a missing last newline are valid."""
    found = read(data)
    assert (found.labels, found.outcomes) == (labels, rows)


def test_given_and_numbered_labels() -> None:
    """Without a header in the file its first record is a row; labels are the given ones, or the columns' numbers."""
    assert read(b"1,2\n3,4\n", header=["a", "b"]).labels == ["a", "b"]
    assert read(b"", header=["a", "b"]).labels == ["a", "b"]
    numbered = read(b"\xef\xbb\xbf1,2\n3,4\n", header=False)
    assert numbered.labels == ["1", "2"]
    assert [row[:3] for row in numbered.rows] == [(1, 1, ["1", "2"]), (2, 2, ["3", "4"])]


@pytest.mark.parametrize("header", [True, False])
def test_a_file_has_so_many_columns(header: bool) -> None:
    """As many columns as are allowed are read; of one with more the file fails, rather than keep millions of labels."""

    def started(columns: int) -> list[str]:
        found: list[str] = []

        def bind(labels: list[str]) -> tuple[int, ...]:
            found.extend(labels)
            return (0,)

        reader = CsvReader(Dialect(), header=header, bind=bind, null_values=[], limits=Limits())
        assert not list(reader.feed(b"x" + b"," * (columns - 1) + b"\n"))
        list(reader.finish())
        return found

    assert len(started(MAX_COLUMNS)) == MAX_COLUMNS
    with pytest.raises(HeaderError, match="65,537 columns"):
        started(MAX_COLUMNS + 1)


def test_lines_before_the_header() -> None:
    """``skip_lines`` lines are passed over, whatever is on them; lines are counted from the first all the same."""
    found = read(b'"Report\r\n\r\na,b\r\n1,2\r\n', header=True, skip_lines=2)
    assert (found.labels, found.rows) == (["a", "b"], [(1, 4, ["1", "2"], "1,2")])


@pytest.mark.parametrize("chunk_bytes", [1, 1000])
def test_bad_bytes_cost_their_row(chunk_bytes: int) -> None:
    """A byte that is not UTF-8 sets its own row aside; the others are read."""
    found = read(b'a,b\n1,\xff\n2,ok\n"\n",\xe9\n3,ok\n', chunk_bytes=chunk_bytes)
    assert [row[:3] for row in found.rows] == [
        (1, 2, "encoding-error"),
        (2, 3, ["2", "ok"]),
        (3, 4, "encoding-error"),
        (4, 6, ["3", "ok"]),
    ]


@pytest.mark.parametrize(
    ("data", "encoding", "words"),
    [
        (b"a,b\n1,2\n1,\xc3\xa9\xff\n", "utf-8", ["0xff", "offset 4"]),
        (b"a,b\n1,2\n1,\xe9\x81\n", "cp1252", ["0x81", "offset 3"]),
        ("a,b\n1,2\n1,".encode("utf-16-be") + b"\xdc\x00\x00\n", "utf-16-be", ["0xdc", "offset 4"]),
    ],
)
def test_bad_bytes_are_named(data: bytes, encoding: str, words: list[str]) -> None:
    """The message of a row that does not decode names the byte and its offset in the row, in bytes of the source."""
    mapping: dict[str, Any] = {"csv": {"encoding": encoding}, "fields": [{"name": "a", "type": "int"}]}
    (reject,) = pass_through(data, mapping).rejects
    (error,) = reject["errors"]
    assert (reject["line"], error["code"]) == (3, "encoding-error")
    assert [word for word in words if word not in error["message"]] == []


def test_unclosed_quote_costs_its_first_line() -> None:
    """A quote that is never closed sets the line aside where its row began; the lines after it are read as rows."""
    assert [row[:3] for row in read(b'a,b\n1,2\n"x,3\n4,5\n6,7').rows] == [
        (1, 2, ["1", "2"]),
        (2, 3, "quote-error"),
        (3, 4, ["4", "5"]),
        (4, 5, ["6", "7"]),
    ]


@pytest.mark.parametrize("chunk_bytes", [1, 100, 100_000])
def test_long_record_costs_its_first_line(chunk_bytes: int) -> None:
    """A line over limits.row_bytes is too long; a record that goes over it in later lines has a quote left open."""
    data = b'a,b\n1,2\n3,"' + b"x" * 5000 + b'"\n4,"y\n' + b"5,6\n" * 300 + b'"\n7,8\n'
    found = read(data, range(100, len(data), 100), chunk_bytes=chunk_bytes, row_bytes=1000)
    bad = [(line, outcome) for _, line, outcome, _ in found.rows if isinstance(outcome, str)]
    assert bad == [(3, "too-long"), (4, "quote-error"), (305, "quote-error")]
    assert found.rows[-1][:3] == (305, 306, ["7", "8"])


@pytest.mark.parametrize("data", [b"a,\xff\n1,2\n", b'a,"b\n1,2\n', b'"a"b,c\n1,2\n', b"a" * 2000 + b"\n1\n"])
def test_headers_that_cannot_be_read(data: bytes) -> None:
    """A header that does not decode, has a quote that is wrong, or is over the limit fails the file."""
    assert read(data, row_bytes=1000).bad_header
    assert read(data, range(1, 100), chunk_bytes=1, row_bytes=1000).bad_header
