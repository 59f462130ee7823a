"""Readers of ``iso8601`` and of epochs: text cells in, int64 out, null for every cell that the format refuses.

A reader is exact: null means that the reference refuses the cell too, so that the next format may try it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native
from engine.core.columns import cast_all, column_bytes, common_cells, spread, widths
from engine.core.kernels.numbers import read_int
from engine.core.kernels.zones import FIRST, LAST, LocalTime, in_range
from engine.core.native import isotimes

__all__ = ["EpochReader", "IsoReader", "Reader", "by_width", "first_accepted", "iso_dates"]

type Reader = Callable[[pa.Array], pa.Array]

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = (
    rf"\A(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
_NAIVE = rf"{_DATE}(?:{_TIME})?\z"
_ZONED = rf"{_DATE}{_TIME}(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)\z"
_SURPLUS = r"(\.[0-9]{6})[0-9]+"  # an ISO 8601 text has one point
_POINT, _WITH_SIX = 19, 26  # where the point stands, and where the sixth digit ends
_DAY = 86_400_000_000
_PROBE = 64

_NULL = pa.scalar(None, pa.int64())


def first_accepted(column: pa.Array, readers: Sequence[Reader]) -> pa.Array:
    """Each cell as the first reader that accepts it gives it: int64, null where none does or the cell is null."""
    if native.kernels is not None and len(readers) == 1 and (readers[0] is iso_dates or type(readers[0]) is IsoReader):
        return readers[0](column)  # these pass nulls by
    cells = column.drop_null() if column.null_count else column
    values = readers[0](cells)
    for reader in readers[1:]:
        if not values.null_count:
            break
        refused = pc.is_null(values)
        values = pc.replace_with_mask(values, refused, reader(cells.filter(refused)))
    return spread(values, pc.is_valid(column)) if column.null_count else values


def by_width(cells: pa.Array, whole: Callable[[pa.Array], pa.Array | None], exact: Reader) -> pa.Array:
    """Reads a column whose good cells mostly have one width and whose bad cells mostly have not.

    Args:
        whole: all cells, or None when one of them needs closer looks.
        exact: the same for any cells, slower.
    """
    values = None if len(cells) > _PROBE and whole(cells.slice(0, _PROBE)) is None else whole(cells)
    if values is not None or len(cells) == 0:
        return exact(cells) if values is None else values
    lengths = pc.binary_length(cells)
    (usual,) = pc.mode(lengths.slice(0, _PROBE))
    alike = pc.equal(lengths, usual["mode"])
    if pc.sum(alike).as_py() in (0, len(cells)):
        return exact(cells)
    values = whole(cells.filter(alike))
    if values is None:
        return exact(cells)
    others = pc.invert(alike)
    return pc.replace_with_mask(spread(values, alike), others, exact(cells.filter(others)))


# --- iso8601 -------------------------------------------------------------------------------------------------------


def _zoned(cells: pa.Array) -> pa.Array:
    return pc.cast(cells, pa.timestamp("us", "UTC")).view(pa.int64())


def _naive(cells: pa.Array) -> pa.Array:
    return pc.cast(cells, pa.timestamp("us")).view(pa.int64())


def _days(cells: pa.Array) -> pa.Array:
    return pc.cast(pc.cast(cells, pa.date32()).view(pa.int32()), pa.int64())


def _whole(cells: pa.Array, cast: Callable[[pa.Array], pa.Array]) -> pa.Array | None:
    """All cells cast, if none refuses. Not where a year may be 0, or may be led out of 1 to 9999 by its offset."""
    values = cast_all(cells, cast)
    if values is None or not len(values):
        return values
    extremes = pc.min_max(values)
    return values if extremes["min"].as_py() >= FIRST + _DAY and extremes["max"].as_py() <= LAST - _DAY else None


def _whole_zoned(cells: pa.Array) -> pa.Array | None:
    # The cast would also take an hour without minutes, which makes up to 19 characters with an offset.
    return _whole(_six_digits(cells), _zoned) if widths(cells)[0] >= 20 else None


def _whole_naive(cells: pa.Array) -> pa.Array | None:
    shortest, longest = widths(cells)
    return _whole(_six_digits(cells), _naive) if shortest >= 14 or shortest == longest == 10 else None


def _exact(cells: pa.Array, pattern: str, cast: Callable[[pa.Array], pa.Array]) -> pa.Array:
    good = common_cells(cells, pc.match_substring_regex(cells, pattern))
    if good.null_count == len(good):
        return pa.nulls(len(cells), pa.int64())
    long = pc.fill_null(pc.greater(pc.binary_length(good), _WITH_SIX), False)
    if long.true_count:
        good = pc.replace_with_mask(good, long, pc.replace_substring_regex(good.filter(long), _SURPLUS, r"\1"))
    return cast(good)


def _exact_zoned(cells: pa.Array) -> pa.Array:
    return in_range(_exact(cells, _ZONED, _zoned))


def _exact_days(cells: pa.Array) -> pa.Array:
    return _exact(cells, _DATE + r"\z", _days)


@dataclass(frozen=True, slots=True)
class IsoReader:
    """Microseconds of UTC of timestamps; ``local`` is the zone of those that have no offset, None for UTC."""

    local: LocalTime | None = None

    def __call__(self, cells: pa.Array) -> pa.Array:
        if native.kernels is None:
            return by_width(cells, self._whole, self._exact)
        values, naive = isotimes.timestamps(cells, local=self.local is not None)
        if naive is None or self.local is None:
            return values
        return pc.replace_with_mask(values, naive, self.local(values.filter(naive)))

    def _whole(self, cells: pa.Array) -> pa.Array | None:
        values = _whole_zoned(cells)
        return self._whole_naive(cells) if values is None else values

    def _whole_naive(self, cells: pa.Array) -> pa.Array | None:
        values = _whole_naive(cells)
        return values if values is None or self.local is None else self.local(values)

    def _exact(self, cells: pa.Array) -> pa.Array:
        zoned = _exact_zoned(cells)
        if not zoned.null_count:
            return zoned
        others = pc.is_null(zoned)
        return pc.replace_with_mask(zoned, others, by_width(cells.filter(others), self._whole_naive, self._exact_naive))

    def _exact_naive(self, cells: pa.Array) -> pa.Array:
        values = _exact(cells, _NAIVE, _naive)
        return values if self.local is None else self.local(values)


def iso_dates(cells: pa.Array) -> pa.Array:
    """Days since 1970 of dates."""
    if native.kernels is not None:
        return isotimes.dates(cells)
    return by_width(cells, _whole_days, _exact_days)


def _whole_days(cells: pa.Array) -> pa.Array | None:
    if widths(cells) != (10, 10):
        return None
    values = cast_all(cells, _days)
    return values if values is None or pc.min(values).as_py() >= FIRST // _DAY else None


def _six_digits(cells: pa.Array) -> pa.Array:
    """The cells without surplus digits of the second, or as they are where there seem to be none."""
    shortest, longest = widths(cells)
    if longest <= _WITH_SIX:
        return cells
    if shortest < longest:
        surplus = pc.match_substring_regex(cells.slice(0, _PROBE), _SURPLUS)
        return pc.replace_substring_regex(cells, _SURPLUS, r"\1") if pc.any(surplus).as_py() else cells
    first = cells[0].as_buffer().to_pybytes()
    digits = len(first) - len(first[_WITH_SIX:].lstrip(b"0123456789"))
    if digits == _WITH_SIX:
        return cells
    data = column_bytes(cells)
    if data[_POINT::longest].count(b".") < len(cells):
        return cells
    if any(data[place::longest].strip(b"0123456789") for place in range(_POINT + 1, digits)):
        return cells
    return pc.binary_replace_slice(cells, _WITH_SIX, digits, b"")


# --- epochs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EpochReader:
    """Microseconds of UTC of whole units since 1970."""

    microseconds: int

    def __call__(self, cells: pa.Array) -> pa.Array:
        units = read_int(cells)
        inside = pc.and_(
            pc.greater_equal(units, -(-FIRST // self.microseconds)), pc.less_equal(units, LAST // self.microseconds)
        )
        return pc.multiply(pc.if_else(inside, units, _NULL), self.microseconds)
