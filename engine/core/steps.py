"""The steps of a field, as a mapping writes them (CONTRACT section 1)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from engine.core.jsonpath import parse_path
from engine.core.patterns import check_pattern, check_replacement, compile_pattern
from engine.core.re2 import Groups, check_re2, check_rewrite, groups_of
from engine.errors import nearest

__all__ = [
    "Base64Rule",
    "CallRule",
    "JsonRule",
    "LookupRule",
    "Pattern",
    "RegexRule",
    "ReplaceRule",
    "SplitRule",
    "Step",
    "Text",
]

_BARE = ("trim", "lower", "upper", "base64", "hex", "url_decode")


def _written(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise ValueError("numbers must be finite, and texts Unicode") from None
    return value


def _path(text: str) -> str:
    parse_path(text)
    return text


Text = Annotated[str, StringConstraints(max_length=10_000)]
"""A text that every row may get a copy of: so a mapping cannot make much of little."""

_PatternText = Annotated[str, StringConstraints(min_length=1)]
Pattern = Annotated[_PatternText, AfterValidator(check_pattern)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EmptyRule(_Rule):
    """A step that has nothing to say but its name."""


class Base64Rule(_Rule):
    """Strict base64 to bytes; ``urlsafe`` for the alphabet with ``-`` and ``_``."""

    urlsafe: bool = False


class _PatternRule(_Rule):
    """A pattern, and whose: ``re2`` takes linear time and knows no back references, look-arounds or Unicode classes by
    letters (``\\d`` is ASCII)."""

    engine: Literal["regex", "re2"] = "regex"
    pattern: _PatternText

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, pattern: str, info: ValidationInfo) -> str:
        return check_re2(pattern) if info.data.get("engine") == "re2" else check_pattern(pattern)

    def groups(self) -> Groups:
        """The pattern's capturing groups."""
        if self.engine == "re2":
            return groups_of(self.pattern)
        compiled = compile_pattern(self.pattern)
        return Groups(compiled.groups, dict(compiled.groupindex))


class RegexRule(_PatternRule):
    """What a pattern, or one of its groups, matches."""

    group: Annotated[int, Field(ge=0)] | str = 0
    match: Literal["search", "full"] = "search"
    no_match: Literal["null", "error"] = "null"

    @model_validator(mode="after")
    def _has_group(self) -> Self:
        count, names = self.groups()
        if isinstance(self.group, int) and self.group > count:
            raise ValueError(f"the pattern has {count} groups, no group {self.group}")
        if isinstance(self.group, str) and self.group not in names:
            raise ValueError(f"the pattern has no group {self.group!r}{nearest(self.group, names)}")
        return self

    @property
    def group_number(self) -> int:
        return self.groups().names[self.group] if isinstance(self.group, str) else self.group


class ReplaceRule(_PatternRule):
    """Every match of ``pattern`` replaced; ``with`` may name groups (``\\1``, ``\\g<name>``; by number for RE2)."""

    replacement: Annotated[Text, Field(alias="with")]

    @model_validator(mode="after")
    def _replacement_fits(self) -> Self:
        if self.engine == "re2":
            check_rewrite(self.replacement, groups_of(self.pattern).total)
        else:
            check_replacement(compile_pattern(self.pattern), self.replacement)
        return self


class SplitRule(_Rule):
    """A text cut at ``sep``: the part at ``index`` (negative from the end), or all parts as a JSON array."""

    sep: Annotated[str, StringConstraints(min_length=1)]
    index: int | None = None


class JsonRule(_Rule):
    """What an RFC 9535 singular query finds."""

    path: Annotated[str, AfterValidator(_path)]


class LookupRule(_Rule):
    """A text replaced by what a table says."""

    table: Annotated[dict[str, Text], Field(min_length=1)]
    otherwise: Literal["error", "null", "keep"] = "error"


class CallRule(BaseModel):
    """A transform that the operator registered, with its arguments: every key but ``name``."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, Annotated[JsonValue, AfterValidator(_written)]]

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$")]

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Step(BaseModel):
    """One step: exactly one of these keys; a step without settings may be written as its name alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    trim: EmptyRule | None = None
    lower: EmptyRule | None = None
    upper: EmptyRule | None = None
    base64: Base64Rule | None = None
    hex: EmptyRule | None = None
    url_decode: EmptyRule | None = None
    regex: RegexRule | None = None
    replace: ReplaceRule | None = None
    split: SplitRule | None = None
    json_: Annotated[JsonRule | None, Field(alias="json")] = None
    lookup: LookupRule | None = None
    default: Text | int | float | bool | None = None
    join: Text | None = None
    call: CallRule | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value in _BARE:
            return {value: {}}
        names = [field.alias or name for name, field in cls.model_fields.items()]
        what = f"the step {value!r} needs its settings" if value in names else f"no such step: {value!r}"
        raise ValueError(what + ("" if value in names else nearest(value, names)))

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.rule is None:
            raise ValueError("a step has exactly one key, the step's name")
        if isinstance(self.default, float) and not math.isfinite(self.default):
            raise ValueError("default: a number must be finite")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, dump: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value is not None}

    @property
    def name(self) -> str:
        """The step's name, as documents write it."""
        (name,) = self.model_fields_set
        return "json" if name == "json_" else name

    @property
    def rule(self) -> Any:
        """The step's settings: the value of its one key."""
        (name,) = self.model_fields_set
        return getattr(self, name)
