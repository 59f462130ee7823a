"""Rows are cut into portions, none left out, none too large but a row alone."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.core.portion import Portion


@given(st.lists(st.integers(0, 20)), st.integers(1, 6), st.none() | st.integers(1, 30))
def test_portions_hold_as_much_as_they_may(lengths: list[int], rows: int, size: int | None) -> None:
    """Every row is in one portion; each is within both bounds, or one row; and would not be with the next row."""
    ends = list(accumulate(lengths))
    stops = list(Portion(rows, size).stops(ends))
    assert stops == sorted(set(stops))
    assert (stops[-1] if stops else 0) == len(lengths)
    for first, stop in pairwise([0, *stops]):
        taken = sum(lengths[first:stop])
        assert stop - first <= rows
        assert size is None or taken <= size or stop - first == 1
        if stop < len(lengths):
            more = taken + lengths[stop]
            assert stop - first == rows or (size is not None and more > size)
