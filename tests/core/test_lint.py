"""The lint warns of what will bite, at its place, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.lint import lint
from engine.core.mapping import validate_mapping


def warnings(*fields: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in lint(validate_mapping({"version": 1, "id": "m", "fields": list(fields)}, "m"))]


def test_a_sound_mapping_has_no_warnings() -> None:
    """Fields of one column and type, formats that no text shares, and harmless patterns are left alone."""
    assert not warnings(
        {"name": "a", "type": "int"},
        {"name": "b", "from": "a", "type": "int", "min": 3},
        {"name": "c", "from": "t", "type": "timestamp", "formats": ["iso8601", "epoch_ms", "%d/%m/%Y %H:%M"]},
        {"name": "d", "from": "u", "steps": [{"regex": {"pattern": r"(?:[a-z]+,)*"}}], "type": "string"},
        {"name": "e", "from": "u", "type": "string", "pattern": r"(?:\d{3}-)+"},
        {"name": "f", "const": "x", "type": "string"},
        {"name": "g", "const": "1", "type": "int"},
    )


def test_patterns_are_named_where_they_stand() -> None:
    """Steps and constraints that could take exponential time are each a warning of their own."""
    found = warnings(
        {"name": "a", "type": "string", "pattern": "(x+)+"},
        {
            "name": "b",
            "steps": ["trim", {"regex": {"pattern": "(?:a|aa)+$"}}, {"replace": {"pattern": "(b*)*", "with": ""}}],
            "type": "string",
        },
    )
    assert [line.split(":")[0] for line in found] == [
        "fields[0].pattern", "fields[1].steps[1].regex.pattern", "fields[1].steps[2].replace.pattern",
    ]  # fmt: skip
    assert all("double" in line for line in found)


@pytest.mark.parametrize(
    ("formats", "kind", "example"),
    [
        (["%d/%m/%Y", "%m/%d/%Y"], "date", "03/02/2001"),
        (["%d.%m.%Y", "%m.%d.%Y"], "date", "03.02.2001"),
        (["%d-%m-%y", "%m-%d-%y"], "date", "03-02-01"),
        (["%d-%m-%y", "%y-%m-%d"], "date", "03-02-01"),
        (["%d%m%y", "%y%m%d"], "date", "030201"),
        (["%d %m %Y %H:%M", "%m %d %Y %H:%M"], "timestamp", "03 02 2001 04:05"),
        (["iso8601", "%Y-%d-%m"], "date", "2001-02-03"),
        (["iso8601", "%Y-%d-%m %H:%M"], "timestamp", "2001-03-02 04:05"),
        (["epoch_s", "epoch_ms"], "timestamp", "981173106"),
        (["%Y%m%d", "epoch_s"], "timestamp", "20010203"),
        (["%Y%m%d", "%y%m%d"], "date", "200123"),
        (["%d/%m/%Y %H:%M", "iso8601", "%m/%d/%Y %H:%M"], "timestamp", "03/02/2001 04:05"),
    ],
)
def test_formats_that_overlap(formats: list[str], kind: str, example: str) -> None:
    """Two formats that read one text as two times are named, with such a text and the one that wins."""
    (found,) = warnings({"name": "t", "type": kind, "formats": formats})
    assert found.startswith("fields[0].formats: ")
    assert repr(example) in found
    assert f"{formats[0]!r} stands first" in found


@pytest.mark.parametrize(
    "formats",
    [
        ["%d/%m/%Y", "%d/%m/%y"],  # a year has two digits or four
        ["%d/%m/%Y", "%m-%d-%Y"],
        ["%Y-%m-%d", "iso8601"],  # the same day
        ["%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S"],
        ["%d/%m/%Y", "%d/%m/%Y %H:%M"],
        ["%Y-%m-%dT%H:%M:%SZ", "iso8601"],
        ["iso8601", "iso8601"],
    ],
)
def test_formats_that_do_not(formats: list[str]) -> None:
    """Formats that share no text, or read what they share as the same time, are no cause for a warning."""
    assert not warnings({"name": "t", "type": "timestamp", "formats": formats})


def test_columns_under_two_types() -> None:
    """A column read as two types is named once, also where both go through the same steps or join the same columns."""
    path = {"json": {"path": "$.a"}}
    joined: dict[str, Any] = {"from": ["x", "y"], "steps": [{"join": " "}], "type": "string"}
    assert warnings(
        {"name": "a", "type": "int"},
        {"name": "b", "from": "a", "type": "string"},
        {"name": "c", "from": "p", "steps": ["base64", path], "type": "int"},
        {"name": "d", "from": "p", "steps": [{"base64": {}}, path], "type": "float"},
        {"name": "e", "from": "p", "steps": ["base64"], "type": "json"},
        {"name": "f", "type": "decimal(9,2)"},
        {"name": "g", "from": "f", "type": "decimal(9, 2)"},
        joined | {"name": "h"},
        joined | {"name": "i", "type": "date"},
    ) == [
        "fields: column 'a' is read as int and as string",
        "fields: column 'p' after the same steps is read as float and as int",
        "fields: column 'x' and 'y' after the same steps is read as date and as string",
    ]
