"""CSV output: byte for byte what Python's ``csv.writer`` writes, and what its reader reads back."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.fieldtypes import parse_type
from tests.core.encoders.typed import (
    EXTREMES,
    FIELDS,
    columns_of,
    encode_all,
    extreme_rows,
    field_named,
    format_of,
)
from tests.examples import examples
from tests.oracle import text_of

pytestmark = pytest.mark.usefixtures("either_way")

_CELLS = st.none() | st.text(st.one_of(st.sampled_from("\",\n\r '\t;|\\\0x"), st.characters(codec="utf-8")), max_size=6)


def written(rows: list[list[Any]]) -> bytes:
    """What the standard library writes."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue().encode()


@settings(max_examples=examples(300))
@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.lists(_CELLS, min_size=width, max_size=width), min_size=1)))
def test_text_is_what_the_standard_library_writes(rows: list[list[str | None]]) -> None:
    """Quotes stand where ``csv.writer`` puts them and nowhere else, also in files of one column."""
    names = ["a", 'b "c", d', ""][: len(rows[0])]
    fields = [(name, parse_type("string")) for name in names]
    assert encode_all(format_of("csv", None, fields), fields, rows) == written([names, *rows])


def test_every_type_is_what_the_standard_library_writes() -> None:
    """So it is for the texts of all types but floats, which have several texts, and for each alone in a file."""
    for fields, rows in [
        ([field for field in FIELDS if field[1].kind != "float"], [[*row[:2], *row[3:]] for row in extreme_rows()]),
        *[(field_named(name), [[value] for value in values]) for name, values in EXTREMES.items() if name != "float"],
    ]:
        expected = written([[name for name, _ in fields], *([text_of(value) for value in row] for row in rows)])
        assert encode_all(format_of("csv", None, fields), fields, rows) == expected


@settings(max_examples=examples(200))
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_read_back(values: list[float]) -> None:
    """A float's text reads back as the same bits."""
    fields = field_named("float")
    text = encode_all(format_of("csv", None, fields), fields, [[value] for value in values]).decode()
    cells = [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]
    assert [float(cell).hex() for cell in cells] == [value.hex() for value in values]


def test_file_without_rows() -> None:
    """A file without rows is its header, with or without a batch of no rows."""
    fields = [("a", parse_type("int")), ('"b"', parse_type("json"))]
    output = format_of("csv", None, fields)
    assert output.open().finish() == b'a,"""b"""\n'
    assert encode_all(output, fields, []) == b'a,"""b"""\n'


def test_files_share_nothing() -> None:
    """Two files open at once from one compiled output each get their header and their rows."""
    fields = field_named("int")
    output = format_of("csv", None, fields)
    first, second = output.open(), output.open()
    one, two = (columns_of(fields, [[number]]) for number in (1, 2))
    assert [first.encode(one), second.encode(two), first.encode(two)] == [b"the int\n1\n", b"the int\n2\n", b"2\n"]
    assert first.finish() == second.finish() == b""


_FORMULAS = st.builds(
    "{}{}".format, st.sampled_from(["=", "+", "-", "@", "\t", "\r", "'", " ", "", "\n", "\uff1d"]), _CELLS.map(str)
)


def guarded(value: Any) -> Any:
    """What a guarded cell holds, as the contract has it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") and value else value


@settings(max_examples=examples(300))
@given(
    st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(_CELLS | _FORMULAS, min_size=width, max_size=width), min_size=1)
    )
)
def test_guarded_texts(rows: list[list[str | None]]) -> None:
    """An apostrophe stands before each text that begins as a formula, inside quotes, and before such a label."""
    names = ["=a", '-b "c", d', "e"][: len(rows[0])]
    fields = [(name, parse_type("string")) for name in names]
    expected = written([[guarded(name) for name in names], *([guarded(cell) for cell in row] for row in rows)])
    assert encode_all(format_of("csv", None, fields, guard_formulas=True), fields, rows) == expected


def test_only_texts_are_guarded() -> None:
    """Numbers below zero, JSON, bytes whose text begins with a plus and all other types are left as they are."""
    fields = [field for field in FIELDS if field[1].kind != "string"]
    below: list[Any] = [*[None] * (len(fields) - 2), "-1", b"\xfb\xff"]
    rows = [*(row[1:] for row in extreme_rows()), below]
    plain, made = (encode_all(format_of("csv", None, fields, guard_formulas=on), fields, rows) for on in (False, True))
    assert made == plain
    assert plain.endswith(b",-1,+/8=\n")


def test_guarded_extremes() -> None:
    """So it is for every extreme text beside every other type, in one file."""
    rows = extreme_rows()
    made = encode_all(format_of("csv", None, FIELDS, guard_formulas=True), FIELDS, rows)
    alike = [[guarded(row[0]), *row[1:]] for row in rows]
    assert made == encode_all(format_of("csv", None, FIELDS), FIELDS, alike)
    assert b"'=1+1" in made
