"""Reject records: every bad row with its place, its reasons and its exact source text (CONTRACT section 3)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from pydantic_core import to_json

from engine.core.rows import SourceRow

__all__ = ["CellError", "reject_records"]


class CellError(TypedDict):
    """Why a row was rejected. ``field`` and ``column`` (the source's label) are None where no one cell is at fault."""

    field: str | None
    column: str | None
    code: str
    message: str
    value: str | None


def reject_records(rows: Iterable[tuple[SourceRow, Sequence[CellError]]]) -> bytes:
    """Lines of a reject file, one a row.

    ``raw`` is given as text; bytes that are not UTF-8 are shown as U+FFFD, and the exact bytes are kept as
    ``raw_base64`` beside it.
    """
    # One call for all. A quote inside a JSON string has a backslash: what is replaced only stands between records.
    joined = to_json([_record(source, errors) for source, errors in rows])
    return joined[1:-1].replace(b'},{"file":', b'}\n{"file":') + b"\n"


def _record(source: SourceRow, errors: Sequence[CellError]) -> dict[str, Any]:
    file, row, line, raw = source
    record: dict[str, Any] = {"file": file, "row": row, "line": line, "errors": errors}
    try:
        record["raw"] = raw.decode()
    except UnicodeDecodeError:
        record["raw"] = raw.decode(errors="replace")
        record["raw_base64"] = base64.b64encode(raw).decode()
    return record
