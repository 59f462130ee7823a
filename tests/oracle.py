"""What the engine must make of a CSV file, worked out the slow and plain way.

Written from the contract's words with the standard library alone: ``csv.reader(strict=True)`` and one small function a
type. It shares no code with the engine, so where the two agree, neither is likely to be wrong.

Covers the types string, int, float, bool, timestamp, uuid and json, ``required``, ``null_values``, ``header``,
``trim``, ``extra_cells``, ``missing_cells`` and ``blank_rows``, in UTF-8. Text that ``csv.reader`` refuses raises
:class:`csv.Error`: which rows a quoting error takes with it is not for this oracle to say.
"""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

__all__ = ["BadHeader", "Expected", "Reject", "convert", "expect", "read_jsonl", "read_rejects"]


class BadHeader(ValueError):
    """The file has no column for a field, or two of that name."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected row: its number and line from 1, its (field, code) errors in the mapping's order, its source text.

    An error of the whole row (a wrong number of cells, bytes that are not UTF-8, a blank row) has no field (``""``)
    and is the only one of its row. ``raw`` lacks the line end; bytes that are not UTF-8 stand in it as surrogates
    (``surrogateescape``).
    """

    row: int
    line: int
    errors: tuple[tuple[str, str], ...]
    raw: str


@dataclass(frozen=True, slots=True)
class Expected:
    """The outcome of a file. ``rows`` as ``json.loads`` gives them back from the JSON Lines output."""

    rows: list[dict[str, Any]]
    rejects: list[Reject]

    @property
    def rows_read(self) -> int:
        return len(self.rows) + len(self.rejects)


@dataclass(frozen=True, slots=True)
class _Record:
    cells: list[str]
    line: int
    raw: str


def expect(data: bytes, mapping: dict[str, Any]) -> Expected:
    """Converts a whole file.

    Args:
        data: the file, uncompressed.
        mapping: the mapping document, valid.

    Raises:
        BadHeader: a field's column is missing or there twice.
        csv.Error: the text is not CSV to ``csv.reader(strict=True)``.
    """
    dialect = mapping.get("csv", {})
    records = _records(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"), dialect)
    header = dialect.get("header", True)
    expected = Expected([], [])
    labels: list[str] | None = header if isinstance(header, list) else None
    places = _places(labels, mapping) if labels is not None else {}
    number = 0
    for record in records:
        if not record.cells and (labels is None or dialect.get("blank_rows", "skip") == "skip"):
            continue
        if labels is None:
            labels = record.cells if header else [str(index + 1) for index in range(len(record.cells))]
            places = _places(labels, mapping)
            if header:
                continue
        number += 1
        row, errors = _convert_row(record.cells, len(labels), places, mapping)
        if errors:
            expected.rejects.append(Reject(number, record.line, tuple(errors), record.raw))
        else:
            expected.rows.append(row)
    return expected


def _records(text: str, dialect: dict[str, Any]) -> Iterator[_Record]:
    """Splits a text into records, keeping for each the lines it was made of."""
    lines: list[str] = []

    def remembered() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            lines.append(line)
            yield line

    limit = csv.field_size_limit(1 << 30)
    try:
        seen = 0
        reader = csv.reader(
            remembered(), strict=True, delimiter=dialect.get("delimiter", ","), quotechar=dialect.get("quote", '"')
        )
        for cells in reader:
            yield _Record(cells, seen + 1, re.sub(r"(\r\n|\n|\r)\Z", "", "".join(lines[seen:])))
            seen = len(lines)
    finally:
        csv.field_size_limit(limit)


def _places(labels: list[str], mapping: dict[str, Any]) -> dict[str, int]:
    """Where each field's column is."""
    places = {}
    for field in mapping["fields"]:
        label = field.get("from", field["name"])
        if labels.count(label) != 1:
            raise BadHeader(f"{labels.count(label)} columns are called {label!r}")
        places[field["name"]] = labels.index(label)
    return places


def _convert_row(
    cells: list[str], width: int, places: dict[str, int], mapping: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    dialect = mapping.get("csv", {})
    if not cells:
        return {}, [("", "blank-row")]
    if len(cells) > width and dialect.get("extra_cells", "error") == "error":
        return {}, [("", "extra-cell")]
    if len(cells) < width and dialect.get("missing_cells", "error") == "error":
        return {}, [("", "missing-cell")]
    if any("\udc80" <= mark <= "\udcff" for cell in cells for mark in cell):
        return {}, [("", "encoding-error")]
    null_values = dialect.get("null_values", [""])
    errors = []
    row: dict[str, Any] = {}
    for field in mapping["fields"]:
        name, place = field["name"], places[field["name"]]
        text = cells[place] if place < len(cells) else None
        if text is not None and dialect.get("trim", False):
            text = text.strip()
        row[name] = None
        if text is None or text in null_values:
            if field.get("required", False):
                errors.append((name, "missing-value"))
            continue
        try:
            row[name] = convert(text, field["type"])
        except ValueError:
            errors.append((name, "type-error"))
    return row, errors


def convert(text: str, kind: str) -> Any:
    """One cell that is not null as the value that JSON Lines shows.

    Raises:
        ValueError: the type does not accept it.
    """
    return _CONVERTERS[kind](text)


def _match(pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE)
    if found is None:
        raise ValueError(text)
    return found


def _int(text: str) -> int:
    sign, digits = _match(r"([+-]?)0*([0-9]{1,19})", text).groups()
    value = int(sign + digits)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _float(text: str) -> float:
    value = float(_match(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[+-]?[0-9]+)?", text).group())
    if value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value


def _bool(text: str) -> bool:
    return _match("(true|t|yes|y|1)|(false|f|no|n|0)", text).group(1) is not None


def _timestamp(text: str) -> str:
    if re.search("[tz]", text):
        raise ValueError(text)
    date, hour, minute, second, digits, zone = _match(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
        r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]+))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?",
        text,
    ).groups()
    moment = datetime.strptime(date, "%Y-%m-%d").replace(
        hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), tzinfo=_zone(zone)
    )
    moment = moment.replace(microsecond=int((digits or "0")[:6].ljust(6, "0")))
    try:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    except OverflowError:
        raise ValueError(text) from None


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))


def _uuid(text: str) -> str:
    digits = "".join(_match("([0-9a-f]{8})(-?)" + r"([0-9a-f]{4})\2" * 3 + "([0-9a-f]{12})", text).group(1, 3, 4, 5, 6))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])).lower()


def _json(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("far too deep") from None
    if _depth(value) > 64:
        raise ValueError("too deep")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate, which no UTF-8 output can hold") from None
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "string": str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "timestamp": _timestamp,
    "uuid": _uuid,
    "json": _json,
}


def read_jsonl(data: bytes) -> list[dict[str, Any]]:
    """The rows of an engine's JSON Lines output, to be compared with :attr:`Expected.rows`."""
    return [json.loads(line) for line in data.decode().split("\n") if line]


def read_rejects(data: bytes) -> list[Reject]:
    """The records of an engine's reject file, to be compared with :attr:`Expected.rejects`."""
    return [
        Reject(
            record["row"],
            record["line"],
            tuple((error["field"] or "", error["code"]) for error in record["errors"]),
            _raw(record),
        )
        for record in read_jsonl(data)
    ]


def _raw(record: dict[str, Any]) -> str:
    """The exact source text: of a row that is not UTF-8, ``raw`` only shows it and ``raw_base64`` holds it."""
    exact = record.get("raw_base64")
    return str(record["raw"]) if exact is None else b64decode(exact, validate=True).decode("utf-8", "surrogateescape")
