"""The C kernels of JSON say of a cell what the reference says, or leave it alone."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native, reference
from engine.core.jsonpath import JsonPath
from engine.core.native.jsonscan import find, read_forms
from engine.core.stepping.reference import json_path
from tests.core.native.test_against_reference import spoilt, window
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")

_KEYS = st.sampled_from(["a", "b", "a b", "", "é", 'q"', "key of a size"])
_TEXTS = st.one_of(
    st.text(max_size=6), st.sampled_from(["\x7f", "\u2028", "\U0001f600", '"\\/\b\f\n\r\t', "\x1f", "大"])
)
_NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-(10**9), 10**9, places=3, allow_nan=False).map(float),
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)
_PATHS = st.lists(st.one_of(_KEYS, st.integers(0, 3)), max_size=3).map(tuple)


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[Any] = _VALUES) -> str:
    """JSON as programs write it: compact, spaced or indented, in ASCII or not."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\t:\n")]))
    text = json.dumps(
        draw(values), separators=separators, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    return text.replace("/", draw(st.sampled_from(["/", "\\/"]))) if "/" in text else text


_ODD = st.sampled_from(
    [
        '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '"\\ud800"', '"\\ud83d\\ude00"', "1e400", "-0", "-0.0", "0.10", "1e5",
        "1.0e0", "01", "1.", ".5", "-", "+1", "nul", "true ", "[1,]", "{,}", "[" * 70 + "]" * 70, '"\\u12G4"', '"\\x"',
        "12345678901234567890", "0.00001", "0.000012345678901234", "99999999.9999999", "1 2", "", " ", '{"a"}', "[1,[2",
    ]
)  # fmt: skip
_CELLS = st.one_of(written(), spoilt(written()), _ODD, st.text(max_size=4))
_COLUMNS = st.lists(st.tuples(_CELLS, st.sampled_from([True, True, True, False])), max_size=10)


def _reference(text: str) -> str | None:
    try:
        return reference.to_json_text(text)
    except reference.CellFault:
        return None


@settings(max_examples=examples(1500), deadline=None)
@given(_COLUMNS)
def test_compact_form(cells: list[tuple[str, bool]]) -> None:
    """What is said to be valid is, and its compact text is the reference's; the rest is left to be judged."""
    column = window([text for text, _ in cells], [valid for _, valid in cells], pa.string())
    forms = read_forms(column)
    judged = forms.judged().to_pylist()
    made = forms.compact()
    made.validate(full=True)
    for (text, valid), unsure, found in zip(cells, judged, made.to_pylist(), strict=True):
        if not valid:
            assert (found, unsure) == (None, False)
        elif not unsure:
            assert found == _reference(text)
    assert forms.unsure == sum(judged)


@settings(max_examples=examples(1500), deadline=None)
@given(_COLUMNS, st.lists(_PATHS, unique=True, max_size=5))
def test_paths(cells: list[tuple[str, bool]], paths: list[JsonPath]) -> None:
    """Each path finds in a cell what the reference finds there, or the cell is left to it, for all paths at once."""
    column = window([text for text, _ in cells], [valid for _, valid in cells], pa.string())
    found = find(column, paths)
    unsure = [False] * len(cells) if found.unsure is None else found.unsure.to_pylist()
    for path in paths:
        texts = found.texts(path)
        texts.validate(full=True)
        for (text, valid), left, each in zip(cells, unsure, texts.to_pylist(), strict=True):
            if not valid or left:
                assert each is None
            else:
                assert each == json_path(text, path=path)


@settings(max_examples=examples(1000), deadline=None)
@given(
    written(
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.text(max_size=6)),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "é"]), inner),
            max_leaves=8,
        )
    ).filter(lambda text: "\\u00e9" not in text)
)
def test_common_cells_are_read(text: str) -> None:
    """What programs write is never left to the reference, but for keys with escapes and floats of many digits."""
    column = pa.array([text])
    assert read_forms(column).unsure == 0
    assert find(column, [("a",), ()]).unsure is None
