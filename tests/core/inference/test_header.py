"""A first record that differs in kind from the rows below is a header."""

from __future__ import annotations

import pytest

from tests.core.inference.samples import proposal


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("id,name\n1,Ada\n2,Bob\n", True),
        ("1,Ada\n2,Bob\n", False),
        ("2026-01-01,x\n2026-01-02,y\n", False),
        ("day,x\n2026-01-01,x\n", True),
        ("country,2019,2020\nDE,1,2\nFR,3,4\n", False),  # labels that look like values: nothing tells them apart
        ("id,2019,name,at\n1,2,Ada,2026-01-01\n", True),
        ("NA,1,2.5\n1,2,3.5\n4,,5.5\n", False),  # a null says nothing
        (",x\n1,y\n2,z\n", True),
        ("zip,x\n01234,y\n04567,z\n", True),
        ("01234,x\n04567,y\n", False),
        ('p,x\n"{""a"": 1}",y\n"[]",z\n', True),
        ("name,city\nAda,Rome\nBob,Oslo\n", True),
        ("Ada,Rome\nBob,Oslo\nAda,Bonn\n", False),  # a text that comes again is no label
        ("x,x\na,b\n", False),
        ("name,city\n", True),
        ("1,2\n", False),
        ("a\n\n\n1\n", True),
    ],
)
def test_header(text: str, header: bool) -> None:
    """Files with and without a header are told apart by what their columns hold."""
    csv = proposal(text).document.get("csv", {})
    assert csv.get("header", True) is header


@pytest.mark.parametrize(("text", "what"), [("a,b\nx,y\n", "taken for a header"), ("a,b\na,c\n", "taken for a row")])
def test_a_guess_is_called_one(text: str, what: str) -> None:
    """Where all is text the verdict rests on custom, and a note says so."""
    assert any(what in str(note) for note in proposal(text).notes)
    assert not any("header" in str(note) for note in proposal("a,b\nx,1\n").notes)


def test_fields_of_a_file_without_header() -> None:
    """Columns that have no labels go by their number, and fields get names that need no quotes in SQL."""
    assert proposal("1,Ada\n2,Bob\n").document == {
        "version": 1,
        "id": "test",
        "csv": {"header": False},
        "fields": [
            {"name": "column_1", "from": "1", "type": "int", "required": True},
            {"name": "column_2", "from": "2", "type": "string", "required": True},
        ],
    }
