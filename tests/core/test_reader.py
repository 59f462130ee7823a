"""CSV in any pieces becomes the same rows, at the same places, as Python's csv.reader over the whole file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.limits import Limits
from engine.core.reader import CsvReader
from engine.core.rows import RowIndex
from engine.errors import FileError, HeaderError
from tests.examples import examples

LIMITS = Limits()
DIALECT = Dialect()


def read(data: bytes, pieces: Sequence[int] = (), *, chunk_bytes: int = 16, header: bool | list[str] = True,
         limits: Limits = LIMITS, dialect: Dialect = DIALECT
         ) -> tuple[list[str], list[tuple[int, int, list[str] | str, bytes]]]:  # fmt: skip
    """The labels, and each row: its number, its line, its cells or its error code, its raw text."""
    labels: list[str] = []

    def bind(found: list[str]) -> range:
        labels.extend(found)
        return range(len(found))

    reader = CsvReader(dialect, header=header, bind=bind, null_values=[], limits=limits, chunk_bytes=chunk_bytes)
    placed = []
    start = 0
    for cut in [*sorted(min(piece, len(data)) for piece in pieces), len(data)]:
        placed += list(reader.feed(data[start:cut]))
        start = cut
    placed += list(reader.finish())
    rows: list[tuple[int, int, list[str] | str, bytes]] = []
    for each in placed:
        chunk = each.chunk
        index = RowIndex(chunk.data, dialect, chunk.rows)
        outcome: dict[int, list[str] | str] = {row.ordinal: row.code for row in chunk.aside}
        for row, ordinal in enumerate(chunk.ordinals(range(chunk.height))):
            outcome[ordinal] = [chunk.columns[place][row].as_py() for place in range(len(labels))]
        for ordinal in range(chunk.rows):
            place = index.source(ordinal)
            rows.append((each.first_row + ordinal, each.first_line + place.line, outcome[ordinal], place.raw))
    return labels, rows


def oracle(data: bytes, *, blank_rows: bool = False) -> tuple[list[str], list[tuple[int, int, list[str] | str]]]:
    """The same from csv.reader over the whole text, strict; raises csv.Error where it does."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    labels: list[str] = []
    rows: list[tuple[int, int, list[str] | str]] = []
    before = 0
    for cells in reader:
        line, before = before + 1, reader.line_num
        if not cells and not (blank_rows and labels):
            continue
        if not labels:
            labels = cells
        elif not cells:
            rows.append((len(rows) + 1, line, "blank-row"))
        elif len(cells) == len(labels):
            rows.append((len(rows) + 1, line, cells))
        else:
            rows.append((len(rows) + 1, line, "extra-cell" if len(cells) > len(labels) else "missing-cell"))
    return labels, rows


PIECES = st.lists(st.integers(0, 80), max_size=6)
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
@given(data=FILES, pieces=PIECES, chunk_bytes=st.integers(1, 64), blank_rows=st.booleans())
@example(data=b'a,b\n1,5" pipe\n2,"x\ny"\n3,"z"\n', pieces=[15], chunk_bytes=8, blank_rows=False)
@example(data=b'a\n"x\n"\n"', pieces=[], chunk_bytes=1, blank_rows=False)
@example(data=b'a\n\n""\n\r\n', pieces=[], chunk_bytes=64, blank_rows=True)
def test_equals_csv_reader(data: bytes, pieces: list[int], chunk_bytes: int, blank_rows: bool) -> None:
    """Labels, row numbers, lines, cells, ragged and blank rows are csv.reader's, whatever the pieces and chunk size."""
    try:
        labels, rows = oracle(data, blank_rows=blank_rows)
    except csv.Error:
        return  # what becomes of text that it refuses is told by the tests below
    found_labels, found = read(data, pieces, chunk_bytes=chunk_bytes, dialect=Dialect(blank_rows=blank_rows))
    assert found_labels == labels
    assert [row[:3] for row in found] == rows


@settings(max_examples=examples(300), deadline=None)
@given(data=FILES)
def test_raw_text_is_the_row_again(data: bytes) -> None:
    """Each row's raw text, read by itself, gives the row's cells."""
    _, found = read(data)
    for _, _, cells, raw in found:
        if isinstance(cells, list):
            parsed = list(csv.reader(io.StringIO(raw.decode(), newline="")))
            assert parsed == [cells]


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
            Dialect(), header=cells, bind=lambda labels: range(len(labels)), null_values=[], limits=LIMITS,
            chunk_bytes=4_000_000,
        )  # fmt: skip
        (placed,) = [*reader.feed(text.encode()), *reader.finish()]
        assert (placed.chunk.rows, list(placed.chunk.aside)) == (rows + 4, [])
        columns = [placed.chunk.columns[column].slice(rows - 1, 3).to_pylist() for column in range(width)]
        wanted = [cells, [cell.strip('"') for cell in changed], cells]
        assert [list(row) for row in zip(*columns, strict=True)] == wanted


@pytest.mark.parametrize("cut", range(60))
def test_every_split(cut: int) -> None:
    """A file with BOM, CRLF, quoted newlines and multi-byte characters reads the same split at any byte."""
    data = '\ufeffid,text\r\n1,"zwei\r\nZeilen"\r\n2,"é ""x"""\r\n\r\n3,\u20ac\r\n'.encode()
    assert read(data, [cut], chunk_bytes=1) == read(data)


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
    found_labels, found = read(data)
    assert found_labels == labels
    assert [row[2] for row in found] == rows


def test_given_and_numbered_labels() -> None:
    """Without a header in the file its first record is a row; labels are the given ones, or the columns' numbers."""
    assert read(b"1,2\n3,4\n", header=["a", "b"])[0] == ["a", "b"]
    labels, rows = read(b"\xef\xbb\xbf1,2\n3,4\n", header=False)
    assert labels == ["1", "2"]
    assert [row[:3] for row in rows] == [(1, 1, ["1", "2"]), (2, 2, ["3", "4"])]


def test_bad_utf8_costs_its_row() -> None:
    """A byte that is not UTF-8 sets its own row aside, and the message names the byte; the others are read."""
    _, rows = read(b'a,b\n1,\xff\n2,ok\n"\n",\xe9\n3,ok\n', chunk_bytes=1000)
    assert [(row, line, outcome) for row, line, outcome, _ in rows] == [
        (1, 2, "encoding-error"),
        (2, 3, ["2", "ok"]),
        (3, 4, "encoding-error"),
        (4, 6, ["3", "ok"]),
    ]


def test_unclosed_quote_costs_its_first_line() -> None:
    """A quote that is never closed sets the line aside where its row began; the lines after it are read as rows."""
    _, rows = read(b'a,b\n1,2\n"x,3\n4,5\n6,7')
    assert [(row, line, outcome) for row, line, outcome, _ in rows] == [
        (1, 2, ["1", "2"]),
        (2, 3, "quote-error"),
        (3, 4, ["4", "5"]),
        (4, 5, ["6", "7"]),
    ]


def test_long_record_is_an_error_that_says_where() -> None:
    """A record over limits.row_bytes ends the file with its line named, before it is held in memory whole."""
    data = b'a\n1\n"' + b"x" * 5000
    with pytest.raises(FileError, match=r"line 3 .*limits\.row_bytes \(1000 bytes\)"):
        read(data, range(0, 5000, 100), limits=Limits(row_bytes=1000))


def test_header_that_is_not_utf8() -> None:
    """A header that cannot be decoded is a header-error."""
    with pytest.raises(HeaderError):
        read(b"a,\xff\n1,2\n")
