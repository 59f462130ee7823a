"""Readers of strptime formats: text cells in, int64 out, null for every cell that the format refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import cast_all, column_bytes, widths
from engine.core.kernels.readers import by_width
from engine.core.kernels.zones import FIRST, in_range
from engine.core.reference import Layout

__all__ = ["LayoutReader"]

_DAY = 86_400_000_000
_FULL_WIDTH = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "f": 6}
_ISO_PLACE = {"Y": 0, "m": 5, "d": 8, "H": 11, "M": 14, "S": 17, "f": 20}
_NULL = pa.scalar(None, pa.int64())


@dataclass(frozen=True, slots=True)
class _Moves:
    """A format whose directives all have their full width, as moves of bytes into ``YYYY-MM-DD HH:MM:SS.ffffff``.

    Attributes:
        width: of a cell, in bytes.
        literals: what must stand where, in either case.
        moves: where a byte comes from, and goes to.
        template: what stands where nothing goes.
    """

    width: int
    literals: tuple[tuple[int, bytes], ...]
    moves: tuple[tuple[int, int], ...]
    template: bytes

    @classmethod
    def of(cls, layout: Layout) -> Self | None:
        letters = {letter for letter, _ in layout.pieces if letter}
        if letters - _FULL_WIDTH.keys():
            return None
        at = 0
        literals: list[tuple[int, bytes]] = []
        moves: list[tuple[int, int]] = []
        for letter, char in layout.pieces:
            if letter:
                moves += [(at + place, _ISO_PLACE[letter] + place) for place in range(_FULL_WIDTH[letter])]
                at += _FULL_WIDTH[letter]
            for byte in char.encode():
                literals.append((at, bytes([byte])))
                at += 1
        template = b"0000-00-00 00:00:00.000000"[: 26 if "f" in letters else 19]
        return cls(at, tuple(literals), tuple(moves), template)

    def read(self, cells: pa.Array) -> pa.Array | None:
        """Local microseconds of all cells; None where a cell is not of this shape, or no such time."""
        if len(cells) == 0 or widths(cells) != (self.width, self.width):
            return None
        data, count, length = column_bytes(cells), len(cells), len(self.template)
        for place, byte in self.literals:
            seen = data[place :: self.width]
            if seen.count(byte) + (seen.count(byte.swapcase()) if byte.isalpha() else 0) < count:
                return None
        moved = bytearray(self.template * count)
        for source, target in self.moves:
            moved[target::length] = data[source :: self.width]
        if moved.translate(None, b"0123456789 -:."):  # as text, Arrow wants UTF-8
            return None
        fixed = pa.Array.from_buffers(pa.binary(length), count, [None, pa.py_buffer(moved)])
        values = cast_all(pc.cast(pc.cast(fixed, pa.binary()), pa.string()), _cast)
        return values if values is not None and pc.min(values).as_py() >= FIRST else None


def _cast(cells: pa.Array) -> pa.Array:
    return pc.cast(cells, pa.timestamp("us")).view(pa.int64())


@dataclass(frozen=True, slots=True)
class LayoutReader:
    """A strptime format: microseconds since 1970, of UTC where it has ``%z``, else as written."""

    layout: Layout
    pattern: str
    moves: _Moves | None

    @classmethod
    def of(cls, layout: Layout) -> Self:
        return cls(layout, rf"\A(?:{layout.pattern.pattern})\z", _Moves.of(layout))

    def __call__(self, cells: pa.Array) -> pa.Array:
        if self.moves is not None:
            return by_width(cells, self.moves.read, self._exact)
        return self._exact(cells)

    def days(self, cells: pa.Array) -> pa.Array:
        """Days since 1970 as written, whatever the time and the offset."""
        if self.moves is None:
            return self._days(pc.extract_regex(cells, self.pattern))
        micros = by_width(cells, self.moves.read, self._exact)
        return pc.add(pc.divide(pc.subtract(micros, FIRST), _DAY), FIRST // _DAY)

    def _exact(self, cells: pa.Array) -> pa.Array:
        groups = pc.extract_regex(cells, self.pattern)
        micros = pc.add(pc.multiply(self._days(groups), _DAY), self._time(groups))
        return in_range(pc.subtract(micros, _offsets(_group(groups, "z")))) if self.layout.which("z") else micros

    def _days(self, groups: pa.Array) -> pa.Array:
        letter = self.layout.which("Yy") or "Y"
        year = _number(groups, letter)
        if letter == "y":
            year = pc.add(year, pc.if_else(pc.greater_equal(year, 69), 1900, 2000))
        year = pc.if_else(pc.greater(year, 0), year, _NULL)
        if self.layout.which("j"):
            first, day = _first_of_month(year, 1), _number(groups, "j")
            length = pc.subtract(_first_of_month(year, 13), first)
        else:
            month, day = _number(groups, "m"), _number(groups, "d")
            first = _first_of_month(year, month)
            length = pc.subtract(_first_of_month(year, pc.add(month, 1)), first)
        return pc.if_else(pc.less_equal(day, length), pc.subtract(pc.add(first, day), 1), _NULL)

    def _time(self, groups: pa.Array) -> pa.Array:
        """Microseconds since midnight."""
        total: pa.Array = pa.scalar(0, pa.int64())
        letter = self.layout.which("HI")
        if letter == "H":
            total = _scaled(groups, "H", 3_600)
        elif letter == "I":
            afternoon = pc.match_substring_regex(_group(groups, "p"), r"\A[pP]")
            hour = _number(groups, "I")
            hour = pc.add(pc.if_else(pc.equal(hour, 12), 0, hour), pc.if_else(afternoon, 12, 0))
            total = pc.multiply(hour, 3_600_000_000)
        if self.layout.which("M"):
            total = pc.add(total, _scaled(groups, "M", 60))
        if self.layout.which("S"):
            total = pc.add(total, _scaled(groups, "S", 1))
        if self.layout.which("f"):
            padded = pc.ascii_rpad(_group(groups, "f"), 6, "0")
            total = pc.add(total, pc.cast(padded, pa.int64()))
        return total


def _group(groups: pa.Array, letter: str) -> pa.Array:
    return pc.struct_field(groups, letter)


def _number(groups: pa.Array, letter: str) -> pa.Array:
    return pc.cast(_group(groups, letter), pa.int64())


def _scaled(groups: pa.Array, letter: str, seconds: int) -> pa.Array:
    return pc.multiply(_number(groups, letter), seconds * 1_000_000)


def _first_of_month(year: pa.Array, month: pa.Array | int) -> pa.Array:
    """Days from 1970 to a month's first, in the proleptic Gregorian calendar; month 13 is the next January.

    Years are counted from March, so that the odd day stands at their end.
    """
    before_march = pc.divide(pc.subtract(14, month), 12)
    year = pc.subtract(year, before_march)
    month = pc.add(month, pc.subtract(pc.multiply(before_march, 12), 3))
    in_year = pc.divide(pc.add(pc.multiply(month, 153), 2), 5)
    leaps = pc.add(pc.subtract(pc.divide(year, 4), pc.divide(year, 100)), pc.divide(year, 400))
    return pc.subtract(pc.add(pc.add(pc.multiply(year, 365), leaps), in_year), 719_468)


def _offsets(text: pa.Array) -> pa.Array:
    """Microseconds of ``Z``, ``+hhmm`` or ``+hh:mm``."""
    text = pc.if_else(pc.equal(text, "Z"), "+0000", text)
    hours = pc.cast(pc.utf8_slice_codeunits(text, 1, 3), pa.int64())
    minutes = pc.cast(pc.utf8_slice_codeunits(text, -2), pa.int64())
    size = pc.multiply(pc.add(pc.multiply(hours, 60), minutes), 60_000_000)
    return pc.if_else(pc.starts_with(text, "-"), pc.negate(size), size)
