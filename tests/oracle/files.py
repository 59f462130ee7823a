"""A whole file: its records, and what becomes of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from tests.oracle.fields import evaluate, labels_of
from tests.oracle.rows import ROW_BYTES, BadHeader, read_rows
from tests.oracle.values import shown

__all__ = ["BadHeader", "Expected", "Failure", "Reject", "expect"]

CELL_BYTES = 8_388_608

type _Field = Callable[[tuple[str | None, ...]], tuple[Any, list[str]]]


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row: its number and line from 1, its (field, code) errors in the mapping's order, its source text.

    An error of the whole row (a wrong number of cells, bytes that cannot be decoded, a blank row, a quote that is not
    closed, a row over the limit) has no field (``""``) and is the only one of its row. ``raw`` lacks the line end; a
    byte b that cannot be decoded stands in it as the lone surrogate U+DC00 + b. Of a line over the limit ``raw`` has
    65,536 bytes at most, and ``raw_bytes`` tells the length of one that has more.
    """

    row: int
    line: int
    errors: tuple[tuple[str, str], ...]
    raw: str
    raw_bytes: int | None = None


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


def expect(
    data: bytes, mapping: dict[str, Any], *, cell_bytes: int = CELL_BYTES, row_bytes: int = ROW_BYTES
) -> Expected:
    """Converts a whole file.

    Args:
        data: the file, uncompressed.
        mapping: the mapping document, valid.
        cell_bytes: the longest cell that a field may have, in bytes of UTF-8.
        row_bytes: the longest record, its line end included, in bytes of UTF-8.

    Raises:
        BadHeader: a field's column is missing or there twice; the header, or the record that says how many columns
            there are, has a quote that is wrong or is too long; the header does not decode.
    """
    expected = Expected()
    # Cells repeat: each field remembers what it made of the last few thousand.
    fields = [lru_cache(4096)(partial(evaluate, rule, cell_bytes=cell_bytes)) for rule in mapping["fields"]]
    labels: list[str] = []

    def bind(found: list[str]) -> None:
        _check_labels(found, mapping)
        labels.extend(found)

    for number, source in enumerate(read_rows(data, mapping.get("csv", {}), row_bytes, bind), 1):
        record = source.record
        if source.fault is not None:
            row: dict[str, Any] = {}
            errors = [("", source.fault, _policy(mapping))]
        else:
            row, errors = _convert_row(dict(zip(labels, source.cells, strict=True)), mapping, fields)
        expected.codes.update(code for _, code, _ in errors)
        policies = [policy for _, _, policy in errors]
        if "fail_file" in policies:
            expected.failed = Failure(errors[policies.index("fail_file")][1], number, record.line)
            return expected
        if source.fault is not None or "reject_row" in policies:
            found = tuple((name, code) for name, code, _ in errors)
            expected.rejects.append(Reject(number, record.line, found, record.raw, record.raw_bytes))
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


def _check_labels(labels: list[str], mapping: dict[str, Any]) -> None:
    for label in {label for rule in mapping["fields"] for label in labels_of(rule)}:
        if labels.count(label) != 1:
            raise BadHeader(f"{labels.count(label)} columns are called {label!r}")


def _convert_row(
    cells: dict[str, str | None], mapping: dict[str, Any], fields: Sequence[_Field]
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """The row's values, and its errors: field, code and what is to become of the row.

    Args:
        cells: by label; of a label that stands twice, which no field uses, one.
    """
    nulls = mapping.get("csv", {}).get("null_values", [""])
    row: dict[str, Any] = {}
    errors: list[tuple[str, str, str]] = []
    for rule, field_of in zip(mapping["fields"], fields, strict=True):
        source = tuple(None if cells[label] in nulls else cells[label] for label in labels_of(rule))
        row[rule["name"]], codes = field_of(source)
        errors += [(rule["name"], code, _policy(mapping, rule)) for code in codes]
    return row, errors
