"""The first rows of a sample, source beside result."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from engine.core.dialect import Dialect
from engine.core.examples import convert_few, testable
from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.core.plan import Plan
from engine.core.reader import CsvReader
from engine.core.rows import RowIndex

__all__ = ["PreviewCell", "PreviewRow", "preview"]


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """A field of a row: the text of its columns, and what it became (numbers with all their digits) or why it was
    refused; no value where another field had the row rejected."""

    field: str
    source: str
    value: Any
    error: str | None


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A data row by its number, and its fields; ``error`` where the row itself was refused."""

    row: int
    cells: Sequence[PreviewCell]
    error: str | None


def preview(head: bytes, mapping: Mapping, limits: Limits, rows: int) -> list[PreviewRow]:
    """What becomes of a file's first rows.

    Args:
        head: the file's beginning; records beyond the first ``rows`` are left out.

    Raises:
        HeaderError: a column that the mapping uses is missing or stands twice.
    """
    labels, found = _first_rows(head, mapping, limits, rows)
    shown = testable(mapping)
    as_read = {"header": labels or True, "encoding": "utf-8", "skip_lines": 0}
    plan = Plan.compile(shown.model_copy(update={"csv": shown.csv.model_copy(update=as_read)}), limits)
    outputs = convert_few(plan, b"".join(raw + b"\n" for raw in found), "sample")
    written = iter(
        [json.loads(line, parse_float=Decimal) for line in b"".join(output.data for output in outputs).splitlines()]
    )
    rejects = {
        record["row"]: record["errors"]
        for record in map(json.loads, b"".join(output.rejects for output in outputs).splitlines())
    }
    previews: list[PreviewRow] = []
    for number, raw in enumerate(found, 1):
        errors = rejects.get(number, [])
        values = {} if number in rejects else next(written)
        source = dict(zip(labels, _cells(raw, mapping.csv.dialect), strict=False))
        previews.append(_row(number, mapping, source, values, errors))
    return previews


def _first_rows(head: bytes, mapping: Mapping, limits: Limits, rows: int) -> tuple[list[str], list[bytes]]:
    """The labels, and the texts of the first rows in UTF-8."""
    labels: list[str] = []

    def bind(found: list[str]) -> tuple[int, ...]:
        labels.extend(found)
        return ()

    reader = CsvReader(mapping.csv.dialect, header=mapping.csv.header, bind=bind, null_values=(), limits=limits)
    found: list[bytes] = []
    for placed in chain(reader.feed(head), reader.finish()):
        count = min(placed.chunk.rows, rows - len(found))
        found += [source.raw for source in RowIndex(placed.chunk.frame, placed.chunk.rows).sources(range(count))]
    return labels, found


def _cells(raw: bytes, dialect: Dialect) -> list[str]:
    reader = csv.reader(
        io.StringIO(raw.decode(errors="replace"), newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        quoting=csv.QUOTE_NONE if dialect.quote is None else csv.QUOTE_MINIMAL,
    )
    return next(reader, [])


def _row(
    number: int, mapping: Mapping, source: dict[str, str], values: dict[str, Any], errors: list[dict[str, Any]]
) -> PreviewRow:
    whole = next((f"{error['code']}: {error['message']}" for error in errors if error["field"] is None), None)
    by_field = {error["field"]: f"{error['code']}: {error['message']}" for error in reversed(errors)}
    cells = [
        PreviewCell(
            field.name,
            " | ".join(source.get(label, "") for label in field.labels) if field.labels else "(constant)",
            values.get(field.name),
            by_field.get(field.name),
        )
        for field in mapping.fields
    ]
    return PreviewRow(number, cells, whole)
