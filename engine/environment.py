"""The ``ENGINE_<SECTION>__<KEY>`` environment variables, as values of the configuration."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from engine.codec import decode_json
from engine.config import ENV_PREFIX, Origins, Settings, Values, keys
from engine.errors import InputError, Problem, nearest

__all__ = ["read_environment"]

_NOT_CONFIGURATION = frozenset({"ENGINE_CACHE", "ENGINE_MOTO_SERVER"})  # read by the set-up scripts and the demo


class _Variables(Settings, BaseSettings):
    """Tells the source below which variables there are; never instantiated."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__")


class _Source(EnvSettingsSource):
    """Reads a given environment rather than the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(_Variables)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ


def read_environment(environ: Mapping[str, str]) -> tuple[Values, Origins, list[Problem]]:
    """The configuration's values in an environment, the variables they came from, and every variable at fault.

    A name that starts with ``ENGINE_`` and is no key is at fault, and so is a list or table that is not JSON; what
    the values must be is for the caller to validate. Names are taken in any case.
    """
    valid = {f"{ENV_PREFIX}{section}__{key}".upper(): (section, key) for section in keys() for key in keys()[section]}
    found: list[Problem] = []
    usable: dict[str, str] = {}
    origins: Origins = {}
    for name, value in _ours(environ):
        place = valid.get(name.upper())
        fault = _fault(place, value) if place else f"unknown environment variable{nearest(name.upper(), valid)}"
        if place is None or fault:
            found.append(Problem(name, fault))
        else:
            usable[name] = value
            origins[place] = name
    return _Source(usable)(), origins, found


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in _NOT_CONFIGURATION:
            yield name, value


def _fault(place: tuple[str, str], value: str) -> str:
    section, key = place
    kind: Any = keys()[section][key].annotation
    if typing.get_origin(kind) in (list, tuple, dict):
        try:
            decode_json(value)
        except InputError as error:
            return f"{error.message} (lists and tables are written as JSON)"
    return ""
