"""The bounds that protect memory and time, as the core needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.config import LimitsSettings

__all__ = ["COPIED_BYTES", "MADE_BYTES", "MAX_COLUMNS", "ROW_GROUP_BYTES", "TOO_LONG", "Limits"]

MADE_BYTES = 1 << 26
"""What a chunk's rows may become, beside their own cells: a constant may be long and rows short, and a mapping may have
thousands of fields that are read from one column. Fewer rows are then taken together."""

COPIED_BYTES = 1 << 28
"""The most that the fields of one row may copy of one column; a cell that would make more of them is ``too-long``."""

MAX_COLUMNS = 65_536
"""Of a file. Labels stay in memory while it is read, and a record of ``row_bytes`` has room for millions."""

ROW_GROUP_BYTES = 16 << 20
"""A Parquet row group ends with the row that brings its cells to so many bytes: 16 to 32 MiB, as rows are shorter."""

TOO_LONG = "longer than limits.row_bytes (%d bytes)"
"""What is said of a row. It depends on that alone, so that its replay says the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a file may contain.

    Attributes:
        row_bytes: the longest record, in bytes of source text.
        cell_bytes: the longest cell, in bytes of UTF-8.
        regex_timeout_s: processor time of one pattern on one cell, in seconds; ten times that on a chunk.
        expansion_ratio: the text of a compressed file, in multiples of the compressed bytes read.
    """

    row_bytes: int = 16_777_216
    cell_bytes: int = 8_388_608
    regex_timeout_s: float = 1.0
    expansion_ratio: int = 200

    @classmethod
    def of(cls, settings: LimitsSettings) -> Limits:
        """The bounds that the configuration sets."""
        return cls(settings.row_bytes, settings.cell_bytes, settings.regex_timeout_s, settings.expansion_ratio)
