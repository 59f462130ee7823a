"""Whether a contender's output is what the reference makes of the same file: only then does its time count."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.encoders.formats import Format
from engine.core.encoders.jsonl import JsonLinesRows
from engine.core.encoders.parquet import parquet_schema
from engine.core.mapping import Mapping

__all__ = ["check_rejects", "check_rows", "difference"]


def difference(
    output: Path, format_: Format, expected: Path, mapping: Mapping, as_text: Collection[str] = ()
) -> str | None:
    """Compares rows, values and order with the reference's JSON Lines.

    Args:
        as_text: fields of JSON that the contender can only write as a string of JSON text.

    Returns:
        The first row that differs, in words; None where none does.
    """
    made = _lines(output) if format_ == "jsonl" else _parquet_lines(output, mapping)
    with closing(made), closing(_lines(expected)) as reference:
        for row, (found, wanted) in enumerate(zip_longest(made, reference), 1):
            if found != wanted and (not found or not wanted or _row(found, as_text) != json.loads(wanted)):
                shown = [line and line.decode(errors="replace") for line in (found, wanted)]
                return f"row {row} written is\n{shown[0]}, and by the reference\n{shown[1]}"
    return None


def check_rows(who: str, output: Path, format_: Format, expected: Path, mapping: Mapping) -> None:
    """:func:`difference` for who must not differ.

    Raises:
        SystemExit: they differ; names the first row that does.
    """
    found = difference(output, format_, expected, mapping)
    if found is not None:
        raise SystemExit(f"{who}: {found}")


def check_rejects(who: str, found: Path, expected: Path) -> None:
    """Compares the engine's reject records with the reference's: rows, and each row's fields and codes.

    Raises:
        SystemExit: they differ; names the first that does.
    """
    with closing(_lines(found)) as made, closing(_lines(expected)) as reference:
        for record, wanted in zip_longest(map(json.loads, made), map(json.loads, reference)):
            errors = record and [[error["field"], error["code"]] for error in record["errors"]]
            if record is None or wanted is None or (record["row"], errors) != (wanted["row"], wanted["errors"]):
                raise SystemExit(f"{who}: the reject\n{record}, and by the reference\n{wanted}")


def _row(line: bytes, as_text: Collection[str]) -> Any:
    row = json.loads(line)
    for name in as_text:
        if isinstance(row.get(name), str):
            row[name] = json.loads(row[name])
    return row


def _lines(path: Path) -> Generator[bytes]:
    with path.open("rb") as file:
        yield from file


def _parquet_lines(path: Path, mapping: Mapping) -> Generator[bytes]:
    """Parquet's rows as JSON Lines: what comes out as the reference's text held the reference's values.

    The encoder is the engine's, whose JSON Lines are compared too; a value at a time would take minutes.
    """
    fields = [(rule.name, rule.field_type) for rule in mapping.fields]
    encoder, schema = JsonLinesRows(fields), parquet_schema(fields)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=4096, use_threads=False):
            columns = [_one_chunk(column) for column in pa.Table.from_batches([batch]).cast(schema).columns]
            yield from encoder.encode(columns).splitlines(keepends=True)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
