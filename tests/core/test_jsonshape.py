"""JSON columns are read by the shape of their cells, and every cell still is what the reference says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.jsonlearner import JsonLearner
from engine.core.jsonpath import parse_path
from engine.core.jsonshape import Shape, learn, path_pattern, whole_pattern
from engine.core.kernels import JsonKernel
from engine.core.reference import CellFault, to_json_text
from engine.core.stepping import reference
from engine.core.stepping.jsoncells import JsonStep
from tests.examples import examples

EVENT = {"ev": "buy", "n": 3, "user": {"id": "ü-1", "plan": None}, "items": [{"sku": "a", "price": 12.5}], "ok": True}
PATHS = ["$", "$.ev", "$.n", "$.user", "$.user.id", "$.user.plan", "$.items", "$.items[0].price", "$.items[1]",
         "$.items[-1].sku", "$.ok", "$.none", "$.ev.none", "$.user[0]", "$['x y']", "$.tags[2]"]  # fmt: skip

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=6),
    st.sampled_from(["\\", '"', "\n", "\u2028", "\x7f", "é€", "{", "a,b", '":', "\U0001f600", 0.1, 1e16, 1e-7, -0.0]),
)  # fmt: skip
NUMBERS = st.sampled_from([
    "0", "-0", "-0.0", "0.0", "1.0", "10", "1.50", "1e5", "1E+2", "0.00001", "0.0001", "123456789.1234567", "01", "1.",
    "12345678.1234567", "1e400", "1e-400", "1e99", ".5", "+1", "12345678901234567890123", "9223372036854775808", "-1",
    "0.30000000000000004", "5e-324", "-",
])  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> str:
    """A cell like others: the same keys, some missing, any scalars, written one way or another, perhaps spoiled."""
    scalar = draw(SCALARS)
    value: dict[str, Any] = {"ev": draw(SCALARS), "n": draw(st.integers(0, 99))}
    if draw(st.booleans()):
        value["user"] = draw(st.sampled_from([None, "x", {}, {"id": scalar}, {"id": "u", "plan": scalar}]))
    if draw(st.booleans()):
        value["items"] = draw(
            st.lists(st.sampled_from([{"sku": scalar, "price": 1.5}, {"price": scalar}, 7]), max_size=3)
        )
    if draw(st.booleans()):
        value["x y"] = draw(st.lists(SCALARS, max_size=3))
    text = json.dumps(
        value, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    )
    spoil = draw(st.sampled_from(["", "", "", "number", "twice", "cut", "insert", "order"]))
    if spoil == "number":
        return text.replace('"n":', '"n":' + draw(NUMBERS) + ',"m":' if draw(st.booleans()) else '"n": ', 1)
    if spoil == "twice":
        return text[:-1] + ',"ev":2}'
    if spoil == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if spoil == "insert":
        at = draw(st.integers(0, len(text)))
        return (
            text[:at]
            + draw(st.sampled_from([",", '"', "}", "{", "[", "\\", " ", "\n", "\x00", "1", "null", "\\ud800"]))
            + text[at:]
        )
    return json.dumps(dict(reversed(value.items()))) if spoil == "order" else text


def fitting(learner: JsonLearner, cells: list[str]) -> list[bool]:
    """Which cells have the learned shape; none where none is known."""
    fits = learner.fitting(pa.array(cells, pa.string()))
    return [False] * len(cells) if fits is None else fits.to_pylist()


def expected(cell: str | None, convert: Any) -> tuple[Any, str | None]:
    if cell is None:
        return None, None
    try:
        return convert(cell), None
    except CellFault as fault:
        return None, fault.message


def check(convert: Any, kernel: Any, cells: list[str | None]) -> None:
    converted = kernel(pa.array([None, *cells], pa.string())[1:])
    faults = {fault.row: fault.message for fault in converted.faults}
    assert list(faults) == sorted(faults)
    found = [(value, faults.get(row)) for row, value in enumerate(converted.values.to_pylist())]
    assert found == [expected(cell, convert) for cell in cells]


@settings(max_examples=examples(1500), deadline=None)
@given(
    chunks=st.lists(st.lists(st.none() | events(), max_size=12), min_size=1, max_size=3), path=st.sampled_from(PATHS)
)
@example(chunks=[['{"ev":1,"n":-0}', '{"ev":1,"n":1}']], path="$.n")
@example(
    chunks=[['{"a":{}}', '{"a":{"b":1}}', '{"a":{"c":2}}', '{"a":{"b":1,"c":2}}', '{"a":{"c":1,"b":2}}']], path="$.a.c"
)
def test_columns_of_like_cells_equal_the_reference(chunks: list[list[str | None]], path: str) -> None:
    """Chunk after chunk, the type json and a path give what the reference gives for each cell, whatever was learned."""
    kernel, step = JsonKernel.make(), JsonStep.make(path)
    steps = parse_path(path)
    for cells in chunks:
        check(to_json_text, kernel, cells)
        check(lambda cell: reference.json_path(cell, path=steps), step, cells)


@settings(max_examples=examples(600), deadline=None)
@given(number=st.one_of(NUMBERS, st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)))
def test_numbers_equal_the_reference(number: str) -> None:
    """A number among others of its column is valid, and compact, exactly when the reference says so."""
    cells: list[str | None] = ['{"n":1}', '{"n":2.5}', f'{{"n":{number}}}', f"[{number}]", number]
    check(to_json_text, JsonKernel.make(), cells)
    check(lambda cell: reference.json_path(cell, path=("n",)), JsonStep.make("$.n"), cells)


@pytest.mark.parametrize("compact", [True, False])
def test_like_cells_are_not_parsed(compact: bool) -> None:
    """Cells with the sample's keys in its order fit, less those missing once; others, and broken ones, do not."""
    text = json.dumps(EVENT, ensure_ascii=False, separators=(",", ":"))
    learner = JsonLearner(compact=compact)
    without = text.replace('"user":{"id":"ü-1","plan":null},', "")
    assert fitting(learner, [text, without] * 99) == [True] * 198
    like = [
        text.replace("buy", 'say \\"hi\\"'),
        without.replace('"buy"', "-0.5"),
        "{}",
        "5",
    ]
    strange = [
        "",
        text[:-1],
        text + "}",
        text.replace('"ok"', '"ev"'),
        text.replace('"n":3,', ""),
        without + "," + without,
    ]
    strange += [text.replace("buy", bad) for bad in ("\\ud800", "\\x", "a\tb", '"')] + [text.replace("12.5", "NaN")]
    loose = [text.replace(":", " : "), text.replace("12.5", "1.50"), text.replace("buy", "\\u00e9")]
    found = fitting(learner, [text] * 200 + like + strange + loose)
    assert found[200:] == [True] * len(like) + [False] * len(strange) + [not compact] * len(loose)


