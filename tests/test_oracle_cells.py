"""The oracle's types, steps and constraints against cases worked out by hand from the contract."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.oracle import Bad, shown, text_of
from tests.oracle.fields import evaluate
from tests.oracle.steps import apply
from tests.oracle.values import convert

pytestmark = pytest.mark.one_build("gil")

BERLIN = {"type": "timestamp", "timezone": "Europe/Berlin"}
DAYS = {"type": "date", "formats": ["%d/%m/%Y", "iso8601"]}
TIMES = {"type": "timestamp", "formats": ["epoch_ms", "%d/%m/%Y %H:%M", "%Y%m%d%H%M%S %z"], "timezone": "Asia/Kolkata"}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", " as it is ", " as it is "),
        ("int", "+007", 7),
        ("int", "-9223372036854775808", -(2**63)),
        ("int", "0" * 5000 + "1", 1),
        ("float", "-1.5e-3", Decimal("-0.0015")),
        ("float", ".5", Decimal("0.5")),
        ("float", "5.", Decimal(5)),
        ("float", "1E2", Decimal(100)),
        ("bool", "Yes", True),
        ("bool", "F", False),
        ("bool", "1", True),
        ("timestamp", "2026-11-22", "2026-11-22T00:00:00.000000Z"),
        ("timestamp", "2026-11-22 10:05", "2026-11-22T10:05:00.000000Z"),
        ("timestamp", "2026-11-22T10:05:06.1234567+02:00", "2026-11-22T08:05:06.123456Z"),
        ("timestamp", "2026-01-01T00:30:00+0530", "2025-12-31T19:00:00.000000Z"),
        ("timestamp", "2026-01-01T00:30:00.5-09", "2026-01-01T09:30:00.500000Z"),
        ("timestamp", "0001-01-01T00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("uuid", "4F9C2A1E-77B0-4C1D-9A55-0D1F2B3C4D5E", "4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e"),
        ("uuid", "4f9c2a1e77b04c1d9a550d1f2b3c4d5e", "4f9c2a1e-77b0-4c1d-9a55-0d1f2b3c4d5e"),
        ("json", ' {"a": 1, "a": [2.50, null]} ', {"a": [2.5, None]}),
        ("json", "[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        ("json", "null", None),
    ],
)
def test_accepts(kind: str, text: str, value: object) -> None:
    """Each type takes the texts that the contract's table allows and gives the value that it shows."""
    found = shown(convert(text, {"type": kind}))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("int", text) for text in ("1.0", "1_000", " 1", "0x1", "٣", "9223372036854775808", "+", "1\n", "--1")),
        *(("float", text) for text in ("nan", "inf", "1e999", "1_0.0", "0x1p3", ".", "1,5", "e5", " 1.0", "½")),
        *(("bool", text) for text in ("on", "2", "tru", "yes ", "-1")),
        *(("timestamp", text) for text in ("2026-02-30", "2026-1-01", "2026-01-01T24:00", "2026-01-01T10:00:60")),
        *(("timestamp", text) for text in ("0000-01-01", "2026-01-01T10", "2026-01-01t10:00", "2026-01-01T10:00z")),
        *(("timestamp", text) for text in ("2026-01-01T10:00+24:00", "2026-01-01T10:00+01:60", "0001-01-01T00:00+01")),
        *(("timestamp", text) for text in ("2026-01-01Z", "2026-01-01T10:00:00.", "1700000000", "٢٠٢٦-01-01")),
        *(("uuid", text) for text in ("4f9c2a1e-77b04c1d9a550d1f2b3c4d5e", "4f9c2a1e", "g" * 32, "{" + "a" * 32 + "}")),
        *(("json", text) for text in ("{", "1,2", "NaN", "-Infinity", "{'a':1}", "01", "1e999", '"\\ud800"')),
        ("json", "[" * 65 + "]" * 65),
        ("json", "[" * 200_000),
    ],
)
def test_refuses(kind: str, text: str) -> None:
    """Each type refuses what lies just outside the contract's table."""
    with pytest.raises(Bad, match=r"^type-error$"):
        convert(text, {"type": kind})


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        ({"type": "decimal(4,2)"}, "00012.5", Decimal("12.50")),
        ({"type": "decimal(4,2)"}, "-.5", Decimal("-0.50")),
        ({"type": "decimal(4,2)"}, "+7.", Decimal("7.00")),
        ({"type": "decimal(38,38)"}, "." + "9" * 38, Decimal("0." + "9" * 38)),
        ({"type": "decimal(38,0)"}, "9" * 38, Decimal("9" * 38)),
        ({"type": "bool", "true": ["Ja"]}, "jA", True),
        ({"type": "bool", "true": ["Ja"]}, "no", False),
        ({"type": "date"}, "2024-02-29", date(2024, 2, 29)),
        (DAYS, "1/2/0003", date(3, 2, 1)),
        (DAYS, "9999-12-31", date.max),
        (BERLIN, "2026-07-01T12:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (BERLIN, "2026-03-29T02:30Z", datetime(2026, 3, 29, 2, 30, tzinfo=UTC)),
        (TIMES, "-1", datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)),
        (TIMES, "22/11/2026 05:30", datetime(2026, 11, 22, tzinfo=UTC)),
        (TIMES, "20261122000000 -0100", datetime(2026, 11, 22, 1, tzinfo=UTC)),
        ({"type": "bytes"}, "AAEC", b"\0\1\2"),
        ({"type": "bytes"}, "AA==", b"\0"),
    ],
)
def test_accepts_with_settings(rule: dict[str, Any], text: str, value: object) -> None:
    """Types with settings take what the settings allow and give the exact value."""
    found = convert(text, rule)
    assert (found, str(found)) == (value, str(value))


