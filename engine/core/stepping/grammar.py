"""The plain part of the pattern language, read into a tree, for what can be proved about a pattern beforehand.

Anything unusual (backreferences, recursion, sets within sets, possessive or fuzzy matching, flags but a leading
``(?i)``) is not read at all: :class:`Unusual`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["Char", "Edge", "Group", "Item", "Sequence", "Unusual", "read_pattern"]

_ALL = frozenset(range(128))
_DIGIT = frozenset(b"0123456789")
_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_SPACE = frozenset(b"\t\n\v\f\r ")
_FOLDED_BEYOND = frozenset(b"kKsSiI")
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE, "D": _ALL - _DIGIT, "W": _ALL - _WORD, "S": _ALL - _SPACE}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ")
_QUANTIFIER = re.compile(r"([*+?]|\{([0-9]{1,4})(,([0-9]{0,4}))?\})([?+]?)")
_PROPERTY = re.compile(r"\\[pP]\{\^?[A-Za-z_ ]+\}")
_NAME = re.compile(r"P?<([A-Za-z_][A-Za-z0-9_]*)>")
_LOOKS = ("?=", "?!", "?<=", "?<!")


class Unusual(Exception):
    """The pattern uses something that is not read here."""


@dataclass(frozen=True, slots=True)
class Char:
    """Exactly one character: one of ``ascii``, or one beyond ASCII where ``other``.

    ``unicode``: which ones beyond ASCII depends on tables that another matcher may not share. ``vague``: so do the
    ASCII ones, ``ascii`` only bounds them.
    """

    ascii: frozenset[int]
    other: bool = False
    literal: str = ""  # the character itself, where it is one beyond ASCII
    unicode: bool = False
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    r"""A place between characters: ``^``, ``$``, ``\A``, ``\Z``, ``\b``."""

    kind: Literal["start", "last", "end", "word"]


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives. ``number`` is what a capturing group goes by; ``look``: a look ahead or ``"<"`` behind, for what
    must stand there or, where ``negated``, must not."""

    branches: tuple[Sequence, ...]
    number: int | None = None
    look: Literal["", ">", "<"] = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """Something that must match ``least`` to ``most`` times (None: any number of times)."""

    node: Char | Edge | Group
    least: int = 1
    most: int | None = 1
    lazy: bool = False


type Sequence = tuple[Item, ...]


def read_pattern(pattern: str) -> tuple[Group, bool]:
    """The tree of a valid pattern, and whether it ignores case. Then too a :class:`Char` is what it matches.

    Raises:
        Unusual: the pattern uses something that is not read here.
    """
    ignorecase = pattern.startswith("(?i)")
    reader = _Reader(pattern, 4 if ignorecase else 0, ignorecase)
    branches = reader.branches(0)
    if reader.at != len(pattern):
        raise Unusual
    return Group(branches), ignorecase


