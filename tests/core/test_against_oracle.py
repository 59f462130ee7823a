"""Any mapping over any file: the engine writes, rejects, counts and fails as the oracle says, in every format.

The oracle was written from the contract alone and shares no code with the engine.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.limits import Limits
from engine.errors import BudgetExceeded, HeaderError, RowRefused
from tests.core.mappings import Case, cases
from tests.core.passing import pass_through
from tests.examples import examples
from tests.oracle import BadHeader, Expected, Json, expect, read_jsonl, read_rejects, text_of


@settings(max_examples=examples(1000), deadline=None)
@given(
    case=cases(),
    cuts=st.lists(st.integers(0, 600), max_size=3),
    chunk_bytes=st.integers(1, 300),
    cell_bytes=st.sampled_from([8_388_608, 8_388_608, 20]),
    row_bytes=st.sampled_from([16_777_216, 16_777_216, 150, 40]),
)
def test_any_mapping_over_any_file(
    case: Case, cuts: list[int], chunk_bytes: int, cell_bytes: int, row_bytes: int
) -> None:
    """Every field of every written row, every reject with its place, text and codes, the counts, or the failure."""
    limits = Limits(cell_bytes=cell_bytes, row_bytes=row_bytes)
    run = partial(pass_through, case.data, case.mapping, cuts, chunk_bytes=chunk_bytes, limits=limits)
    try:
        expected = expect(case.data, case.mapping, cell_bytes=cell_bytes, row_bytes=row_bytes)
    except BadHeader:
        with pytest.raises(HeaderError):
            run()
        return
    if expected.failed is not None:
        with pytest.raises((RowRefused, BudgetExceeded)) as caught:
            run()
        assert (caught.value.code, caught.value.row) == (expected.failed.code, expected.failed.row)
        if expected.failed.line is not None:
            assert caught.value.message.startswith(f"line {expected.failed.line}: ")
        return
    passed = run()
    _check_rows(passed.written, expected, case.mapping)
    assert read_rejects(passed.rejected) == expected.rejects
    counts = passed.counts
    assert (counts.rows_read, counts.rows_written, counts.rows_rejected, counts.cells_nulled, counts.codes) == (
        expected.rows_read, len(expected.values), len(expected.rejects), expected.nulled, expected.codes,
    )  # fmt: skip


def _check_rows(written: bytes, expected: Expected, mapping: dict[str, Any]) -> None:
    match mapping["output"]["format"]:
        case "jsonl":
            assert read_jsonl(written) == expected.rows
        case "csv":
            found = list(csv.DictReader(io.StringIO(written.decode(), newline="")))
            floats = [rule["name"] for rule in mapping["fields"] if rule["type"] == "float"]
            assert [_numbers(row, floats) for row in found] == [
                _numbers({name: text_of(value) or "" for name, value in row.items()}, floats) for row in expected.values
            ]
        case _:
            table = pq.read_table(io.BytesIO(written)).to_pylist()
            assert [[_typed(value) for value in row.values()] for row in table] == [
                [_typed(value) for value in row.values()] for row in expected.values
            ]


def _numbers(row: dict[str, str], floats: list[str]) -> dict[str, str]:
    """Floats as their bits: which of several texts of a number is written is not compared."""
    return row | {name: float(row[name]).hex() for name in floats if row[name]}


def _typed(value: Any) -> tuple[str, str]:
    """A value with its exact type and digits."""
    if isinstance(value, datetime):
        return "timestamp", value.astimezone(UTC).isoformat()
    return type(value).__name__ if not isinstance(value, Json) else "str", str(
        text_of(value) if isinstance(value, Json) else value
    )
