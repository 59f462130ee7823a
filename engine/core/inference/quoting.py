"""Quotes and escapes: which of them, with a delimiter, makes a file's first records even."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.core.dialect import Dialect
from engine.core.inference.trial import Trial, try_dialect

__all__ = ["best_quoting"]

_CLOSE = 0.05  # evenness that differs by less decides nothing
_ENCLOSED = 2  # cells between apostrophes, before these are quotes
_SPOILT = 3  # records that quotes spoil, before none is taken for one


def best_quoting(lines: Sequence[str], delimiter: str, *, whole: bool) -> Trial:
    """The trial of a delimiter with the quote and the escape that suit it best.

    The quote is ``"`` unless an apostrophe makes records more even, or encloses all cells of a column; or unless it
    encloses no cell, spoils some records, and these are even without any. A backslash is an escape where it stands
    before a quote or a delimiter, and makes records more even.

    Args:
        lines: as of :func:`try_dialect`.
    """
    text = "".join(lines)
    best = _escaped(lines, Dialect(delimiter), text, whole=whole)
    if _enclosed(text, delimiter, "'") >= _ENCLOSED:
        single = _escaped(lines, Dialect(delimiter, "'"), text, whole=whole)
        is_only = (
            not _enclosed(text, delimiter, '"') and single.evenness >= best.evenness and _has_enclosed_column(best)
        )
        if single.width > 1 and (single.evenness > best.evenness + _CLOSE or is_only):
            return single
    if best.refused >= _SPOILT and _enclosed(text, delimiter, '"') < best.refused:
        none = _escaped(lines, Dialect(delimiter, None), text, whole=whole)
        if none.evenness > best.evenness + _CLOSE:
            return none
    return best


def _escaped(lines: Sequence[str], dialect: Dialect, text: str, *, whole: bool) -> Trial:
    """The trial of a dialect, with a backslash as its escape where that is better."""
    plain = try_dialect(lines, dialect, whole=whole)
    if f"\\{dialect.delimiter}" not in text and (dialect.quote is None or f"\\{dialect.quote}" not in text):
        return plain
    escaped = try_dialect(lines, replace(dialect, escape="\\"), whole=whole)
    return escaped if escaped.evenness > plain.evenness else plain


def _enclosed(text: str, delimiter: str, quote: str) -> int:
    """How many cells stand between two quotes."""
    edge = re.escape(delimiter)
    cell = rf"(?:^|(?<={edge})){quote}(?:[^{quote}\r\n]|{quote}{quote})*{quote}(?={edge}|[\r\n]|\Z)"
    return sum(1 for _ in re.finditer(cell, text, re.MULTILINE))


def _has_enclosed_column(trial: Trial) -> bool:
    """Whether all cells of a column, but perhaps for its label, stand between apostrophes."""
    columns = zip(*(trial.even[1:] or trial.even), strict=True)
    return any(all(len(cell) > 1 and cell[0] == "'" == cell[-1] for cell in column) for column in columns)
