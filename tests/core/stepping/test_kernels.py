"""The kernel of every step gives, cell by cell, what the step's reference gives."""

# ruff: noqa: RUF001 # letters that look alike are what case mappings are tested with

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.reference import CellFault
from engine.core.stepping import reference
from engine.core.stepping.compile import StepConverter
from engine.core.stepping.jsoncells import JsonStep
from engine.core.stepping.reference import Value
from engine.core.stepping.text import fill_default, join_columns
from tests.core.cells import JSON, OCTETS, TOGETHER_VALID_JSON
from tests.core.stepping.columns import check, make
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")

_SPACES = st.text(" \t\r\n\v\f\x1c\x1f\x85\xa0\u2003\u3000\ufeff\u200b", max_size=3)
# Each step as a mapping writes it, and cells that are right, nearly right and wrong for it.
STEPS: list[tuple[Any, st.SearchStrategy[str]]] = [
    ("trim", st.builds("{}{}{}{}".format, _SPACES, st.text(max_size=3), _SPACES, _SPACES)),
    ("lower", st.text("aAÄßİΣσςKſǅ ΌA.\u0301", max_size=6)),
    ("upper", st.text("aAäßıΣσςfiŉǆ ΐa.\u0345", max_size=6)),
    ("base64", st.one_of(OCTETS.map(lambda raw: b64encode(raw).decode()), st.text("AQgw+/-_= \n", max_size=8))),
    (
        {"base64": {"urlsafe": True}},
        st.one_of(OCTETS.map(lambda raw: urlsafe_b64encode(raw).decode()), st.text("AQgw+/-_=!", max_size=8)),
    ),
    ("hex", st.one_of(OCTETS.map(bytes.hex), st.text("0aF9g é", max_size=6))),
    (
        "url_decode",
        st.one_of(st.text("%20aFc3AE9+é", max_size=9), OCTETS.map(lambda raw: "".join(map("%{:02x}".format, raw)))),
    ),
    ({"split": {"sep": ","}}, st.text(',a"\\\n\x01\x7f\u2028é', max_size=9)),
    ({"split": {"sep": "aa"}}, st.text("ab", max_size=9)),
    ({"split": {"sep": "n"}}, st.text('\nn"\\', max_size=9)),
    ({"split": {"sep": ",", "index": 0}}, st.text(",a", max_size=6)),
    ({"split": {"sep": ",", "index": 2}}, st.text(",aé", max_size=6)),
    ({"split": {"sep": "aa", "index": -2}}, st.text("ab", max_size=9)),
    ({"split": {"sep": "é", "index": -1}}, st.text("éè", max_size=6)),
    ({"split": {"sep": ",", "index": 10**30}}, st.text(",a", max_size=6)),
    ({"json": {"path": "$"}}, JSON),
    ({"json": {"path": "$.a"}}, JSON),
    ({"json": {"path": "$[0]"}}, JSON),
    ({"json": {"path": "$.a[-1]['b']"}}, JSON),
    ({"lookup": {"table": {"a": "1", "": "2", "é": ""}}}, st.sampled_from(["a", "", "é", "b", "A"])),
    ({"lookup": {"table": {"a": "1"}, "otherwise": "null"}}, st.sampled_from(["a", "", "b"])),
    ({"lookup": {"table": {"a": "1"}, "otherwise": "keep"}}, st.sampled_from(["a", "", "b", "1"])),
    ({"regex": {"pattern": r"(?P<n>\d+)x?", "group": "n"}}, st.text("0٣12x é", max_size=6)),
    ({"regex": {"pattern": r"a(b)?", "group": 1}}, st.text("ab\n", max_size=5)),
    ({"regex": {"pattern": r"(?<=a)b+", "no_match": "error"}}, st.text("ab\n", max_size=5)),
    ({"regex": {"pattern": r"a+$"}}, st.text("ab\n", max_size=5)),
    ({"regex": {"pattern": r"a+$", "match": "full", "no_match": "error"}}, st.text("ab\n", max_size=5)),
    ({"regex": {"pattern": r"\s*(\w*)\b", "group": 1, "no_match": "error"}}, st.text(" \x1c\va_é0", max_size=5)),
    ({"regex": {"pattern": r"(a|ab)(c|bcd)(d*)", "group": 3, "match": "full"}}, st.text("abcd", max_size=6)),
    ({"regex": {"pattern": r"(.)\1", "group": 0}}, st.text("ab\n", max_size=5)),
    ({"regex": {"pattern": r"(?i)straße|[^\W\d]"}}, st.text("STRASsſßE0", max_size=7)),
    ({"replace": {"pattern": "a+", "with": "<>"}}, st.text("abé", max_size=6)),
    ({"replace": {"pattern": "a*", "with": "-"}}, st.text("abé", max_size=6)),
    ({"replace": {"pattern": "(a)|(b)", "with": r"[\2\1]"}}, st.text("abc", max_size=6)),
    ({"replace": {"pattern": r"^a|\bb", "with": ""}}, st.text("ab ", max_size=6)),
    ({"replace": {"pattern": r"\d$", "with": "$0{1}"}}, st.text("a1\n٣", max_size=6)),
]
IDS = [f"{place}-{json.dumps(step, ensure_ascii=True)[:60]}" for place, (step, _) in enumerate(STEPS)]
CONVERTERS: list[StepConverter] = [make(step) for step, _ in STEPS]
BOTH = pytest.mark.parametrize(
    ("converter", "cells"), [(made, cells) for made, (_, cells) in zip(CONVERTERS, STEPS, strict=True)], ids=IDS
)


