"""What of a mapping bites on a sample: decimals too narrow for its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic_core import from_json

from engine.core.limits import Limits
from engine.core.mapping import Budget, Mapping, OutputRule
from engine.core.plan import Plan
from engine.core.transform import Transform
from engine.errors import Problem

__all__ = ["DecimalLint"]

_DECIMAL = re.compile(r"[+-]?0*([0-9]*)\.?([0-9]*)")
_MOST_DIGITS = 38
_LONGEST = 1000  # characters of a text that may be a number with too many digits rather than something else
_AS_TEXT = {"type": "string", "required": False, "on_error": "null_value", "min": None, "max": None, "enum": None}


@dataclass(slots=True)
class _Width:
    """The digits that a field's numbers need, and those of them that its type refuses."""

    whole: int = 0
    places: int = 0
    refused: int = 0
    example: str = ""


class DecimalLint:
    """Feeds a sample through a mapping's decimal fields as text, to see whether their types hold its numbers.

    Rows that are refused before a field's type is looked at say nothing about it.
    """

    def __init__(self, mapping: Mapping, limits: Limits) -> None:
        self._fields = {
            rule.name: (place, rule.field_type)
            for place, rule in enumerate(mapping.fields)
            if rule.field_type.kind == "decimal" and rule.const is None
        }
        self._widths = {name: _Width() for name in self._fields}
        texts = [rule.model_copy(update=_AS_TEXT) for rule in mapping.fields if rule.name in self._fields]
        changes = {"fields": texts, "on_error": "null_value", "budget": Budget(), "output": OutputRule()}
        self._transform = (
            Transform(Plan.compile(mapping.model_copy(update=changes), limits), file="sample") if texts else None
        )

    def feed(self, data: bytes) -> None:
        """Takes the sample's next bytes; raises as :meth:`Transform.feed`."""
        if self._transform is not None:
            self._look(output.data for output in self._transform.feed(data))

    def finish(self) -> list[Problem]:
        """Takes the sample's end; a warning for each field whose type refuses numbers of it for their digits."""
        if self._transform is not None:
            self._look(output.data for output in self._transform.finish())
        return list(self._problems())

    def _look(self, written: Iterable[bytes]) -> None:
        for data in written:
            for line in data.splitlines():
                for name, text in from_json(line, cache_strings="none").items():
                    match = _DECIMAL.fullmatch(text) if text is not None and len(text) <= _LONGEST else None
                    if match is not None:
                        self._measure(name, text, len(match[1]), len(match[2]))

    def _measure(self, name: str, text: str, whole: int, places: int) -> None:
        width, kind = self._widths[name], self._fields[name][1]
        width.whole, width.places = max(width.whole, whole), max(width.places, places)
        if places > kind.scale or whole > kind.precision - kind.scale:
            width.refused += 1
            width.example = width.example or text

    def _problems(self) -> Iterator[Problem]:
        for name, (place, kind) in self._fields.items():
            width = self._widths[name]
            if width.refused:
                whole, scale = max(width.whole, kind.precision - kind.scale), max(width.places, kind.scale)
                cells = f"{width.refused:,} cell{'s' * (width.refused > 1)}"
                holds = (
                    f"decimal({whole + scale},{scale}) holds them"
                    if whole + scale <= _MOST_DIGITS
                    else f"they need {whole + scale} digits, more than any decimal has"
                )
                what = f"decimal({kind.precision},{kind.scale}) is too narrow for {cells} (as {width.example}); {holds}"
                yield Problem(f"fields[{place}].type", what)
