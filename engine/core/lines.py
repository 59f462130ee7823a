"""Line ends: LF, CRLF and lone CR."""

from __future__ import annotations

import re

from engine.core import native
from engine.core.native import csvtext

__all__ = [
    "LINE_END",
    "LineSkipper",
    "count_lines",
    "last_line_end",
    "lone_returns",
    "next_line",
    "record_end",
    "whole_lines",
]

LINE_END = re.compile(rb"\r\n?|\n")


def count_lines(data: bytes) -> int:
    """How many line ends there are in ``data``."""
    return sum(_counts(data))


def lone_returns(data: bytes) -> int:
    """How many CRs there are in ``data`` that no LF follows: line ends of their own."""
    return _counts(data)[1] if b"\r" in data else 0


def last_line_end(data: bytes, start: int, stop: int) -> int:
    """The index after the last line end between ``start`` and ``stop``; 0 where there is none."""
    return max(data.rfind(b"\n", start, stop), data.rfind(b"\r", start, stop)) + 1


def record_end(data: bytes, quote: str | None, *, start: int = 0, inside: bool = False) -> int | None:
    """The index after the first line end from ``start`` on that is not inside quotes; None where there is none.

    Args:
        quote: each one opens or closes.
        inside: whether ``start`` is inside quotes.
    """
    mark = quote.encode() if quote is not None else b""
    if inside and (not mark or (start := data.find(mark, start) + 1) == 0):
        return None
    while True:
        opened = data.find(mark, start) if mark else -1
        found = LINE_END.search(data, start, len(data) if opened < 0 else opened)
        if found is not None or opened < 0:
            return found.end() if found is not None else None
        start = data.find(mark, opened + 1) + 1
        if not start:
            return None


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


def _counts(data: bytes) -> tuple[int, int]:
    """LFs, and CRs that no LF follows."""
    if native.kernels is not None:
        return csvtext.line_counts(data)
    from engine.core import places

    return places.line_counts(data)
