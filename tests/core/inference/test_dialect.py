"""The dialect is found by what makes records even, and what is guessed of it is said."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.inference.dialect import Found, sniff
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
    assert sniff(text, whole=True) == Found(Dialect(delimiter, quote))


def _rows(template: str, count: int = 10) -> str:
    return "".join(template.format(row) for row in range(count))


@pytest.mark.parametrize(
    "text",
    [
        "a,b,c\n1,2\n3,4,5,6\n",
        "id,name,note\n1,Ada\n2,Bob,x,y\n3,Cy,z\n4,Di\n",
        "id,name\n1,Ada;x\n2,Bob;y|z\n3\n",
        "id,name,note\n1,Ada,'x\n2,\"Bob,it's\n3,Cy,don't\n4,Di,y\n",
        "id,name\n1,Ada\n2,\"Bob\n3,Cy\n4,Di\n5,'x'\n",
        "id,name\n" + _rows('{0},"n{0}"\n') + '11,"open\n' + _rows('{0},"it\'s {0}"\n', 500),
        "a,b,\n1,2,\n3,4,\n",
        "\n\nid,name\n1,Ada\n2,Bob\n",
        "a,b\nC:\\x\\,1\nD:\\y\\,2\n",
        'a,b\n"C:\\x\\",1\n"D:\\y\\",2\n',
        "at\n10:11:12\n11:12:13\n",
        "at\n2026-01-01 10:11:12\n2026-01-01 11:12:13\n",
        "name\nAda Lovelace\nAlan Turing\n",
        "url\nhttp://a\nhttp://b\n",
    ],
)
def test_what_is_odd_and_no_dialect(text: str) -> None:
    """Ragged rows, quotes left open, paths, times and words with spaces lead to no other dialect than the usual one."""
    assert sniff(text, whole=True) == Found(Dialect())


@pytest.mark.parametrize(
    ("text", "settings", "note"),
    [
        ("sep=;\na;b\n1;2\n", {"delimiter": ";", "skip_lines": 1}, "the first line is 'sep=;'"),
        ('"sep=\t"\r\na\tb\r\n1\t2\r\n', {"delimiter": "\t", "skip_lines": 1}, "csv.skip_lines"),
        ("SEP=|\na|b|c\n1|2\n", {"delimiter": "|", "skip_lines": 1}, "csv.delimiter"),
        ("sep=,\nReport\n\nid,name\n1,Ada\n2,Bob\n", {"skip_lines": 3}, "csv.skip_lines is 3"),
        (
            "Report for ACME, Inc.\nMade 2026-01-01\n\nid,name,amount,at\n1,Ada,2.5,2026-01-01\n2,Bob,3.5,2026-01-02\n",
            {"skip_lines": 3},
            "csv.skip_lines is 3",
        ),
        ("Report\nid,name\n1,Ada\n2,Bob\n", {"skip_lines": 1}, "csv.skip_lines is 1"),
        ("\nReport\rid;name;at\r1;Ada;x\r2;Bob;y\r", {"delimiter": ";", "skip_lines": 2}, "csv.skip_lines is 2"),
        ("Report\n\na,b\n1,2,\n3,4,\n", {"skip_lines": 2, "extra_cells": True}, "csv.skip_lines is 2"),
        ("name\nLovelace, Ada\nTuring, Alan\n", {"delimiter": ";"}, ""),
        ("a,b\n1,2,\n3,4,\n", {"extra_cells": True}, 'csv.extra_cells is "ignore"'),
        ("a\n1,\n2,\n", {"extra_cells": True}, "csv.extra_cells"),
        ("a,b,\n1,2\n3,4\n", {"missing_cells": True}, 'csv.missing_cells is "null"'),
        ("a, b, c\n1, 2, 3\n4, 5, 6\n", {"trim": True}, "csv.trim is true"),
        ("a, b\n1, 2\n4, 5\n", {"trim": True}, "csv.trim"),
        ("a  ,b  \n1  ,2  \n4  ,5  \n", {"trim": True}, "csv.trim"),
        ("a\x01b\n1\x012\n", {"delimiter": "\x01"}, ""),
        ("a^b\n1^2\n", {"delimiter": "^"}, ""),
        ("a~b\nx~2\n", {"delimiter": "~"}, ""),
        ("name age\nAda 36\nBob 40\n", {"delimiter": " "}, ""),
        ("name:age\nAda:36\nBob:40\n", {"delimiter": ":"}, ""),
        ("a,b\n'x','1'\n'y','2'\n", {"quote": "'"}, ""),
        ("a;b\n" + _rows("{};'x;y'\n"), {"delimiter": ";", "quote": "'"}, ""),
        ('id,p\n1,"{\\"a\\": 1, \\"b\\": 2}"\n2,"{\\"a\\": 2}"\n', {"escape": "\\"}, "csv.escape"),
        ("a\tb\nx\\\ty\t1\nz\t2\nw\\\tv\t3\n", {"delimiter": "\t", "escape": "\\"}, "csv.escape"),
        ("id,size\n" + _rows('{0},"{0} inch\n'), {"quote": None}, "csv.quote is null"),
        ("size,id\n" + _rows('"{0} inch,{0}\n'), {"quote": None}, "csv.quote is null"),
    ],
)
def test_settings_and_notes(text: str, settings: dict[str, Any], note: str) -> None:
    """Each setting is found in a file that has it and no other, and one that is a guess is said to be."""
    found = sniff(text, whole=True)
    assert found.dialect == Dialect(**settings)
    assert bool(found.notes) == bool(note)
    assert any(note in each for each in found.notes) == bool(note)


def test_a_head_that_is_cut_off() -> None:
    """A last record that is not all there does not speak against its delimiter."""
    whole = "a;b;c\n" + '1;"x, y";z\n' * 20
    assert {sniff(whole[:end], whole=False).dialect for end in range(30, len(whole))} == {Dialect(";", '"')}


@settings(max_examples=examples(200))
@given(
    rows=st.lists(st.lists(st.text("abc1 .,;\t|\"'\n", max_size=6), min_size=3, max_size=3), min_size=3, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
)
def test_quoted_files_are_always_understood(rows: list[list[str]], delimiter: str) -> None:
    """Where every cell is quoted, no character inside one can deceive: the delimiter found is the one written."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"], *rows])
    found = sniff(text.getvalue(), whole=True).dialect
    assert replace(found, trim=False) == Dialect(delimiter, '"')
