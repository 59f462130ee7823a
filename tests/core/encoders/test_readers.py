"""Readers that nobody here wrote, Arrow's, DuckDB and Polars, read every format and agree cell by cell.

The last two run in a process of their own, on the build that has wheels of them.
"""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.csv
import pyarrow.json
import pytest

from engine.core.encoders.parquet import parquet_schema
from engine.core.fieldtypes import parse_type
from tests.core.encoders.outside import expected_cell, read
from tests.core.encoders.typed import (
    EXTREMES,
    columns_of,
    encode_all,
    extreme_rows,
    field_named,
    format_of,
    pieces_of,
)


@pytest.mark.parametrize("kind", [kind for kind in EXTREMES if kind not in ("date", "json", "bytes")])
def test_arrow_reads_json_lines(kind: str) -> None:
    """Arrow's JSON reader gives back the typed column, decimals to the last digit (it reads no dates as such)."""
    fields = field_named(kind)
    columns = columns_of(fields, [[None], *([value] for value in EXTREMES[kind])])
    data = b"".join(pieces_of(format_of("jsonl", None, fields).open(), columns, []))
    table = pyarrow.json.read_json(
        io.BytesIO(data),
        read_options=pyarrow.json.ReadOptions(block_size=1 << 25),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=parquet_schema(fields)),
    )
    assert table.column(0).combine_chunks().equals(columns[0])


@pytest.mark.parametrize("kind", [kind for kind in EXTREMES if kind != "bytes"])
def test_arrow_reads_csv(kind: str) -> None:
    """Arrow's CSV reader gives back the typed column, an empty text as the null that CSV makes of it."""
    fields = field_named(kind)
    columns = columns_of(fields, [[None], *([None if value == "" else value] for value in EXTREMES[kind])])
    data = b"".join(pieces_of(format_of("csv", None, fields).open(), columns, []))
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        read_options=pyarrow.csv.ReadOptions(block_size=1 << 25),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: type_ for (name, _), type_ in zip(fields, parquet_schema(fields).types, strict=True)},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    assert table.column(0).combine_chunks().equals(columns[0])


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["duckdb", "polars"])
@pytest.mark.parametrize(
    "ending",
    ["jsonl", "jsonl.gzip", "jsonl.zstd", "csv", "csv.gzip", "csv.zstd", "parquet", "parquet.gzip", "parquet.zstd"],
)
def test_agrees_cell_by_cell(reader: str, ending: str, tmp_path: Path) -> None:
    """All types, extremes and nulls come back, each as its type."""
    format_, _, compression = ending.partition(".")
    rows = extreme_rows()
    fields = [(f"c{place}", parse_type(kind)) for place, kind in enumerate(EXTREMES)]
    output = format_of(format_, compression or None, fields)
    path = tmp_path / f"file{output.suffix}"
    path.write_bytes(encode_all(output, fields, rows))
    # Both take JSON numbers as doubles; that all digits are there, tests with other readers show.
    kinds = ["float" if format_ == "jsonl" and kind.startswith("decimal") else kind for kind in EXTREMES]
    expected = [[expected_cell(value, kind, format_) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    got = read(reader, path, kinds)
    assert len(got) == len(expected)
    for place, (wanted, found) in enumerate(zip(expected, got, strict=True)):
        assert dict(enumerate(found)) == dict(enumerate(wanted)), f"row {place}"
