"""JSON Lines: the text of every type is the contract's, and the standard library reads the values back."""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.fieldtypes import FieldType, parse_type
from tests.core.encoders.typed import (
    EXTREMES,
    FIELDS,
    columns_of,
    encode_all,
    extreme_rows,
    field_named,
    format_of,
    pieces_of,
    values_of,
)
from tests.examples import examples
from tests.oracle import text_of

pytestmark = pytest.mark.usefixtures("either_way")


def expected_text(kind: FieldType, value: Any) -> str | None:
    """The contract's JSON text of a value; None where several texts would do (floats)."""
    if isinstance(value, float):
        return None
    text = text_of(value)
    if text is None:
        return "null"
    quoted = kind.kind in ("string", "date", "timestamp", "uuid", "bytes")
    return json.dumps(text, ensure_ascii=False) if quoted else text


def check(kind: FieldType, value: Any, text: str) -> None:
    expected = expected_text(kind, value)
    if expected is not None:
        assert text == expected
    else:
        back = float(json.loads(text))
        assert back == value
        assert math.copysign(1, json.loads(text)) == math.copysign(1, value)
        assert (
            Decimal(text).normalize().as_tuple().digits == Decimal(repr(value)).normalize().as_tuple().digits
        )  # shortest


@pytest.mark.parametrize("type_name", EXTREMES)
def test_extremes_of_a_type(type_name: str) -> None:
    """Every extreme of a type is written as the contract says, alone and among nulls."""
    fields, values = field_named(type_name), EXTREMES[type_name]
    for rows in ([[value] for value in values], [[each] for value in values for each in (value, None)]):
        lines = encode_all(format_of("jsonl", None, fields), fields, rows).decode().split("\n")
        assert lines.pop() == ""
        for line, (value,) in zip(lines, rows, strict=True):
            head = json.dumps({fields[0][0]: 0})[1:-2].replace(": ", ":")
            assert line.startswith("{" + head)
            check(fields[0][1], value, line[1 + len(head) : -1])


@settings(max_examples=examples(150))
@given(st.lists(st.tuples(*(values_of(kind) for _, kind in FIELDS)), max_size=6))
def test_standard_library_reads_it_back(rows: list[tuple[Any, ...]]) -> None:
    """``json`` reads back the value of every field of every row, in the mapping's order, whatever the nulls."""
    data = encode_all(format_of("jsonl", None, FIELDS), FIELDS, rows)
    lines = data.decode().split("\n")[:-1]
    for line, row in zip(lines, rows, strict=True):
        record = json.loads(line, parse_float=Decimal)
        assert list(record) == [name for name, _ in FIELDS]
        for (_, kind), value, read in zip(FIELDS, row, record.values(), strict=True):
            match kind.kind:
                case _ if value is None:
                    assert read is None
                case "float":
                    assert (float(read), math.copysign(1, read)) == (value, math.copysign(1, value))
                case "json":
                    assert read == json.loads(value, parse_float=Decimal)
                case "date" | "timestamp":
                    assert type(value).fromisoformat(read) == value
                case "bytes":
                    assert base64.b64decode(read, validate=True) == value
                case _:
                    assert read == value


def test_field_names_are_escaped() -> None:
    """A field may have any name: the key is JSON too."""
    names = ['"', "\\", "\n", "\u00e9", "{}", "null"]
    fields = [(name, parse_type("int")) for name in names]
    line = encode_all(format_of("jsonl", None, fields), fields, [range(6)])
    assert json.loads(line) == dict(zip(names, range(6), strict=True))


def test_file_without_rows() -> None:
    """A file without rows is empty, with or without a batch of no rows."""
    output = format_of("jsonl", None, FIELDS)
    assert output.open().finish() == b""
    assert encode_all(output, FIELDS, []) == b""


def test_rows_come_out_at_once() -> None:
    """Uncompressed text is not held back: every row is out before the end is known."""
    columns = columns_of(FIELDS, extreme_rows())
    *pieces, end = pieces_of(format_of("jsonl", None, FIELDS).open(), columns, [3])
    assert end == b""
    assert [piece.count(b"\n") for piece in pieces] == [3, len(columns[0]) - 3]
