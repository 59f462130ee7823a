"""Steps with ``"engine": "re2"`` match as RE2 does, a column as its cells, in bounded time."""

from __future__ import annotations

import re
import time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.mapping import mapping_schema, validate_mapping
from engine.core.re2 import groups_of, weight, with_group
from engine.core.reference import CellFault
from engine.core.stepping import re2kernels
from engine.errors import MappingError, PatternTimeout
from tests.core.stepping.columns import check, make
from tests.examples import examples


def step(name: str = "regex", **settings: Any) -> dict[str, Any]:
    return {name: {"engine": "re2", **settings}}


def mapping(*steps: Any) -> dict[str, Any]:
    return {"version": 1, "id": "m", "fields": [{"name": "a", "type": "string", "steps": list(steps)}]}


STEPS: list[tuple[Any, str]] = [
    (step(pattern="a+"), "ab\n"),
    (step(pattern=r"(?P<n>\d+)x?", group="n"), "0\u06632x é"),
    (step(pattern="(a|ab)(c|bcd)(d*)", group=3, match="full", no_match="error"), "abcd"),
    (step(pattern="a(b)?", group=1), "ab\n"),
    (step(pattern="(?i)k|\\pL", no_match="error"), "kK\u212a0é"),
    (step(pattern="(?m)^a$"), "a\nb"),
    (step("replace", pattern="a*", **{"with": "-"}), "abé"),
    (step("replace", pattern="(a)(b)?", **{"with": r"\2<\0>\\"}), "abé"),
]


@pytest.mark.parametrize(("each", "alphabet"), STEPS)
@settings(max_examples=examples(60))
@given(data=st.data())
def test_a_column_is_its_cells(each: Any, alphabet: str, data: st.DataObject) -> None:
    """Cells together, with nulls and bytes that are no text between them, give what each gives alone."""
    values = data.draw(st.lists(st.none() | st.text(alphabet, max_size=5), max_size=12))
    converted = check(make(each), values, binary=data.draw(st.booleans()))
    assert len(converted.values) == len(values)


@pytest.mark.parametrize(
    ("settings", "cell", "value"),
    [
        ({"pattern": r"\d+"}, "\u0663", None),  # ASCII
        ({"pattern": r"\w+"}, "éa", "a"),
        ({"pattern": r"\p{Greek}+"}, "aλμ", "λμ"),
        ({"pattern": "(?i)straße"}, "STRASSE", None),  # no full case folding
        ({"pattern": "a$"}, "a\n", None),  # the very end
        ({"pattern": "a|ab", "match": "full"}, "ab", "ab"),
        ({"pattern": "a(b)?", "group": 1}, "a", ""),  # takes no part
        ({"pattern": "(x)|(?P<y>y)", "group": "y"}, "zy", "y"),
        ({"pattern": r"(?<y>y)\Q(\E[)(](z)", "group": 2}, "y((z", "z"),
        ({"pattern": r"[](](a)[^](](b)[[:alpha:](](c)", "group": 3}, "(aXb(c", "c"),
        ({"pattern": r"\((?i:(a))\)(?U)(b+)(?-U)(\x{62})", "group": 2}, "(A)bbb", "b"),
    ],
)  # fmt: skip
def test_what_re2_matches(settings: dict[str, Any], cell: str, value: str | None) -> None:
    """Its own syntax and semantics hold, and the group that is asked for is found whatever stands around it."""
    assert make(step(**settings)).reference(cell) == value


