"""What one file becomes in every format, read by DuckDB, Polars and Arrow: the oracle's values, cell by cell."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.command import engine_here
from tests.core.encoders.outside import expected_cell, read
from tests.core.encoders.typed import EXTREMES, extreme_rows
from tests.oracle import Expected, Json, expect, read_jsonl, text_of

pytestmark = [pytest.mark.one_build("gil"), pytest.mark.slow]

KINDS = list(EXTREMES)
NAMES = [f"c{place}" for place in range(len(KINDS))]
SUFFIXES = {
    "jsonl": ".jsonl", "jsonl.gzip": ".jsonl.gz", "jsonl.zstd": ".jsonl.zst",
    "csv": ".csv", "csv.gzip": ".csv.gz", "csv.zstd": ".csv.zst",
    "parquet": ".parquet", "parquet.snappy": ".parquet", "parquet.gzip": ".parquet", "parquet.zstd": ".parquet",
}  # fmt: skip
NULL = "\\N"
MAPPING: dict[str, Any] = {
    "version": 1,
    "id": "read-back",
    "csv": {"null_values": [NULL]},
    "fields": [{"name": name, "type": kind} for name, kind in zip(NAMES, KINDS, strict=True)],
}


def source() -> bytes:
    """A CSV file of every type's extremes and nulls; empty cells are empty texts here."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(NAMES)
    for row in extreme_rows():
        writer.writerow([NULL if value is None else text_of(value) for value in row])
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def expected() -> Expected:
    made = expect(source(), MAPPING)
    assert not made.rejects
    assert len(made.values) == len(extreme_rows())
    return made


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The one file through ``engine run`` to each format and compression."""
    folder = tmp_path_factory.mktemp("read-back")
    (folder / "in.csv").write_bytes(source())
    made = {}
    for output, suffix in SUFFIXES.items():
        format_, _, compression = output.partition(".")
        mapping = {**MAPPING, "output": {"format": format_, "compression": compression or None}}
        (folder / "mapping.json").write_text(json.dumps(mapping))
        done = engine_here("run", "mapping.json", "in.csv", "-o", output, "--executor", "threads", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        made[output] = folder / output / f"data/in{suffix}"
    return made


def kinds_in(format_: str) -> list[str]:
    """DuckDB and Polars take JSON numbers as doubles; that all digits are there, the standard library shows below."""
    return ["float" if format_ == "jsonl" and kind.startswith("decimal") else kind for kind in KINDS]


def wanted(expected: Expected, format_: str) -> list[list[str | None]]:
    """The oracle's values as ``reader.py`` says cells."""
    return [
        [
            expected_cell(text_of(value) if isinstance(value, Json) else value, kind, format_)
            for value, kind in zip(row.values(), kinds_in(format_), strict=True)
        ]
        for row in expected.values
    ]


@pytest.mark.parametrize(
    ("reader", "output"),
    [*(("duckdb", output) for output in SUFFIXES), *(("polars", o) for o in SUFFIXES if o.startswith("parquet"))],
)
def test_reads_the_oracles_values(reader: str, output: str, outputs: dict[str, Path], expected: Expected) -> None:
    """Every cell of every row, nulls and extremes, as its type."""
    format_ = output.partition(".")[0]
    assert_same(read(reader, outputs[output], kinds_in(format_)), wanted(expected, format_))


def test_duckdb_finds_the_formats_equal(outputs: dict[str, Path]) -> None:
    """The three formats of one file agree with each other wherever a format can tell: CSV no empty text from a null,
    JSON Lines no null from JSON's, and no more of a decimal than a double holds."""
    jsonl, text, parquet = (
        read("duckdb", outputs[format_], kinds_in(format_)) for format_ in ("jsonl", "csv", "parquet")
    )
    assert_same([_without_empty(row) for row in parquet], [_without_empty(row) for row in text])
    assert_same([_as_json_tells(row) for row in parquet], jsonl)


def _without_empty(row: list[str | None]) -> list[str | None]:
    return [cell or None for cell in row]


def _as_json_tells(row: list[str | None]) -> list[str | None]:
    return [
        None
        if cell is None or (kind, cell) == ("json", "null")
        else float(cell).hex()
        if kind.startswith("decimal")
        else cell
        for cell, kind in zip(row, KINDS, strict=True)
    ]


@pytest.mark.parametrize("output", [output for output in SUFFIXES if output.startswith("parquet")])
def test_arrow_reads_parquet(output: str, outputs: dict[str, Path], expected: Expected) -> None:
    """Arrow gives back Python values of the exact types, and the digits that decimals were declared with."""
    file = pq.ParquetFile(outputs[output])
    assert file.metadata.metadata[b"engine.mapping_id"] == b"read-back"
    assert file.metadata.row_group(0).column(0).compression == (output.partition(".")[2] or "snappy").upper()
    found = [[_typed(value) for value in row.values()] for row in file.read().to_pylist()]
    assert_same(found, [[_typed(value) for value in row.values()] for row in expected.values])


def test_the_standard_library_reads_text(outputs: dict[str, Path], expected: Expected) -> None:
    """``json`` and ``csv`` give back the oracle's values to the last digit of a decimal, and its texts."""
    assert_same(read_jsonl(outputs["jsonl"].read_bytes()), expected.rows)
    with outputs["csv"].open(newline="", encoding="utf-8") as file:
        limit = csv.field_size_limit(1 << 30)
        try:
            header, *rows = csv.reader(file)
        finally:
            csv.field_size_limit(limit)
    assert header == NAMES
    floats = [place for place, kind in enumerate(KINDS) if kind == "float"]
    for row, values in zip(rows, expected.values, strict=True):
        texts = [text_of(value) or "" for value in values.values()]
        for place in floats:  # which of several texts of a float stands there does not matter
            row[place], texts[place] = (float(cell).hex() if cell else cell for cell in (row[place], texts[place]))
        assert row == texts


def _typed(value: Any) -> tuple[str, str | None]:
    """A value with its type, and its exact digits."""
    match value:
        case Json():
            return "str", text_of(value)
        case datetime():
            return "datetime", str(value.astimezone(UTC))
    return type(value).__name__, str(value)


def assert_same(found: list[Any], expected: list[Any]) -> None:
    """Equal, told by row: cells may be a megabyte long."""
    assert len(found) == len(expected)
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one == other, f"row {place}"
