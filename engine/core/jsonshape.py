"""What the JSON cells of a column have in common, as a pattern that proves a cell valid without parsing it.

Programs write JSON with the same keys in the same order, cell after cell. From a few parsed cells a :class:`Shape` is
learned, and from the shape a pattern for RE2: every member at its place, or absent if it was once, every value a
string, a number, a literal, or what else was seen there. A cell that the pattern matches is one valid JSON value
without a key twice, and, of the compact pattern, exactly the text that the type ``json`` gives. A cell that it does
not match may be anything: it is parsed. So a shape decides only how fast a cell is read, never what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.core.jsonpath import JsonPath

__all__ = ["Member", "PathPattern", "Shape", "learn", "path_pattern", "whole_pattern"]

_PLACES = 64  # values of a shape; more, and most columns of such cells have no shape worth having
_LEVELS = 16
_ELEMENTS = 64  # of an array, that a shape is learned from
_INDEX = 16  # elements that a path's pattern skips
_PATTERN_CHARS = 30_000

# Numbers that are their own compact form: all integers, and decimals of up to 15 digits, which a double tells apart,
# without a last zero and large enough to be written without an exponent.
_COMPACT_NUMBER = (
    r"-?(?:[1-9][0-9]{0,7}\.(?:[0-9]{0,6}[1-9]|0)|0\.(?:0{0,3}[1-9](?:[0-9]{0,9}[1-9])?|0)|0|[1-9][0-9]{0,18})"
)

_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f\x7f]*')
_SPACE = r"[ \t\n\r]*"
# Lone surrogates are no text: every \u escape from D800 to DFFF is left to the parser.
_ESCAPE = r'\\(?:["\\/bfnrt]|u(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}))'
_STRING = rf'"(?:[^"\\\x00-\x1f]|{_ESCAPE})*"'
# No number of so few digits is beyond a double.
_NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?"
_SCALAR = rf"(?:{_STRING}|{_NUMBER}|true|false|null)"
_COMPACT_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\bfnrt])*"'
_COMPACT_SCALAR = rf"(?:{_COMPACT_STRING}|{_COMPACT_NUMBER}|true|false|null)"
# In a cell that is known to be valid:
_ANY_TEXT = r'(?:[^"\\]|\\.)*'
_ANY_LITERAL = r'[^",\[\]{} \t\n\r]+'


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: its key, and whether every object had it that was not empty."""

    key: str
    always: bool
    value: Shape


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands at one place of a column's JSON; a scalar always may.

    Attributes:
        members: of the objects there, in their order; None where there were none.
        element: of the arrays there; None where there were none.
    """

    members: tuple[Member, ...] | None = None
    element: Shape | None = None


@dataclass(frozen=True, slots=True)
class PathPattern:
    """How to find what a path leads to in a cell that a shape's pattern matches.

    Attributes:
        pattern: its group ``text`` is the inside of a string, ``other`` any other value's text. No match: the path
            finds nothing. None: it finds nothing in any cell of the shape.
        compact: matches the other values that are compact.
    """

    pattern: str | None
    compact: str


@dataclass(frozen=True, slots=True)
class _Text:
    """How JSON text is written in a pattern: a scalar, and what may stand around the marks."""

    scalar: str
    space: str


_VALID = _Text(_SCALAR, _SPACE)
_COMPACT = _Text(_COMPACT_SCALAR, "")


def learn(values: Iterable[Any], shape: Shape) -> Shape | None:
    """The shape of what ``shape`` is the shape of and of parsed JSON values, less those that do not go with the ones
    before them; None: too large a one."""
    for value in values:
        shape = _with(shape, value, _LEVELS) or shape
        if _places(shape) > _PLACES:
            return None
    return shape


def whole_pattern(shape: Shape, *, compact: bool) -> str | None:
    """A pattern for whole cells of the shape: valid ones, or only those in compact form; None: too long a one."""
    pattern = rf"\A{_value(shape, _COMPACT)}\z" if compact else rf"\A{_SPACE}{_value(shape, _VALID)}{_SPACE}\z"
    return pattern if len(pattern) <= _PATTERN_CHARS else None


def path_pattern(shape: Shape, path: JsonPath) -> PathPattern | None:
    """How to find what a path leads to in cells that :func:`whole_pattern` matches; None: it takes a parser.

    RE2 is fast when each character leaves it one way to go on. So a quote stands before, not in, what may be missing,
    and what is passed over is told by its brackets and strings alone.
    """
    prefix = rf"\A{_SPACE}"
    for step in path:
        if isinstance(step, str):
            place = next((at for at, member in enumerate(shape.members or ()) if member.key == step), None)
            if shape.members is None or place is None:
                return PathPattern(None, "")
            prefix += rf"\{{{_SPACE}\""
            for each in shape.members[:place]:
                passed = f'{_key(each.key, _VALID)}{_known(each.value)}{_SPACE},{_SPACE}"'
                prefix += passed if each.always else f"(?:{passed})?"
            prefix += _key(step, _VALID)
            shape = shape.members[place].value
        elif not 0 <= step <= _INDEX:
            return None
        elif shape.element is None:
            return PathPattern(None, "")
        else:
            prefix += rf"\[{_SPACE}(?:{_known(shape.element)}{_SPACE},{_SPACE}){{{step}}}"
            shape = shape.element
    pattern = rf'{prefix}(?:"(?P<text>{_ANY_TEXT})"|(?P<other>{_known(shape, strings=False)}))'
    return PathPattern(pattern, rf"\A{_value(shape, _COMPACT)}\z") if len(pattern) <= _PATTERN_CHARS else None


def _with(shape: Shape, value: Any, levels: int) -> Shape | None:
    """The shape of what had it before and of the value; None when the value does not go with it."""
    if not levels:
        return None
    if isinstance(value, dict):
        return _with_object(shape, value, levels)
    if not isinstance(value, list):
        return shape
    element: Shape | None = shape.element or Shape()
    for each in value[:_ELEMENTS]:
        if element is not None:
            element = _with(element, each, levels - 1)
    return None if element is None else replace(shape, element=element)


def _with_object(shape: Shape, value: dict[str, Any], levels: int) -> Shape | None:
    members = list(shape.members or ())
    keys = [member.key for member in members]
    first = not members
    place = 0  # where the next key may stand
    for key, each in value.items():
        if len(keys) > _PLACES:
            break  # too large already: no time is spent on thousands of keys
        if key not in keys:
            if not _PLAIN_KEY.fullmatch(key):
                return None
            keys.insert(place, key)
            members.insert(place, Member(key, first, Shape()))
        if keys.index(key) < place:
            return None
        place = keys.index(key)
        below = _with(members[place].value, each, levels - 1)
        if below is None:
            return None
        members[place] = replace(members[place], value=below)
        place += 1
    kept = tuple(replace(each, always=each.always and (not value or each.key in value)) for each in members)
    return replace(shape, members=kept)


def _places(shape: Shape) -> int:
    below = [member.value for member in shape.members or ()] + ([shape.element] if shape.element else [])
    return 1 + sum(map(_places, below))


def _known(shape: Shape, *, strings: bool = True) -> str:
    """A value at the shape's place in a cell that is known to be of the shape."""
    ways = [f'"{_ANY_TEXT}"'] if strings else []
    ways.append(_ANY_LITERAL)
    inside = ""
    for _ in range(_depth(shape)):
        inside = rf'[\[{{](?:[^"\[\]{{}}]|"{_ANY_TEXT}"{inside and "|" + inside})*[\]}}]'
    return f"(?:{'|'.join([*ways, inside] if inside else ways)})"


