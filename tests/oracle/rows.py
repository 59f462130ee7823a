"""A file's labels and data rows, and what is wrong with a row before its cells are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.oracle.records import Record, read_records
from tests.oracle.texts import UNDECODABLE, read_text

__all__ = ["ROW_BYTES", "BadHeader", "Row", "read_rows"]

ROW_BYTES = 16_777_216


class BadHeader(ValueError):
    """The file has no column for a field, or two of that name; or its first record cannot be read."""


@dataclass(frozen=True, slots=True)
class Row:
    """One data row. ``cells`` are as many as there are labels, None for those that are not there, trimmed where that is
    asked for; none at all where there is a ``fault``, its code."""

    cells: list[str | None]
    fault: str | None
    record: Record


def read_rows(data: bytes, dialect: dict[str, Any], row_bytes: int, bind: Callable[[list[str]], None]) -> Iterator[Row]:
    """The data rows. Blank lines before the first record are rows where they count and there is no header; a file of
    nothing else has none.

    Args:
        dialect: the mapping's ``csv`` section.
        bind: called with the labels once they are known, before the first row.

    Raises:
        BadHeader: the header, or the record that says how many columns there are, has a quote that is wrong or is too
            long; the header does not decode.
    """
    header = dialect.get("header", True)
    counts_blank = dialect.get("blank_rows", "skip") == "error"
    width: int | None = None
    if isinstance(header, list):
        bind(header)
        width = len(header)
    before: list[Record] = []  # blank lines, when nothing has told yet how many columns there are
    for record in read_records(read_text(data, dialect.get("encoding", "utf-8")), dialect, row_bytes):
        if _is_blank(record) and (width is None or not counts_blank):
            before.append(record)
            continue
        if width is None:
            labels = _labels(record, dialect)
            bind(labels)
            width = len(labels)
            if header:
                continue
            if counts_blank:
                yield from [Row([], "blank-row", blank) for blank in before]
        fault = _fault(record, width, dialect)
        yield Row(_cells(record, width, dialect) if fault is None else [], fault, record)


def _is_blank(record: Record) -> bool:
    return record.fault is None and not record.cells


def _labels(record: Record, dialect: dict[str, Any]) -> list[str]:
    """The labels that a file's first record gives, or the numbers of its columns."""
    if record.fault is not None:
        raise BadHeader(record.fault)
    if not dialect.get("header", True):
        return [str(place + 1) for place in range(len(record.cells))]
    if UNDECODABLE.search(record.raw):
        raise BadHeader("encoding-error")
    return _trimmed(record.cells, dialect)


def _fault(record: Record, width: int, dialect: dict[str, Any]) -> str | None:
    """The code of what is wrong with the row as a whole; the first of several."""
    if record.fault is not None:
        return record.fault
    if not record.cells:
        return "blank-row"
    if len(record.cells) > width and dialect.get("extra_cells", "error") == "error":
        return "extra-cell"
    if len(record.cells) < width and dialect.get("missing_cells", "error") == "error":
        return "missing-cell"
    return "encoding-error" if UNDECODABLE.search(record.raw) else None


def _cells(record: Record, width: int, dialect: dict[str, Any]) -> list[str | None]:
    there = _trimmed(record.cells[:width], dialect)
    return [*there, *[None] * (width - len(there))]


def _trimmed(cells: list[str], dialect: dict[str, Any]) -> list[str]:
    return [cell.strip() for cell in cells] if dialect.get("trim", False) else cells
