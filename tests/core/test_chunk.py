"""Rows that cannot become part of a chunk's columns, where Arrow or the columns themselves are in the way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.chunk import Chunk, Shape
from engine.core.chunk import parse_chunk as parse
from engine.core.dialect import Dialect
from engine.core.framing import frame
from tests.examples import examples


def parse_chunk(data: bytes, width: int, wanted: tuple[int, ...], *, blank_rows: bool = False) -> Chunk:
    """What a whole file's records become."""
    dialect = Dialect(blank_rows=blank_rows)
    return parse(frame(data, dialect, len(data), final=True), Shape(width, wanted, ()), width)


@pytest.mark.parametrize("wanted", [(), (0,), (0, 1)])
def test_ragged_rows_that_are_not_text(wanted: tuple[int, ...]) -> None:
    """A row may be ragged and not UTF-8 at once: it is ragged, and its neighbours are what they are."""
    data = b"1,a\n2,\xff,x\n\xc3\n3,caf\xe9\n4,\xc3\xa9\n"
    chunk = parse_chunk(data, 2, wanted)
    assert [(row.ordinal, row.code) for row in chunk.aside] == [
        (1, "extra-cell"), (2, "missing-cell"), (3, "encoding-error"),
    ]  # fmt: skip
    assert (chunk.frame.data, chunk.rows, chunk.ordinals(range(chunk.height))) == (data, 5, [0, 4])
    assert [column.to_pylist() for column in chunk.columns.values()] == [["1", "4"], ["a", "é"]][: len(wanted)]


def test_bad_bytes_on_both_sides_of_a_lone_carriage_return() -> None:
    """Each row that is not UTF-8 is found, whichever line end parts it from the one before."""
    chunk = parse_chunk(b'1,\xff\r2,\xff\r\n3,"\xff\r\xff"\n4,x\r5,\xff\n', 2, (1,))
    assert [(row.ordinal, row.code) for row in chunk.aside] == [(row, "encoding-error") for row in (0, 1, 2, 4)]
    assert chunk.columns[1].to_pylist() == ["x"]


@pytest.mark.parametrize("wanted", [(), (1,)])
def test_blank_rows_beside_no_columns(wanted: tuple[int, ...]) -> None:
    """Blank rows that count are set aside also where the mapping reads no column at all."""
    chunk = parse_chunk(b"1,a\n\n2,b\n", 2, wanted, blank_rows=True)
    assert [(row.ordinal, row.code) for row in chunk.aside] == [(1, "blank-row")]
    assert (chunk.rows, chunk.ordinals(range(chunk.height))) == (3, [0, 2])


@given(
    rows=st.lists(
        st.lists(st.sampled_from([b"x" * 200, "é".encode(), "€".encode(), b"\xff", b"\xe2\x82", b"\xc3"]), max_size=9),
        min_size=1,
        max_size=9,
    )
)
@settings(max_examples=examples(200), deadline=None)
def test_rows_with_bad_bytes_are_those_that_do_not_decode(rows: list[list[bytes]]) -> None:
    """However many bad bytes a row has and whatever stands between them, it is set aside for the first of them."""
    texts = [b"-" + b"".join(row) for row in rows]
    chunk = parse_chunk(b"".join(text + b"\n" for text in texts), 1, (0,))
    expected: list[tuple[int, str]] = []
    for ordinal, text in enumerate(texts):
        try:
            text.decode()
        except UnicodeDecodeError as error:
            what = f"byte 0x{text[error.start]:02x} at offset {error.start} of the row is not UTF-8"
            expected.append((ordinal, what))
    assert [(row.ordinal, row.message) for row in chunk.aside] == expected
    whole = [text.decode() for ordinal, text in enumerate(texts) if ordinal not in dict(expected)]
    assert chunk.columns[0].to_pylist() == whole
