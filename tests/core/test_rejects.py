"""Reject records that are counted from another row and line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.rejects import CellError, moved, reject_records
from engine.core.rows import SourceRow

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['\n{"file":"f","row":1,"line":2', '{"file":"a.csv","row":3,"line":4,"errors":[]}\n', "\r\n", "\\1"]
)
ROWS = st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**12), TEXTS), min_size=1, max_size=5)


def records(file: str, rows: list[tuple[int, int, str]], *, more_rows: int = 0, more_lines: int = 0) -> bytes:
    errors: list[CellError] = [
        {"field": "x", "column": "x", "code": "type-error", "message": '"row":1,"line":1', "value": '\n"row":5'}
    ]
    return reject_records(
        (SourceRow(file, row + more_rows, line + more_lines, text.encode()), errors) for row, line, text in rows
    )


@given(TEXTS, ROWS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_moved_records_are_those_of_another_place(
    file: str, rows: list[tuple[int, int, str]], more_rows: int, more_lines: int
) -> None:
    """Nothing but row and line changes, whatever file, texts and messages look like."""
    expected = records(file, rows, more_rows=more_rows, more_lines=more_lines)
    assert moved(records(file, rows), file, rows=more_rows, lines=more_lines) == expected


def test_nothing_to_move() -> None:
    """No records stay none, and records that nothing comes before are as they were."""
    some = records("f", [(1, 2, "x")])
    assert moved(b"", "f", rows=1, lines=1) == b""
    assert moved(some, "f", rows=0, lines=0) is some
