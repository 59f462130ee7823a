"""The encoder of a text format: a header, rows, and perhaps a compressor behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pyarrow as pa

from engine.core.encoders.compress import Compressor

__all__ = ["TextEncoder", "TextRows"]


class TextRows(Protocol):
    """A text format compiled for a mapping's fields. Holds no state between batches, so files may share it."""

    @property
    def header(self) -> bytes:
        """What stands before the first row, also in a file without rows."""
        ...

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        """The text of these rows."""
        ...


class TextEncoder:
    """Writes one file of text.

    Args:
        compressor: makes the file's compressor.
        header: whether the format's header comes first; not where another encoder has written rows before these.
    """

    def __init__(self, rows: TextRows, compressor: Callable[[], Compressor], *, header: bool = True) -> None:
        self._rows = rows
        self._compressor = compressor()
        self._header = rows.header if header else b""  # until it is written

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        text = self._rows.encode(columns)
        if self._header:
            text, self._header = self._header + text, b""
        return self._compressor.compress(text)

    def finish(self) -> bytes:
        text, self._header = self._header, b""
        return self._compressor.compress(text) + self._compressor.finish()
