"""One field of one row: its columns, its steps, its type, its constraints."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, le
from typing import Any

import regex

from tests.oracle.faults import Bad
from tests.oracle.steps import Cell, apply, join, scalar_text
from tests.oracle.values import convert

__all__ = ["evaluate", "labels_of"]


def labels_of(rule: dict[str, Any]) -> list[str]:
    """The columns that a field is read from."""
    if rule.get("const") is not None:
        return []
    source = rule.get("from", rule["name"])
    return source if isinstance(source, list) else [source]


def evaluate(rule: dict[str, Any], cells: tuple[str | None, ...], cell_bytes: int) -> tuple[Any, list[str]]:
    """The field's value, None where it is null or bad, and the codes of what is wrong with it."""
    try:
        cell = _source(rule, cells, cell_bytes)
        value = None if cell is None else convert(cell, rule)
    except Bad as bad:
        return None, [bad.code]
    if value is None:
        return None, ["missing-value"] if rule.get("required", False) else []
    broken = ["constraint-error" for name, holds in _CONSTRAINTS.items() if name in rule and not holds(value, rule)]
    return (None, broken) if broken else (value, [])


def _source(rule: dict[str, Any], cells: tuple[str | None, ...], cell_bytes: int) -> Cell:
    if rule.get("const") is not None:
        return scalar_text(rule["const"])
    for each in cells:
        _check_length(each, cell_bytes)
    steps = list(rule.get("steps", []))
    cell: Cell = cells[0]
    if isinstance(rule.get("from"), list):
        cell = join(cells, steps.pop(0)["join"])
    for step in steps:
        cell = apply(step, cell)
        if "replace" in step:  # the step that can make any text of a short one
            _check_length(cell, cell_bytes)
    return cell


def _check_length(cell: Cell, most: int) -> None:
    if isinstance(cell, str) and len(cell.encode()) > most:
        raise Bad("too-long")


def _bound(rule: dict[str, Any], name: str) -> Any:
    return convert(scalar_text(rule[name]), rule)


_CONSTRAINTS: dict[str, Callable[[Any, dict[str, Any]], bool]] = {
    "min": lambda value, rule: ge(value, _bound(rule, "min")),
    "max": lambda value, rule: le(value, _bound(rule, "max")),
    "min_length": lambda value, rule: len(value) >= rule["min_length"],
    "max_length": lambda value, rule: len(value) <= rule["max_length"],
    "pattern": lambda value, rule: regex.fullmatch(rule["pattern"], value) is not None,
    "enum": lambda value, rule: value in [convert(scalar_text(each), rule) for each in rule["enum"]],
}
