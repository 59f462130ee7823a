"""Patterns that can take exponential time are told from those that only look like it."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.backtracking import may_explode
from engine.core.stepping.grammar import Char, Group, Item, read_pattern
from tests.examples import examples

EXPLODING = [
    r"(a+)+", r"(?:a*)*", r"(a+)*b", r"(?:a|aa)+", r"(a{1,3})+", r"([a-z]+\d*)*", r"(?:x+y?)*", r"(\w+\s?)*$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*,)*", r"(?:a|a)*", r"(?:a?){1,30}b(?:c+)+", r"(?:[0-9]{1,20}){1,20}",
    r"(?P<all>(?:\w|_)+)", r"(?=(a+)+b)a", r"(?i)(?:k|K)+", r"(?:\d+|[0-9a-f]+)*x", r"((a|b)|(b|c))*d",
    r"(?:aé*é)*é(é+)+",
    r"(\s*\w*\s*)*", r"(?:(?:ab)?(?:ba)?a?b?)*",
    r"(\w+)\1(a+)+", r"(?>x)(a+)+",  # read by their brackets alone
]  # fmt: skip
HARMLESS = [
    r"a+", r"(a)+", r"(?:ab)+", r"([^,]*,)*", r"(\d+\.)+", r"(?:[a-z]+ )*[a-z]+", r"(?:\d{3}-)+", r"(?:a|b)+",
    r"[a-z]+\d*", r"(a+){2}", r"(?:\d{16})+", r"(?:\w+@\w+\.com,)+", r"Chrome/(?P<major>\d+)", r"\s*\S+\s*",
    r"^(?:[^\"\\]|\\.)*$", r"(?:\b\w+\b\s*)+", r"(?:(?!--).)*", r"(?:é|è)+", r"(?:[a-c]|[d-f])*", r"(?<=x)(?:y+z)+",
    r"(?:a++)+", r"(?>a+)+", r"(a+)++", r"(?:a{1,3}+)+",  # possessive and atomic
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
]  # fmt: skip


@pytest.mark.parametrize("pattern", EXPLODING)
def test_exploding(pattern: str) -> None:
    """A repeated part that reads one text in two ways is found, whatever its brackets look like."""
    regex.compile(pattern)
    assert may_explode(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_harmless(pattern: str) -> None:
    """Nested quantifiers that something keeps apart, and those that never give back, are let pass."""
    regex.compile(pattern)
    assert not may_explode(pattern)


_PATTERNS = st.recursive(
    st.sampled_from(["a", "b"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{''.join(parts)})"),
        st.lists(inner, min_size=2, max_size=2).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=4,
)
_WORDS = ["".join(word) for length in range(1, 5) for word in itertools.product("ab", repeat=length)]


class _Walks:
    """In how many ways a backtracking matcher can read a text from a place on, by where it ends.

    Nothing is repeated without reading something, as matchers have it.
    """

    def __init__(self, pattern: str, text: str) -> None:
        self._text = text
        self._known: dict[tuple[int, int], Counter[int]] = {}
        self._tree = read_pattern(pattern)[0]

    def count(self) -> int:
        return self._group(self._tree, 0).total()

    def _group(self, group: Group, at: int) -> Counter[int]:
        if (id(group), at) not in self._known:
            ways: Counter[int] = Counter()
            for branch in group.branches:
                here = Counter({at: 1})
                for item in branch:
                    here = self._onward(here, item)
                ways += here
            self._known[id(group), at] = ways
        return self._known[id(group), at]

    def _onward(self, here: Counter[int], item: Item) -> Counter[int]:
        for _ in range(item.least):
            here = self._once(here, item, reading=False)
        if item.most is not None:
            return here + self._once(here, item, reading=True) if item.most > item.least else here
        for at in range(len(self._text)):
            here += self._once(Counter({at: here[at]}), item, reading=True)
        return here

    def _once(self, here: Counter[int], item: Item, *, reading: bool) -> Counter[int]:
        ways: Counter[int] = Counter()
        for at, times in here.items():
            if isinstance(item.node, Group):
                ends = self._group(item.node, at)
            else:
                assert isinstance(item.node, Char)
                fits = at < len(self._text) and ord(self._text[at]) in item.node.ascii
                ends = Counter({at + 1: 1} if fits else {})
            for end, ways_there in ends.items():
                if end > at or not reading:
                    ways[end] += times * ways_there
        return ways


@settings(max_examples=examples(100))
@given(_PATTERNS)
def test_growth(pattern: str) -> None:
    """A pattern explodes exactly if, on some text, the ways to read it multiply as the text gets twice as long."""
    grows = any(
        _Walks(pattern, start + (word * 48)[:48]).count() > 30 * _Walks(pattern, start + (word * 24)[:24]).count()
        for word in _WORDS
        for start in ("", "a", "b", "aa", "ab", "ba", "bb")
    )
    assert may_explode(pattern) == grows