def test_a_shape_is_learned_again() -> None:
    """When most cells of a chunk are new, the shape comes to have their keys too; cells without order are let be."""
    learner = JsonLearner(compact=True)
    assert sum(fitting(learner, ['{"a":1}'] * 9)) == 9
    assert sum(fitting(learner, ['{"a":1,"b":[2]}'] * 9)) == 9
    assert sum(fitting(learner, ['{"a":1}'] * 9)) == 9
    random = pa.array([f'{{"k{place}":1}}' for place in range(900)])
    assert [learner.fitting(random) is None for _ in range(8)][-1]


def test_shapes_have_bounds() -> None:
    """Too many members, too deep a value, and keys that JSON escapes make no shape, or none of that value."""
    assert learn([{str(place): 1 for place in range(100)}], Shape()) is None
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert learn([deep, {'a"b': 1}, {"a\n": 1}], Shape()) == Shape()
    wide = learn([{f"{'k' * 999}{place}": 1 for place in range(40)}], Shape())
    assert wide is not None
    assert whole_pattern(wide, compact=True) is None
    assert path_pattern(wide, (f"{'k' * 999}39",)) is None


def test_no_more_is_learned_than_a_shape_holds() -> None:
    """Of objects with thousands of keys, in one cell or one after the other, no more than a shape's worth is kept."""
    seen: list[int] = []

    def cells() -> Iterator[dict[str, int]]:
        for cell in range(9):
            seen.append(cell)
            yield {f"k{cell}_{place}": 1 for place in range(50_000)}

    assert learn(cells(), Shape()) is None
    assert seen == [0]
    elements = learn([[{"a": 1}] * 64 + [{"late": 1}]], Shape())
    assert elements == learn([[{"a": 1}]], Shape())


def test_keys_are_taken_literally() -> None:
    """A key with characters that patterns know means itself."""
    cell = '{"a.b*(c)|[d]{2} $^":1,"é":2}'
    learner = JsonLearner(compact=True)
    assert sum(fitting(learner, [cell])) == 1
    found = fitting(learner, [cell] * 200 + [cell.replace("a.b", "axb")])
    assert found == [True] * 200 + [False]