@pytest.mark.parametrize(
    ("rule", "text", "code"),
    [
        *(({"type": "decimal(4,2)"}, text, "constraint-error") for text in ("123", "1.234", "1.500", "100.0")),
        *(({"type": "decimal(4,2)"}, text, "type-error") for text in ("", ".", "+", "1e1", "1,5", " 1", "٣", "1-")),
        ({"type": "bool", "true": ["Ja"]}, "true", "type-error"),
        *((DAYS, text, "type-error") for text in ("30/02/2026", "2026-02-30", "1/2/26", " 1/2/2026", "01/02/2026 ")),
        *((BERLIN, text, "constraint-error") for text in ("2026-03-29T02:30", "2026-10-25 02:30:00.5")),
        *((TIMES, text, "type-error") for text in ("253402300800000", "1.5", "2026-11-22", "9" * 40, "22/11/2026")),
        *(({"type": "bytes"}, text, "type-error") for text in ("AA", "AA=", "A A=", "AA==AA==", "=", "-_==", "AAA=\n")),
    ],
)
def test_refuses_with_settings(rule: dict[str, Any], text: str, code: str) -> None:
    """Types with settings refuse the rest, with the contract's code."""
    with pytest.raises(Bad, match=f"^{code}$"):
        convert(text, rule)


@pytest.mark.parametrize(
    ("step", "cell", "result"),
    [
        ("trim", "\u2003 a b\t", "a b"),
        ("lower", "ÄB", "äb"),
        ("upper", "straße", "STRASSE"),
        ("base64", "/+8=", b"\xff\xef"),
        ({"base64": {"urlsafe": True}}, "_-8=", b"\xff\xef"),
        ("hex", "00fF", b"\0\xff"),
        ("url_decode", "a+b%20%C3%A9é", "a+b éé"),
        ({"regex": {"pattern": "a(b)?"}}, "xab", "ab"),
        ({"regex": {"pattern": "(?P<n>b)|c", "group": "n"}}, "c", None),
        ({"regex": {"pattern": "b", "match": "full"}}, "ab", None),
        ({"replace": {"pattern": "(a)(b)", "with": r"\2\1"}}, "xab", "xba"),
        ({"split": {"sep": ","}}, 'a,"é', '["a","\\"é"]'),
        ({"split": {"sep": ",", "index": -2}}, "a,b", "a"),
        ({"split": {"sep": ",", "index": 2}}, "a,b", None),
        ({"json": {"path": "$.a[-1]['b c']"}}, '{"a": [0, {"b c": "x"}]}', "x"),
        ({"json": {"path": "$.a"}}, '{"a": {"b": [1.50, 10, "é", -0]}}', '{"b":[1.5,10,"é",-0]}'),
        ({"json": {"path": "$.a"}}, '{"a": null}', None),
        ({"json": {"path": "$[1]"}}, "[1]", None),
        ({"json": {"path": "$.a"}}, "[1]", None),
        ({"lookup": {"table": {"a": "1"}}}, "a", "1"),
        ({"lookup": {"table": {"a": "1"}, "otherwise": "keep"}}, "b", "b"),
        ({"lookup": {"table": {"a": "1"}, "otherwise": "null"}}, "b", None),
        ({"default": "d"}, "a", "a"),
        ({"default": "d"}, None, "d"),
        ({"default": True}, None, "true"),
        ("lower", None, None),
        ("lower", b"\xc3\x84", "ä"),
    ],
)
def test_steps(step: Any, cell: str | bytes | None, result: str | bytes | None) -> None:
    """Each step makes of a cell what the contract says."""
    assert apply(step, cell) == result


