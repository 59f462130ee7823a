"""Line ends: LF, CRLF and lone CR; and which of them end records."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

__all__ = [
    "LINE_END",
    "LineSkipper",
    "Places",
    "count_lines",
    "last_line_end",
    "line_ends",
    "lone_returns",
    "next_line",
    "record_ends",
    "whole_lines",
]

LINE_END = re.compile(rb"\r\n?|\n")

type Places = npt.NDArray[np.int64]

_BLOCK = 65_536  # bytes looked at together: what is made of them stays in the cache


def count_lines(data: bytes) -> int:
    """How many line ends there are in ``data``."""
    octets = np.frombuffer(data, np.uint8)
    feeds = sum(int(np.count_nonzero(octets[at : at + _BLOCK] == 10)) for at in range(0, len(data), _BLOCK))
    return feeds + lone_returns(data)


def lone_returns(data: bytes) -> int:
    """How many CRs there are in ``data`` that no LF follows: line ends of their own."""
    return len(_lone(data)) if b"\r" in data else 0


def line_ends(data: bytes) -> Places:
    """The index after each line end."""
    feeds = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    if b"\r" in data and len(lone := _lone(data)):
        feeds = np.sort(np.concatenate([feeds, lone]))
    return feeds + 1


def record_ends(data: bytes, quotes: Places) -> Places:
    """The index after each line end that is not inside quotes.

    Args:
        quotes: places of those that open and close in turn.
    """
    ends = line_ends(data)
    return ends[quotes.searchsorted(ends) % 2 == 0] if len(quotes) else ends


def last_line_end(data: bytes, start: int, stop: int) -> int:
    """The index after the last line end between ``start`` and ``stop``; 0 where there is none."""
    return max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) + 1


def next_line(data: bytes, start: int) -> int:
    """The index after the first line end from ``start`` on."""
    found = LINE_END.search(data, start)
    assert found is not None
    return found.end()


def whole_lines(data: bytes) -> int:
    """The index after the last line end of ``data`` that is surely whole: a CR at the very end may be half of one."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


class LineSkipper:
    """Drops the first lines of a file, however long they are.

    Attributes:
        left: how many are still to come.
    """

    def __init__(self, count: int) -> None:
        self.left = count

    def skip(self, data: bytes, *, final: bool) -> bytes:
        """What is left of the file's next bytes."""
        start = 0
        while self.left:
            found = LINE_END.search(data, start)
            if found is None:
                return b""
            if found.group() == b"\r" and found.end() == len(data) and not final:  # perhaps half of a CRLF
                return b"\r"
            start = found.end()
            self.left -= 1
        return data[start:]


def _lone(data: bytes) -> Places:
    octets = np.frombuffer(data, np.uint8)
    returns: Places = np.flatnonzero(octets == 13)
    following = octets[np.minimum(returns + 1, len(data) - 1)]
    lone: Places = returns[following != 10]
    return lone
