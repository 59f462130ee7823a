"""The bounds that protect memory and time, as the core needs them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a file may contain.

    Attributes:
        row_bytes: the longest record, in bytes of source text.
        cell_bytes: the longest cell, in bytes of UTF-8.
    """

    row_bytes: int = 16_777_216
    cell_bytes: int = 8_388_608
