"""The white space that kernels are told of is what Python takes for such."""

from __future__ import annotations

import sys

from engine.core.spaces import SPACES


def test_no_space_is_left_out() -> None:
    """Every character that strip() takes away, in all of Unicode."""
    assert set(SPACES) == {character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()}
