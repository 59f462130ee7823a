"""A pattern's tree as an automaton that reads bytes of UTF-8, for :mod:`engine.core.stepping.program`.

It takes the paths that a backtracking matcher would, and prefers them in the same order: that is what a
:class:`Fork` keeps. It does not repeat what may be empty, on which matchers disagree, and its one group is passed
exactly once by every match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.stepping.grammar import Char, Edge, Group, Item, Sequence, Unusual
from engine.core.stepping.shape import shortest

__all__ = ["CLOSE", "OPEN", "UNSURE", "VARIES", "Automaton", "Done", "Fork", "Mark", "Node", "Read", "Test"]

UNSURE: Final = -1
"""Where an arc leads that is taken only where tables say so that are not here."""
OPEN, CLOSE = 0, 1
VARIES: Final = -1
LATER: Final = -2
_NODES = 1_500
_REPEATS = 200


def _bits(low: int, high: int) -> int:
    return (1 << high + 1) - (1 << low)


_HIGH = _bits(0x80, 0xFF)
_ALL = _bits(0, 0xFF)
_CONTINUED = _bits(0x80, 0xBF)
_LEADS = (_bits(0xC2, 0xDF), _bits(0xE0, 0xEF), _bits(0xF0, 0xF4))


@dataclass(frozen=True, slots=True)
class Read:
    """Reads a byte: of which set (bit ``b`` for byte ``b``), and which node is next. No two sets share a byte."""

    arcs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Goes any of these ways, the first ones rather."""

    ways: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """The group opens or closes here."""

    which: int
    after: int


@dataclass(frozen=True, slots=True)
class Test:
    """Goes on only at this place between characters."""

    edge: Edge
    after: int


@dataclass(frozen=True, slots=True)
class Done:
    """Everything matched."""


type Node = Read | Fork | Mark | Test | Done


class Automaton:
    """The nodes for a pattern, numbered; one thread's, while a program is made.

    Attributes:
        nodes: by number.
        first: where a match begins.
        start: where the search for the leftmost match begins: ``first`` rather than a byte more.
        skip: reads one byte, then is at ``start``.
    """

    def __init__(self, behind: Group | None, tree: Group, ahead: Group | None, group: int) -> None:
        """For a tree, and for what must stand behind and ahead of what it matches.

        Raises:
            Unusual: it uses something that is not done here.
        """
        self.nodes: list[Node] = [Done()]
        self._wanted = group
        self._found = group == 0
        after = 0 if ahead is None else self._group(ahead, 0, certain=False)
        if group:
            first = self._group(tree, after, certain=True)
        else:
            first = self._add(Mark(OPEN, self._group(tree, self._add(Mark(CLOSE, after)), certain=True)))
        self.first = first if behind is None else self._group(behind, first, certain=False)
        if not self._found:
            raise Unusual
        self.skip = len(self.nodes)
        self.start = self.skip + 1
        self.nodes += [Read(((_ALL, self.start),)), Fork((self.first, self.skip))]

    def distances(self, mark: int) -> list[int]:
        """How many bytes each node comes after a mark, if all ways to it are as long, else :data:`VARIES`.

        Where the mark comes later it is :data:`LATER`.
        """
        found = [LATER] * len(self.nodes)
        known = [False] * len(self.nodes)
        known[self.start] = True
        waiting = [self.start]
        while waiting:
            number = waiting.pop()
            node, here = self.nodes[number], found[number]
            further = here + 1 if here >= 0 else here
            match node:
                case Read(arcs):
                    steps = [(after, further) for _, after in arcs if after != UNSURE]
                case Fork(ways):
                    steps = [(way, here) for way in ways]
                case Mark(which, after):
                    steps = [(after, 0 if which == mark else here)]
                case Test(_, after):
                    steps = [(after, here)]
                case _:
                    steps = []
            for after, there in steps:
                if not known[after]:
                    known[after] = True
                    found[after] = there
                elif found[after] not in (there, VARIES):
                    found[after] = VARIES
                else:
                    continue
                waiting.append(after)
        return found

    def only_at_start(self) -> bool:
        """Whether no match begins but where the text does."""
        seen: set[int] = set()
        waiting = [self.first]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            match self.nodes[number]:
                case Fork(ways):
                    waiting += ways
                case Mark(_, after):
                    waiting.append(after)
                case Test(edge, after):
                    if edge.kind != "start":
                        waiting.append(after)
                case _:
                    return False
        return True

    def _add(self, node: Node) -> int:
        if len(self.nodes) >= _NODES:
            raise Unusual
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _fork(self, ways: tuple[int, ...]) -> int:
        return ways[0] if len(ways) == 1 else self._add(Fork(ways))

    def _group(self, group: Group, after: int, *, certain: bool) -> int:
        """``certain``: every match passes through the group exactly once."""
        wanted = group.number is not None and group.number == self._wanted
        if wanted and not certain:
            raise Unusual
        self._found = self._found or wanted
        after = self._add(Mark(CLOSE, after)) if wanted else after
        certain = certain and len(group.branches) == 1
        first = self._fork(tuple(self._sequence(branch, after, certain=certain) for branch in group.branches))
        return self._add(Mark(OPEN, first)) if wanted else first

    def _sequence(self, sequence: Sequence, after: int, *, certain: bool) -> int:
        for item in reversed(sequence):
            after = self._item(item, after, certain=certain)
        return after

    def _item(self, item: Item, after: int, *, certain: bool) -> int:
        node = item.node
        if isinstance(node, Edge):
            return self._add(Test(node, after))
        if isinstance(node, Group):
            if node.look:
                raise Unusual
            if (item.least, item.most) != (1, 1) and not shortest(node):
                raise Unusual
        if item.least > _REPEATS or (item.most or 0) > _REPEATS or item.most == 0:
            raise Unusual
        least, rest = item.least, after
        if item.most is None:
            loop = self._add(Done())  # until it is known where it leads
            body = self._once(node, loop, certain=False)
            self.nodes[loop] = Fork((after, body) if item.lazy else (body, after))
            rest, least = (body, least - 1) if least else (loop, 0)
        else:
            for _ in range(item.most - item.least):
                body = self._once(node, rest, certain=False)
                rest = self._add(Fork((after, body) if item.lazy else (body, after)))
        for _ in range(least):
            rest = self._once(node, rest, certain=certain and (item.least, item.most) == (1, 1))
        return rest

    def _once(self, node: Char | Group, after: int, *, certain: bool) -> int:
        return self._group(node, after, certain=certain) if isinstance(node, Group) else self._char(node, after)

    def _char(self, node: Char, after: int) -> int:
        if node.vague or not (node.ascii or node.literal):  # [^\s\S] is anything, by the package
            raise Unusual
        for byte in reversed(node.literal.encode()):
            after = self._add(Read(((1 << byte, after),)))
        if node.literal:
            return after
        arcs = [(sum(1 << byte for byte in node.ascii), after)]
        if node.unicode:
            arcs.append((_HIGH, UNSURE))
        elif node.other:
            for leads in _LEADS:
                after = self._add(Read(((_CONTINUED, after),)))
                arcs.append((leads, after))
        return self._add(Read(tuple(arcs)))