def _depth(shape: Shape) -> int:
    below = [member.value for member in shape.members or ()] + ([shape.element] if shape.element else [])
    return (shape.members is not None or shape.element is not None) + max(map(_depth, below), default=0)


def _value(shape: Shape, text: _Text) -> str:
    """A value at the shape's place."""
    ways = [text.scalar]
    if shape.members is not None:
        ways.append(rf"\{{{text.space}(?:{_members(shape.members, text)}{text.space})?\}}")
    if shape.element is not None:
        each = _value(shape.element, text)
        ways.append(rf"\[{text.space}(?:{each}(?:{text.space},{text.space}{each})*{text.space})?\]")
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


def _members(members: Sequence[Member], text: _Text) -> str:
    """The members of an object that has any: those that every object had, and the others or not."""
    comma = f"{text.space},{text.space}"
    anchor = next((at for at, member in enumerate(members) if member.always), None)
    if anchor is not None:
        before = "".join(f"(?:{_member(each, text)}{comma})?" for each in members[:anchor])
        return before + _from(members[anchor:], text)
    return f"(?:{'|'.join(_from(members[at:], text) for at in range(len(members)))})"


def _from(members: Sequence[Member], text: _Text) -> str:
    """The first member, and those after it."""
    found = _member(members[0], text)
    for each in members[1:]:
        more = f"{text.space},{text.space}{_member(each, text)}"
        found += more if each.always else f"(?:{more})?"
    return found


def _member(member: Member, text: _Text) -> str:
    return f'"{_key(member.key, text)}{_value(member.value, text)}'


def _key(key: str, text: _Text) -> str:
    """A key after its first quote, and the colon."""
    return f'{_escaped(key)}"{text.space}:{text.space}'


def _escaped(key: str) -> str:
    """The key as RE2 reads it: any ASCII character but letters, digits and _ may have a backslash."""
    return re.sub(r"[^\w\x80-\U0010ffff]", r"\\\g<0>", key)
