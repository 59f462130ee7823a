"""What is allowed in a mapping and will bite all the same. What only a sample can show is in ``samplelint``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from engine.core.backtracking import may_explode
from engine.core.mapping import FieldRule, Mapping
from engine.core.overlap import differing_text
from engine.errors import Problem

__all__ = ["lint"]

_EXPLODES = (
    "a repeated part that can read one text in several ways: on a text that does not match, the time can double with"
    " each character; keep the repetitions apart, or make them possessive (a++)"
)


def lint(mapping: Mapping) -> list[Problem]:
    """Warnings, each at its place in the document; none when nothing is suspicious."""
    found = [
        Problem(f"fields[{place}].{where}", what)
        for place, field in enumerate(mapping.fields)
        for where, what in (*_patterns(field), *_formats(field))
    ]
    return found + list(_types(mapping))


def _patterns(field: FieldRule) -> Iterator[tuple[str, str]]:
    for place, step in enumerate(field.steps):
        if step.name in ("regex", "replace") and step.rule.engine == "regex" and may_explode(step.rule.pattern):
            yield f"steps[{place}].{step.name}.pattern", _EXPLODES
    if field.pattern is not None and may_explode(field.pattern):
        yield "pattern", _EXPLODES


def _types(mapping: Mapping) -> Iterator[Problem]:
    """Columns that, after the same steps, are read under more than one type."""
    types: dict[str, dict[str, str]] = defaultdict(dict)
    columns: dict[str, str] = {}
    for field in mapping.fields:
        if field.labels:
            chain = repr((field.labels, [step.model_dump(mode="json", by_alias=True) for step in field.steps]))
            types[chain].setdefault(repr(field.field_type), field.type)
            columns[chain] = (
                "column " + " and ".join(map(repr, field.labels)) + " after the same steps" * bool(field.steps)
            )
    for chain, kinds in types.items():
        if len(kinds) > 1:
            yield Problem("fields", f"{columns[chain]} is read as {' and as '.join(sorted(kinds.values()))}")


def _formats(field: FieldRule) -> Iterator[tuple[str, str]]:
    """Formats of which both read some text, but not as the same time."""
    for first, second in combinations(dict.fromkeys(field.formats or ()), 2):
        text = differing_text(first, second, date=field.field_type.kind == "date")
        if text is not None:
            yield (
                "formats",
                f"{first!r} and {second!r} both read {text!r}, each as another time: {first!r} stands first",
            )
