"""A text made of several columns: ``{first} {last}``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo

from engine.transforms import transform

__all__ = ["Template", "text_template"]

# A brace doubled, a label in braces, or text without braces. A client writes templates, so str.format is not for them:
# it would follow {first.__class__}, and {first:>1000000000} would take all the memory there is.
_PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<label>[^{}]+)\}|(?P<text>[^{}]+)")


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of a template in order: a text, or the number of a column from 0."""

    parts: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: object, info: ValidationInfo) -> Template:
        """Reads a template when a mapping is loaded.

        Raises:
            ValueError: it is not a text, has a brace too many, or names a label that is none of the columns'.
        """
        if not isinstance(text, str):
            raise ValueError("a template is a text")  # noqa: TRY004  pydantic takes ValueError
        labels: tuple[str, ...] = info.context["labels"] if info.context else ()
        parts: list[str | int] = []
        at = 0
        while at < len(text):
            match = _PART.match(text, at)
            if match is None:
                raise ValueError(f"a brace without its partner at character {at + 1}; a brace itself is written twice")
            label = match["label"]
            if label is not None and label not in labels:
                raise ValueError(f"no column {label!r}; there are {', '.join(map(repr, labels))}")
            parts.append(labels.index(label) if label is not None else match["text"] or match["brace"][0])
            at = match.end()
        return cls(tuple(parts))


@transform(nulls=True)
def text_template(*columns: str | None, template: Annotated[Template, PlainValidator(Template.parse)]) -> str | None:
    """The template with each label in braces replaced by the row's text; nulls count as empty, only nulls give null."""
    if all(text is None for text in columns):
        return None
    return "".join(part if isinstance(part, str) else columns[part] or "" for part in template.parts)
