"""Cells that somebody means harm with, under mappings of all kinds: a value, a reject or one error, in little time."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from engine.core.limits import COPIED_BYTES, MADE_BYTES, Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.portion import CHUNK_ROWS, Portion
from engine.core.transform import Transform
from engine.errors import PatternTimeout

LIMITS = Limits(regex_timeout_s=0.2)
DIGITS = "9" * 8_000_000  # as many as a cell may have
LONG = "a" * 100_000 + "!"


def converted(settings: dict[str, Any], cell: str) -> tuple[list[Any], list[str]]:
    """The values written of one cell in a column of its own, and the codes of what was rejected."""
    field = {"name": "f", "from": "a", **settings}
    mapping = validate_mapping({"version": 1, "id": "m", "fields": [field]}, "m")
    transform = Transform(Plan.compile(mapping, LIMITS), file="a.csv")
    quoted = cell.replace('"', '""')
    outputs = [*transform.feed(f'a,b\n"{quoted}",1\n'.encode()), *transform.finish()]
    values = [json.loads(line)["f"] for output in outputs for line in output.data.splitlines()]
    rejects = [json.loads(line) for output in outputs for line in output.rejects.splitlines()]
    return values, [error["code"] for reject in rejects for error in reject["errors"]]


def step(name: str, settings: Any, type_: str = "string") -> dict[str, Any]:
    return {"type": type_, "steps": [{name: settings}]}


def pattern(text: str, **settings: Any) -> dict[str, Any]:
    return step("regex", {"pattern": text, **settings})


PATH = step("json", {"path": "$[0]"})
REFUSED = {
    "json-100,000-deep": ({"type": "json"}, "[" * 100_000 + "]" * 100_000, "type-error"),
    "objects-100,000-deep": ({"type": "json"}, '{"a":' * 100_000 + "1" + "}" * 100_000, "type-error"),
    "brackets-never-closed": ({"type": "json"}, "[" * 1_000_000, "type-error"),
    "a-path-into-100,000-deep": (PATH, "[" * 100_000 + "]" * 100_000, "step-error"),
    "json-65-deep": ({"type": "json"}, "[" * 65 + "]" * 65, "type-error"),
    "int-of-8-MB": ({"type": "int"}, DIGITS, "type-error"),
    "decimal-of-8-MB": ({"type": "decimal(38,2)"}, DIGITS, "type-error"),
    "float-of-8-MB": ({"type": "float"}, DIGITS, "type-error"),
    "float-with-an-exponent-of-8-MB": ({"type": "float"}, f"1e{DIGITS}", "type-error"),
    "epoch-of-8-MB": ({"type": "timestamp", "formats": ["epoch_s"]}, DIGITS, "type-error"),
    "year-of-8-MB": ({"type": "date", "formats": ["%Y-%m-%d"]}, f"{DIGITS}-01-01", "type-error"),
    "bool-of-8-MB": ({"type": "bool"}, DIGITS, "type-error"),
    "uuid-of-8-MB": ({"type": "uuid"}, DIGITS, "type-error"),
    "a-path-to-a-number-of-1-MB": (step("json", {"path": "$[0]"}, "int"), f"[{'9' * 1_000_000}]", "step-error"),
    "a-cell-over-the-limit": ({"type": "string"}, "x" * 8_388_609, "too-long"),
    "a-text-replaced-by-much": (
        step("replace", {"pattern": "a", "with": "x" * 10_000}), "a" * 1_000, "too-long",
    ),
    "a-constraint-on-alternatives": ({"type": "string", "pattern": "(a|aa)+"}, LONG, "constraint-error"),
}  # fmt: skip


def _refusal(case: tuple[dict[str, Any], str, str]) -> tuple[list[Any], list[str], float]:
    settings, cell, _ = case
    started = time.thread_time()
    values, codes = converted(settings, cell)
    return values, codes, time.thread_time() - started


@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_that_is_refused(name: str) -> None:
    """A row is rejected with the code for it, whatever was in its cell."""
    values, codes, seconds = _refusal(REFUSED[name])
    assert (values, codes) == ([], [REFUSED[name][2]])
    assert seconds < 5


@pytest.mark.parametrize(
    ("settings", "cell", "value"),
    [
        (pattern("(a|aa)+$"), LONG, None),
        (pattern(r"(\w)*"), LONG, LONG[:-1]),
        (pattern("(?:(?:)*)*"), LONG, ""),
        ({"type": "json"}, '{"a": 1, "a": 2}', {"a": 2}),
        ({"type": "json"}, "[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        (step("split", {"sep": "a", "index": -1}), LONG, "!"),
        (step("json", {"path": "$.a"}), '{"a": "\\u0000"}', "\0"),
    ],
    ids=["alternatives", "repeated-group", "repeated-nothing", "key-twice", "64-deep", "100,000-parts", "nul"],
)
def test_a_cell_that_is_taken(settings: dict[str, Any], cell: str, value: Any) -> None:
    """What looks like harm and is none gives what the contract says."""
    assert converted(settings, cell) == ([value], [])


@pytest.mark.parametrize("text", [r"(?:(a)\1?)+$", r"(?:x*+a|aa)+$", r"(a|(aa)\2?)*c|d$"])
@pytest.mark.parametrize("as_constraint", [False, True], ids=["step", "constraint"])
def test_a_pattern_that_takes_too_long(text: str, as_constraint: bool) -> None:
    """Where nothing is proven about a pattern its time is limited: the file fails, and no row is called bad for it."""
    settings = {"type": "string", "pattern": text} if as_constraint else pattern(text)
    with pytest.raises(PatternTimeout, match=r"a pattern took (longer|more)"):
        converted(settings, "a" * 5_000 + "!c!")


def test_a_mapping_cannot_make_much_of_little() -> None:
    """Rows of two bytes that constants, defaults and names make long are taken few at a time, and all are written."""
    long = {"type": "string", "const": "x" * 10_000}
    fields = [{"name": f"{place}{'n' * 990}", **long} for place in range(3)]
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", "fields": fields}, "m"), LIMITS)
    transform = Transform(plan, file="a.csv")
    outputs = [*transform.feed(b"a\n" + b"x\n" * 30_000), *transform.finish()]
    assert max(len(output.data) for output in outputs) < 80 << 20
    assert transform.counts.rows_written == sum(output.data.count(b"\n") for output in outputs) == 30_000


def test_many_fields_cannot_make_much_of_one_column() -> None:
    """Two thousand fields that copy one column make rows two thousand times as long: few are taken together, and a cell
    of which the copies alone would be a quarter of a GiB is too long for this mapping. Any other passes."""
    fields = [{"name": f"f{place}", "from": "a", "type": "string"} for place in range(2_000)]
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", "fields": fields}, "m"), LIMITS)
    short = b"".join(b"%0200d\n" % row for row in range(1_500))
    short += (b'"' + b"\n" * 1_000 + b'"\n') * 500  # rows of many lines: it is not lines that count
    transform = Transform(plan, file="a.csv")
    sizes, rejects = [], []
    for output in (
        *transform.feed(b"a\n" + short + b"y" * 130_000 + b"\n" + b"z" * 140_000 + b"\n"),
        *transform.finish(),
    ):
        sizes.append(len(output.data))
        rejects += [json.loads(line) for line in output.rejects.splitlines()]
    assert sorted(sizes)[-2] < MADE_BYTES * 2.5  # a line end is two characters of JSON
    assert max(sizes) < COPIED_BYTES * 1.5  # the long one alone
    assert transform.counts.rows_written == 2_001
    (reject,) = rejects
    assert reject["row"] == 2_002
    assert {error["code"] for error in reject["errors"]} == {"too-long"}
    assert "what 2,000 fields may copy of one cell (134217 bytes)" in reject["errors"][0]["message"]


def test_a_usual_mapping_is_not_slowed_down() -> None:
    """Eighty columns of ordinary names are read as many rows at a time as ever."""
    fields = [{"name": f"a_column_with_a_name_{place}", "type": "int"} for place in range(80)]
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", "fields": fields}, "m"), LIMITS)
    assert plan.portion == Portion(CHUNK_ROWS, size=MADE_BYTES)


@pytest.mark.parametrize("again", [False, True], ids=["file", "rejects"])
def test_rows_taken_few_at_a_time_are_the_same(again: bool) -> None:
    """However many rows are taken together, what is written and what is rejected is the same to the byte."""
    fields = [{"name": "a", "type": "int"}]
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", "fields": fields}, "m"), LIMITS)
    data = b"a\n" + b"".join(b"%d\nx\n" % row for row in range(50))
    labels = None
    if again:
        data, labels = run(plan, data)[1], ["a"]
    assert run(replace(plan, portion=Portion(3)), data, labels) == run(plan, data, labels)


def run(plan: Plan, data: bytes, labels: list[str] | None = None) -> tuple[bytes, bytes]:
    """All that is written and all that is rejected of a file, or of the rejects of one with these labels."""
    transform = Transform(plan, file="a.csv", replay=labels)
    outputs = [*transform.feed(data), *transform.finish()]
    return b"".join(output.data for output in outputs), b"".join(output.rejects for output in outputs)
