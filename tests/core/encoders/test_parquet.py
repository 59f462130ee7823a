"""Parquet: typed, nullable, with statistics and metadata; row groups that depend on the rows alone."""

from __future__ import annotations

import gc
import io
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.encoders import parquet
from engine.core.fieldtypes import parse_type
from tests.complaints import complaints_of_dropping
from tests.core.encoders.typed import FIELDS, columns_of, encode_all, extreme_rows, format_of, pieces_of, values_of
from tests.examples import examples

_MIB = 1 << 20


def read(data: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(io.BytesIO(data))


def test_every_type_reads_back() -> None:
    """All extremes and nulls of all types come back as they were, as the contract's types, which allow nulls."""
    rows = extreme_rows()
    file = read(encode_all(format_of("parquet", None, FIELDS), FIELDS, rows))
    expected = columns_of(FIELDS, rows)
    table = file.read()
    assert table.schema.names == [name for name, _ in FIELDS]
    assert table.schema.types == [column.type for column in expected]
    assert all(field.nullable for field in table.schema)
    for column, values in zip(table.columns, expected, strict=True):
        assert column.combine_chunks().equals(values)
    floats = table["the float"].to_pylist()
    assert [math.copysign(1, value) for value in floats[:3] if value is not None] == [1, -1]


def test_metadata_names_the_mapping() -> None:
    """The file says which mapping made it, and every column of every row group has statistics."""
    file = read(encode_all(format_of("parquet", None, FIELDS), FIELDS, extreme_rows()[:8]))
    assert file.metadata.metadata == {b"engine.mapping_id": b"activity", b"engine.mapping_sha256": b"5ha"}
    group = file.metadata.row_group(0)
    for place, (name, _) in enumerate(FIELDS):
        statistics = group.column(place).statistics
        assert statistics is not None, name
        assert statistics.has_null_count, name
        assert statistics.has_min_max, name
        assert statistics.null_count >= 1, name
    assert (group.column(1).statistics.min, group.column(1).statistics.max) == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("compression", "codec"), [(None, "SNAPPY"), ("snappy", "SNAPPY"), ("zstd", "ZSTD"), ("gzip", "GZIP")]
)
def test_compression(compression: str | None, codec: str) -> None:
    """Each compression is what the mapping asked for, snappy where it asked for none."""
    rows = extreme_rows()
    file = read(encode_all(format_of("parquet", compression, FIELDS), FIELDS, rows))
    assert {file.metadata.row_group(0).column(place).compression for place in range(len(FIELDS))} == {codec}
    assert file.metadata.num_rows == len(rows)


@pytest.mark.parametrize("rows", [None, []])
def test_file_without_rows(rows: list[Any] | None) -> None:
    """A file without rows is a valid Parquet file with the whole schema and no row group."""
    output = format_of("parquet", None, FIELDS)
    file = read(output.open().finish() if rows is None else encode_all(output, FIELDS, rows))
    assert file.metadata.num_rows == file.metadata.num_row_groups == 0
    assert file.read().schema.types == [column.type for column in columns_of(FIELDS, [])]
    assert b"engine.mapping_id" in file.metadata.metadata


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(*(values_of(kind) for _, kind in FIELDS)), max_size=12),
    limit=st.integers(1, 1200),
    data=st.data(),
)
def test_batches_do_not_show(
    monkeypatch: pytest.MonkeyPatch, rows: list[tuple[Any, ...]], limit: int, data: st.DataObject
) -> None:
    """The same rows give the same bytes, row groups too, whatever batches they come in and wherever groups end."""
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", limit)
    output = format_of("parquet", None, FIELDS)
    columns = columns_of(FIELDS, rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=4))
    whole = encode_all(output, FIELDS, rows)
    assert b"".join(pieces_of(output.open(), columns, cuts)) == whole
    table = read(whole).read()
    for column, values in zip(table.columns, columns, strict=True):
        assert column.combine_chunks().equals(values) or not rows


def test_pages_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do batches show in the pages within row groups, in columns with a dictionary and without."""
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 5 * _MIB)
    fields = [("id", parse_type("int")), ("few", parse_type("string")), ("many", parse_type("string"))]
    rows = [[number, f"{number % 100:0100}", f"{number:0200}" if number % 7 else None] for number in range(40_000)]
    columns = columns_of(fields, rows)
    output = format_of("parquet", None, fields)
    whole = encode_all(output, fields, rows)
    metadata = read(whole).metadata
    assert metadata.num_row_groups == 3
    dictionaries = [metadata.row_group(0).column(place).has_dictionary_page for place in range(3)]
    assert dictionaries == [False, True, False]
    for height in (777, 5000):
        assert b"".join(pieces_of(output.open(), columns, range(height, len(rows), height))) == whole


@pytest.mark.parametrize("cell", [100, 3_000_000])
def test_row_groups_are_16_to_32_mib(cell: int) -> None:
    """Row groups gather many batches, in the first of which none ends, and none but the last is out of bounds."""
    fields = [("id", parse_type("int")), ("text", parse_type("string"))]
    rows = max(1, 1_000_000 // cell)
    batch = columns_of(fields, [[number, f"{number:0{cell}}"] for number in range(rows)])
    encoder = format_of("parquet", None, fields).open()
    batches = 70 * _MIB // (rows * (cell + 12))
    data = b"".join([*(encoder.encode(batch) for _ in range(batches)), encoder.finish()])
    metadata = read(data).metadata
    heights = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
    assert sum(heights) == batches * rows
    assert 3 <= len(heights) <= 5
    for height in heights[:-1]:
        assert 16 * _MIB <= height * (cell + 12) < 32 * _MIB


def test_memory_stays_flat() -> None:
    """However long the file: what is held never exceeds a row group, and bytes come out as groups end."""
    fields = [("text", parse_type("string")), ("raw", parse_type("bytes"))]
    texts = [[f"{number:0500}", number.to_bytes(4, "big") * 100] for number in range(1000)]
    encoder = format_of("parquet", None, fields).open()
    gc.collect()
    before = pa.total_allocated_bytes()
    held = written = 0
    for _ in range(160):  # 144 MB
        written += len(encoder.encode(columns_of(fields, texts)))
        held = max(held, pa.total_allocated_bytes() - before)
    assert held < 32 * _MIB
    assert written > 0
    encoder.finish()
    del encoder
    gc.collect()
    assert pa.total_allocated_bytes() - before < 2 * _MIB


def test_giving_up_needs_no_closing() -> None:
    """An encoder that is dropped half way raises and warns of nothing, and keeps no memory."""
    before = pa.total_allocated_bytes()

    def half_way() -> object:
        encoder = format_of("parquet", None, FIELDS).open()
        encoder.encode(columns_of(FIELDS, extreme_rows()))
        return encoder

    assert complaints_of_dropping(half_way) == []
    assert pa.total_allocated_bytes() - before < _MIB