class _Reader:
    """A recursive descent over one pattern."""

    def __init__(self, text: str, at: int, ignorecase: bool) -> None:
        self.text = text
        self.at = at
        self._ignorecase = ignorecase
        self._groups = 0
        self._names: set[str] = set()

    def branches(self, depth: int) -> tuple[Sequence, ...]:
        if depth > 20:
            raise Unusual
        branches = []
        while True:
            items = []
            while self.at < len(self.text) and self.text[self.at] not in "|)":
                items.append(self._item(depth))
            branches.append(tuple(items))
            if self._peek() != "|":
                return tuple(branches)
            self.at += 1

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _item(self, depth: int) -> Item:
        node = self._node(depth)
        if self._ignorecase and isinstance(node, Char):
            node = _in_any_case(node)
        match = _QUANTIFIER.match(self.text, self.at)
        if match is None:
            if self._peek() == "{":  # a literal, or fuzzy matching
                raise Unusual
            return Item(node)
        self.at = match.end()
        sign, least, ranged, most, mode = match.groups()
        if (
            isinstance(node, Edge)
            or (isinstance(node, Group) and node.look)
            or mode == "+"
            or self._peek() in tuple("*+?{")
        ):
            raise Unusual
        if least is None:
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
            return Item(node, low, high, mode == "?")
        return Item(node, int(least), (int(most) if most else None) if ranged else int(least), mode == "?")

    def _node(self, depth: int) -> Char | Edge | Group:
        character = self.text[self.at]
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._set()
        if character == "\\":
            return self._escape()
        self.at += 1
        if character == ".":
            return Char(_ALL - {10}, other=True)
        if character in "^$":
            return Edge("start" if character == "^" else "last")
        if character in "*+?{}]":
            raise Unusual
        return _literal(character)

    def _group(self, depth: int) -> Group:
        self.at += 1
        number: int | None = None
        look: Literal["", ">", "<"] = ""
        sign = next((sign for sign in _LOOKS if self.text.startswith(sign, self.at)), None)
        name = _NAME.match(self.text, self.at + 1)
        if sign is not None:
            look = "<" if "<" in sign else ">"
            self.at += len(sign)
        elif self.text.startswith("?:", self.at):
            self.at += 2
        elif self._peek() != "?" or name:
            self._groups += 1
            number = self._groups
            if self._peek() == "?" and name:
                if name[1] in self._names:  # two groups of one name share a number
                    raise Unusual
                self._names.add(name[1])
                self.at = name.end()
        else:
            raise Unusual
        branches = self.branches(depth + 1)
        if self._peek() != ")":
            raise Unusual
        self.at += 1
        return Group(branches, number, look, negated=sign is not None and sign.endswith("!"))

    def _escape(self) -> Char | Edge:
        match = _PROPERTY.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return Char(_ALL, other=True, vague=True)
        character = self.text[self.at + 1]
        self.at += 2
        if character in _CLASSES:
            return Char(_CLASSES[character], other=True, unicode=True)
        if character in "AZb":
            return Edge({"A": "start", "Z": "end", "b": "word"}[character])  # type: ignore[arg-type]
        if character in _CONTROLS:
            return _literal(_CONTROLS[character])
        if character in _PUNCTUATION:
            return _literal(character)
        raise Unusual

    def _set(self) -> Char:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "]":
            end += 2 if self.text[end] == "\\" else 1
        body = self.text[self.at + 1 : end]
        self.at = end + 1
        negated = body.startswith("^")
        inside, unicode = _members(body[1:] if negated else body)
        if self._ignorecase:
            inside, folded = _both_cases(inside)
            unicode = unicode or folded
        return Char(_ALL - inside if negated else inside, other=negated or unicode, unicode=unicode)


def _literal(character: str) -> Char:
    return (
        Char(frozenset((ord(character),))) if character.isascii() else Char(frozenset(), other=True, literal=character)
    )


def _in_any_case(node: Char) -> Char:
    """What a node matches where case does not count; sets, which may be negated, have seen to that themselves."""
    if node.literal:
        return Char(_FOLDED_BEYOND, other=True, vague=True)
    if node.other:
        return node
    both, folded = _both_cases(node.ascii)
    return Char(both, other=folded, unicode=folded)


def _both_cases(members: frozenset[int]) -> tuple[frozenset[int], bool]:
    """The members in either case, and whether some equal a character beyond ASCII then (``k``: Kelvin)."""
    both = members | frozenset(bytes(members).swapcase())
    return both, bool(both & _FOLDED_BEYOND)


def _members(body: str) -> tuple[frozenset[int], bool]:
    """The ASCII members of a set, and whether it has members beyond ASCII."""
    if not body or "[" in body.replace("\\[", "") or any(sign in body for sign in ("--", "&&", "||", "~~")):
        raise Unusual
    members: set[int] = set()
    unicode = False
    at = 0
    while at < len(body):
        low, at, shared = _member(body, at)
        unicode = unicode or shared
        if body[at : at + 1] == "-" and at + 1 < len(body):
            high, at, shared = _member(body, at + 1)
            if shared or len(low) != 1 or len(high) != 1 or max(high) < min(low):
                raise Unusual
            low = frozenset(range(min(low), max(high) + 1))
        members |= low
    return frozenset(members), unicode


def _member(body: str, at: int) -> tuple[frozenset[int], int, bool]:
    """One member of a set, where the next starts, and whether it holds characters beyond ASCII."""
    character = body[at]
    if character != "\\":
        if not character.isascii():
            raise Unusual
        return frozenset((ord(character),)), at + 1, False
    escaped = body[at + 1]
    if escaped in _CLASSES:
        return _CLASSES[escaped], at + 2, True
    if escaped in _CONTROLS:
        return frozenset((ord(_CONTROLS[escaped]),)), at + 2, False
    if escaped in _PUNCTUATION:
        return frozenset((ord(escaped),)), at + 2, False
    raise Unusual
