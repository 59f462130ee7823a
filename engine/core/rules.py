"""What of a field's settings goes with what: checked when a mapping is loaded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.core.fieldtypes import TypeKind
from engine.core.timeformats import EPOCHS

if TYPE_CHECKING:
    from engine.core.mapping import FieldRule

__all__ = ["field_problem"]

_ORDERED: tuple[TypeKind, ...] = ("int", "float", "decimal", "date", "timestamp")

_COPIES = 4  # of a column in one field: so a mapping cannot make much of little

# Which types a setting is for.
_FOR: dict[str, tuple[TypeKind, ...]] = {
    "formats": ("date", "timestamp"),
    "timezone": ("timestamp",),
    "true": ("bool",),
    "false": ("bool",),
    "min": _ORDERED,
    "max": _ORDERED,
    "min_length": ("string", "bytes"),
    "max_length": ("string", "bytes"),
    "pattern": ("string",),
    "enum": ("string", "int", "float", "decimal", "bool", "date", "timestamp", "uuid"),
}


def field_problem(rule: FieldRule) -> str | None:
    """The first thing in a field's settings that does not go together; None when all does."""
    kind = rule.field_type.kind
    for setting, kinds in _FOR.items():
        if getattr(rule, setting) is not None and kind not in kinds:
            return f"{setting} is for {', '.join(kinds)}, not for {kind}"
    return _source_problem(rule) or _type_problem(rule)


def _source_problem(rule: FieldRule) -> str | None:
    joins = [place for place, step in enumerate(rule.steps) if step.name == "join"]
    if rule.const is not None and rule.source is not None:
        return "a field has either const or from"
    if isinstance(rule.source, list):
        if not rule.steps or rule.steps[0].name not in ("join", "call"):
            return "several columns need join or call as the first step"
        joins = joins[1:] if joins and joins[0] == 0 else joins
    if isinstance(rule.source, list):
        label, times = Counter(rule.source).most_common(1)[0]
        if times > _COPIES:
            return f"from has {label!r} {times:,} times; {_COPIES} is the most"
    if joins:
        return f"steps[{joins[0]}]: join is the first step of a field that is read from several columns"
    return None


def _type_problem(rule: FieldRule) -> str | None:
    if rule.field_type.kind == "date" and rule.formats and set(rule.formats) & set(EPOCHS):
        return "formats: epochs are for timestamp, not for date"
    both = {word.lower() for word in rule.true or ()} & {word.lower() for word in rule.false or ()}
    if both:
        return f"true and false both have {min(both)!r}"
    if rule.min_length is not None and rule.max_length is not None and rule.min_length > rule.max_length:
        return "min_length is greater than max_length"
    return None
