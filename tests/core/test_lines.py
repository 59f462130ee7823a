"""Line ends are counted the same by the C kernel and by NumPy, wherever blocks of bytes meet."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.lines import count_lines, lone_returns
from tests.examples import examples

pytestmark = pytest.mark.usefixtures("either_way")

TEXTS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"b" * 31, b"c" * 63]), max_size=30).map(b"".join)


@settings(max_examples=examples(2000), deadline=None)
@given(TEXTS)
def test_any_text(text: bytes) -> None:
    """LF, CRLF and lone CR each end a line, and only the last of them is a lone one."""
    assert count_lines(text) == len(re.findall(rb"\r\n?|\n", text))
    assert lone_returns(text) == len(re.findall(rb"\r(?!\n)", text))
