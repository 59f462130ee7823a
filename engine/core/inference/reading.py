"""How a column would be read: a proposal for one field's type, formats and steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.core.mapping import FieldRule
from engine.core.reference import CellFault
from engine.core.stepping import reference as steps
from engine.core.timeformats import ISO8601
from engine.core.types import compile_type

__all__ = ["STRING", "Reading", "accepted", "accepts"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A type with what it needs.

    Attributes:
        formats: of a date or timestamp; none for plain ISO 8601.
        steps: bare names, in order.
        remarks: what the sample does not decide, or what decided against another type; one line each.
    """

    type: str
    formats: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is text as it stands, which every column can be."""
        return self.type == "string" and not self.steps

    def settings(self) -> dict[str, Any]:
        """What a field of this reading says in a mapping."""
        settings: dict[str, Any] = {}
        if self.steps:
            settings["steps"] = list(self.steps)
        settings["type"] = self.type
        if self.formats and self.formats != (ISO8601,):
            settings["formats"] = list(self.formats)
        return settings

    def takes(self, text: str) -> bool:
        """Whether a text could be read so."""
        return accepts(self._convert, text)

    def _convert(self, text: str) -> None:
        value: steps.Value = text
        for step in self.steps:
            value = _STEPS[step](value)
        rule = FieldRule.model_validate({"name": "a", **self.settings()})
        compile_type(rule).reference(steps.as_text(value or ""))

    def after(self, step: str) -> Reading:
        """The same behind another step."""
        return replace(self, steps=(step, *self.steps))


STRING = Reading("string")
_STEPS: dict[str, Callable[[steps.Value], steps.Value]] = {
    "trim": steps.trim,
    "base64": partial(steps.base64, urlsafe=False),
}


def accepts(convert: Callable[[str], Any], text: str) -> bool:
    """Whether a reference converter takes a text."""
    try:
        convert(text)
    except CellFault:
        return False
    return True


def accepted(convert: Callable[[str], Any], texts: Iterable[str]) -> bool:
    """Whether a reference converter takes every text."""
    try:
        for text in texts:
            convert(text)
    except CellFault:
        return False
    return True
