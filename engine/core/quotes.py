"""Whether all quotes of a chunk stand where strict CSV has them: mostly so, and then nothing else need be looked at."""

from __future__ import annotations

from typing import NamedTuple

from engine.core import native
from engine.core.dialect import Dialect
from engine.core.native.csvtext import prove_quotes

__all__ = ["Proven", "prove", "structural"]


def structural(dialect: Dialect) -> bytes:
    """The characters that a cell's quotes may stand next to: delimiter, line ends and other quotes."""
    return f"{dialect.delimiter}\n\r{dialect.quote or ''}".encode()


class Proven(NamedTuple):
    """All quotes are in their places: whether the last one is left open, and how many LFs there are."""

    left_open: bool
    feeds: int


def prove(data: bytes, stop: int, dialect: Dialect) -> Proven | None:
    """Whether the last quote of ``data[:stop]`` is left open; None where not all quotes are in their places.

    They are where each that opens follows a structural character, or begins ``data``, and each that closes is followed
    by one. From the start on, the first of them opens, for it follows a delimiter or a line end outside quotes; the
    next one closes, or begins a doubled quote, whose second half then counts as opening again; and so on: a proof by
    induction that ``csv.reader(strict=True)`` reads the text so. The converse does not hold: bare quotes in a cell
    (``5" pipe``) are allowed, and not proven here.

    Args:
        data: begins where a record does.
        stop: index after a line end.
        dialect: with a quote; what it escapes has been taken out of ``data``.
    """
    assert dialect.quote is not None
    if native.kernels is not None:
        proven = prove_quotes(data, stop, ord(dialect.quote), ord(dialect.delimiter))
        return None if proven is None else Proven(*proven)
    from engine.core import quotemasks

    return quotemasks.prove(data, stop, dialect)
