"""The proof of :mod:`engine.core.quotes` by NumPy, for where the C kernels were not built.

Sixty-four bytes at a time, as simdjson does it (Langdale and Lemire, "Parsing gigabytes of JSON per second", section
3.1.1): a mask of the quotes, and by prefix sums of its bits a mask of what they enclose.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from engine.core.dialect import Dialect
from engine.core.quotes import Proven, structural

__all__ = ["prove"]

_BLOCK = 1_048_576  # bytes looked at together: NumPy's calls cost more than leaving the cache does
_ONE, _LAST = np.uint64(1), np.uint64(63)
_WIDTHS = [np.uint64(1 << step) for step in range(6)]


def prove(data: bytes, stop: int, dialect: Dialect) -> Proven | None:
    """As :func:`engine.core.quotes.prove`."""
    assert dialect.quote is not None
    octets = np.frombuffer(data, np.uint8, stop)
    quote, others = ord(dialect.quote), [ord(dialect.delimiter), *([13] if b"\r" in data else [])]
    near = structural(dialect)
    inside, before = False, True  # of the byte before the block: whether it is in quotes, whether it is structural
    feeds = 0
    masks = _scratch.masks
    for start in range(0, stop, _BLOCK):
        block = octets[start : start + _BLOCK]
        feeds += masks.find(block, quote)
        if not inside and not masks.quoted:
            before = data[start + len(block) - 1] in near
            continue
        masks.find_near(block, others)
        after = start + len(block)
        if masks.misplaced(inside=inside, before=before, after=after < stop and data[after] in near):
            return None
        inside, before = masks.inside, data[after - 1] in near
    return Proven(inside, feeds)


class _Masks:
    """The masks of one block, whose memory serves all of them.

    Attributes:
        quoted: whether the block has quotes.
        inside: whether it ends in quotes.
    """

    def __init__(self) -> None:
        self._quotes, self._near, self._other = (np.zeros(_BLOCK, bool) for _ in range(3))
        self._words = [np.empty(_BLOCK // 64, np.uint64) for _ in range(3)]
        self._size = 0  # of the block, and of what its masks span: whole words
        self._span = 0
        self.quoted = self.inside = False

    def find(self, block: npt.NDArray[np.uint8], quote: int) -> int:
        """Looks for quotes and LFs; says how many LFs there are."""
        self._size = len(block)
        self._span = len(block) + -len(block) % 64
        np.equal(block, quote, out=self._quotes[: self._size])
        self._quotes[self._size : self._span] = False
        self.quoted = bool(self._quotes[: self._size].any())
        return int(np.count_nonzero(np.equal(block, 10, out=self._near[: self._size])))

    def find_near(self, block: npt.NDArray[np.uint8], others: list[int]) -> None:
        """Looks for the other structural characters."""
        near, other = self._near[: self._size], self._other[: self._size]
        for each in others:
            np.equal(block, each, out=other)
            np.logical_or(near, other, out=near)
        np.logical_or(near, self._quotes[: self._size], out=near)
        self._near[self._size : self._span] = False

    def misplaced(self, *, inside: bool, before: bool, after: bool) -> bool:
        """Whether a quote is not in its place.

        Args:
            inside: whether the block begins in quotes.
            before, after: whether the bytes around the block are structural.
        """
        quotes, near = _bits(self._quotes[: self._span]), _bits(self._near[: self._span])
        enclosed, first, second = (words[: len(quotes)] for words in self._words)
        np.copyto(enclosed, quotes)
        for width in _WIDTHS:
            np.left_shift(enclosed, width, out=first)
            np.bitwise_xor(enclosed, first, out=enclosed)
        np.right_shift(enclosed, _LAST, out=first)
        np.bitwise_xor.accumulate(first, out=second)  # the parity after each word
        first[0] = inside
        first[1:] = second[:-1] ^ np.uint64(inside)
        np.negative(first, out=first)  # all ones where an odd number came before
        np.bitwise_xor(enclosed, first, out=enclosed)  # where the number of quotes, this place's included, is odd
        self.inside = bool(enclosed[-1] >> _LAST)
        # An opening quote is enclosed, as masks go, and a closing one is not.
        np.left_shift(near, _ONE, out=first)
        first[1:] |= np.right_shift(near, _LAST, out=second)[:-1]
        first[0] |= np.uint64(before)
        np.invert(first, out=first)
        np.bitwise_and(first, enclosed, out=first)
        np.bitwise_and(first, quotes, out=first)
        if first.any():
            return True
        np.right_shift(near, _ONE, out=first)
        first[:-1] |= np.left_shift(near, _LAST, out=second)[1:]
        first[-1] |= np.uint64(after) << _LAST
        np.bitwise_or(first, enclosed, out=first)
        np.invert(first, out=first)
        np.bitwise_and(first, quotes, out=first)
        return bool(first.any())


def _bits(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    return np.packbits(flags, bitorder="little").view(np.uint64)


class _Scratch(threading.local):
    """Each thread's masks: fresh memory costs more than all that is done with it."""

    def __init__(self) -> None:
        self.masks = _Masks()


_scratch = _Scratch()
