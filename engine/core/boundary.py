"""Reading a file from the middle: what has to be known of its head, and where a record is likely to begin.

Nobody can tell from the middle of a CSV file whether a line end there is inside quotes. So a place is guessed from what
the text around it looks like, and whoever reads from there has to compare it with where the record before it ended.
"""

from __future__ import annotations

import csv
import io

from engine.core.dialect import Dialect
from engine.core.encodings import ToUtf8, divisible, internal_bytes, source_size
from engine.core.framing import unescaped
from engine.core.lines import record_end
from engine.core.plan import Plan
from engine.core.reader import CsvReader, Middle
from engine.errors import HeaderError

__all__ = ["likely_record", "middle_of"]

_TRIED = 65_536  # bytes after a place that are looked at


def middle_of(head: bytes, plan: Plan) -> Middle | None:
    """What has to be known to read a file from the middle, from the bytes that it begins with.

    None where they do not tell all of the header, or it is not to be used, and where the encoding cannot be read from
    any byte on.
    """
    text = ToUtf8(plan.dialect.encoding)
    text.feed(head)
    labels: list[str] = []

    def take(found: list[str]) -> tuple[int, ...]:
        labels.extend(found)
        return (0,)

    reader = CsvReader(
        plan.dialect, header=plan.header, bind=take, null_values=(), limits=plan.limits, chunk_bytes=1
    )  # fmt: skip
    try:
        next(reader.feed(head), None)
        if not labels or not divisible(text.encoding):
            return None
        plan.bind(labels)
    except HeaderError:
        return None
    return Middle(tuple(labels), text.encoding)


def likely_record(raw: bytes, dialect: Dialect, middle: Middle) -> int | None:
    """Where the first record that begins after the first byte of ``raw`` is likely to begin; None where no line ends.

    Two places come into question: the first line end outside quotes if ``raw`` begins outside quotes, and if it begins
    inside. Which it is, the rows after them tell: by strict CSV, and by how many cells they have.
    """
    text = internal_bytes(raw, middle.encoding)
    seen = unescaped(text, dialect)
    places = (record_end(seen, dialect.quote, inside=False), record_end(seen, dialect.quote, inside=True))
    # A CR at the very end is perhaps half of a CRLF.
    ends = [end for end in places if end is not None and not (end == len(seen) and seen.endswith(b"\r"))]
    if not ends:
        return None
    best = max(ends, key=lambda place: _looks(seen[place : place + _TRIED], dialect, len(middle.labels)))
    return source_size(text[:best], middle.encoding)


def _looks(text: bytes, dialect: Dialect, width: int) -> tuple[bool, float]:
    """How much the lines of ``text`` look like rows: whether strict CSV allows them, the share that is as wide."""
    whole = text[: text.rfind(b"\n") + 1] or text
    reader = csv.reader(
        io.StringIO(whole.decode("latin-1"), newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        quoting=csv.QUOTE_MINIMAL if dialect.quote is not None else csv.QUOTE_NONE,
        strict=True,
    )
    rows = good = 0
    try:
        for cells in reader:
            rows += bool(cells)
            good += len(cells) == width
    except csv.Error:  # the last record may only be cut, by the end of the text
        if reader.line_num < whole.count(b"\n"):
            return False, good / (rows + 1)
    return True, good / max(rows, 1)
