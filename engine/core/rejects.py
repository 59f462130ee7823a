"""Reject records: every bad row with its place, its reasons and its exact source text (CONTRACT section 3)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from pydantic_core import to_json

from engine.core.encodings import source_bytes
from engine.core.rows import SourceRow

__all__ = ["RAW_BYTES", "CellError", "moved", "reject_records"]

RAW_BYTES = 65_536
"""How much of a row that is too long its reject record keeps."""

_SHOWN = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class CellError(TypedDict):
    """Why a row was rejected. ``field`` and ``column`` (the source's label) are None where no one cell is at fault."""

    field: str | None
    column: str | None
    code: str
    message: str
    value: str | None


def reject_records(rows: Iterable[tuple[SourceRow, Sequence[CellError]]]) -> bytes:
    """Lines of a reject file, one a row.

    ``raw`` is given as text. Bytes that are none in the file's encoding are shown as U+FFFD, and the row's exact bytes
    are kept as ``raw_base64`` beside it, with ``raw_encoding`` where that is not UTF-8. Of a row that is too long only
    the beginning is kept, and its length as ``raw_bytes``.
    """
    # One call for all. A quote inside a JSON string has a backslash: what is replaced only stands between records.
    joined = to_json([_record(source, errors) for source, errors in rows])
    return joined[1:-1].replace(b'},{"file":', b'}\n{"file":') + b"\n"


def moved(records: bytes, file: str, *, rows: int, lines: int) -> bytes:
    """Lines of a reject file of ``file``, their rows and lines counted from so many earlier."""
    if not (rows or lines) or not records:
        return records
    # What a record begins with is all that is looked for: no line end is left as such inside one.
    place = re.compile(
        b'^(%b)([0-9]+)(,"line":)([0-9]+)' % re.escape(b'{"file":%b,"row":' % to_json(file)), re.MULTILINE
    )
    return place.sub(
        lambda found: b"%b%d%b%d" % (found[1], int(found[2]) + rows, found[3], int(found[4]) + lines), records
    )


def _record(source: SourceRow, errors: Sequence[CellError]) -> dict[str, Any]:
    file, row, line, raw, encoding, raw_bytes = source
    record: dict[str, Any] = {"file": file, "row": row, "line": line, "errors": errors}
    if len(raw) > RAW_BYTES and errors[0]["code"] == "too-long" and errors[0]["field"] is None:
        raw_bytes = raw_bytes or len(raw)
        raw = _beginning(raw)
    try:
        record["raw"] = raw.decode()
    except UnicodeDecodeError:
        record["raw"] = (
            raw.decode(errors="surrogatepass").translate(_SHOWN)
            if encoding != "utf-8"
            else raw.decode(errors="replace")
        )
        record["raw_base64"] = base64.b64encode(source_bytes(raw, encoding)).decode()
        if encoding != "utf-8":
            record["raw_encoding"] = encoding
    if raw_bytes is not None and raw_bytes > len(raw):
        record["raw_bytes"] = raw_bytes
    return record


def _beginning(raw: bytes) -> bytes:
    """As much of ``raw`` as is kept, cut where a character ends."""
    end = RAW_BYTES
    while end > RAW_BYTES - 3 and 0x80 <= raw[end] < 0xC0:
        end -= 1
    return raw[:end]
