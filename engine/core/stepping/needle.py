"""A text that every match of a pattern holds, to be searched for before anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.stepping.grammar import Char, Edge, Group, Item, Sequence

__all__ = ["Needle", "find_needle"]

# From the most common in what clients send to the rarest; what is not here is rarer.
_COMMON = " etaoinsr0123456789lhdcumf-./:pgwyb,_=vkxjqz"
_FAR = 1_000  # bytes; further on, a place says little about where a match begins


@dataclass(frozen=True, slots=True)
class Needle:
    """The text, and how many bytes after a match's beginning it stands.

    Attributes:
        text: UTF-8.
        least: at least so many bytes after the beginning.
        most: at most so many; None: any number.
        rare: two places in the text whose bytes are rarest elsewhere.
    """

    text: bytes
    least: int
    most: int | None
    rare: tuple[int, int]


def find_needle(items: Sequence) -> Needle | None:
    """The best one of what must match one after another; None where nothing is worth a search."""
    best = max(_literals(items), key=_worth, default=None)
    if best is None or not _worth(best):
        return None
    text = best[0]
    by_rarity = sorted(range(len(text)), key=lambda at: _rarity(text[at]), reverse=True)[:2]
    return Needle(*best, (min(by_rarity), max(by_rarity)))


def _worth(literal: tuple[bytes, int, int | None]) -> float:
    """How good a literal is to search for: where it is rare, and tells where a match would begin."""
    text, _, most = literal
    rarity = sum(map(_rarity, text))
    if most is None:
        return rarity / 4 if len(text) > 2 else 0
    return rarity if len(text) > 1 or not chr(text[0]).isalnum() else 0


def _rarity(byte: int) -> int:
    place = _COMMON.find(chr(byte))
    return 10 + (len(_COMMON) if place < 0 else place)


def _literals(items: Sequence) -> Iterator[tuple[bytes, int, int | None]]:
    """All texts that must match, each as long as it can be, with their least and most distances."""
    text, start, end = b"", 0, 0
    least, most = 0, 0  # what has been read before this, with most beyond _FAR: any number of bytes
    for item in _flat(items):
        exact = _exact(item)
        if exact:
            if not text:
                start, end = least, most
            text += exact
            least, most = least + len(exact), most + len(exact)
            continue
        if text:
            yield text, start, end if end <= _FAR else None
            text = b""
        shortest, longest = _extent(item)
        least, most = least + shortest, most + longest
    if text:
        yield text, start, end if end <= _FAR else None


def _flat(items: Sequence) -> Iterator[Item]:
    """The items, with those of groups that have one branch and match once in their places."""
    for item in items:
        node = item.node
        if (
            isinstance(node, Group)
            and not node.negated
            and len(node.branches) == 1
            and (item.least, item.most) == (1, 1)
        ):
            yield from _flat(node.branches[0])
        elif not isinstance(node, Edge):
            yield item


def _exact(item: Item) -> bytes:
    """The one text that the item matches, if there is but one."""
    node = item.node
    if not isinstance(node, Char) or item.least != item.most or node.vague:
        return b""
    if node.literal:
        return node.literal.encode() * item.least
    return bytes(node.ascii) * item.least if len(node.ascii) == 1 and not node.other else b""


def _extent(item: Item) -> tuple[int, int]:
    """The fewest and the most bytes that the item matches."""
    node = item.node
    if isinstance(node, Char):
        shortest, longest = len(node.literal.encode()) or 1, 4 if node.other else 1
    elif isinstance(node, Edge):
        return 0, 0
    else:
        ways = [[_extent(each) for each in branch] for branch in node.branches]
        shortest = min(sum(least for least, _ in way) for way in ways)
        longest = max(sum(most for _, most in way) for way in ways)
    times = _FAR + 1 if item.most is None else item.most
    return item.least * shortest, min(times * longest, _FAR + 1)
