"""``json`` columns."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json, to_json

from engine.core import reference
from engine.core.columns import Converted, Fault, raw_cells, true_rows
from engine.core.reference import CellFault

__all__ = ["to_json_column"]

# Cells are parsed as one array, with a secret number between them: [cell,SECRET,cell,SECRET,cell]. If the array's odd
# elements are exactly those numbers, each text between two of them took the parser from "a value must follow" to "a
# value has ended", so it is one whole value. Without the secret, "1,[2" and "3]" would pass together.
_SECRET = secrets.randbelow(9 * 10**17) + 10**17
_SECRET_BYTES = f",{_SECRET},".encode()
# Cells tried together: so few that their objects are gone before a garbage collection finds many; after a bad cell
# fewer still, so that the next one takes few good ones with it.
_BLOCK, _BLOCK_AMONG_BAD = 64, 16


def to_json_column(column: pa.Array) -> Converted:
    present = column.drop_null() if column.null_count else column
    texts, faults = _compact(present)
    if column.null_count == 0 or texts is present:
        return Converted(column if texts is present else texts, faults)
    valid = pc.is_valid(column)
    rows = true_rows(valid) if faults else []
    moved = [Fault(rows[fault.row], fault.code, fault.message) for fault in faults]
    return Converted(pc.replace_with_mask(column, valid, texts), moved)


def _compact(column: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """The compact text of every cell, ``column`` itself where nothing changes. By blocks, in bad blocks by cell."""
    raw = raw_cells(column)
    texts: list[bytes | None] = []
    faults: list[Fault] = []
    changed = False
    start = 0
    while start < len(raw):
        block = raw[start : start + (_BLOCK_AMONG_BAD if faults else _BLOCK)]
        joined = b"[%s]" % _SECRET_BYTES.join(block)
        compact = None if _too_deep_perhaps(block) else _compact_joined(joined, len(block))
        if compact == joined:
            texts += block
        elif compact is not None:
            texts += compact[1:-1].split(_SECRET_BYTES)
            changed = True
        else:
            changed = True
            _compact_cells(block, start, texts, faults)
        start += len(block)
    return (_text_array(texts) if changed else column), faults


def _compact_cells(block: list[bytes], start: int, texts: list[bytes | None], faults: list[Fault]) -> None:
    for row, cell in enumerate(block, start):
        try:
            texts.append(reference.to_json_text(cell.decode()).encode())
        except CellFault as fault:
            texts.append(None)
            faults.append(Fault(row, fault.code, fault.message))


def _compact_joined(joined: bytes, count: int) -> bytes | None:
    """The same array in compact form, if it holds ``count`` valid cells and none of them infinity."""
    try:
        values = from_json(joined, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return None
    if len(values) != 2 * count - 1 or values[1::2] != [_SECRET] * (count - 1):
        return None
    compact = to_json(values, inf_nan_mode="constants")
    return None if b"Infinity" in compact else compact


def _text_array(texts: Sequence[bytes | None]) -> pa.Array:
    return pa.array(texts, pa.binary()).cast(pa.string())


def _too_deep_perhaps(block: list[bytes]) -> bool:
    return max(map(len, block)) > 2 * reference.JSON_DEPTH and max(map(_openers, block)) > reference.JSON_DEPTH


def _openers(cell: bytes) -> int:
    return cell.count(b"[") + cell.count(b"{")
