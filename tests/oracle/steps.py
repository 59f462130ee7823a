"""The steps, each a function of a cell that is not null."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import regex

from tests.oracle.documents import find
from tests.oracle.faults import Bad
from tests.oracle.values import decoded, matched, octets

__all__ = ["apply", "join", "scalar_text"]

type Cell = str | bytes | None


def apply(step: str | dict[str, Any], cell: Cell) -> Cell:
    """What a step makes of a cell.

    Raises:
        Bad: it cannot be applied.
    """
    settings: Any
    name, settings = (step, {}) if isinstance(step, str) else next(iter(step.items()))
    if cell is None:
        return scalar_text(settings) if name == "default" else None
    return cell if name == "default" else _STEPS[name](decoded(cell), **settings)


def join(cells: tuple[str | None, ...], separator: str) -> str | None:
    """Several columns as one; nulls count as empty text, and only nulls give null."""
    return None if set(cells) == {None} else separator.join(cell or "" for cell in cells)


def scalar_text(value: str | float | bool) -> str:
    """A constant of a mapping as the text that a cell would hold."""
    return value if isinstance(value, str) else json.dumps(value)


def _url_decode(text: str) -> str:
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise Bad("step-error")
    raw = re.sub(rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode(), flags=re.DOTALL)
    return decoded(raw)


def _regex(text: str, pattern: str, group: int | str = 0, match: str = "search", no_match: str = "null") -> str | None:
    found = (regex.fullmatch if match == "full" else regex.search)(pattern, text)
    if found is None and no_match == "error":
        raise Bad("step-error")
    return None if found is None else found.group(group)


def _split(text: str, sep: str, index: int | None = None) -> str | None:
    parts = text.split(sep)
    if index is None:
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return parts[index] if -len(parts) <= index < len(parts) else None


def _lookup(text: str, table: dict[str, str], otherwise: str = "error") -> str | None:
    if text in table:
        return table[text]
    if otherwise == "error":
        raise Bad("step-error")
    return text if otherwise == "keep" else None


_STEPS: dict[str, Callable[..., Cell]] = {
    "trim": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "base64": lambda text, urlsafe=False: octets(text, "step-error", urlsafe=urlsafe),
    "hex": lambda text: bytes.fromhex(matched("([0-9a-f]{2})*", text, "step-error").group()),
    "url_decode": _url_decode,
    "regex": _regex,
    "replace": lambda text, **settings: regex.sub(settings["pattern"], settings["with"], text),
    "split": _split,
    "json": find,
    "lookup": _lookup,
}
