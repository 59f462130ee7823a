"""A mapping's own tests are run through the real core, and a failing one says what came instead."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.examples import run_examples
from engine.core.limits import Limits
from engine.core.lint import lint
from engine.core.mapping import validate_mapping
from engine.core.preview import preview
from engine.errors import HeaderError

FIELDS: list[dict[str, Any]] = [
    {"name": "amount", "from": "Amount", "type": "decimal(12,2)", "required": True, "on_error": "fail_file"},
    {"name": "note", "type": "string"},
    {"name": "ok", "type": "bool"},
]


def mapping(**changes: Any) -> Any:
    return validate_mapping({"version": 1, "id": "m", "fields": FIELDS, **changes}, "test")


@pytest.mark.parametrize(
    ("test", "what"),
    [
        (
            {
                "row": {"Amount": "12.5", "note": 'a,"b"\nc'},
                "expect": {"amount": 12.50, "note": 'a,"b"\nc', "ok": None},
            },
            None,
        ),
        ({"row": {"Amount": "x"}, "reject": {"amount": "type-error"}}, None),
        ({"row": {"Amount": None}, "reject": {"amount": "missing-value"}}, None),
        ({"row": {"Amount": "1", "ok": "yes"}, "expect": {"ok": True}}, None),
        ({"row": {"Amount": "1"}, "expect": {"amount": 2}}, "amount is 1.0, not 2"),
        ({"row": {"Amount": "1", "ok": "yes"}, "expect": {"ok": 1}}, "ok is true, not 1"),
        ({"row": {"Amount": "1"}, "expect": {"sum": 2}}, "there is no field 'sum'"),
        ({"row": {"Amount": "x"}, "expect": {"amount": 2}}, "rejected: {'amount': 'type-error'}"),
        ({"row": {"Amount": "1"}, "reject": {"amount": "type-error"}}, "rejected for nothing"),
        ({"row": {"amount": "1"}, "expect": {}}, "no field is read from 'amount'"),
    ],
)
def test_examples(test: dict[str, Any], what: str | None) -> None:
    """Expected values and codes hold or are reported with what came instead; the cells are exactly the test's."""
    failures = run_examples(mapping(tests=[test]), Limits())
    if what is None:
        assert failures == []
    else:
        assert [failure.place for failure in failures] == [0]
        assert failures[0].what.startswith(what)


def test_examples_do_not_depend_on_the_output() -> None:
    """Tests run the same whatever the mapping writes, and however it treats bad rows."""
    tests = [
        {"row": {"Amount": "1"}, "expect": {"amount": 1}},
        {"row": {"Amount": "x"}, "reject": {"amount": "type-error"}},
    ]
    for output in ({"format": "parquet"}, {"format": "csv", "compression": "gzip"}):
        assert (
            run_examples(mapping(tests=tests, output=output, on_error="fail_file", csv={"header": True}), Limits())
            == []
        )


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        (FIELDS, []),
        (
            [{"name": "a", "type": "string", "steps": [{"regex": {"pattern": "(a+)+$"}}]}],
            ["fields[0].steps[0].regex.pattern"],
        ),
        ([{"name": "a", "type": "string", "pattern": "(\\w*)*"}], ["fields[0].pattern"]),
        ([{"name": "a", "type": "string", "pattern": "(ab)+c*"}], []),
        ([{"name": "a", "type": "int"}, {"name": "b", "from": "a", "type": "string"}], ["fields"]),
        ([{"name": "a", "type": "date", "formats": ["%d/%m/%Y", "%m/%d/%Y"]}], ["fields[0].formats"]),
        ([{"name": "a", "type": "date", "formats": ["%d/%m/%Y", "%m-%d-%Y"]}], []),
    ],
)
def test_lint(fields: list[dict[str, Any]], warnings: list[str]) -> None:
    """What will bite is warned of at its place; what is sound is not."""
    assert [problem.where for problem in lint(mapping(fields=fields))] == warnings


def test_preview() -> None:
    """The first rows are shown with their sources, values and errors; a ragged row by its own error."""
    rows = preview(b'\xef\xbb\xbfAmount,note,ok\n1.5,"a\nb",y\nx,,\n7\n2,z,n\n', mapping(), Limits(), 3)
    assert [row.row for row in rows] == [1, 2, 3]
    assert [(cell.field, cell.source, cell.value, cell.error) for cell in rows[0].cells] == [
        ("amount", "1.5", 1.5, None),
        ("note", "a\nb", "a\nb", None),
        ("ok", "y", True, None),
    ]
    assert (rows[1].cells[0].source, rows[1].cells[0].error) == ("x", "type-error: not a decimal number")
    assert rows[2].error is not None
    assert rows[2].error.startswith("missing-cell")
    with pytest.raises(HeaderError):
        preview(b"a,b\n1,2\n", mapping(), Limits(), 3)
    assert preview(b"", mapping(), Limits(), 3) == []
