"""Text of others on a terminal, which must not move its cursor, colour it or turn lines around."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    """``text`` with what is not shown as a character (controls, escapes, directions, lone surrogates) spelled out."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii") for mark in text)
