"""``json`` columns."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import reference
from engine.core.columns import Converted, Fault, raw_cells, true_rows
from engine.core.jsonblocks import compact_cells
from engine.core.jsonlearner import JsonLearner

__all__ = ["JsonKernel"]


@dataclass(frozen=True, slots=True)
class JsonKernel:
    """:func:`reference.to_json_text` for a column. For one thread: it learns what its cells look like."""

    learner: JsonLearner

    @classmethod
    def make(cls) -> JsonKernel:
        return cls(JsonLearner(compact=True))

    def __call__(self, column: pa.Array) -> Converted:
        valid = pc.is_valid(column) if column.null_count else None
        present = column if valid is None else column.filter(valid)
        fits = self.learner.fitting(present)
        if fits is not None and fits.true_count == len(present):
            return Converted(column)
        rest = _everywhere(pc.invert(fits), valid) if fits is not None else valid
        rows = range(len(column)) if rest is None else true_rows(rest)
        texts, found = compact_cells(raw_cells(column if rest is None else column.filter(rest)), _compact)
        values = pa.array(texts, pa.binary()).view(pa.string())
        if rest is not None:
            values = pc.replace_with_mask(column, rest, values)
        return Converted(values, [Fault(rows[fault.row], fault.code, fault.message) for fault in found])


def _everywhere(present: pa.Array, valid: pa.Array | None) -> pa.Array:
    """A mask of the cells that are not null as a mask of all cells."""
    return present if valid is None else pc.replace_with_mask(valid, valid, present)


def _compact(text: str) -> bytes:
    return reference.to_json_text(text).encode()
