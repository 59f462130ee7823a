"""Line ends are counted the same by the C kernel and by NumPy, wherever blocks of bytes meet."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.lines import count_lines, lone_returns, record_end
from engine.core.places import places_of, record_ends
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")

TEXTS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"b" * 31, b"c" * 63, b'"']), max_size=30).map(b"".join)


@settings(max_examples=examples(2000), deadline=None)
@given(TEXTS)
def test_any_text(text: bytes) -> None:
    """LF, CRLF and lone CR each end a line, and only the last of them is a lone one."""
    assert count_lines(text) == len(re.findall(rb"\r\n?|\n", text))
    assert lone_returns(text) == len(re.findall(rb"\r(?!\n)", text))


@settings(max_examples=examples(2000), deadline=None)
@given(TEXTS, st.sampled_from(['"', None]), st.data())
def test_the_end_of_a_record(text: bytes, quote: str | None, data: st.DataObject) -> None:
    """From any place that no CRLF is around, the next line end that an even number of quotes comes before."""
    start = data.draw(st.integers(0, len(text)))
    ends = record_ends(text, places_of(text, quote))
    inside = quote is not None and text.count(quote.encode(), 0, start) % 2 == 1
    following = [int(end) for end in ends if end > start]
    assert record_end(text, quote, start=start, inside=inside) == (following[0] if following else None)
