"""Fields run their columns through steps, type and constraints, and share what they have in common."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.field import compile_field
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.stepping.jsoncells import JsonStep
from engine.errors import MappingError
from tests.core.passing import pass_through
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")


def run(fields: list[dict[str, Any]], rows: list[dict[str, str]], **changes: Any) -> tuple[list[Any], list[Any]]:
    """The written rows as lists, and the rejects as lists of (field, code)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    passed = pass_through(text.getvalue().encode(), {"fields": fields, **changes})
    return (
        [list(row.values()) for row in passed.rows],
        [[(error["field"], error["code"]) for error in reject["errors"]] for reject in passed.rejects],
    )


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_the_contracts_example() -> None:
    """The mapping that the contract shows runs as it says, with steps, formats, joins, constants and constraints."""
    fields: list[dict[str, Any]] = [
        {"name": "user_id", "type": "uuid", "required": True},
        {"name": "amount", "from": "Amount", "type": "decimal(12,2)", "min": "0"},
        {
            "name": "at", "from": "ts", "type": "timestamp",
            "formats": ["iso8601", "epoch_ms", "%d/%m/%Y %H:%M"], "timezone": "Europe/Berlin",
        },
        {
            "name": "chrome", "from": "ua", "type": "int",
            "steps": [{"regex": {"pattern": "Chrome/(?P<major>\\d+)", "group": "major"}}],
        },
        {
            "name": "event", "from": "payload", "type": "string", "enum": ["click", "view", "buy"],
            "steps": ["base64", {"json": {"path": "$.ev"}}],
        },
        {"name": "page", "from": "payload", "type": "json", "steps": ["base64", {"json": {"path": "$.page"}}]},
        {"name": "who", "from": ["first", "last"], "type": "string", "steps": [{"join": " "}, "trim"]},
        {"name": "source", "const": "partner-7", "type": "string"},
    ]  # fmt: skip
    row = {
        "user_id": "0123456789ABCDEF0123456789ABCDEF", "Amount": "12.5", "ts": "22/11/2026 10:00",
        "ua": "Mozilla/5.0 Chrome/123.0", "payload": encoded({"ev": "buy", "page": ["a", 1]}), "first": "Ada",
        "last": "",
    }  # fmt: skip
    bad = {**row, "Amount": "-1", "ts": "29/03/2026 02:30", "payload": encoded({"ev": "jump"}), "user_id": ""}
    worse = {**row, "payload": "***", "Amount": "1.234"}
    written, rejects = run(fields, [row, bad, worse])
    assert written == [
        [
            "01234567-89ab-cdef-0123-456789abcdef",
            12.5,
            "2026-11-22T09:00:00.000000Z",
            123,
            "buy",
            ["a", 1],
            "Ada",
            "partner-7",
        ]
    ]
    assert rejects == [
        [
            ("user_id", "missing-value"),
            ("amount", "constraint-error"),
            ("at", "constraint-error"),
            ("event", "constraint-error"),
        ],
        [("amount", "constraint-error"), ("event", "step-error"), ("page", "step-error")],
    ]


def test_null_passes_every_step_but_default() -> None:
    """A null cell stays null through the steps; default fills it, but never a cell that is faulty."""
    fields = [
        {"name": "a", "type": "string", "steps": ["trim", {"regex": {"pattern": "b", "no_match": "error"}}]},
        {"name": "b", "from": "a", "type": "int", "steps": ["hex", {"default": 7}]},
    ]
    written, rejects = run(fields, [{"a": ""}, {"a": "zz"}])
    assert written == [[None, 7]]
    assert rejects == [[("a", "step-error"), ("b", "step-error")]]


def test_a_faulty_required_cell_is_not_missing_too() -> None:
    """A cell that a step or its type refused is null from there on, but it was not missing."""
    fields = [{"name": "a", "type": "int", "required": True, "steps": [{"lookup": {"table": {"x": "1", "y": "z"}}}]}]
    written, rejects = run(fields, [{"a": "x"}, {"a": "y"}, {"a": "q"}, {"a": ""}])
    assert written == [[1]]
    assert rejects == [[("a", "type-error")], [("a", "step-error")], [("a", "missing-value")]]