@pytest.mark.parametrize(
    ("step", "cell"),
    [
        ("base64", "_-8="),
        ({"base64": {"urlsafe": True}}, "/+8="),
        ("base64", "AA"),
        ("hex", "0"),
        ("hex", "00 11"),
        ("url_decode", "%4"),
        ("url_decode", "%ff"),
        ({"regex": {"pattern": "a", "no_match": "error"}}, "b"),
        ({"json": {"path": "$"}}, "{"),
        ({"json": {"path": "$.a"}}, '{"a":1,"b":1e999}'),
        ({"lookup": {"table": {"a": "1"}}}, "b"),
        ("trim", b"\xff"),
    ],
)
def test_steps_that_cannot_be_applied(step: Any, cell: str | bytes) -> None:
    """What a step cannot work on is a step error."""
    with pytest.raises(Bad, match=r"^step-error$"):
        apply(step, cell)


@pytest.mark.parametrize(
    ("rule", "cells", "outcome"),
    [
        ({"type": "int", "required": True}, [None], (None, ["missing-value"])),
        ({"type": "int", "required": True, "min": 1}, ["x"], (None, ["type-error"])),
        ({"type": "int", "min": 1, "enum": [5]}, ["0"], (None, ["constraint-error", "constraint-error"])),
        ({"type": "int", "min": 1}, [None], (None, [])),
        ({"type": "decimal(5,2)", "min": "0.50", "max": 2}, ["2.00"], (Decimal("2.00"), [])),
        ({"type": "string", "min_length": 2, "max_length": 2}, ["éé"], ("éé", [])),
        ({"type": "bytes", "max_length": 1}, ["AAA="], (None, ["constraint-error"])),
        ({"type": "string", "pattern": "a+"}, ["ab"], (None, ["constraint-error"])),
        ({"type": "uuid", "enum": ["0" * 32]}, ["0" * 32], ("00000000-0000-0000-0000-000000000000", [])),
        ({"type": "date", "max": "2026-01-01"}, ["2026-01-02"], (None, ["constraint-error"])),
        ({"type": "string", "from": ["a", "b"], "steps": [{"join": "-"}]}, [None, "x"], ("-x", [])),
        ({"type": "string", "from": ["a", "b"], "steps": [{"join": "-"}]}, [None, None], (None, [])),
        ({"type": "string", "const": "p"}, [], ("p", [])),
        ({"type": "int", "const": 7}, [], (7, [])),
        ({"type": "string"}, ["12345"], (None, ["too-long"])),
        ({"type": "string", "steps": [{"replace": {"pattern": "a", "with": "b" * 101}}]}, ["a"], (None, ["too-long"])),
    ],
)
def test_fields(rule: dict[str, Any], cells: list[str | None], outcome: tuple[Any, list[str]]) -> None:
    """Sources, types and constraints together: a value, or every code against it."""
    assert evaluate({"name": "x", **rule}, tuple(cells), 4 if cells == ["12345"] else 100) == outcome


@pytest.mark.parametrize(
    ("kind", "text", "csv_text"),
    [
        ("decimal(9,3)", "-1.5", "-1.500"),
        ("timestamp", "0001-01-01", "0001-01-01T00:00:00.000000Z"),
        ("date", "0999-01-02", "0999-01-02"),
        ("bool", "Y", "true"),
        ("bytes", "AA==", "AA=="),
        ("json", ' {"a": [1.0, 1e2, "\\u00e9"]} ', '{"a":[1.0,100.0,"é"]}'),
        ("json", "1E-7", "1e-7"),
    ],
)
def test_texts(kind: str, text: str, csv_text: str) -> None:
    """The text of a value is the contract's."""
    assert text_of(convert(text, {"type": kind})) == csv_text
