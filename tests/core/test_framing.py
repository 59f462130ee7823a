"""Frames of whole records may be split at any record: nothing is lost, moved or seen otherwise."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.dialect import Dialect
from engine.core.framing import Frame, frame
from engine.core.portion import Portion
from tests.examples import examples

TEXTS = st.lists(
    st.sampled_from([b'"', b'"', b",", b"a", b"\n", b"\n", b"\r", b"\r\n", b"\\", b'"a\nb",c\n', b'"a"b\n']),
    max_size=40,
).map(b"".join)
DIALECTS = st.builds(
    Dialect, quote=st.sampled_from(['"', '"', None]), escape=st.sampled_from([None, "\\"]), blank_rows=st.booleans()
)


def rows(framed: Frame, offset: int) -> list[tuple[int, int]]:
    starts, ends = framed.spans()
    return [(start + offset, end + offset) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


@settings(max_examples=examples(5000), deadline=None)
@given(TEXTS, DIALECTS, st.integers(1, 5), st.sampled_from([8, 1000]), st.none() | st.integers(1, 20))
def test_split(text: bytes, dialect: Dialect, most: int, row_bytes: int, size: int | None) -> None:
    """The pieces have the frame's bytes, records, refused lines and lines in order, and few enough records each."""
    whole = frame(text, dialect, row_bytes, final=True)
    pieces = list(whole.split(Portion(most, size)))
    assert b"".join(piece.data for piece in pieces) == whole.data
    assert b"".join(piece.seen for piece in pieces) == whole.seen
    assert sum(piece.lines for piece in pieces) == whole.lines
    offset, found, refused = 0, [], []
    for piece in pieces:
        assert len(rows(piece, 0)) <= most or piece is whole
        found += rows(piece, offset)
        refused += [line._replace(start=line.start + offset, stop=line.stop + offset) for line in piece.refused]
        offset += len(piece.data)
    assert (found, refused) == (rows(whole, 0), whole.refused)
