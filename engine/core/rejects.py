"""Reject records: every bad row with its place, its reasons and its exact source text (CONTRACT section 3)."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from pydantic_core import to_json

from engine.core.rows import SourceRow

__all__ = ["CellError", "reject_record"]


class CellError(NamedTuple):
    """Why a row was rejected. ``field`` and ``column`` (the source's label) are None where no one cell is at fault."""

    field: str | None
    column: str | None
    code: str
    message: str
    value: str | None


_ERROR = CellError._fields


def reject_record(source: SourceRow, errors: list[CellError]) -> bytes:
    """One line of a reject file.

    ``raw`` is given as text; bytes that are not UTF-8 are shown as U+FFFD, and the exact bytes are kept as
    ``raw_base64`` beside it.
    """
    file, row, line, raw = source
    record: dict[str, Any] = {
        "file": file,
        "row": row,
        "line": line,
        "errors": [dict(zip(_ERROR, error, strict=True)) for error in errors],
    }
    try:
        record["raw"] = raw.decode()
    except UnicodeDecodeError:
        record["raw"] = raw.decode(errors="replace")
        record["raw_base64"] = base64.b64encode(raw).decode()
    return to_json(record) + b"\n"
