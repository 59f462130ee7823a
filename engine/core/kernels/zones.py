"""Local time to UTC for a column, by the same ``zoneinfo`` data as the reference.

Arrow's own ``assume_timezone`` is not used: it applies no daylight saving after 2037 and needs the system's time zone
files, which a slim image does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["FIRST", "LAST", "LocalTime", "in_range"]

FIRST, LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, in microseconds since 1970."""

_DAY, _QUARTER = 86_400_000_000, 900_000_000
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # local, of whatever zone
_MICROSECOND = timedelta(microseconds=1)
_KEPT = 65_536


def in_range(micros: pa.Array) -> pa.Array:
    """The column with null for every instant outside the years 1 to 9999."""
    extremes = pc.min_max(micros)
    if not extremes["min"].is_valid or (extremes["min"].as_py() >= FIRST and extremes["max"].as_py() <= LAST):
        return micros
    inside = pc.and_(pc.greater_equal(micros, FIRST), pc.less_equal(micros, LAST))
    return pc.if_else(inside, micros, pa.scalar(None, pa.int64()))


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A time zone. Called with local microseconds since 1970 (int64, in range), gives UTC; null in gaps and overlaps.

    Offsets are looked up once for each day of a column; on a day that has a change, once for each quarter of an hour;
    what is in a quarter that has a change stays null, for the reference to judge. ``known`` remembers offsets by start
    and length; it belongs to the thread of the plan that holds this.
    """

    zone: tzinfo
    known: dict[tuple[int, int], int | None] = field(default_factory=dict, compare=False)

    def __call__(self, local: pa.Array) -> pa.Array:
        offsets = self._offsets(local, _DAY)
        unsettled = pc.and_(pc.is_null(offsets), pc.is_valid(local))
        if pc.any(unsettled).as_py():
            finer = self._offsets(local.filter(unsettled), _QUARTER)
            offsets = pc.replace_with_mask(offsets, unsettled, finer)
        return in_range(pc.subtract(local, offsets))

    def _offsets(self, local: pa.Array, length: int) -> pa.Array:
        encoded = pc.dictionary_encode(pc.divide(pc.subtract(local, FIRST), length))
        buckets = encoded.dictionary
        starts = memoryview(buckets.buffers()[1]).cast("q")[buckets.offset : buckets.offset + len(buckets)].tolist()
        offsets = [self._offset(FIRST + start * length, length) for start in starts]
        return pa.array(offsets, pa.int64()).take(encoded.indices)

    def _offset(self, start: int, length: int) -> int | None:
        key = (start, length)
        if key not in self.known:
            if len(self.known) >= _KEPT:
                self.known.clear()
            self.known[key] = self._constant(start, length)
        return self.known[key]

    def _constant(self, start: int, length: int) -> int | None:
        """The offset during so much local time; None where it changes, or a local time is not one instant."""
        offsets = {
            (_EPOCH + timedelta(microseconds=at)).replace(tzinfo=self.zone, fold=fold).utcoffset()
            for at in (start, start + length // 2, start + length - 1)
            for fold in (0, 1)
        }
        only = offsets.pop()
        return None if offsets else (only or timedelta()) // _MICROSECOND
