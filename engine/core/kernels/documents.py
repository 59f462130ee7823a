"""``json`` columns."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native, reference
from engine.core.columns import Converted, Fault, raw_cells, true_rows
from engine.core.jsonblocks import compact_cells
from engine.core.native.jsonscan import read_forms

__all__ = ["to_json"]


def to_json(column: pa.Array) -> Converted:
    """:func:`reference.to_json_text` for a column."""
    values, rest = column, pc.is_valid(column)
    if native.kernels is not None:
        forms = read_forms(column)
        values = forms.compact()
        if not forms.unsure:
            return Converted(values)
        rest = forms.judged()
    rows = true_rows(rest)
    texts, found = compact_cells(raw_cells(column.filter(rest)), _compact)
    values = pc.replace_with_mask(values, rest, pa.array(texts, pa.binary()).view(pa.string()))
    return Converted(values, [Fault(rows[fault.row], fault.code, fault.message) for fault in found])


def _compact(text: str) -> bytes:
    return reference.to_json_text(text).encode()
