"""Words that stand for a value that is not there."""

from __future__ import annotations

__all__ = ["NULL_WORDS"]

NULL_WORDS = (
    "NA", "N/A", "n/a", "na", "#N/A", "NULL", "Null", "null", "(null)", "None", "none", "nil", "NaN", "nan", "\\N",
    "-", "--", "?", ".",
)  # fmt: skip
"""Taken for nulls where all else in a column is of one type, as in a column of numbers; elsewhere only mentioned.

``NA`` is Namibia, ``None`` may be an answer, and ``-`` a grade.
"""
