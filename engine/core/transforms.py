"""The transforms that are registered here: found by their entry points, loaded when a mapping first names them."""

from __future__ import annotations

import threading
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import to_json

from engine.documents import problems
from engine.errors import MappingError, Problem, nearest
from engine.transforms import RESERVED, Transform

if TYPE_CHECKING:
    from engine.core.steps import CallRule

__all__ = [
    "GROUP",
    "Registered",
    "Registry",
    "call_arguments",
    "call_problems",
    "find_transform",
    "load_transforms",
    "registry",
]

GROUP = "engine.transforms"


@dataclass(frozen=True, slots=True)
class Registered:
    """A transform under the name that mappings know it by.

    Attributes:
        arguments: validates what a mapping gives as arguments.
    """

    name: str
    transform: Transform[..., Any]
    arguments: type[BaseModel]


class Registry:
    """What is registered in the installation that this process runs in; looked up once, each loaded once."""

    def __init__(self) -> None:
        # Guards both. Held while an operator's module is imported, which may come back here: so one that may be
        # taken twice. Mappings are loaded under it, rows are never converted under it.
        self._lock = threading.RLock()
        self._entries: dict[str, list[EntryPoint]] | None = None
        self._found: dict[str, Registered | MappingError] = {}

    def entries(self) -> Mapping[str, Sequence[EntryPoint]]:
        """The entry points under each name, in the order of the names; more than one of a name is a mistake."""
        with self._lock:
            if self._entries is None:
                self._entries = {}
                for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
                    self._entries.setdefault(entry.name, []).append(entry)
            return self._entries

    def find(self, name: str) -> Registered:
        """The transform of that name, whose module is imported the first time.

        Raises:
            MappingError: none is registered under that name, more than one is, or it cannot be loaded; says which.
        """
        entries = self.entries()
        if name not in entries:
            raise MappingError(f"no transform {name!r} is registered here{nearest(name, entries)}")
        with self._lock:
            if name not in self._found:
                try:
                    self._found[name] = _load(name, entries[name])
                except MappingError as error:
                    self._found[name] = error
            found = self._found[name]
        if isinstance(found, MappingError):
            raise MappingError(found.problems)
        return found


registry = Registry()


def find_transform(name: str) -> Registered:
    """:meth:`Registry.find` of this process's registry."""
    return registry.find(name)


def load_transforms() -> dict[str, str]:
    """Loads all that are registered, and says where each is from and, where it cannot be loaded, why."""
    found: dict[str, str] = {}
    for name, entries in registry.entries().items():
        try:
            registry.find(name)
            found[name] = _distribution(entries[0])
        except MappingError as error:
            found[name] = error.message
    return found


def _distribution(entry: EntryPoint) -> str:
    """The name and version of the distribution that an entry point comes from."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown distribution"


def _load(name: str, entries: Sequence[EntryPoint]) -> Registered:
    if len(entries) > 1:
        given = " and ".join(map(_distribution, entries))
        raise MappingError(f"the transform {name!r} is registered by {given}; uninstall all but one")
    entry = entries[0]
    what = f"the transform {name!r} of {_distribution(entry)} cannot be loaded: "
    try:
        loaded = entry.load()
    except Exception as error:  # noqa: BLE001  an import runs whatever code there is
        raise MappingError(f"{what}{type(error).__name__}: {error}".replace("\n", " ")) from None
    if not isinstance(loaded, Transform):
        raise MappingError(f"{what}{entry.value} is not decorated with @transform or @column_transform")
    try:
        return Registered(name, loaded, _arguments_model(loaded))
    except Exception as error:  # noqa: BLE001  annotations are code, too, and pydantic has many errors for them
        why = str(error).partition("\n")[0]
        raise MappingError(f"{what}an argument's annotation cannot be used: {why}") from None


def _arguments_model(transform: Transform[..., Any]) -> type[BaseModel]:
    """A model of the keyword-only parameters. Its own names are not theirs, which a model may not allow."""
    parameters = signature(transform.function).parameters.values()
    arguments = [each for each in parameters if each.kind is Parameter.KEYWORD_ONLY]
    # Of these alone: the columns' annotations may name what is imported for type checkers only.
    annotated = {each.name: each.annotation for each in arguments if each.annotation is not Parameter.empty}
    hints = typing.get_type_hints(
        SimpleNamespace(__annotations__=annotated),
        globalns=getattr(transform.function, "__globals__", {}),
        include_extras=True,
    )
    fields: dict[str, Any] = {}
    for place, each in enumerate(arguments):
        needed = each.default is Parameter.empty
        annotation = hints.get(each.name, Any)
        fields[f"argument_{place}"] = (annotation, Field(... if needed else None, alias=each.name))
    anything = any(each.kind is Parameter.VAR_KEYWORD for each in parameters)
    config = ConfigDict(extra="allow" if anything else "forbid", strict=True)
    model: type[BaseModel] = create_model("Arguments", __config__=config, **fields)
    return model


def call_arguments(registered: Registered, rule: CallRule, labels: Sequence[str]) -> dict[str, Any]:
    """The arguments that a mapping gives, as the function's annotations want them; what is not given is left out.

    Args:
        labels: of the columns that the transform gets.

    Raises:
        ValidationError: they are not what the function takes.
    """
    model = registered.arguments
    given = model.model_validate_json(to_json(rule.arguments), context={"labels": tuple(labels)})
    names = {field.alias or name: name for name, field in model.model_fields.items()}
    made = {alias: getattr(given, name) for alias, name in names.items() if name in given.model_fields_set}
    return made | (given.model_extra or {})


def call_problems(rule: CallRule, labels: Sequence[str]) -> list[Problem]:
    """What of a call does not fit what is registered here, each at its place below the step's ``call``."""
    try:
        registered = find_transform(rule.name)
    except MappingError as error:
        return [Problem(RESERVED, error.message)]
    found: list[Problem] = []
    takes, more = registered.transform.columns, registered.transform.more
    if len(labels) < len(takes) or (len(labels) > len(takes) and not more):
        least = "at least " if more else ""
        listed = f" ({', '.join(takes)})" if takes else ""
        found.append(Problem("", f"{rule.name!r} takes {least}{_columns(len(takes) or 1)}{listed}, not {len(labels)}"))
    try:
        call_arguments(registered, rule, labels)
    except ValidationError as invalid:
        found += problems(registered.arguments, invalid)
    except Exception as error:  # noqa: BLE001  an annotation may hold validators, which are an operator's code
        found.append(Problem("", f"the arguments cannot be checked: {type(error).__name__}: {error}"))
    return found


def _columns(count: int) -> str:
    return f"{count} column{'s' if count > 1 else ''}"
