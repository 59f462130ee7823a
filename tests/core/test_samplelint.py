"""A sample shows which decimals are too narrow."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.samplelint import DecimalLint
from engine.core.transform import Transform


def warnings(data: bytes, *fields: dict[str, Any], **settings: Any) -> list[str]:
    mapping = validate_mapping({"version": 1, "id": "m", "fields": list(fields), **settings}, "m")
    found = DecimalLint(mapping, Limits())
    for start in range(0, len(data), 7):
        found.feed(data[start : start + 7])
    return [str(problem) for problem in found.finish()]


def test_the_decimal_that_would_hold_the_sample() -> None:
    """Digits before and after the point that do not fit are counted, and the decimal that is named refuses nothing."""
    data = b"id,amount\n1,12.5\n2,1234567.125\n3,oops\n4,-00000000000012345678.\n5,\n6,.12\n"
    field = {"name": "a", "from": "amount", "type": "decimal(8,2)"}
    (found,) = warnings(data, {"name": "id", "type": "int"}, field)
    assert found == (
        "fields[1].type: decimal(8,2) is too narrow for 2 cells (as 1234567.125); decimal(11,3) holds them"
    )
    assert not warnings(data, field | {"type": "decimal(11,3)"})


def test_what_the_type_is_given_counts() -> None:
    """Numbers are measured after the field's steps, also where its constraints refuse them or other fields fail."""
    data = b'id,p\nx,"{""v"": 12.345}"\ny,"{""v"": ""1.5""}"\nz,{\n'
    (found,) = warnings(
        data,
        {"name": "id", "type": "int"},
        {
            "name": "v", "from": "p", "steps": [{"json": {"path": "$.v"}}], "type": "decimal(4,2)", "max": 1,
            "required": True, "on_error": "fail_file",
        },
        budget={"rows": 0},
    )  # fmt: skip
    assert found == "fields[1].type: decimal(4,2) is too narrow for 1 cell (as 12.345); decimal(5,3) holds them"


def test_numbers_beyond_every_decimal() -> None:
    """Where no decimal has enough digits the warning says so."""
    (found,) = warnings(b"a\n" + b"9" * 30 + b"\n0." + b"1" * 9 + b"\n", {"name": "a", "type": "decimal(8,2)"})
    assert found.endswith("they need 39 digits, more than any decimal has")


@pytest.mark.parametrize("kind", ["decimal(9,2)", "float", "string"])
def test_nothing_to_say(kind: str) -> None:
    """Decimals that fit, and mappings that have none, bring no warning; texts that are no numbers never do."""
    assert not warnings(b"a\n12.50\n1.234.567,89\n1e99\n" + b"1" * 2000 + b"\n", {"name": "a", "type": kind})


def test_a_warning_means_rejects() -> None:
    """The cells counted are those that the mapping itself rejects for their digits."""
    data = b"a\n1.005\n100\n99.99\n0100.0\n-0.001\nx\n"
    mapping = validate_mapping({"version": 1, "id": "m", "fields": [{"name": "a", "type": "decimal(4,2)"}]}, "m")
    transform = Transform(Plan.compile(mapping, Limits()), file="f")
    for _ in (*transform.feed(data), *transform.finish()):
        pass
    (found,) = warnings(data, {"name": "a", "type": "decimal(4,2)"})
    assert f"for {transform.counts.codes['constraint-error']} cells" in found
