"""JSON documents to bytes and back: messages, mappings, manifests, checkpoints. Not for row data.

Two backends, one behaviour: msgspec where it can be imported (it cannot be built for free-threaded 3.13), else
pydantic-core. Both write the same bytes and refuse the same text; ``tests/test_codec.py`` runs over both.
"""

from __future__ import annotations

import importlib
import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pydantic_core

from engine.errors import InputError, Problem

__all__ = ["BACKENDS", "MAX_DEPTH", "decode_json", "encode_json"]

MAX_DEPTH = 64
"""How deep arrays and objects may nest."""


_TOO_DEEP = f"nests deeper than {MAX_DEPTH} levels"
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKET = re.compile(r"[\[\]{}]")


def _msgspec() -> Any:
    try:
        return importlib.import_module("msgspec")
    except ImportError:
        return None


msgspec = _msgspec()


def _pydantic_decode(text: bytes | str) -> Any:
    # The string cache takes a lock that all threads share; documents are too small to gain from it.
    return pydantic_core.from_json(text, allow_inf_nan=False, cache_strings="none")


def _pydantic_encode(value: Any) -> bytes:
    return pydantic_core.to_json(value)


def _msgspec_decode(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _pydantic_decode(text)  # refuses it too, and says at which line and column


def _msgspec_encode(value: Any) -> bytes:
    encoded: bytes = msgspec.json.encode(value)
    return encoded


BACKENDS: dict[str, tuple[Callable[[bytes | str], Any], Callable[[Any], bytes]]] = {
    "pydantic_core": (_pydantic_decode, _pydantic_encode)
}
"""What this build can use, as (decode, encode)."""
if msgspec is not None:
    BACKENDS["msgspec"] = (_msgspec_decode, _msgspec_encode)

_BACKEND = "msgspec" if msgspec is not None else "pydantic_core"


def decode_json(text: bytes | str, *, backend: str = _BACKEND) -> Any:
    """Reads one RFC 8259 value.

    Raises:
        InputError: it is not JSON, nests deeper than :data:`MAX_DEPTH`, holds a number that is not finite, or a key
            twice in one object: who checked it elsewhere may have seen the other value.
    """
    _refuse_duplicates(text)
    try:
        value = BACKENDS[backend][0](text)
    except (ValueError, UnicodeError) as error:
        what = _TOO_DEEP if _is_deep(text) else f"is not JSON: {error}"
        raise InputError(what) from None
    _check(value, "", 0)
    return value


def _is_deep(text: bytes | str) -> bool:
    """Whether a text that cannot be read nests too deep, for which the backends have limits and words of their own."""
    plain = _STRING.sub("", text if isinstance(text, str) else text.decode("latin-1"))
    steps = (1 if found[0] in "[{" else -1 for found in _BRACKET.finditer(plain))
    return any(depth > MAX_DEPTH for depth in itertools.accumulate(steps))


def _refuse_duplicates(text: bytes | str) -> None:
    """Neither backend tells of a key that stands twice. What else is wrong with the text they say better."""
    try:
        # Nothing is made of the document: values are dropped as they are read, numbers are not even converted.
        json.loads(
            text if isinstance(text, str) else text.decode(),
            object_pairs_hook=_once,
            parse_int=len,
            parse_float=len,
            parse_constant=len,
        )
    except _TwiceError as found:
        raise InputError(f"key {found.args[0]!r} is given twice") from None
    except (ValueError, RecursionError):
        return


class _TwiceError(Exception):
    """A key that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len(dict(pairs)) < len(pairs):
        seen: set[str] = set()
        raise _TwiceError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


def encode_json(value: Any, *, backend: str = _BACKEND) -> bytes:
    """Writes a value as compact UTF-8 JSON; objects keep their order.

    Raises:
        InputError: it holds something JSON cannot say (NaN, Infinity, a lone surrogate, a key that is not text, any
            other type), or nests deeper than :data:`MAX_DEPTH`.
    """
    _check(value, "", 0)
    try:
        return BACKENDS[backend][1](value)
    except (ValueError, UnicodeError):  # the only text that UTF-8 cannot say
        raise InputError("holds a lone surrogate, which UTF-8 cannot say") from None


def _check(value: Any, where: str, depth: int) -> None:
    """Refuses what the backends would treat differently from each other or from RFC 8259."""
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError([Problem(where, "NaN, Infinity and numbers beyond a double are not allowed")])
    elif depth == MAX_DEPTH:
        raise InputError([Problem("", _TOO_DEEP)])
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError([Problem(where, "a key that is not text")])
            _check(item, f"{where}.{key}" if where else key, depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]", depth + 1)
    else:
        raise InputError([Problem(where, f"a {type(value).__name__} is not JSON")])
