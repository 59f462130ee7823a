"""``string``, ``bool`` and ``uuid`` columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native, reference
from engine.core.columns import Converted, column_bytes, convert_nulls, convert_rest, spread, widths
from engine.core.native.textcells import read_uuids

__all__ = ["BoolKernel", "to_string", "to_uuid"]


def to_string(column: pa.Array) -> Converted:
    return Converted(column)


@dataclass(frozen=True, slots=True)
class BoolKernel:
    """``bool``, with the mapping's words.

    Args:
        spellings: the words as cells have them once their ASCII letters are in lower case; those for true come first.
        count: how many are for true.
    """

    true: Sequence[str]
    false: Sequence[str]
    spellings: pa.Array
    count: int

    @classmethod
    def of(cls, true: Sequence[str] = reference.TRUE, false: Sequence[str] = reference.FALSE) -> Self:
        first = {word.lower() for word in true}
        second = {word.lower() for word in false} - first
        return cls(tuple(true), tuple(false), pa.array([*first, *second], pa.string()), len(first))

    def __call__(self, column: pa.Array) -> Converted:
        values = pc.less(pc.index_in(pc.ascii_lower(column), self.spellings), self.count)
        return convert_nulls(column, values, partial(reference.to_bool, true=self.true, false=self.false))


# --- uuid ----------------------------------------------------------------------------------------------------------

_UUID = r"\A[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\z"
_BARE = r"\A[0-9a-fA-F]{32}\z"
_HEX = b"0123456789abcdefABCDEF"
_HYPHENS = (8, 13, 18, 23)


def to_uuid(column: pa.Array) -> Converted:
    if native.kernels is not None:
        return convert_nulls(column, read_uuids(column), reference.to_uuid)
    shortest, longest = widths(column)
    if shortest == longest == 36 and _all_usual(column):
        return Converted(pc.ascii_lower(column))
    if shortest == longest == 32 and not column_bytes(column).translate(None, _HEX):
        return Converted(_hyphenated(column))
    lengths = pc.binary_length(column)
    usual = _common(column, pc.equal(lengths, 36), _UUID)
    bare = _common(column, pc.equal(lengths, 32), _BARE)
    values = pc.ascii_lower(column)
    if pc.any(bare).as_py():
        values = pc.replace_with_mask(values, bare, _hyphenated(column.filter(bare)))
    return convert_rest(column, pc.or_(usual, bare), values, reference.to_uuid)


def _all_usual(column: pa.Array) -> bool:
    data = column_bytes(column)
    hyphens = b"-" * (len(data) // 36)
    return data.translate(None, _HEX) == 4 * hyphens and all(data[place::36] == hyphens for place in _HYPHENS)


def _common(column: pa.Array, alike: pa.Array, pattern: str) -> pa.Array:
    """Which of the cells of one width are UUIDs; null where the column is."""
    cells = column.filter(alike)
    if len(cells) == 0:
        return alike
    if _all_usual(cells) if pattern == _UUID else not column_bytes(cells).translate(None, _HEX):
        return alike
    matches = pc.fill_null(spread(pc.match_substring_regex(cells, pattern), pc.fill_null(alike, False)), False)
    return pc.and_(alike, matches)


def _hyphenated(cells: pa.Array) -> pa.Array:
    """32 hex digits a cell, in lower case and with the hyphens."""
    cells = pc.ascii_lower(cells)
    for place in _HYPHENS:
        cells = pc.binary_replace_slice(cells, place, place, "-")
    return cells
