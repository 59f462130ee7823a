"""Rules as a script writes them: JSON."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tests.faults.operations import OPERATIONS
from tests.faults.rules import (
    DROP,
    LOSE_ANSWER,
    RESET,
    Alter,
    Cut,
    Delay,
    Do,
    Drip,
    Hold,
    Match,
    Refuse,
    Replay,
    Rule,
    Substitute,
    replacing,
)

__all__ = ["explained", "written_rule"]

_KINDS: dict[str, type[Cut | Hold | Delay | Drip | Refuse | Substitute]] = {
    "cut": Cut,
    "hold": Hold,
    "delay": Delay,
    "drip": Drip,
    "refuse": Refuse,
    "substitute": Substitute,
}
_SHORT: dict[str, tuple[Do, str]] = {
    "reset": (RESET, "nothing is forwarded, the client sees a reset"),
    "lose-answer": (LOSE_ANSWER, "the request is carried out, the client sees a reset"),
    "drop": (DROP, "nothing is forwarded, the client sees silence"),
    "replay": (Replay(), "the request is forwarded twice, the second answer given"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Alter:
    """Changes the answer: every `replace` in its body into `by`, header fields to these values (null: left out)."""

    replace: str = ""
    by: str = ""
    headers: dict[str, str | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class _Limits:
    """How often a rule strikes.

    The first `after` matches are spared, at most `times` struck (null: without end), each with the probability `rate`
    (drawn from `seed`), and none later than `seconds` after the first that was.
    """

    after: int = 0
    times: int | None = None
    rate: float = 1.0
    seed: int = 0
    seconds: float | None = None


def written_rule(text: str) -> Rule:
    """The rule that ``{"match": {...}, "do": ..., "times": ...}`` stands for.

    Raises:
        ValueError: it is none; says what is wrong with it, in one line.
    """
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(given, dict) or "do" not in given:
        raise ValueError('a rule is an object like {"match": {"operation": "GetObject"}, "do": "reset"}')
    match = _validated(Match, "match", given.pop("match", {}))
    do = _do(given.pop("do"))
    return Rule(match, do, **dataclasses.asdict(_validated(_Limits, "rule", given)))


def _do(given: object) -> Do:
    if isinstance(given, str) and given in _SHORT:
        return _SHORT[given][0]
    if isinstance(given, dict) and len(given) == 1:
        ((name, values),) = given.items()
        if name == "alter":
            alter = _validated(_Alter, "alter", values)
            change = replacing(alter.replace.encode(), alter.by.encode()).change if alter.replace else None
            return Alter(change, alter.headers)
        if name in _KINDS:
            return _validated(_KINDS[name], name, values)
    kinds = [*_SHORT, *(f'{{"{name}": {{...}}}}' for name in [*_KINDS, "alter"])]
    raise ValueError(f"do: one of {', '.join(kinds)}")


def _validated[Kind](kind: type[Kind], name: str, values: object) -> Kind:
    if not isinstance(values, dict):
        raise ValueError(f"{name}: must be an object")  # noqa: TRY004 - what is wrong is a value of the user's
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]  # all are dataclasses
    for unknown in [value for value in values if value not in names]:
        raise ValueError(f"{name}: no {unknown}; there are {', '.join(names)}")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([name, *map(str, first["loc"])])
        raise ValueError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


def explained() -> str:
    """All that a rule can say, for ``--help``."""
    kinds: list[tuple[str, Any]] = [*_KINDS.items(), ("alter", _Alter)]
    lines = [
        'A rule: {"match": {...}, "do": ..., "after": 0, "times": null, "rate": 1.0, "seed": 0, "seconds": null}',
        *_wrapped((_Limits.__doc__ or "").split("\n\n")[1]),
        "The first rule that strikes a call is the one that does; a delay lets later ones have their turn.",
        "",
        f'"match": {_names(Match)}',
        *_wrapped(
            "Globs, all of which must fit; operation may be a list. Operations: " + ", ".join(sorted(OPERATIONS))
        ),
        "",
        '"do", one of',
        *(f'  "{name}": {text}' for name, (_, text) in _SHORT.items()),
    ]
    for name, kind in kinds:
        lines.append(f'  {{"{name}": {_names(kind)}}}')
        lines += _wrapped((kind.__doc__ or "").replace("``", "`").replace(":meth:`Rule.release`", "release"), 6)
    return "\n".join(lines)


def _names(kind: Any) -> str:
    shown = []
    for field in dataclasses.fields(kind):
        default = {} if field.default_factory is not dataclasses.MISSING else field.default
        value = default.decode() if isinstance(default, bytes) else default
        shown.append(f'"{field.name}": {"..." if value is dataclasses.MISSING else json.dumps(value)}')
    return "{" + ", ".join(shown) + "}"


def _wrapped(text: str, indent: int = 2) -> list[str]:
    space = " " * indent
    return textwrap.wrap(" ".join(text.split()), 110, initial_indent=space, subsequent_indent=space)
