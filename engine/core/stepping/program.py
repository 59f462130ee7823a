"""Patterns for the C kernels of ``matcher.c``: compiled beforehand into a table of what each byte leads to.

A backtracking matcher tries one path after another, from the first place on; whichever succeeds first is the match.
Here all paths that are still open go on side by side, in the order in which they would be tried (Pike; Cox, "Regular
expression matching: the virtual machine approach"), and every list of paths that can come up is a state, made
beforehand (Laurikari's tagged automata). So a text is read once, whatever the pattern, and one look-up a byte is all
there is to do. Where a group began is mostly told by the state itself, which knows how many bytes ago that was; where
that differs from text to text it stands in a register.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import lru_cache

from engine.core.native.matcher import DEAD, NOTHING, REGISTERS, UNKNOWN, Program
from engine.core.stepping.automaton import CLOSE, OPEN, UNSURE, VARIES, Automaton, Done, Fork, Mark, Read, Test
from engine.core.stepping.grammar import Edge, Group, Item, Unusual, read_pattern
from engine.core.stepping.needle import Needle, find_needle
from engine.core.stepping.shape import looks, misread, shortest

__all__ = ["compile_program"]

_STATES = 250
_WORK = 100_000  # nodes and arcs looked at: some tenths of a second
_END = 256  # the symbol that is read after the last byte
_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")

# Where a mark is: in a register (from 0 on), or ``~n``: n bytes ago. None: not yet passed, or known by the node.
type _Place = int | None
type _Path = tuple[int, _Place, _Place]  # the next node, and where the marks are
type _Reading = tuple[Read, _Place, _Place]
type _State = tuple[str, tuple[_Path, ...]]  # what was read last, and the open paths


@lru_cache(maxsize=64)
def compile_program(pattern: str, group: int, *, full: bool, repeated: bool = False) -> Program | None:
    """A program that finds what the pattern's group matches, exactly as ``regex`` does; None where there is none.

    Whether a character beyond ASCII is a digit, a space or part of a word only ``regex`` knows: a cell in which that
    matters is one that the program leaves undecided. So is, where the pattern has a ``$``, one that ends in a newline.
    All threads get the same program, for it is made but once, in milliseconds.

    Args:
        pattern: valid.
        group: the number of the group that is wanted; 0: the whole match.
        full: the whole text must match.
        repeated: all matches are wanted, one after another. No program finds them where one may be empty, for then it
            depends on the matcher which count, or where they look behind, at what was passed.
    """
    try:
        tree, _ = read_pattern(pattern)
        if misread(tree):
            return None
        behind, tree, ahead = (None, tree, None) if full else looks(tree)
        if repeated and (behind is not None or not shortest(tree)):
            return None
        if full:
            ahead = Group(((Item(Edge("end")),),))
        automaton = Automaton(behind, tree, ahead, group)
        around = tuple(Item(part) for part in (behind, tree, ahead) if part is not None)
        return _Table(automaton, full=full).program(find_needle(around))
    except Unusual:
        return None


@dataclass(frozen=True, slots=True)
class _Step:
    """What one symbol does to a state: where it leads, what registers become, and the match if one ends before it."""

    after: int
    sets: tuple[tuple[int, int], ...] = ()
    match: tuple[int, int] | None = None


class _Table:
    """The states of an automaton, found one from another."""

    def __init__(self, automaton: Automaton, *, full: bool) -> None:
        """Raises Unusual: there are too many states, or registers, or ways to them."""
        self._nodes = automaton.nodes
        self._distances = automaton.distances(OPEN), automaton.distances(CLOSE)
        tests = {node.edge.kind for node in automaton.nodes if isinstance(node, Test)}
        self._words = "word" in tests
        self.lines = "last" in tests
        self._symbols_in: dict[int, list[int]] = {
            members: [] for node in automaton.nodes if isinstance(node, Read) for members, _ in node.arcs
        }
        self._symbols, self._class_of = self._classes()
        self._numbers: dict[_State, int] = {("", ()): DEAD, ("?", ()): UNKNOWN}
        self._steps: list[list[_Step]] = [[], []]
        self._work = 0
        self._waiting: list[_State] = []
        fixed = full or automaton.only_at_start()
        befores = () if fixed else ("word", "other", "beyond") if self._words else ("",)
        self._idle = [self._number((before, ((automaton.start, None, None),))) for before in befores]
        self._jump = DEAD
        if self._idle:  # after a jump, what was read before is not known, but after one byte more it is
            self._jump = self._number(("", ((automaton.skip, None, None),))) if self._words else self._idle[0]
        before = "start" if "start" in tests or self._words else ""
        self._begin = self._number((before, ((automaton.first if fixed else automaton.start, None, None),)))
        while self._waiting:
            state = self._waiting.pop()
            steps = [self._steps_of(state, symbols) for symbols in self._symbols]
            self._steps[self._numbers[state]] = [step for each in steps for step in each]
        self._put_off()

    def _classes(self) -> tuple[list[list[int]], list[int]]:
        """One byte of each class of bytes that no node tells apart, those together that no test does; then
        :data:`_END`. And the class of each byte, counted through."""
        sets = list(self._symbols_in)
        kinds: dict[str, dict[tuple[int, ...], list[int]]] = {}
        for byte in range(256):
            classes = kinds.setdefault(self._read(byte), {})
            classes.setdefault(tuple(members >> byte & 1 for members in sets), []).append(byte)
        class_of = [0] * 256
        all_classes = [each for classes in kinds.values() for each in classes.values()]
        for number, each in enumerate(all_classes):
            for byte in each:
                class_of[byte] = number
        for members in sets:
            self._symbols_in[members] = [each[0] for each in all_classes if members >> each[0] & 1]
        return [[each[0] for each in classes.values()] for classes in kinds.values()] + [[_END]], class_of

    def _read(self, symbol: int) -> str:
        """What is to be known of a symbol once it was read."""
        if not self._words:
            return ""
        return "beyond" if symbol >= 0x80 else "word" if symbol in _WORD else "other"

    def _number(self, state: _State) -> int:
        if state not in self._numbers:
            if len(self._numbers) == _STATES:
                raise Unusual
            self._numbers[state] = len(self._numbers)
            self._steps.append([])
            self._waiting.append(state)
        return self._numbers[state]

    def _steps_of(self, state: _State, symbols: list[int]) -> list[_Step]:
        """What these symbols do to a state, which no test tells apart."""
        reached = self._reached(state, symbols[0])
        if reached is None:
            return [_Step(UNKNOWN)] * len(symbols)
        reads, match = reached
        onward: dict[int, dict[int, _Path]] = {symbol: {} for symbol in symbols}
        unsure: set[int] = set()
        for node, opened, closed in reads:
            for members, after in node.arcs:
                for symbol in self._symbols_in[members]:
                    if symbol not in onward:
                        continue
                    if after == UNSURE:
                        unsure.add(symbol)
                    onward[symbol].setdefault(after, (after, opened, closed))
                    self._work += 1
        return [
            _Step(UNKNOWN) if symbol in unsure else self._onward(list(onward[symbol].values()), symbol, match)
            for symbol in symbols
        ]

    def _reached(self, state: _State, symbol: int) -> tuple[list[_Reading], tuple[int, int] | None] | None:
        """Follows a state's paths to where they read a byte, in order, until one of them is a match: where that is.

        None: whether one goes on is for others to say.
        """
        before, paths = state
        waiting = list(reversed(paths))
        seen: set[int] = set()
        reads: list[_Reading] = []
        while waiting:
            number, opened, closed = self._placed(waiting.pop())
            if number in seen:
                continue
            seen.add(number)
            match self._nodes[number]:
                case Read() as node:
                    reads.append((node, opened, closed))
                case Fork(ways):
                    waiting += [(way, opened, closed) for way in reversed(ways)]
                case Mark(which, after):
                    waiting.append((after, ~0, closed) if which == OPEN else (after, opened, ~0))
                case Test(edge, after):
                    holds = self._holds(edge, before, symbol)
                    if holds is None:
                        return None
                    if holds:
                        waiting.append((after, opened, closed))
                case Done():
                    assert opened is not None
                    assert closed is not None
                    return reads, (opened, closed)
        self._work += len(seen)
        if self._work > _WORK:
            raise Unusual
        return reads, None

    def _placed(self, path: _Path) -> _Path:
        """The path, with the places that its node tells."""
        number = path[0]
        opened, closed = (
            place if distance[number] < 0 else ~distance[number]
            for place, distance in zip(path[1:], self._distances, strict=True)
        )
        return number, opened, closed

    def _holds(self, edge: Edge, before: str, symbol: int) -> bool | None:
        """Whether this is such a place; None: that is for others to say."""
        if edge.kind == "start":
            return before == "start"
        if edge.kind != "word":
            return symbol == _END
        if before == "beyond" or 0x80 <= symbol < _END:
            return None
        return (before == "word") != (symbol in _WORD)

    def _onward(self, paths: list[_Path], symbol: int, match: tuple[int, int] | None) -> _Step:
        """The state of paths that have read the symbol; registers are numbered by the paths that come first."""
        registers: dict[int, int] = {}
        named: list[_Path] = []
        for number, *places in paths:
            kept = [
                registers.setdefault(place, len(registers))
                if distance[number] == VARIES and place is not None
                else None
                for place, distance in zip(places, self._distances, strict=True)
            ]
            named.append((number, kept[0], kept[1]))
        if len(registers) > REGISTERS:
            raise Unusual
        sets = tuple((register, place) for place, register in registers.items() if place != register)
        return _Step(self._number((self._read(symbol), tuple(named))) if named else DEAD, sets, match)

    def _put_off(self) -> None:
        """Notes no match before a step to a state that always has a better one: the longer, which goes before it."""
        always = [
            all(step.match is not None or step.after == UNKNOWN for step in steps) and bool(steps)
            for steps in self._steps
        ]
        for steps in self._steps:
            steps[:] = [_Step(step.after, step.sets) if always[step.after] else step for step in steps]

    def program(self, needle: Needle | None) -> Program:
        """What the kernel takes."""
        count = len(self._steps)
        actions: dict[_Step, int] = {}
        table = array("H", bytes(2 * 256 * 2))  # of DEAD and UNKNOWN, in which nothing is read
        ends = array("H", bytes(2 * 2))
        for steps in self._steps[2:]:
            entries = [
                actions.setdefault(step, count + len(actions)) if step.sets or step.match else step.after
                for step in steps
            ]
            table.extend(entries[kind] for kind in self._class_of)
            ends.append(entries[-1])
        moves, sets = array("i"), array("i")
        for step in actions:
            moves.extend((step.after, len(sets) // 2, len(step.sets), *(step.match or (NOTHING, NOTHING))))
            for pair in step.sets:
                sets.extend(pair)
        if needle is None or not self._idle:
            needle = Needle(b"", 0, None, (0, 0))
        return Program(
            states=count, begin=self._begin, idle=len(self._idle), jump=self._jump,
            table=table.tobytes(), ends=ends.tobytes(), moves=moves.tobytes(), sets=sets.tobytes(),
            needle=needle.text, rare=needle.rare, least=needle.least,
            most=None if needle.most is None else needle.most + self._words,
            landings=self._landings(needle, table, count).tobytes(), lines=self.lines,
        )  # fmt: skip

    def _landings(self, needle: Needle, table: array[int], count: int) -> array[int]:
        """The state after the needle for each state before it; DEAD: there is more to do on the way than to read."""
        landings = array("H", bytes(2 * count))
        for state in range(2, count):
            at = state
            for byte in needle.text:
                at = table[256 * at + byte]
                if at >= count or at == DEAD:
                    break
            landings[state] = at if UNKNOWN < at < count else DEAD
        return landings