@BOTH
@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_equals_the_reference(converter: StepConverter, cells: st.SearchStrategy[str], data: st.DataObject) -> None:
    """On columns that mix right, nearly right and arbitrary cells and nulls, values and faults are the reference's."""
    cell = st.one_of(cells, cells, st.text(max_size=6), st.none())
    check(converter, data.draw(st.lists(cell, max_size=30)), binary=data.draw(st.booleans()))


@BOTH
@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_equals_the_reference_on_uniform_columns(
    converter: StepConverter, cells: st.SearchStrategy[str], data: st.DataObject
) -> None:
    """One cell repeated, so that the whole-column shortcuts are taken whenever a cell could deceive them."""
    value = data.draw(cells)
    values: list[Value] = [value] * data.draw(st.integers(1, 4)) + [None] * data.draw(st.integers(0, 2))
    check(converter, values)


@BOTH
@settings(max_examples=examples(40), deadline=None)
@given(data=st.data())
def test_bad_utf8(converter: StepConverter, cells: st.SearchStrategy[str], data: st.DataObject) -> None:
    """In a binary column, cells that are no UTF-8 are step errors and nothing else changes."""
    cell = st.one_of(cells.map(str.encode), st.sampled_from([b"\xff", b"a\xc3", b"\xed\xa0\x80", b""]), st.none())
    values = data.draw(st.lists(cell, max_size=12))
    converted = check(converter, values, binary=True)
    bad = [row for row, value in enumerate(values) if value is not None and not _is_utf8(value)]
    assert set(bad) <= {fault.row for fault in converted.faults if fault.code == "step-error"}


def _is_utf8(value: bytes) -> bool:
    return value.decode(errors="replace").encode() == value


@BOTH
@pytest.mark.parametrize("values", [[], [None], [None, None, None], [""], ["", None]])
@pytest.mark.parametrize("binary", [False, True])
def test_empty_and_null_columns(
    converter: StepConverter, cells: st.SearchStrategy[str], values: list[Value], binary: bool
) -> None:
    """Columns without a cell, or without a text, convert to columns of the same length."""
    check(converter, values, binary=binary)


@BOTH
@settings(max_examples=examples(2), deadline=None)
@given(data=st.data())
def test_long_columns(converter: StepConverter, cells: st.SearchStrategy[str], data: st.DataObject) -> None:
    """A thousand rows: few distinct cells, which are then done once each, give what they give one by one."""
    some = data.draw(st.lists(st.one_of(cells, st.none()), min_size=1, max_size=20))
    check(converter, [some[(row * row) % len(some)] for row in range(1100)])
    check(converter, [f"{some[0]}{row}" for row in range(1100)])


