"""What is allowed in a mapping and will bite all the same."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from engine.core.mapping import FieldRule, Mapping
from engine.errors import Problem

__all__ = ["lint"]

# A quantified group that holds a quantifier: (a+)+, (\w*)*, (?:x+y?)*. Time can grow exponentially with the length.
_NESTED = re.compile(r"\((?:[^()\\]|\\.)*[*+}](?:[^()\\]|\\.)*\)(?:[*+]|\{\d*,)")
_DAY_FIRST = re.compile(r"%d(\W)%m")
_MONTH_FIRST = re.compile(r"%m(\W)%d")


def lint(mapping: Mapping) -> list[Problem]:
    """Warnings, each at its place in the document; none when nothing is suspicious."""
    found: list[Problem] = []
    for place, field in enumerate(mapping.fields):
        found += [Problem(f"fields[{place}].{where}", what) for where, what in _field(field)]
    types: dict[str, set[str]] = defaultdict(set)
    for field in mapping.fields:
        if len(field.labels) == 1 and not field.steps:
            types[field.labels[0]].add(field.type)
    found += [
        Problem("fields", f"column {label!r} is read as {' and as '.join(sorted(kinds))}")
        for label, kinds in types.items()
        if len(kinds) > 1
    ]
    return found


def _field(field: FieldRule) -> Iterator[tuple[str, str]]:
    nested = "a quantifier inside a quantified group can take for ever on some texts"
    for place, step in enumerate(field.steps):
        if step.name in ("regex", "replace") and _NESTED.search(step.rule.pattern):
            yield f"steps[{place}].{step.name}.pattern", nested
    if field.pattern is not None and _NESTED.search(field.pattern):
        yield "pattern", nested
    formats = field.formats or []
    days = {match[1] for text in formats for match in _DAY_FIRST.finditer(text)}
    months = {match[1] for text in formats for match in _MONTH_FIRST.finditer(text)}
    if days & months:
        yield "formats", "%d and %m stand in both orders: days up to 12 are read by whichever format comes first"
