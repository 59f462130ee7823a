"""A pattern of one whole row."""

from __future__ import annotations

import re

from engine.core.dialect import Dialect

__all__ = ["one_row"]


def one_row(dialect: Dialect, *, left_open: bool = False) -> re.Pattern[bytes]:
    """Matches text that is one whole row, without the line end that ends it.

    In linear time: nothing that it took is ever given back. A cell that begins with a quote goes on, line ends and all,
    to the quote that closes it; any other ends before a delimiter or a line end.

    Args:
        left_open: match a row whose last cell has a quote that is not closed.
    """
    delimiter, quote = re.escape(dialect.delimiter.encode()), re.escape((dialect.quote or "").encode())
    cell = rb"[^%b\r\n]*+" % delimiter
    if not quote:
        return re.compile(rb"%b(?:%b%b)*+" % (cell, delimiter, cell))
    opened = rb"%b[^%b]*+(?:%b%b[^%b]*+)*+" % (*[quote] * 5,)
    cell = rb"(?:%b%b|(?!%b)%b)" % (opened, quote, quote, cell)
    if left_open:
        return re.compile(rb"(?:%b%b)*+%b" % (cell, delimiter, opened))
    return re.compile(rb"%b(?:%b%b)*+" % (cell, delimiter, cell))