@pytest.mark.slow
@pytest.mark.one_build("free-threaded")
@BOTH
def test_a_hundred_thousand_rows(converter: StepConverter, cells: st.SearchStrategy[str]) -> None:
    """100,000 rows with a null and an odd cell here and there: the faults are where the reference has them."""
    odd: list[Value] = ["x", "", "[", "%4", "1,2", "=", None, "é"]
    values = [odd[row // 1000 % 8] if row % 1000 == 7 else f"{row:06}ab" for row in range(100_000)]
    converted = converter.kernel(pa.array(values, pa.string()))
    assert len(converted.values) == len(values)
    bad = {value for value in odd if _is_fault(converter, value)}
    bad |= {value for value in ("000000ab",) if _is_fault(converter, value)} and set(values) - set(odd)
    assert [fault.row for fault in converted.faults] == [row for row, value in enumerate(values) if value in bad]


def _is_fault(converter: StepConverter, value: Value) -> bool:
    try:
        converter.reference(value)
    except CellFault:
        return True
    return False


@pytest.mark.parametrize("values", TOGETHER_VALID_JSON)
def test_json_cells_that_only_together_look_valid(values: list[str]) -> None:
    """Parsing the cells as one array never makes a cell valid that is not so alone."""
    converted = check(make({"json": {"path": "$"}}), values)
    assert converted.faults


@pytest.mark.parametrize("values", [["%4", "1"], ["%", "41"], ["a%", "%41"], ["%C3", "%A9"], ["%c3%a9", "%c3"]])
def test_percent_escapes_that_only_together_look_valid(values: list[str]) -> None:
    """Decoding a column's escapes in one go never joins what two cells hold."""
    assert check(make("url_decode"), values).faults


@pytest.mark.parametrize("values", [["YQ", "=="], ["Y", "Q=="], ["YWI=YQ=="], ["YWJj", "YQ==", "YQ"], ["A" * 3, "A"]])
def test_base64_cells_that_only_together_look_valid(values: list[str]) -> None:
    """Decoding a column's base64 in one go never joins what two cells hold."""
    assert check(make("base64"), values).faults


def test_json_nested_too_deep() -> None:
    """A cell 64 deep is a value, one 65 deep a fault, also beside shallow cells with many brackets."""
    cells = ["[" * 64 + "]" * 64, "[" * 65 + "]" * 65, "[" + "[]," * 100 + "[]]", '"' + "[" * 200 + '"', "[" * 300]
    converted = check(make({"json": {"path": "$[0]"}}), cells)
    assert [fault.row for fault in converted.faults] == [1, 4]


def test_one_parse_serves_many_paths() -> None:
    """Paths extracted from one parsed column find what each finds on its own, with the same faults."""
    values = ['{"a":{"b":[1,2]},"c":"x"}', "bad", None, "[]", '{"a":null}', '{"c":"\\u0000"}', '{"a":{"b":1e400}}']
    parsed = JsonStep.make("$").read(pa.array(values, pa.string()))
    for path in ("$", "$.a", "$.a.b[-1]", "$.c", "$[0]", "$['a']['b'][5]"):
        alone = check(make({"json": {"path": path}}), values)
        together = parsed.extract(tuple(_parts(path)))
        assert together.values.to_pylist() == alone.values.to_pylist()
        assert list(together.faults) == list(alone.faults)
    assert [fault.row for fault in parsed.faults] == [1, 6]


def _parts(path: str) -> list[str | int]:
    from engine.core.jsonpath import parse_path

    return list(parse_path(path))


@settings(max_examples=examples(100), deadline=None)
@given(rows=st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=3))] * 3), max_size=12), sep=st.text(max_size=2))
def test_join_equals_the_reference(rows: list[tuple[str | None, ...]], sep: str) -> None:
    """Joined columns are what the reference makes of each row."""
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    joined = join_columns(columns, sep)
    assert joined.to_pylist() == [reference.join(row, sep=sep) for row in rows]
    assert join_columns(columns[:1], sep).to_pylist() == [row[0] for row in rows]


@settings(max_examples=examples(100), deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=12), data=st.data())
def test_default_equals_the_reference_but_for_faults(values: list[str | None], data: st.DataObject) -> None:
    """Nulls get the default, unless they are null because an earlier step failed."""
    nulls = [row for row, value in enumerate(values) if value is None]
    faulty = [row for row in nulls if data.draw(st.booleans())]
    for type_, text in ((pa.string(), "dé"), (pa.binary(), b"d\xc3\xa9")):
        cells = [value.encode() if value is not None and type_ == pa.binary() else value for value in values]
        filled = fill_default(pa.array(cells, type_), "dé", faulty).to_pylist()
        assert filled == [None if row in faulty else text if cell is None else cell for row, cell in enumerate(cells)]
