"""Rows told apart by one pattern, as Python's csv.reader tells them."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.onerow import one_row
from tests.examples import examples

TEXTS = st.lists(st.sampled_from(['"', '"', ",", "a", "\n", "\r", "|", "'"]), max_size=12).map("".join)
DIALECTS = st.sampled_from([Dialect(), Dialect("|", "'"), Dialect("\\", "]"), Dialect("^", "."), Dialect("|", None)])


def _read(text: str, dialect: Dialect) -> list[list[str]] | None:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        quoting=csv.QUOTE_MINIMAL if dialect.quote is not None else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        return list(reader)
    except csv.Error:
        return None


def _in(dialect: Dialect, text: str) -> str:
    return text.replace(",", dialect.delimiter).replace('"', dialect.quote or '"')


@settings(max_examples=examples(3000), deadline=None)
@given(TEXTS, DIALECTS)
@example('"a""b,\n"c"d,""', Dialect())
def test_one_row(text: str, dialect: Dialect) -> None:
    """The pattern matches exactly the texts without a line end of their own that strict CSV reads as one row."""
    text = _in(dialect, text)
    found = _read(text + "\n", dialect)
    one = found is not None and len(found) == 1 and not (text.endswith(("\n", "\r")) and len(found[0]) > 0)
    matched = one_row(dialect).fullmatch(text.encode()) is not None
    assert matched == (one if text.strip("\r\n") else text == "")


@settings(max_examples=examples(3000), deadline=None)
@given(TEXTS, DIALECTS)
def test_a_row_left_open(text: str, dialect: Dialect) -> None:
    """The other pattern matches exactly the texts that one more quote makes one row that ends with it."""
    text = _in(dialect, text)
    if dialect.quote is None:
        return
    opened = one_row(dialect, left_open=True).fullmatch(text.encode()) is not None
    mark = "\ue000"  # in a quoted cell it is that cell's last character, whatever came before
    found = _read(text + mark + dialect.quote + "\n", dialect)
    bare = _read(text + mark + "\n", dialect)
    assert opened == (found is not None and len(found) == 1 and found[0][-1].endswith(mark) and bare is None)
