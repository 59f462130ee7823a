"""The C kernel of patterns: cells in columns of any kind, needles wherever they stand, time in proportion."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native
from engine.core.native.matcher import Matcher
from engine.core.stepping.program import compile_program
from tests.core.native.test_against_reference import window
from tests.examples import examples

pytestmark = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")


def made(pattern: str, group: int = 0) -> Matcher:
    """The matcher of a pattern that has a program."""
    program = compile_program(pattern, group, full=False)
    assert program is not None
    return Matcher(program)


_KEY = made(r"[?&]key=([^&]*)", 1)
_PIECES = st.sampled_from(["?key=", "&key=", "key=", "?", "&", "=", "a", "é", "", "\n", "&other=1", "k" * 17, "\0"])


@settings(max_examples=examples(1000))
@given(cells=st.lists(st.tuples(st.lists(_PIECES, max_size=9).map("".join), st.booleans()), max_size=20))
def test_columns(cells: list[tuple[str, bool]]) -> None:
    """Windows of columns, with nulls that have text beneath: each cell's match is its own, a null's is null."""
    column = window([text for text, _ in cells], [valid for _, valid in cells], pa.string())
    values, undecided = _KEY.matched(column)
    values.validate(full=True)
    assert undecided is None
    matches = [regex.search(r"[?&]key=([^&]*)", text) if valid else None for text, valid in cells]
    assert values.to_pylist() == [match and match[1] for match in matches]


@pytest.mark.parametrize("needle", ["n", "nee", "needle", "a needle of more than sixteen bytes"])
def test_needles(needle: str) -> None:
    """A needle is found wherever it stands in a cell, also behind ones cut short, and never reaches into the next."""
    search = made(f"{needle}(.?)", 1)
    texts = [" " * before + needle + "x" + " " * after for before in range(36) for after in (0, 1, 15, 16, 33)]
    values, _ = search.matched(pa.array(texts))
    assert values.to_pylist() == ["x"] * len(texts)
    cut = [text for before in range(36) for text in (" " * before + needle[:-1], needle[-1:] * (len(needle) > 1))]
    assert search.matched(pa.array(cut))[0].null_count == len(cut)
    twice = [needle[:-1] * times + needle for times in range(20)]
    assert search.matched(pa.array(twice))[0].to_pylist() == [""] * len(twice)


@pytest.mark.parametrize("column", [pa.array([], pa.string()), pa.nulls(3, pa.string()), pa.array(["", None, ""])])
def test_nothing_to_read(column: pa.Array) -> None:
    """Columns without a byte in them, or without a buffer for any."""
    for pattern, empty in (("a*", ""), ("a+", None)):
        values, undecided = made(pattern).matched(column)
        assert undecided is None
        assert values.to_pylist() == [None if cell is None else empty for cell in column.to_pylist()]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\d+x", "1"), ("(?:a|aa)+b", "a"), ("a[^b]*c", "a"), ("(a+)(a+)(a+)b", "a"), ("[ab]{8}c", "ab"),
        ("aaab", "a"), ("[?]key=[0-9]", "?key="), ("(?:.*,){3}x", ","), ("a.*?b.*?c", "ab"),
        (r"\b\w+\b!", "a "), (".?key=1", "key="),
    ],
)  # fmt: skip
def test_time_is_linear(pattern: str, text: str) -> None:
    """A text eight times as long takes some eight times as long, where a matcher that starts anew takes sixty-four."""
    search = made(pattern)
    size = 20_000 // len(text)
    short, long = pa.array([text * size]), pa.array([text * size * 8])
    took: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(5):
        for which, column in enumerate((short, long)):
            started = time.thread_time()
            for _ in range(3):
                assert search.matched(column)[0].null_count == 1
            took[which].append(time.thread_time() - started)
    assert min(took[1]) < 24 * min(took[0])


def test_much_read_for_little() -> None:
    """Where each match is sought through to the end, replacing stops early, and the cell is undecided."""
    program = compile_program("a(?:[^b]*b)?", 0, full=False, repeated=True)
    assert program is not None
    texts = ["a" * 2_000_000, "a" * 20, "aab" * 1_000]
    values, undecided = Matcher(program).replaced(pa.array(texts), b"x")
    assert undecided is not None
    assert undecided.to_pylist() == [True, False, False]
    assert values.to_pylist() == [None, "x" * 20, "x" * 1_000]


@settings(max_examples=examples(500))
@given(cells=st.lists(st.tuples(st.lists(_PIECES, max_size=9).map("".join), st.booleans()), max_size=20))
def test_replaced_columns(cells: list[tuple[str, bool]]) -> None:
    """Every match in windows of columns is replaced, in each cell for itself, and a null stays one."""
    column = window([text for text, _ in cells], [valid for _, valid in cells], pa.string())
    pattern = r"[?&]key=[^&]|\n+$|\bé"
    program = compile_program(pattern, 0, full=False, repeated=True)
    assert program is not None
    values, undecided = Matcher(program).replaced(column, b"<...>")
    values.validate(full=True)
    unsure = [False] * len(cells) if undecided is None else undecided.to_pylist()
    known = [valid and not odd for (_, valid), odd in zip(cells, unsure, strict=True)]
    expected = [
        regex.sub(pattern, "<...>", text) if sure else None for (text, _), sure in zip(cells, known, strict=True)
    ]
    assert values.to_pylist() == expected


def test_any_thread() -> None:
    """One matcher serves many threads at once."""
    column = pa.array([f"?key={number}&a=1" for number in range(2_000)])
    with ThreadPoolExecutor(4) as threads:
        for values, _ in threads.map(_KEY.matched, [column] * 40):
            assert values.to_pylist() == [str(number) for number in range(2_000)]
