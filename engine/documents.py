"""Documents that people write (mappings, messages, configuration): every problem listed with its place."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.errors import InputError, Problem, nearest

__all__ = ["MAX_VALUES", "listed", "problems", "validate"]

MAX_VALUES = 120_000
"""The most values, those inside lists and objects among them, that a document may have. What is known of one that is
wrong takes up to 3 KB, and all of them may be."""

_MOST_PROBLEMS = 100  # named of one document, which may have one at every place
_WHERE_CHARS, _WHAT_CHARS = 200, 400  # of a problem: a document may bring keys and values of megabytes

_WHAT = {
    "missing": "is required",
    "model_type": "must be an object with keys",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}


def validate[M: BaseModel](model: type[M], document: object, error: type[InputError], *, file: str | None = None) -> M:
    """Validates a decoded document.

    Raises:
        InputError: as the class ``error``, with one :class:`Problem` for each fault, a hundred at most. A problem's
            ``where`` is the path in the document (``fields[3].type``); input values are never quoted, they may be
            secrets.
    """
    if _values(document) > MAX_VALUES:
        raise error(f"has more than {MAX_VALUES:,} values", file=file)
    try:
        return model.model_validate(document)
    except ValidationError as invalid:
        raise error(listed(problems(model, invalid)), file=file) from None


def _values(document: object) -> int:
    """How many values there are; no more than one over the most are counted."""
    left: list[object] = [document]
    count = 0
    while left and count <= MAX_VALUES:
        value = left.pop()
        count += 1
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count


def listed(found: Sequence[Problem]) -> list[Problem]:
    """Problems as an error lists them: the first, none of them endless, and how many more there are."""
    shown = [
        Problem(_clipped(each.where, _WHERE_CHARS), _clipped(each.what, _WHAT_CHARS)) for each in found[:_MOST_PROBLEMS]
    ]
    more = len(found) - len(shown)
    return [*shown, Problem("", f"and {more:,} more problems")] if more > 0 else shown


def _clipped(text: str, most: int) -> str:
    """The text, or its beginning and its end, which says what is to be done."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"


def problems(model: type[BaseModel], invalid: ValidationError) -> list[Problem]:
    """One problem for each error that pydantic found, in its order, duplicates (of union members) dropped."""
    found: dict[Problem, None] = {}
    for error in invalid.errors(include_url=False, include_context=False, include_input=False):
        loc = _document_path(model, error["loc"])
        if error["type"] == "extra_forbidden":
            name = str(loc[-1])
            what = f"unknown key {name!r}{nearest(name, _keys_at(model, loc[:-1]))}"
            found[Problem(_dotted(loc[:-1]), what)] = None
        else:
            what = _WHAT.get(error["type"]) or error["msg"].removeprefix("Value error, ")
            found[Problem(_dotted(loc), what)] = None
    return list(found)


def _dotted(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _document_path(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Drops the parts of a pydantic location that name a union's member rather than a place in the document."""
    path: list[int | str] = []
    here: list[Any] = [model]
    for position, part in enumerate(loc):
        below = [child for kind in here for child in _children(kind, part)]
        key = position == len(loc) - 1 and any(map(_has_keys, here))
        if below or key or isinstance(part, int):
            path.append(part)
            here = below
    return tuple(path)


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    here: list[Any] = [model]
    for part in loc:
        here = [child for kind in here for child in _children(kind, part)]
    models = [kind for outer in here for kind in _unfold(outer) if _is_model(kind)]
    return [field.alias or name for kind in models for name, field in kind.model_fields.items()]


def _children(kind: Any, part: int | str) -> Iterator[Any]:
    """The types a value of type ``kind`` may hold at key or index ``part``."""
    for member in _unfold(kind):
        if _is_model(member):
            for name, field in member.model_fields.items():
                if part in (name, field.alias):
                    yield field.annotation
        else:
            origin, args = typing.get_origin(member), typing.get_args(member)
            if origin in (list, tuple) and isinstance(part, int) and args:
                yield args[0]
            elif origin in (dict, Mapping) and args and isinstance(part, str):
                yield args[1]


def _has_keys(kind: Any) -> bool:
    return any(_is_model(member) or typing.get_origin(member) in (dict, Mapping) for member in _unfold(kind))


def _unfold(kind: Any) -> Iterator[Any]:
    """The members of a union; looks through ``type`` aliases and ``Annotated``."""
    if isinstance(kind, typing.TypeAliasType):
        yield from _unfold(kind.__value__)
    elif typing.get_origin(kind) is typing.Annotated:
        yield from _unfold(typing.get_args(kind)[0])
    elif typing.get_origin(kind) is typing.Union or type(kind).__name__ == "UnionType":
        for member in typing.get_args(kind):
            yield from _unfold(member)
    else:
        yield kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
