"""What a pattern matches in the cells of a column. Only where :data:`~engine.core.native.kernels` is there.

They run programs, which :mod:`engine.core.stepping.program` makes of patterns.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import pyarrow as pa

from engine.core.native import CELLS, bits, cells, data_size, kernels, room, validity_bytes

__all__ = ["DEAD", "NOTHING", "REGISTERS", "UNKNOWN", "Matcher", "Program"]

DEAD: Final = 0
"""The state from which no match, or no better one, can be reached."""
UNKNOWN: Final = 1
"""The state of cells that a program leaves undecided. The idle ones follow it."""
REGISTERS: Final = 8
"""How many registers a program may have."""
NOTHING: Final = -(2**31)

_ADDRESS, _NUMBER, _SMALL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@dataclass(frozen=True, slots=True)
class Program:
    """Arrays are in the machine's own order of bytes.

    Attributes:
        states: how many there are. What a table holds from this number on are moves.
        begin: the state at the beginning of a cell.
        idle: so many states, from 2 on, are those in which no match may have begun yet.
        jump: the state after bytes were skipped.
        table: for each state and byte what comes next; 16 bits each.
        ends: for each state what comes next at the end of a cell.
        moves: five numbers of 32 bits: the next state; where in ``sets`` its are, and how many; and, where a match ends
            before this byte, where the group opened and closed, else :data:`NOTHING`. A place is a register's number or
            ``~n`` for n bytes ago.
        sets: two numbers of 32 bits each: a register, and the place that it gets.
        needle: a text that every match holds; empty: none is known.
        rare: the two places in the needle to look for first, in order.
        least: how many bytes after a match's beginning the needle is at least.
        most: how many at most, and one more where a state must know the byte before; None: any number.
        landings: for each state the one after the needle, or :data:`DEAD` where there is a move between.
        lines: whether cells that end with a newline are undecided.
    """

    states: int
    begin: int
    idle: int
    jump: int
    table: bytes
    ends: bytes
    moves: bytes
    sets: bytes
    needle: bytes
    rare: tuple[int, int]
    least: int
    most: int | None
    landings: bytes
    lines: bool


class _Struct(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("table", "ends", "landings", "moves", "sets", "needle")),
        *((name, _SMALL) for name in ("states", "begin", "idle", "jump")),
        *((name, _SMALL) for name in ("size", "rare", "rarer", "least", "most")),
        ("lines", _SMALL),
    )


if kernels is not None:
    kernels.match_cells.argtypes = (*CELLS, ctypes.POINTER(_Struct), *(_ADDRESS,) * 5)
    kernels.match_cells.restype = _NUMBER
    kernels.replace_cells.argtypes = (*CELLS, ctypes.POINTER(_Struct), ctypes.c_char_p, _NUMBER, *(_ADDRESS,) * 5)
    kernels.replace_cells.restype = _NUMBER


class Matcher:
    """A program as the kernels take it. Any thread may use it."""

    def __init__(self, program: Program) -> None:
        made = program
        most = 2**31 - 1 if made.most is None else made.most
        self._struct = _Struct(
            made.table, made.ends, made.landings, made.moves, made.sets, made.needle,
            made.states, made.begin, made.idle, made.jump,
            len(made.needle), *made.rare, made.least, most,
            made.lines,
        )  # fmt: skip

    def matched(self, column: pa.Array) -> tuple[pa.Array, pa.Array | None]:
        """What the group matched in each cell of a text column, null where the pattern does not match.

        Returns:
            The texts, and which cells are undecided, null until somebody else decides; None: none.
        """
        assert kernels is not None
        return _filled(column, data_size(column), partial(kernels.match_cells, *cells(column), self._struct))

    def replaced(self, column: pa.Array, text: bytes) -> tuple[pa.Array, pa.Array | None]:
        """A text column with ``text`` in place of all that the pattern matches, which must never be nothing.

        Takes room for :meth:`most_replaced` bytes.

        Returns:
            As :meth:`matched` does.
        """
        assert kernels is not None
        fill = partial(kernels.replace_cells, *cells(column), self._struct, text, len(text))
        return _filled(column, self.most_replaced(column, text), fill)

    @staticmethod
    def most_replaced(column: pa.Array, text: bytes) -> int:
        """How many bytes there are at most when every byte is replaced."""
        return data_size(column) * max(1, len(text))


def _filled(
    column: pa.Array, most: int, fill: Callable[[int, int, int, int, int], int]
) -> tuple[pa.Array, pa.Array | None]:
    """What a kernel makes of a text column's cells, and which are undecided."""
    rows, undecided = len(column), _NUMBER()
    good, unsure = room(validity_bytes(rows)), room(validity_bytes(rows))
    ends, data = room(4 * (rows + 1)), room(most)
    refused = fill(good.address, ends.address, data.address, unsure.address, ctypes.addressof(undecided))
    texts = pa.Array.from_buffers(pa.string(), rows, [good if refused else None, ends, data], refused)
    return texts, bits(unsure, rows) if undecided.value else None
