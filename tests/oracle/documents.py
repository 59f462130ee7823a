"""JSON: what is a value, its compact text, and what a path finds in it.

A tree is what ``json.loads`` gives, but integers are decimals, so that they are written as they were, and other numbers
are floats.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from tests.oracle.faults import Bad

__all__ = ["find", "parse", "plain", "written"]

_DEPTH = 64


def parse(text: str, code: str) -> Any:
    """One RFC 8259 value.

    Raises:
        Bad: with ``code``: it is none, has a number that no float can hold, is too deep, or holds a lone surrogate.
    """
    try:
        tree = json.loads(text, parse_constant=_refuse, parse_int=Decimal)
        written(tree).encode()  # no output can hold a lone surrogate
    except (ValueError, RecursionError):
        raise Bad(code) from None
    if _depth(tree) > _DEPTH:
        raise Bad(code)
    return tree


def written(tree: Any) -> str:
    """Compact: no spaces, integers as written, other numbers shortest, non-ASCII kept."""
    match tree:
        case dict():
            return "{" + ",".join(f"{written(name)}:{written(value)}" for name, value in tree.items()) + "}"
        case list():
            return "[" + ",".join(map(written, tree)) + "]"
        case float():
            if math.isinf(tree):
                raise ValueError("a number that no float can hold")
            return re.sub("e([+-])0*", lambda found: "e" + found[1].strip("+"), repr(tree))
        case Decimal():
            return str(tree)
    return json.dumps(tree, ensure_ascii=False)


def plain(tree: Any) -> Any:
    """The tree as :func:`tests.oracle.read_jsonl` gives it back."""
    match tree:
        case dict():
            return {name: plain(value) for name, value in tree.items()}
        case list():
            return [plain(value) for value in tree]
        case float():
            return Decimal(repr(tree))
    return tree


def find(text: str, path: str) -> str | None:
    """What a singular query finds: a string's text, or compact JSON; None for nothing, or null."""
    tree = parse(text, "step-error")
    if not re.fullmatch(r"\$(\.\w+|\[-?\d+\]|\['[^'\\]*'\])*", path):
        raise NotImplementedError(path)
    for name, place, quoted in re.findall(r"\.(\w+)|\[(-?\d+)\]|\['([^'\\]*)'\]", path):
        if place:
            inside = isinstance(tree, list) and -len(tree) <= int(place) < len(tree)
            tree = tree[int(place)] if inside else None
        else:
            tree = tree.get(name or quoted) if isinstance(tree, dict) else None
    return tree if tree is None or isinstance(tree, str) else written(tree)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _depth(tree: Any) -> int:
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return 1 + max(map(_depth, tree), default=0)
    return 0
