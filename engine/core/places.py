"""Places of line ends and quotes in a text, as NumPy arrays: for texts whose quotes are not all in their places.

Nothing that most files need imports this, for NumPy takes longer to load than a small file to be done.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Places", "full_lines", "line_counts", "line_ends", "places_of", "record_ends", "starts_of"]

type Places = npt.NDArray[np.int64]

_BLOCK = 65_536  # bytes looked at together: what is made of them stays in the cache


def places_of(data: bytes, character: str | None) -> Places:
    """Where an ASCII character stands; nowhere, if there is none."""
    return np.flatnonzero(np.frombuffer(data, np.uint8) == ord(character)) if character else np.zeros(0, np.int64)


def line_counts(data: bytes) -> tuple[int, int]:
    """As :func:`engine.core.native.csvtext.line_counts`."""
    octets = np.frombuffer(data, np.uint8)
    feeds = sum(int(np.count_nonzero(octets[at : at + _BLOCK] == 10)) for at in range(0, len(data), _BLOCK))
    return feeds, len(_lone(data)) if b"\r" in data else 0


def line_ends(data: bytes) -> Places:
    """The index after each line end."""
    feeds = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    if b"\r" in data and len(lone := _lone(data)):
        feeds = np.sort(np.concatenate([feeds, lone]))
    return feeds + 1


def record_ends(data: bytes, quotes: Places) -> Places:
    """The index after each line end that is not inside quotes.

    Args:
        quotes: places of those that open and close in turn.
    """
    ends = line_ends(data)
    return ends[quotes.searchsorted(ends) % 2 == 0] if len(quotes) else ends


def starts_of(ends: Places) -> Places:
    """Where what ends at those places, one after the other, begins."""
    return np.concatenate([[0], ends[:-1]])[: len(ends)]


def full_lines(data: bytes, starts: Places) -> npt.NDArray[np.bool_]:
    """Whether there is more than a line end on each line."""
    first = np.frombuffer(data, np.uint8)[starts]
    full: npt.NDArray[np.bool_] = (first != 10) & (first != 13)
    return full


def _lone(data: bytes) -> Places:
    octets = np.frombuffer(data, np.uint8)
    returns: Places = np.flatnonzero(octets == 13)
    following = octets[np.minimum(returns + 1, len(data) - 1)]
    lone: Places = returns[following != 10]
    return lone
