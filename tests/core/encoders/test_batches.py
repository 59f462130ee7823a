"""Text encoders: what batches the rows come in does not show in the file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.encoders.typed import FIELDS, columns_of, encode_all, format_of, pieces_of, values_of
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
@settings(max_examples=examples(200))
@given(rows=st.lists(st.tuples(*(values_of(kind) for _, kind in FIELDS)), max_size=8), data=st.data())
def test_batches_do_not_show(format_: str, rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """The same rows give the same bytes, whatever batches they come in. (Parquet has row groups: see its tests.)"""
    columns = columns_of(FIELDS, rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    output = format_of(format_, None, FIELDS)
    assert b"".join(pieces_of(output.open(), columns, cuts)) == encode_all(output, FIELDS, rows)
