"""A text's records, as ``csv.reader(strict=True)`` over the whole of it has them, and the lines that it refuses."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.oracle.texts import Text

__all__ = ["RAW_BYTES", "Record", "read_records"]

RAW_BYTES = 65_536  # of a row that is over the limit, so much of its text is shown

_END = re.compile(r"(?:\r\n|\n|\r|)\Z")


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        cells: none where the line is blank; and none where ``fault`` is set.
        line: the physical line that it starts on, from 1.
        raw: its text less its line end; of a line that is over the limit no more than the first 65,536 bytes.
        fault: ``quote-error`` or ``too-long``: the record is one line that cannot be read.
        raw_bytes: the length of a line that ``raw`` is only the beginning of.
    """

    cells: list[str]
    line: int
    raw: str
    fault: str | None = None
    raw_bytes: int | None = None


def read_records(text: Text, dialect: dict[str, Any], row_bytes: int) -> Iterator[Record]:
    """The records after the lines to skip, blank ones too.

    A line over ``row_bytes`` is too long, whatever it holds. A record that ``csv.reader`` refuses, or that does not end
    within ``row_bytes``, costs its first line: that is a record of its own, and reading goes on at the next line. A
    line end that is escaped does not end a line in this sense.

    Args:
        dialect: the mapping's ``csv`` section.
    """
    lines = list(io.StringIO(text.text, newline=""))
    settings = _settings(dialect)
    limit = csv.field_size_limit(1 << 30)
    try:
        start = dialect.get("skip_lines", 0)
        while start < len(lines):
            record, start = _read(lines, start, settings, text, row_bytes)
            yield record
    finally:
        csv.field_size_limit(limit)


def _settings(dialect: dict[str, Any]) -> dict[str, Any]:
    quote, escape = dialect.get("quote", '"'), dialect.get("escape")
    return {
        "delimiter": dialect.get("delimiter", ","),
        "quotechar": quote,
        "quoting": csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL,
        "escapechar": None if escape == quote else escape,
        "doublequote": True,
        "strict": True,
    }


def _read(lines: list[str], start: int, settings: dict[str, Any], text: Text, row_bytes: int) -> tuple[Record, int]:
    """The record that starts at a line, and the line after it; lines count from 0."""
    escape = settings["escapechar"]
    end = start + 1
    while end < len(lines) and not _line_end(lines[end - 1], escape):
        end += 1
    raw = _without_end(lines[start:end], escape)
    if sum(map(text.size, lines[start:end])) > row_bytes:
        shown = _beginning(raw, text)
        return Record([], start + 1, shown, "too-long", text.size(raw) if shown != raw else None), end
    reader = csv.reader(_within(lines, start, end, settings, text, row_bytes), **settings)
    try:
        cells = next(reader)
    except csv.Error:
        return Record([], start + 1, raw, "quote-error"), end
    end = start + reader.line_num
    return Record(cells, start + 1, _without_end(lines[start:end], escape)), end


def _within(
    lines: list[str], start: int, first_end: int, settings: dict[str, Any], text: Text, row_bytes: int
) -> Iterator[str]:
    """The first line, and those after it that a record may have: one that needs more is not closed."""
    size = 0
    for place in range(start, len(lines)):
        size += text.size(lines[place])
        if size > row_bytes and place >= first_end:
            return
        yield _ended(lines[place], settings["escapechar"])


def _ended(line: str, escape: str | None) -> str:
    """A last line that has no line end is as good as one that has; but nothing ends after an escape."""
    return line if line.endswith(("\r", "\n")) or _escapes(line, escape) % 2 else line + "\n"


def _without_end(lines: list[str], escape: str | None) -> str:
    return "".join(lines).removesuffix(_line_end(lines[-1], escape))


def _line_end(line: str, escape: str | None) -> str:
    """The line end of a line: nothing where it is escaped, the second half where only the first of CRLF is."""
    found = _END.search(line)
    assert found is not None
    return found[0][1:] if _escapes(line[: found.start()], escape) % 2 else found[0]


def _escapes(text: str, escape: str | None) -> int:
    """How many escape characters a text ends with: one that follows an odd number of them is escaped."""
    return len(text) - len(text.rstrip(escape)) if escape else 0


def _beginning(raw: str, text: Text) -> str:
    """As many whole characters as are within the first bytes that are shown."""
    shown = raw[:RAW_BYTES]
    while text.size(shown) > RAW_BYTES:
        over = text.size(shown) - RAW_BYTES
        shown = shown[: -max(1, over // 4)]
    return shown