_PATTERNS = st.recursive(
    st.sampled_from(["a", "b", r"\(", "[(]", "[^)a]", ".", "b?", "(?:a|b)"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
        inner.map("({})".format),
    ),
    max_leaves=6,
)


@settings(max_examples=examples(300))
@given(pattern=_PATTERNS, text=st.text("ab()", max_size=6), data=st.data())
def test_groups_are_numbered_as_python_does(pattern: str, text: str, data: st.DataObject) -> None:
    """On patterns that both know alike, the group of a number gives the same; empty where it takes no part."""
    assert groups_of(pattern).total == re.compile(pattern).groups
    group = data.draw(st.integers(0, groups_of(pattern).total))
    match = re.search(pattern, text)
    expected = None if match is None else match[group] or ""
    assert make(step(pattern=pattern, group=group)).reference(text) == expected


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"pattern": "(?=a)"}, r"\.pattern: not a pattern for RE2: invalid perl operator"),
        ({"pattern": r"(a)\1"}, "invalid escape sequence"),
        ({"pattern": "a{1001}"}, "invalid repetition size"),
        ({"pattern": "(?:(?:a{100}){100}){100}"}, "invalid repetition size"),
        ({"pattern": r"\pL{1000}"}, "pattern too large"),
        ({"pattern": "a)|(b"}, r"unexpected \)"),
        ({"pattern": r"\Qa"}, "not a pattern for RE2"),
        ({"pattern": "x\n("}, r"missing \): x \("),
        ({"pattern": "a" * 10_001}, "10,000 bytes"),
        ({"pattern": ""}, r"\.pattern: "),
        ({"pattern": "(a)", "group": 2}, "1 groups, no group 2"),
        ({"pattern": "(?P<ab>a)", "group": "abc"}, r"no group 'abc' \(did you mean 'ab'\?\)"),
        ({"pattern": "a", "engine": "pcre"}, r"\.engine: "),
    ],
)
def test_refused(settings: dict[str, Any], what: str) -> None:
    """What RE2 does not take is a mapping error at the pattern's place, of one line, in RE2's words."""
    with pytest.raises(MappingError, match=rf"fields\[0\]\.steps\[0\]\.regex.*{what}") as caught:
        validate_mapping(mapping(step(**settings)), "m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("template", [r"\2", r"\g<1>", "\\", r"\n", r"\x"])
def test_templates_refused(template: str) -> None:
    """A template names groups by one digit; other escapes, and groups that there are not, are refused."""
    with pytest.raises(MappingError, match=r"fields\[0\]\.steps\[0\]\.replace: with: "):
        validate_mapping(mapping(step("replace", pattern="(a)", **{"with": template})), "m")


def test_what_backtracks_elsewhere_is_linear() -> None:
    """A pattern that takes exponential time in a backtracking matcher reads a megabyte at once."""
    started = time.thread_time()
    assert make(step(pattern="^(a|aa)+$")).reference("a" * 1_000_000 + "!") is None
    assert time.thread_time() - started < 2


@pytest.mark.parametrize("name", ["regex", "replace"])
def test_a_cell_that_could_take_minutes(name: str) -> None:
    """RE2 cannot be stopped: where a large pattern meets a long cell the file fails before it begins."""
    settings = {"pattern": "(?:[ab]{1,100}|[ab]{1,99})" * 40 + "x"} | ({"with": ""} if name == "replace" else {})
    made = make(step(name, **settings))
    with pytest.raises(PatternTimeout, match="could take too long on a cell of 1,000,000 bytes"):
        made.kernel(pa.array(["ab" * 500_000]))
    assert not made.kernel(pa.array(["ab" * 10])).faults


def test_a_column_is_done_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of any size give what the whole gives, nulls and faults in their rows, and time is limited over all."""
    cells = [f"a{row}" if row % 3 else None for row in range(50)]
    steps = [step(pattern=r"a(\d)", group=1), step("replace", pattern="a", **{"with": "bb"})]
    wholes = [make(each).kernel(pa.array(cells)) for each in steps]
    monkeypatch.setattr(re2kernels, "_SLICE_WORK", 20)
    monkeypatch.setattr(re2kernels, "_SLICE_BYTES", 7)
    for each, whole in zip(steps, wholes, strict=True):
        assert make(each).kernel(pa.array(cells)) == whole
    monkeypatch.setattr(re2kernels, "CHUNK_LIMITS", -1)
    with pytest.raises(PatternTimeout, match="on a chunk"):
        make(steps[0]).kernel(pa.array(cells))


def test_a_text_replaced_by_much() -> None:
    """A cell that could become longer than a cell may be is too long; the others of its column are replaced."""
    made = make(step("replace", pattern="a", **{"with": "x" * 10_000}))
    converted = made.kernel(pa.array(["a" * 1_000, "ab", None]))
    assert [(fault.row, fault.code) for fault in converted.faults] == [(0, "too-long")]
    assert converted.values.to_pylist() == [None, "x" * 10_000 + "b", None]
    with pytest.raises(CellFault, match="longer than"):
        made.reference("a" * 1_000)


@pytest.mark.parametrize(
    ("pattern", "least"),
    [("a", 1), ("(?:ab){10}", 20), ("(?:a{3}b){2,5}", 20), (r"\pL{2}", 800), ("(?i)a{0,50}", 50), (r"a\{9}", 4)],
)
def test_a_patterns_weight(pattern: str, least: int) -> None:
    """Repeats are written out as often as they may match."""
    assert least <= weight(pattern) <= 2 * least + 10


def test_one_group_is_left() -> None:
    """The pattern that Arrow gets captures what is wanted and nothing else."""
    assert with_group("(a)(?P<n>b)(?:c)", 2, full=False) == "(?:a)(?P<g>b)(?:c)"
    assert with_group("(a)|b", 0, full=True) == r"\A(?:(?P<g>(?:a)|b))\z"


def test_the_schema_has_both_engines() -> None:
    """The mapping's JSON Schema lists them, with the package's as the default."""
    rules = mapping_schema()["$defs"]
    for name in ("RegexRule", "ReplaceRule"):
        assert rules[name]["properties"]["engine"]["enum"] == ["regex", "re2"]
        assert rules[name]["properties"]["engine"]["default"] == "regex"
