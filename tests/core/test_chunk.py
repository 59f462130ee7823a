"""Rows that cannot become part of a chunk's columns, where Arrow or the columns themselves are in the way."""

from __future__ import annotations

import pytest

from engine.core.chunk import parse_chunk
from engine.core.framing import Dialect


@pytest.mark.parametrize("wanted", [(), (0,), (0, 1)])
def test_ragged_rows_that_are_not_text(wanted: tuple[int, ...]) -> None:
    """A row may be ragged and not UTF-8 at once: it is ragged, and its neighbours are what they are."""
    data = b"1,a\n2,\xff,x\n\xc3\n3,caf\xe9\n4,\xc3\xa9\n"
    chunk = parse_chunk(data, Dialect(), 2, wanted, ())
    assert [(row.ordinal, row.code) for row in chunk.aside] == [
        (1, "extra-cell"), (2, "missing-cell"), (3, "encoding-error"),
    ]  # fmt: skip
    assert (chunk.data, chunk.rows, chunk.ordinals(range(chunk.height))) == (data, 5, [0, 4])
    assert [column.to_pylist() for column in chunk.columns.values()] == [["1", "4"], ["a", "é"]][: len(wanted)]


def test_bad_bytes_on_both_sides_of_a_lone_carriage_return() -> None:
    """Each row that is not UTF-8 is found, whichever line end parts it from the one before."""
    chunk = parse_chunk(b'1,\xff\r2,\xff\r\n3,"\xff\r\xff"\n4,x\r5,\xff\n', Dialect(), 2, (1,), ())
    assert [(row.ordinal, row.code) for row in chunk.aside] == [(row, "encoding-error") for row in (0, 1, 2, 4)]
    assert chunk.columns[1].to_pylist() == ["x"]


@pytest.mark.parametrize("wanted", [(), (1,)])
def test_blank_rows_beside_no_columns(wanted: tuple[int, ...]) -> None:
    """Blank rows that count are set aside also where the mapping reads no column at all."""
    chunk = parse_chunk(b"1,a\n\n2,b\n", Dialect(blank_rows=True), 2, wanted, ())
    assert [(row.ordinal, row.code) for row in chunk.aside] == [(1, "blank-row")]
    assert (chunk.rows, chunk.ordinals(range(chunk.height))) == (3, [0, 2])
