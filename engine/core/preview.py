"""The first rows of a sample, source beside result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.core.examples import convert_few, testable
from engine.core.framing import records
from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.core.plan import Plan

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
    header = mapping.csv.header is True
    found = [record for record in records(head.removeprefix(b"\xef\xbb\xbf"), mapping.csv.dialect) if record.cells]
    labels = _labels(found[0].cells, mapping) if found else []
    wanted = found[1 : rows + 1] if header else found[:rows]
    end = next((record.start for record in found if wanted and record.start > wanted[-1].start), len(head))
    plan = Plan.compile(testable(mapping), limits)
    outputs = convert_few(plan, head.removeprefix(b"\xef\xbb\xbf")[:end], "sample")
    written = iter(
        [json.loads(line, parse_float=Decimal) for line in b"".join(output.data for output in outputs).splitlines()]
    )
    rejects = {
        record["row"]: record["errors"]
        for record in map(json.loads, b"".join(output.rejects for output in outputs).splitlines())
    }
    previews: list[PreviewRow] = []
    for number, record in enumerate(wanted, 1):
        errors = rejects.get(number, [])
        values = {} if number in rejects else next(written)
        source = dict(
            zip(labels, (cell.encode("latin-1").decode(errors="replace") for cell in record.cells), strict=False)
        )
        previews.append(_row(number, mapping, source, values, errors))
    return previews


def _labels(cells: Sequence[str], mapping: Mapping) -> list[str]:
    if mapping.csv.header is True:
        return [cell.encode("latin-1").decode(errors="replace") for cell in cells]
    return [str(place + 1) for place in range(len(cells))] if mapping.csv.header is False else list(mapping.csv.header)


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
