"""What can be proved about a pattern before it runs: how long it can take, and that RE2 would match the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from engine.core.stepping.grammar import Char, Edge, Group, Item, Sequence, Unusual, read_pattern

__all__ = ["Translation", "free_length", "looks", "misread", "shortest", "translate"]

_STEPS = 5_000_000  # of a backtracking matcher: some tens of milliseconds
_LONGEST = 10_000
_EXPANDED = 200  # times that a counted group is looked at as written out


def free_length(pattern: str, *, repeated: bool = False) -> int:
    """The number of characters up to which the pattern cannot be slow, whatever the text; 0: nothing is known.

    A backtracking matcher tries each start, and from there each way to choose: where a quantifier stops (at most as
    many places as there are characters) and which alternative to take. A quantifier whose characters cannot be what
    must follow it has one place to stop, and finds it in as many steps as there are characters.

    Args:
        pattern: valid.
        repeated: all matches in a text are sought, not only the first.
    """
    try:
        cost = _of_group(read_pattern(pattern)[0], (), exact=True)
    except Unusual:
        return 0
    power = 1 + cost.variable + cost.open
    starts = 2 if repeated else 1  # the next match is sought from where the last one ended
    length = int((_STEPS / (starts * cost.choices * (cost.nodes + 1))) ** (1 / power)) - 2
    return max(0, min(length, _LONGEST))


@dataclass(frozen=True, slots=True)
class _Cost:
    nodes: int = 0
    variable: bool = False  # there is a quantifier
    open: int = 0  # quantifiers that may stop at any place
    choices: int = 1

    def __add__(self, other: _Cost) -> _Cost:
        choices = self.choices * other.choices
        if choices > _STEPS:
            raise Unusual
        return _Cost(self.nodes + other.nodes, self.variable or other.variable, self.open + other.open, choices)


def _of_group(group: Group, follow: Sequence, exact: bool) -> _Cost:
    """``follow``: what must match after the group; ``exact``: it is read forwards, so that is true."""
    branches = [_of_sequence(branch, follow, exact) for branch in group.branches]
    return _Cost(
        sum(cost.nodes for cost in branches) + 1,
        any(cost.variable for cost in branches),
        max(cost.open for cost in branches),
        sum(cost.choices for cost in branches),
    )


def _of_sequence(sequence: Sequence, follow: Sequence, exact: bool) -> _Cost:
    total = _Cost()
    for place, item in enumerate(sequence):
        total += _of_item(item, sequence[place + 1 :] + follow, exact)
    return total


def _of_item(item: Item, follow: Sequence, exact: bool) -> _Cost:
    node = item.node
    if isinstance(node, Edge):
        return _Cost(1, choices=2 if node.kind == "last" else 1)
    if isinstance(node, Char):
        if item.least == item.most:
            return _Cost(1 + item.least)
        return _Cost(1, variable=True, open=0 if exact and _stops(node, follow) else 1)
    if node.look:
        # Tried at every place that leads to it; what it holds is read backwards behind, so nothing is known to follow.
        inner = _of_group(node, (_NOTHING_KNOWN,), exact and node.look == ">")
        return _Cost(inner.nodes, inner.variable, inner.open + inner.variable, inner.choices)
    if (item.least, item.most) == (1, 1):
        return _of_group(node, follow, exact)
    once = _of_group(node, (_NOTHING_KNOWN,), exact)
    if item.most == 1:
        return once + _Cost(1, choices=2)
    if item.least == item.most and item.least <= _EXPANDED:
        return reduce(_Cost.__add__, [once] * item.least, _Cost())
    raise Unusual


_NOTHING_KNOWN = Item(Edge("word"))


def _stops(node: Char, follow: Sequence) -> bool:
    """Whether a run of the node's characters can only stop at its end: nothing follows, or none of them can."""
    if not follow:
        return True
    after = follow[0]
    if isinstance(after.node, Edge):
        return after.node.kind in ("end", "last")
    if isinstance(after.node, Group):
        whole = (after.least, after.most) == (1, 1) and not after.node.look
        return whole and all(bool(branch) and _stops(node, branch) for branch in after.node.branches)
    if after.least >= 1:
        return not (node.ascii & after.node.ascii) and not (node.other and after.node.other)
    return False


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern for RE2 that matches what the original matches.

    Attributes:
        pattern: with the one group that is wanted, named ``g``.
        ascii_only: only on texts of ASCII characters.
        one_line: only on texts without newlines.
        shortest: the fewest characters that a match has.
    """

    pattern: str
    ascii_only: bool
    one_line: bool
    shortest: int


def translate(pattern: str, group: int, *, full: bool, around: bool = False) -> Translation | None:
    """The pattern for RE2, where both are bound to match the same; None where that is not certain.

    Both matchers take the leftmost match and prefer earlier alternatives and greedier quantifiers. They are known to
    differ on repeats of what may be empty, on groups that take no part in a match, and on what is a word, a digit, a
    space or the end of a line; so those are left out, or bound to texts on which they agree.

    Args:
        pattern: valid.
        group: the number of the group that is wanted; 0: the whole match.
        full: the whole text must match.
        around: only the group is wanted, so that RE2 may match more: what the pattern looks for behind its start and
            ahead of its end.
    """
    try:
        tree, ignorecase = read_pattern(pattern)
        if ignorecase or misread(tree):
            return None
        behind, tree, ahead = looks(tree) if around and not full else (None, tree, None)
        writer = _Writer(group)
        text = writer.group(tree, certain=True)
        if not writer.found and group:
            return None
        text = text if group else f"(?P<g>{text})"
        text = (writer.look(behind) if behind else "") + text + (writer.look(ahead) if ahead else "")
    except Unusual:
        return None
    return Translation(rf"\A{text}\z" if full else text, writer.ascii_only, writer.one_line, shortest(tree))


def misread(tree: Group) -> bool:
    """Whether ``regex`` might take alternatives like ``[^a]|[^b]`` for ``[^ab]``, as it does (in 2026.8.31).

    It makes a set of alternatives that are one character each, once it has taken out what they begin and end with.
    """
    return any(_lacking(each) > 1 for each in _choices(tree))


def _choices(group: Group) -> Iterator[Group]:
    """The groups that have alternatives, but for those within such ones."""
    if len(group.branches) > 1:
        yield group
        return
    for item in group.branches[0]:
        if isinstance(item.node, Group):
            yield from _choices(item.node)


def _lacking(group: Group) -> int:
    """How often there is a set in it of all characters but one, be it in both cases."""
    nodes = [item.node for branch in group.branches for item in branch]
    within = sum(_lacking(node) for node in nodes if isinstance(node, Group))
    return within + sum(isinstance(node, Char) and node.other and 126 <= len(node.ascii) < 128 for node in nodes)


def looks(tree: Group) -> tuple[Group | None, Group, Group | None]:
    """A look behind at the very start, the rest, and a look ahead at the very end.

    To match what is looked for, too, changes nothing for the rest: behind, it has one length, so the leftmost match
    with it is the leftmost without; ahead, it is asked for last, after all that the rest prefers.
    """
    if len(tree.branches) != 1:
        return None, tree, None
    (items,) = tree.branches
    behind = _look(items[0], "<") if items else None
    if behind is not None and _same_length(behind):
        items = items[1:]
    else:
        behind = None
    ahead = _look(items[-1], ">") if items else None
    return behind, Group((items if ahead is None else items[:-1],)), ahead


def _look(item: Item, direction: str) -> Group | None:
    """The item, if it looks that way for what must stand there."""
    node = item.node
    return node if isinstance(node, Group) and node.look == direction and not node.negated else None


def _same_length(group: Group) -> bool:
    """Whether all that the group matches has one length, and no group within."""
    items = [item for branch in group.branches for item in branch]
    plain = all(isinstance(item.node, Char) and item.least == item.most for item in items)
    return plain and len({sum(item.least for item in branch) for branch in group.branches}) == 1


class _Writer:
    """Writes a tree as RE2 reads it, and notes on which texts that is the same."""

    def __init__(self, wanted: int) -> None:
        self.ascii_only = False
        self.one_line = False
        self.found = False
        self._wanted = wanted

    def group(self, group: Group, *, certain: bool) -> str:
        """``certain``: every match passes through the group exactly once."""
        if group.look or (len(group.branches) > 1 and not all(map(_shortest_of, group.branches))):
            raise Unusual
        wanted = group.number is not None and group.number == self._wanted
        if wanted and not certain:
            raise Unusual
        self.found = self.found or wanted
        inside = certain and len(group.branches) == 1
        text = "|".join("".join(self._item(item, inside) for item in branch) for branch in group.branches)
        return f"(?P<g>{text})" if wanted else f"(?:{text})"

    def look(self, group: Group) -> str:
        """What a look behind or ahead looks for."""
        return f"(?:{'|'.join(''.join(self._item(item, False) for item in branch) for branch in group.branches)})"

    def _item(self, item: Item, certain: bool) -> str:
        once = (item.least, item.most) == (1, 1)
        if isinstance(item.node, Group):
            if not once and not shortest(item.node):
                raise Unusual
            text = self.group(item.node, certain=certain and once)
        else:
            text = self._char(item.node) if isinstance(item.node, Char) else self._edge(item.node)
        if once:
            return text
        if item.least > _EXPANDED or (item.most or 0) > _EXPANDED or (item.most == 0):
            raise Unusual
        most = "" if item.most is None else str(item.most)
        return f"{text}{{{item.least},{most}}}" + ("?" if item.lazy else "")

    def _char(self, node: Char) -> str:
        if node.literal:
            return node.literal
        self.ascii_only = self.ascii_only or node.unicode
        all_but = node.other and not node.unicode
        members = frozenset(range(128)) - node.ascii if all_but else node.ascii
        if not members or node.vague:
            raise Unusual
        return f"[{'^' if all_but else ''}{_ranges(members)}]"

    def _edge(self, node: Edge) -> str:
        if node.kind == "word":
            self.ascii_only = True
        if node.kind == "last":  # in front of a newline at the very end, too
            self.one_line = True
        return {"start": r"\A", "end": r"\z", "last": r"\z", "word": r"\b"}[node.kind]


def _ranges(members: frozenset[int]) -> str:
    starts = sorted(member for member in members if member - 1 not in members)
    ends = sorted(member for member in members if member + 1 not in members)
    return "".join(f"\\x{start:02x}-\\x{end:02x}" for start, end in zip(starts, ends, strict=True))


def shortest(group: Group) -> int:
    """The fewest characters that the group matches."""
    return min(map(_shortest_of, group.branches))


def _shortest_of(sequence: Sequence) -> int:
    return sum(
        item.least * (shortest(item.node) if isinstance(item.node, Group) else int(isinstance(item.node, Char)))
        for item in sequence
        if not (isinstance(item.node, Group) and item.node.look)
    )