def test_common_steps_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten paths into one column parse it once, and equal chains of two fields run once."""
    read: list[int] = []
    plain = JsonStep.read

    def counting(step: JsonStep, column: Any) -> Any:
        read.append(len(column))
        return plain(step, column)

    monkeypatch.setattr(JsonStep, "read", counting)
    paths = [{"name": f"f{place}", "from": "p", "type": "string", "steps": [{"json": {"path": f"$.k{place}"}}]}
             for place in range(10)]  # fmt: skip
    same = [{**paths[0], "name": "again"}]
    written, _ = run(paths + same, [{"p": json.dumps({f"k{place}": str(place) for place in range(10)})}])
    assert written == [[*map(str, range(10)), "0"]]
    assert read == [1]


CONSTRAINTS: list[tuple[dict[str, Any], dict[str, bool]]] = [
    ({"type": "int", "min": 2, "max": 4}, {"1": False, "2": True, "4": True, "5": False, "": True}),
    ({"type": "float", "min": -0.5}, {"-0.5": True, "-0.51": False}),
    ({"type": "decimal(5,2)", "max": "9.99"}, {"9.99": True, "10": False}),
    ({"type": "date", "min": "2026-01-01"}, {"2025-12-31": False, "2026-01-01": True}),
    (
        {"type": "timestamp", "max": "2026-01-01T00:00:00Z"},
        {"2026-01-01T01:00:00+01:00": True, "2026-01-01T00:00:01": False},
    ),
    ({"type": "string", "min_length": 2, "max_length": 3}, {"a": False, "é€": True, "abcd": False}),
    ({"type": "bytes", "max_length": 3}, {"AAAA": True, "AAAAAAAA": False}),
    ({"type": "string", "pattern": "[a-z]+\\d?"}, {"abc1": True, "abc12": False, "x": True, "X": False}),
    ({"type": "string", "enum": ["a", "b"]}, {"a": True, "A": False}),
    ({"type": "int", "enum": [1, "2"]}, {"+1": True, "2": True, "3": False}),
    ({"type": "decimal(4,1)", "enum": ["1.0"]}, {"1": True, "1.1": False}),
    ({"type": "bool", "enum": [True]}, {"yes": True, "no": False}),
    ({"type": "uuid", "enum": ["0" * 32]}, {"00000000-0000-0000-0000-000000000000": True, "1" * 32: False}),
]


@pytest.mark.parametrize(("rule", "cases"), CONSTRAINTS, ids=lambda part: str(part)[:50])
def test_constraints(rule: dict[str, Any], cases: dict[str, bool]) -> None:
    """Each constraint is judged on the typed value; what breaks it is a constraint-error, and a null breaks none."""
    written, rejects = run([{"name": "x", **rule}, {"name": "n", "type": "int"}],
                           [{"x": text, "n": str(place)} for place, text in enumerate(cases)])  # fmt: skip
    assert [row[1] for row in written] == [place for place, passes in enumerate(cases.values()) if passes]
    assert rejects == [[("x", "constraint-error")]] * list(cases.values()).count(False)


@pytest.mark.parametrize(
    "pattern",
    ["a+", "a*", "(a|ab)(c|bcd)?", r"\w+", r"a.?$", "(?i)k+", r"(a)\1*", r"^$", r"(?<=a)b|a", "(?s).", "a|", r"[^a]\b"],
)
@settings(max_examples=examples(60))
@given(cells=st.lists(st.none() | st.text("abcdK\u212a \n\u00e9", max_size=5), min_size=1, max_size=12))
def test_a_pattern_is_the_packages_full_match(pattern: str, cells: list[str | None]) -> None:
    """However it is matched, what breaks the constraint is what ``regex.fullmatch`` refuses, row by row; null never."""
    (rule,) = validate_mapping(
        {"version": 1, "id": "m", "fields": [{"name": "x", "type": "string", "pattern": pattern}]}, "m"
    ).fields
    (check,) = compile_field(rule, "reject_row", Limits()).checks
    refused = [row for row, cell in enumerate(cells) if cell is not None and not regex.fullmatch(pattern, cell)]
    column = pa.array([None, *cells], pa.string()).slice(1)
    assert [(fault.row, fault.code) for fault in check(column)] == [(row, "constraint-error") for row in refused]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"type": "int", "min": "x"}, "fields[0].min: not an integer: the field's type is int"),
        ({"type": "bool", "enum": ["maybe"]}, "fields[0].enum[0]: not a boolean"),
        ({"type": "int", "const": "seven"}, "fields[0].const: not an integer"),
        ({"type": "string", "min": 1}, "fields[0]: min is for int, float, decimal, date, timestamp, not for string"),
        ({"type": "int", "formats": ["iso8601"]}, "fields[0]: formats is for date, timestamp, not for int"),
        ({"type": "date", "formats": ["epoch_s"]}, "fields[0]: formats: epochs are for timestamp"),
        ({"type": "date", "formats": ["%d.%m"]}, "fields[0].formats[0]: a format must say year"),
        ({"type": "timestamp", "timezone": "Mars/Base"}, "fields[0].timezone: no such time zone"),
        ({"type": "decimal(3,5)"}, "fields[0].type: decimal(p,s)"),
        ({"type": "integer"}, "fields[0].type: no such type: 'integer' (did you mean 'int'?)"),
        ({"type": "string", "from": ["a", "b"]}, "fields[0]: several columns need join or call as the first step"),
        ({"type": "string", "steps": ["trim", {"join": ""}]}, "fields[0]: steps[1]: join is the first step"),
        ({"type": "string", "steps": [{"regex": {"pattern": "("}}]}, "fields[0].steps[0].regex.pattern: not a pattern"),
        (
            {"type": "string", "steps": [{"regex": {"pattern": "a{2000}"}}]},
            "fields[0].steps[0].regex.pattern: the repeat",
        ),
        ({"type": "string", "steps": [{"json": {"path": "$..a"}}]}, "fields[0].steps[0].json.path: not a singular"),
        ({"type": "string", "steps": ["trimm"]}, "fields[0].steps[0]: no such step: 'trimm' (did you mean 'trim'?)"),
        ({"type": "string", "steps": [{"call": {"name": "score"}}]}, "fields[0].steps[0].call.name: no transform"),
        ({"type": "string", "const": "a", "from": "b"}, "fields[0]: a field has either const or from"),
    ],
)
def test_settings_that_do_not_fit(rule: dict[str, Any], problem: str) -> None:
    """What does not go together is refused when the mapping is loaded, at its place in the document."""
    with pytest.raises(MappingError) as caught:
        validate_mapping({"version": 1, "id": "m", "fields": [{"name": "x", **rule}]}, "test")
    assert any(str(found).startswith(problem) for found in caught.value.problems), caught.value.problems


def test_cells_over_the_limit_are_faults_before_anything_sees_them() -> None:
    """A cell over limits.cell_bytes is too-long for every field that reads it, one at the limit is not; the reject
    shows no value, and a field may have it written as null."""
    fields: list[dict[str, Any]] = [
        {"name": "n", "type": "int"},
        {"name": "text", "from": "a", "type": "json"},
        {"name": "both", "from": ["n", "a"], "steps": [{"join": "-"}], "type": "string"},
        {"name": "b", "type": "string", "on_error": "null_value", "steps": [{"default": "none"}]},
    ]
    data = b'n,a,b\n1,"[1,2,3] ",x\n2,12345678,123456789\n3,123456789,x\n4,,\n'
    passed = pass_through(data, {"fields": fields}, limits=Limits(cell_bytes=8))
    assert passed.written.splitlines() == [
        b'{"n":1,"text":[1,2,3],"both":"1-[1,2,3] ","b":"x"}',
        b'{"n":2,"text":12345678,"both":"2-12345678","b":null}',
        b'{"n":4,"text":null,"both":"4-","b":"none"}',
    ]
    (reject,) = passed.rejects
    assert (reject["row"], reject["line"], reject["raw"]) == (3, 4, "3,123456789,x")
    assert [(error["field"], error["code"], error["value"]) for error in reject["errors"]] == [
        ("text", "too-long", None),
        ("both", "too-long", None),
    ]
    assert "limits.cell_bytes (8 bytes)" in reject["errors"][0]["message"]
    assert (passed.counts.cells_nulled, passed.counts.codes) == (1, {"too-long": 3})


def test_blank_rows_are_rows_where_the_mapping_says_so() -> None:
    """csv.blank_rows "error" rejects every line with nothing on it as a row of its own; the default skips it."""
    fields = [{"name": "a", "type": "string"}]
    data = b'\na\n1\n\n\r\n""\n2\n'
    for csv_rules, written, rejected in [({}, 3, []), ({"blank_rows": "error"}, 3, [(2, 4), (3, 5)])]:
        passed = pass_through(data, {"fields": fields, "csv": csv_rules})
        assert passed.counts.rows_written == written
        assert [(each["row"], each["line"]) for each in passed.rejects] == rejected
        assert all([error["code"] for error in each["errors"]] == ["blank-row"] for each in passed.rejects)


def test_blank_rows_alone() -> None:
    """Where the mapping gives the labels, a file of nothing but blank lines has rows, and each is rejected."""
    rules = {"csv": {"header": ["a"], "blank_rows": "error"}, "fields": [{"name": "a", "type": "string"}]}
    passed = pass_through(b"\xef\xbb\xbf\n\r\n", rules)
    assert [(each["row"], each["line"]) for each in passed.rejects] == [(1, 1), (2, 2)]
