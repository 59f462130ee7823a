"""A whole file: its records, and what becomes of each."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from tests.oracle.fields import evaluate, labels_of
from tests.oracle.values import shown

__all__ = ["BadHeader", "Expected", "Failure", "Reject", "expect"]

CELL_BYTES = 8_388_608
_UNDECODABLE = re.compile("[\udc80-\udcff]")  # what surrogateescape makes of bytes that are not UTF-8


type _Field = Callable[[tuple[str | None, ...]], tuple[Any, list[str]]]


class BadHeader(ValueError):
    """The file has no column for a field, or two of that name."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row: its number and line from 1, its (field, code) errors in the mapping's order, its source text.

    An error of the whole row (a wrong number of cells, bytes that are not UTF-8, a blank row, a quote that is not
    closed) has no field (``""``) and is the only one of its row. ``raw`` lacks the line end; bytes that are not UTF-8
    stand in it as surrogates (``surrogateescape``).
    """

    row: int
    line: int
    errors: tuple[tuple[str, str], ...]
    raw: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the file as a whole fails; ``row`` and ``line`` where one row is to blame."""

    code: str
    row: int | None = None
    line: int | None = None


@dataclass(slots=True)
class Expected:
    """The outcome of a file.

    Attributes:
        values: the written rows, each field as Python holds its type; a JSON value as :class:`tests.oracle.Json`.
        nulled: bad cells of written rows.
        codes: errors by code, those of the nulled cells too.
        failed: set where the file fails; the rest is then what came before.
    """

    values: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    nulled: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failed: Failure | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The written rows as :func:`tests.oracle.read_jsonl` gives them back."""
        return [{name: shown(value) for name, value in row.items()} for row in self.values]

    @property
    def rows_read(self) -> int:
        return len(self.values) + len(self.rejects)


@dataclass(frozen=True, slots=True)
class _Record:
    cells: list[str] | None  # None: a quote that csv.reader refuses
    line: int
    raw: str


def expect(data: bytes, mapping: dict[str, Any], *, cell_bytes: int = CELL_BYTES) -> Expected:
    """Converts a whole file.

    Args:
        data: the file, uncompressed.
        mapping: the mapping document, valid.
        cell_bytes: the longest cell that a field may have, in bytes of UTF-8.

    Raises:
        BadHeader: a field's column is missing or there twice.
    """
    expected = Expected()
    # Cells repeat: each field remembers what it made of the last few thousand.
    fields = [lru_cache(4096)(partial(evaluate, rule, cell_bytes=cell_bytes)) for rule in mapping["fields"]]
    for number, (record, labels) in enumerate(_rows(data, mapping), 1):
        wrong = _row_error(record, len(labels), mapping)
        if wrong is not None:
            row: dict[str, Any] = {}
            errors = [("", wrong, _policy(mapping))]
        else:
            row, errors = _convert_row(record.cells or [], labels, mapping, fields)
        expected.codes.update(code for _, code, _ in errors)
        policies = [policy for _, _, policy in errors]
        if "fail_file" in policies:
            expected.failed = Failure(errors[policies.index("fail_file")][1], number, record.line)
            return expected
        if wrong is not None or "reject_row" in policies:
            found = tuple((name, code) for name, code, _ in errors)
            expected.rejects.append(Reject(number, record.line, found, record.raw))
        else:
            expected.values.append(row)
            expected.nulled += len({name for name, _, _ in errors})
    _judge(expected, mapping.get("budget", {}))
    return expected


def _policy(mapping: dict[str, Any], rule: dict[str, Any] | None = None) -> str:
    return str((rule or {}).get("on_error") or mapping.get("on_error", "reject_row"))


def _judge(expected: Expected, budget: dict[str, Any]) -> None:
    rejected, rows, ratio = len(expected.rejects), budget.get("rows"), budget.get("ratio")
    if (rows is not None and rejected > rows) or (ratio is not None and rejected > ratio * expected.rows_read):
        expected.failed = Failure("budget-exceeded")


def _rows(data: bytes, mapping: dict[str, Any]) -> Iterator[tuple[_Record, list[str]]]:
    """The data rows, each with the file's labels."""
    dialect = mapping.get("csv", {})
    header = dialect.get("header", True)
    labels: list[str] | None = header if isinstance(header, list) else None
    if labels is not None:
        _check_header(labels, mapping)
    for record in _records(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"), dialect):
        blank = record.cells == []
        if blank and (labels is None or dialect.get("blank_rows", "skip") == "skip"):
            continue
        if labels is None:
            cells = record.cells or []
            labels = cells if header else [str(index + 1) for index in range(len(cells))]
            _check_header(labels, mapping)
            if header:
                continue
        yield record, labels


def _records(text: str, dialect: dict[str, Any]) -> Iterator[_Record]:
    """Splits a text into records. Where ``csv.reader`` refuses one, its first line is one, and reading goes on after.

    Each remembers the lines it was made of.
    """
    lines = list(io.StringIO(text, newline=""))
    limit = csv.field_size_limit(1 << 30)
    try:
        start = 0
        while start < len(lines):
            base = start
            reader = csv.reader(
                islice(lines, base, None),
                strict=True,
                delimiter=dialect.get("delimiter", ","),
                quotechar=dialect.get("quote", '"'),
            )
            try:
                for cells in reader:
                    end = base + reader.line_num
                    yield _Record(cells, start + 1, _without_end("".join(lines[start:end])))
                    start = end
            except csv.Error:
                yield _Record(None, start + 1, _without_end(lines[start]))
                start += 1
    finally:
        csv.field_size_limit(limit)


def _without_end(raw: str) -> str:
    return re.sub(r"(\r\n|\n|\r)\Z", "", raw)


def _check_header(labels: list[str], mapping: dict[str, Any]) -> None:
    for label in {label for rule in mapping["fields"] for label in labels_of(rule)}:
        if labels.count(label) != 1:
            raise BadHeader(f"{labels.count(label)} columns are called {label!r}")


def _row_error(record: _Record, width: int, mapping: dict[str, Any]) -> str | None:
    """The code of what is wrong with the row as a whole."""
    dialect = mapping.get("csv", {})
    if record.cells is None:
        return "quote-error"
    if not record.cells:
        return "blank-row"
    if len(record.cells) > width and dialect.get("extra_cells", "error") == "error":
        return "extra-cell"
    if len(record.cells) < width and dialect.get("missing_cells", "error") == "error":
        return "missing-cell"
    return "encoding-error" if any(map(_UNDECODABLE.search, record.cells)) else None


def _convert_row(
    cells: list[str], labels: list[str], mapping: dict[str, Any], fields: Sequence[_Field]
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """The row's values, and its errors: field, code and what is to become of the row."""
    by_label = {label: _null_or_text(cell, mapping.get("csv", {})) for label, cell in zip(labels, cells, strict=False)}
    row: dict[str, Any] = {}
    errors: list[tuple[str, str, str]] = []
    for rule, field_of in zip(mapping["fields"], fields, strict=True):
        row[rule["name"]], codes = field_of(tuple(by_label.get(label) for label in labels_of(rule)))
        errors += [(rule["name"], code, _policy(mapping, rule)) for code in codes]
    return row, errors


def _null_or_text(cell: str, dialect: dict[str, Any]) -> str | None:
    text = cell.strip() if dialect.get("trim", False) else cell
    return None if text in dialect.get("null_values", [""]) else text
