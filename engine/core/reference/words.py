"""``string``, ``bool`` and ``uuid``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.core.reference.faults import CellFault

__all__ = ["FALSE", "TRUE", "to_bool", "to_string", "to_uuid"]

TRUE = ("true", "t", "yes", "y", "1")
FALSE = ("false", "f", "no", "n", "0")

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")


def to_string(text: str) -> str:
    """``string``: any text."""
    return text


def to_bool(text: str, true: Sequence[str] = TRUE, false: Sequence[str] = FALSE) -> bool:
    """``bool``: one of the words, in any case.

    Args:
        true: the words for true; a word that both lists have is true.
        false: the words for false.
    """
    folded = text.lower()
    if folded in {word.lower() for word in true}:
        return True
    if folded in {word.lower() for word in false}:
        return False
    if (true, false) == (TRUE, FALSE):
        raise CellFault("not a boolean (true/false, t/f, yes/no, y/n, 1/0)")
    raise CellFault("none of the words that the mapping has for true and false")


def to_uuid(text: str) -> str:
    """``uuid``: 32 hex digits, with or without the usual hyphens; gives lower case with hyphens."""
    if not _UUID.fullmatch(text):
        raise CellFault("not a UUID")
    digits = text.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
