"""Time limits on a client's patterns: a pattern that runs too long fails the file, it never labels a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.errors import PatternTimeout

__all__ = ["CHUNK_LIMITS", "Guard"]

CHUNK_LIMITS = 10
"""How many times a cell's limit one pattern may take for all the cells of a chunk."""

_GUARDED, _FREE = 16, 64  # cells between two looks at the clock


@dataclass(frozen=True, slots=True)
class Guard:
    """Runs a pattern over cells within limits of processor time.

    A limit on a cell makes the ``regex`` package read the clock at every call, which costs more than the usual match.
    So cells that are too short for the pattern to be slow on (:func:`engine.core.stepping.shape.free_length`) go
    without, and only the chunk's limit holds for them.

    Args:
        timeout_s: the most seconds of this thread's processor time that the pattern may take for one cell.
        free_length: cells of up to so many characters cannot take long.
    """

    timeout_s: float
    free_length: int

    def one[T](self, match: Callable[..., T], text: str) -> T:
        """What ``match(text)`` gives, where ``match`` takes a ``timeout``.

        Raises:
            PatternTimeout: it took longer than it may, or more memory than there is.
        """
        if len(text) <= self.free_length:
            return match(text)
        allowed = self.timeout_s
        try:
            while True:
                # The package counts the processor time of all threads. What counts here is this thread's, so that
                # neither the machine's nor the process's other work can make a pattern fail.
                started = time.thread_time()
                try:
                    return match(text, timeout=allowed)
                except TimeoutError:
                    if time.thread_time() - started >= 0.9 * self.timeout_s:
                        raise PatternTimeout(f"a pattern took longer than {self.timeout_s:g} s on one cell") from None
                    allowed *= 2
        except MemoryError:
            raise _out_of_memory() from None

    def many[T](self, match: Callable[..., T], texts: Sequence[str]) -> Iterator[list[T]]:
        """The same for the cells of a chunk, which together have :data:`CHUNK_LIMITS` times a cell's limit.

        The results come some at a time, in order, so that not all matches of a chunk need to be held.

        Raises:
            PatternTimeout: a cell, or all together, took longer than they may.
        """
        free = max(map(len, texts), default=0) <= self.free_length
        width = _FREE if free else _GUARDED
        limit = time.thread_time() + CHUNK_LIMITS * self.timeout_s
        for start in range(0, len(texts), width):
            part = texts[start : start + width]
            yield self._free(match, part) if free else self._guarded(match, part)
            if time.thread_time() > limit:
                raise PatternTimeout(f"a pattern took longer than {CHUNK_LIMITS * self.timeout_s:g} s on a chunk")

    def _free[T](self, match: Callable[..., T], part: Sequence[str]) -> list[T]:
        try:
            return list(map(match, part))
        except MemoryError:
            raise _out_of_memory() from None

    def _guarded[T](self, match: Callable[..., T], part: Sequence[str]) -> list[T]:
        if max(map(len, part)) <= self.free_length:
            return self._free(match, part)
        try:
            return [match(text, timeout=self.timeout_s) for text in part]
        except (TimeoutError, MemoryError):  # of which cell, and was it really its own time?
            return [self.one(match, text) for text in part]


def _out_of_memory() -> PatternTimeout:
    return PatternTimeout("a pattern took more memory than there is on one cell")
