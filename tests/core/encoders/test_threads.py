"""Encoders of different threads share nothing but the columns they are given."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.core.encoders.typed import FIELDS, columns_of, encode_all, extreme_rows, format_of, pieces_of


@pytest.mark.parametrize(
    ("format_", "compression"), [("jsonl", None), ("jsonl", "zstd"), ("csv", "gzip"), ("parquet", None)]
)
def test_threads_write_the_same_file(format_: str, compression: str | None) -> None:
    """Four threads that write the same rows at the same time, each several files at once, all write the same bytes."""
    rows = [row for row in extreme_rows() if all(not hasattr(cell, "__len__") or len(cell) < 1000 for cell in row)]
    columns = columns_of(FIELDS, rows * 5)
    cuts = range(0, len(rows) * 5, 9)
    expected = encode_all(format_of(format_, compression, FIELDS), FIELDS, rows * 5)
    together = threading.Barrier(4)

    def write(_: int) -> list[bytes]:
        output = format_of(format_, compression, FIELDS)  # a thread's own, as its plan is
        together.wait(60)
        return [b"".join(pieces_of(output.open(), columns, cuts)) for _ in range(5)]

    with ThreadPoolExecutor(4) as threads:
        assert {data for files in threads.map(write, range(4)) for data in files} == {expected}
