"""The kernels of ``regex`` and ``replace`` with ``"engine": "re2"``. A cell's reference is the kernel on it alone.

RE2 takes time in proportion to the cell and to the pattern, and cannot be stopped meanwhile: so a cell on which that
could be too long is refused beforehand, and the clock is looked at between the slices of a column.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, mask_of, true_rows
from engine.core.re2 import weight, with_group
from engine.core.reference import CellFault
from engine.core.stepping import reference
from engine.core.stepping.cells import of_text
from engine.core.stepping.guard import CHUNK_LIMITS
from engine.core.stepping.reference import Value, as_text
from engine.errors import PatternTimeout

__all__ = ["Re2Match", "Re2Replace", "of_one_cell"]

_CELL_WORK = 1_000_000_000  # bytes times states: at worst some 15 s
_SLICE_WORK = 100_000_000
_SLICE_BYTES = 1 << 26  # that a slice may become where it is replaced in


def of_one_cell(kernel: Callable[[pa.Array], Converted], value: Value) -> Value:
    """What a kernel makes of one cell; raises ``CellFault`` as a reference does."""
    if value is None:
        return None
    converted = kernel(pa.array([as_text(value)], pa.string()))
    for fault in converted.faults:
        raise CellFault(fault.message, fault.code)
    found: str | None = converted.values[0].as_py()
    return found


@dataclass(frozen=True, slots=True)
class Re2Match:
    """What a group matches: null where the pattern does not match, empty where the group takes no part in the match.

    Attributes:
        pattern: :func:`~engine.core.re2.with_group` of the mapping's.
        weight: :func:`~engine.core.re2.weight` of it.
        required: no match is a fault.
    """

    pattern: str
    weight: int
    required: bool
    timeout_s: float

    @classmethod
    def make(cls, pattern: str, group: int, *, full: bool, required: bool, timeout_s: float) -> Re2Match:
        return cls(with_group(pattern, group, full=full), weight(pattern), required, timeout_s)

    def __call__(self, column: pa.Array) -> Converted:
        """Raises PatternTimeout: it takes longer than it may, on a cell or on all of them."""
        return of_text(column, self._matched)

    def _matched(self, column: pa.Array) -> Converted:
        work = _bytes_of(column, self.weight)
        values = _in_slices(column, work, _SLICE_WORK, self._found, self.timeout_s)
        if not self.required or values.null_count == column.null_count:
            return Converted(values)
        unmatched = pc.and_(pc.is_null(values), pc.is_valid(column))
        return Converted(values, [Fault(row, "step-error", reference.NO_MATCH) for row in true_rows(unmatched)])

    def _found(self, column: pa.Array) -> pa.Array:
        return pc.struct_field(pc.extract_regex(column, self.pattern), [0])


@dataclass(frozen=True, slots=True)
class Re2Replace:
    """Every match replaced by the template. A cell that could become longer than ``most_bytes`` is ``too-long``."""

    pattern: str
    template: str
    weight: int
    most_bytes: int
    timeout_s: float

    @classmethod
    def make(cls, pattern: str, template: str, *, most_bytes: int, timeout_s: float) -> Re2Replace:
        return cls(pattern, template, weight(pattern), most_bytes, timeout_s)

    def __call__(self, column: pa.Array) -> Converted:
        """Raises PatternTimeout: it takes longer than it may, on a cell or on all of them."""
        return of_text(column, self._replaced)

    def _replaced(self, column: pa.Array) -> Converted:
        work = _bytes_of(column, self.weight)
        matches = _in_slices(column, work, _SLICE_WORK, self._count, self.timeout_s)
        groups = self.template.count("\\")  # each gives no more than the cell has
        size = len(self.template.encode())
        length = pc.cast(pc.binary_length(column), pa.int64())
        most = pc.add(pc.multiply(length, 1 + groups), pc.multiply(pc.cast(matches, pa.int64()), size))
        long = true_rows(pc.fill_null(pc.greater(most, self.most_bytes), False))
        message = f"longer than {self.most_bytes:,} bytes once replaced"
        faults = [Fault(row, "too-long", message) for row in long]
        if long:
            gone = mask_of(long, len(column))
            column = pc.replace_with_mask(column, gone, pa.scalar(None, pa.string()))
            most = pc.if_else(gone, 0, most)
        return Converted(_in_slices(column, most, _SLICE_BYTES, self._written, self.timeout_s), faults)

    def _count(self, column: pa.Array) -> pa.Array:
        return pc.count_substring_regex(column, self.pattern)

    def _written(self, column: pa.Array) -> pa.Array:
        return pc.replace_substring_regex(column, self.pattern, self.template)


def _bytes_of(column: pa.Array, weight: int) -> pa.Array:
    """How much work each cell is at most.

    Raises:
        PatternTimeout: one is too much.
    """
    length = pc.cast(pc.binary_length(column), pa.int64())
    longest = pc.max(length).as_py() or 0
    if longest * weight > _CELL_WORK:
        what = f"a pattern of this size could take too long on a cell of {longest:,} bytes"
        raise PatternTimeout(f"{what}: {_CELL_WORK // weight:,} is the most for it")
    return pc.multiply(length, weight)


def _in_slices(
    column: pa.Array, work: pa.Array, most: int, convert: Callable[[pa.Array], pa.Array], timeout_s: float
) -> pa.Array:
    """The column converted in slices of which none is more work than ``most``, unless it is one cell.

    Raises:
        PatternTimeout: all together took longer than a chunk may.
    """
    if (pc.sum(work).as_py() or 0) <= most:
        return convert(column)
    limit = time.thread_time() + CHUNK_LIMITS * timeout_s
    slices: list[pa.Array] = []
    start = total = 0
    costs = pa.concat_arrays([pc.fill_null(work, 0)])  # from the beginning of its buffer
    for row, cost in enumerate(memoryview(costs.buffers()[1]).cast("q")[: len(costs)]):
        if total and total + cost > most:
            slices.append(convert(column.slice(start, row - start)))
            start, total = row, 0
            if time.thread_time() > limit:
                raise PatternTimeout(f"a pattern took longer than {CHUNK_LIMITS * timeout_s:g} s on a chunk")
        total += cost
    slices.append(convert(column.slice(start)))
    return pa.concat_arrays(slices)
