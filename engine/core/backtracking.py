"""Patterns that can take exponential time: a repeated part that can match one text in more than one way.

``(a+)+`` and ``(?:a|aa)+`` read ``aaaa`` in a number of ways that doubles with each letter, and a text that does not
match in the end makes the matcher try them all. ``([^,]*,)*`` has nested quantifiers too and is harmless: every text is
read in one way. To tell them apart the pattern becomes an automaton with a state for every character of it (Glushkov),
and one question is asked: is there a loop that can be gone round on one text in two ways?
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.core.stepping.grammar import Char, Edge, Group, Item, Sequence, Unusual, read_pattern

__all__ = ["may_explode"]

_COPIES = 6  # a repeat counted higher is taken for this many; one that spans more is taken for endless
_STATES = 120  # of a pattern with more the brackets alone are looked at
_NOTHING = Char(frozenset())

# A group with a quantifier inside and one after it, neither possessive: for patterns that are not read here.
_QUANTIFIER = r"(?<![*+?}])(?:[*+]|\{\d*,\d*\})(?!\+)"
_NESTED = re.compile(rf"\((?!\?>)(?:[^()\\]|\\.)*{_QUANTIFIER}(?:[^()\\]|\\.)*\){_QUANTIFIER}")


def may_explode(pattern: str) -> bool:
    """Whether matching a valid pattern may take time exponential in the length of the text."""
    try:
        group, _ = read_pattern(pattern)
        automaton = _Automaton()
        automaton.group(group)
    except Unusual:
        return _NESTED.search(pattern) is not None
    return automaton.has_ambiguous_loop()


@dataclass(frozen=True, slots=True)
class _Part:
    """The states that a part of a pattern may begin and end with, and whether it may match nothing."""

    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    nullable: bool = True


@dataclass(slots=True)
class _Automaton:
    """States and the links between them. ``twice`` has the links that come about in two ways, as in ``(a+)+``."""

    chars: list[Char] = field(default_factory=list)
    links: list[set[int]] = field(default_factory=list)
    twice: set[tuple[int, int]] = field(default_factory=set)

    def group(self, group: Group) -> _Part:
        parts = [self._sequence(branch) for branch in group.branches]
        if group.look:  # matches nothing; its own loops count all the same
            return _Part()
        return _Part(
            tuple(state for part in parts for state in part.first),
            tuple(state for part in parts for state in part.last),
            any(part.nullable for part in parts),
        )

    def _sequence(self, items: Sequence) -> _Part:
        whole = _Part()
        for item in items:
            whole = self._then(whole, self._item(item))
        return whole

    def _item(self, item: Item) -> _Part:
        endless = item.most is None or item.most - item.least > _COPIES
        parts = [self._node(item.node) for _ in range(max(min(item.least, _COPIES), endless))]
        optional = 0 if endless or item.most is None else item.most - item.least
        parts += [self._node(item.node) for _ in range(optional)]
        if endless:
            self._link(parts[-1].last, parts[-1].first)
        whole = _Part()
        for place, part in enumerate(parts):
            whole = self._then(whole, part if place < item.least else _Part(part.first, part.last))
        return whole

    def _node(self, node: Char | Edge | Group) -> _Part:
        if isinstance(node, Group):
            return self.group(node)
        if len(self.chars) == _STATES:
            raise Unusual
        # An assertion is taken to keep apart what stands on its two sides: a state that no text passes.
        self.chars.append(node if isinstance(node, Char) else _NOTHING)
        self.links.append(set())
        state = (len(self.chars) - 1,)
        return _Part(state, state, nullable=False)

    def _then(self, left: _Part, right: _Part) -> _Part:
        self._link(left.last, right.first)
        return _Part(
            left.first + right.first if left.nullable else left.first,
            left.last + right.last if right.nullable else right.last,
            left.nullable and right.nullable,
        )

    def _link(self, sources: tuple[int, ...], targets: tuple[int, ...]) -> None:
        for source in sources:
            for target in targets:
                if target in self.links[source]:
                    self.twice.add((source, target))
                self.links[source].add(target)

    def has_ambiguous_loop(self) -> bool:
        """Whether some text leads from a state back to itself in two ways."""
        reach = [self._reachable(state) for state in range(len(self.chars))]
        if any(source in reach[target] for source, target in self.twice):
            return True
        knots = {frozenset(other for other in ahead if state in reach[other]) for state, ahead in enumerate(reach)}
        return any(map(self._splits, knots))

    def _reachable(self, state: int) -> set[int]:
        """The states that some text leads to from a state, in one step or more."""
        seen: set[int] = set()
        todo = [state]
        while todo:
            for target in self.links[todo.pop()] - seen:
                if _meet(self.chars[target], self.chars[target]):
                    seen.add(target)
                    todo.append(target)
        return seen

    def _splits(self, knot: frozenset[int]) -> bool:
        """Whether two walks on one text can part inside a knot of loops and meet again."""
        ahead: dict[tuple[int, int], set[tuple[int, int]]] = {}
        back: dict[tuple[int, int], set[tuple[int, int]]] = {}
        for left in knot:
            for right in knot:
                pairs = {
                    (one, other)
                    for one in self.links[left] & knot
                    for other in self.links[right] & knot
                    if _meet(self.chars[one], self.chars[other])
                }
                ahead[left, right] = pairs
                for pair in pairs:
                    back.setdefault(pair, set()).add((left, right))
        same = {(state, state) for state in knot}
        return any(left != right for left, right in _closure(same, ahead) & _closure(same, back))


def _closure(start: set[tuple[int, int]], steps: dict[tuple[int, int], set[tuple[int, int]]]) -> set[tuple[int, int]]:
    seen, todo = set(start), list(start)
    while todo:
        new = steps.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen


def _meet(one: Char, other: Char) -> bool:
    """Whether some character is both; of those beyond ASCII only literal ones are told apart."""
    if one.ascii & other.ascii:
        return True
    if one.literal and other.literal:
        return one.literal == other.literal
    return one.other and other.other
