"""The proof that quotes are in their places says what its definition says, also where blocks of bytes meet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import quotemasks
from engine.core.dialect import Dialect
from engine.core.quotes import Proven, prove
from tests.examples import examples

TEXTS = st.lists(st.sampled_from([b'"', b'"', b",", b"a", b"\n", b"\r", b"a" * 40]), max_size=40).map(b"".join)


def reference(data: bytes) -> Proven | None:
    """The definition, quote by quote."""
    near, inside = b',"\n\r', False
    for place, byte in enumerate(data):
        if byte == ord('"'):
            beside = data[place + 1] if inside else (data[place - 1] if place else ord("\n"))
            if beside not in near:
                return None
            inside = not inside
    return Proven(inside, data.count(b"\n"))


@settings(max_examples=examples(10_000), deadline=None)
@given(TEXTS)
def test_any_text(text: bytes) -> None:
    """Proven, left open or not decided: what the definition gives for any text."""
    data = text + b"\n"
    assert prove(data, len(data), Dialect()) == reference(data)


@settings(max_examples=examples(2000), deadline=None)
@given(TEXTS, st.integers(-80, 80), st.sampled_from([b"", b'"q","r"\n', b'"open,\n']))
def test_where_blocks_meet(text: bytes, shift: int, first: bytes) -> None:
    """The same where the text lies across the end of a block, with quotes before it, open or closed, or none."""
    before = quotemasks._BLOCK + shift - len(text) // 2
    tail = text + b"\n"
    data = first.ljust(before, b"a")[:-1] + b"\n" + tail
    expected = reference(first + b"a\n" + tail)  # the filler between changes nothing but the number of lines
    if expected is not None:
        expected = expected._replace(feeds=data.count(b"\n"))
    assert prove(data, len(data), Dialect()) == expected


@pytest.mark.parametrize(("after", "proven"), [(b",", True), (b"x", False)])
def test_a_quote_at_the_end_of_a_block(after: bytes, proven: bool) -> None:
    """A quote that closes as a block's last byte is judged by the first byte of the next."""
    data = b'"'.ljust(quotemasks._BLOCK - 1, b"a") + b'"' + after + b"\n"
    assert (prove(data, len(data), Dialect()) is not None) == proven
