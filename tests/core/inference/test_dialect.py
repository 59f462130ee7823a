"""The delimiter and the quote are found by what makes records even."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.inference.dialect import sniff
from tests.examples import examples


@pytest.mark.parametrize(
    ("text", "delimiter", "quote"),
    [
        ("a,b,c\n1,2,3\n4,5,6\n", ",", '"'),
        ("a;b;c\n1;2;3\n", ";", '"'),
        ("a\tb\n1\t2\n", "\t", '"'),
        ("a|b\n1|2\n", "|", '"'),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", '"'),  # decimal commas
        ("1,5;2,5\n3,5;4,5\n", ";", '"'),
        ("at,tags\n2026-01-02,x|y\n2026-01-03,y|z\n", ",", '"'),  # lists in cells
        ('a,b\n"x;1;2",1\n"y;3;4",2\n', ",", '"'),
        ('id,p\n1,"{""a"": 1, ""b"": [1, 2]}"\n2,"{""a"": 2, ""b"": []}"\n', ",", '"'),
        ("a,b\n'x, y',1\n'z, w',2\n", ",", "'"),
        ("'a','b'\n'x','1'\n'y','2'\n", ",", "'"),
        ("a,b\n'tis the season,1\nrock 'n' roll,2\n", ",", '"'),
        ("a,b\n'quoted',1\nplain,2\n", ",", '"'),  # one cell proves nothing
        ("name\nAda\nBob\n", ",", '"'),  # one column
        ("text\nhello, world\nwell, well, well\nhi\n", ";", '"'),  # one column that has commas
        ("text\n\n\nhi\n", ",", '"'),
        ("", ",", '"'),
        ("a,b,c\n1,2,3\n1,2\n1,2,3\n4,5,6\n7,8,9\n", ",", '"'),  # a ragged row
        ("a b,c\n1 2,3\n", ",", '"'),
        ('5" pipe,1\n6" pipe,2\n', ",", '"'),
        ("é;ü\nß;1\n", ";", '"'),
    ],
)
def test_sniff(text: str, delimiter: str, quote: str) -> None:
    """Files as they come have the dialect that a person would see in them."""
    assert sniff(text.encode()) == Dialect(delimiter, quote)


def test_a_head_that_is_cut_off() -> None:
    """A last record that is not all there does not speak against its delimiter."""
    whole = b"a;b;c\n" + b'1;"x, y";z\n' * 20
    assert {sniff(whole[:end]) for end in range(30, len(whole))} == {Dialect(";", '"')}


@settings(max_examples=examples(200))
@given(
    rows=st.lists(st.lists(st.text("abc1 .,;\t|\"'\n", max_size=6), min_size=3, max_size=3), min_size=3, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
)
def test_quoted_files_are_always_understood(rows: list[list[str]], delimiter: str) -> None:
    """Where every cell is quoted, no character inside one can deceive: the delimiter found is the one written."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *rows])
    assert sniff(text.getvalue().encode()) == Dialect(delimiter, '"')
