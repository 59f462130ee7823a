"""Columns of words for true and false, of UUIDs, of JSON and of base64."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.core.inference.reading import Reading, accepted, accepts
from engine.core.reference import FALSE, TRUE, to_bytes, to_json_text, to_uuid

__all__ = ["is_container", "read_base64", "read_bools", "read_json", "read_uuids"]

_PAIRS = ({"yes", "no"}, {"y", "n"}, {"t", "f"})
# A UUID without hyphens has its version and variant in their places; 32 other hex digits are somebody's hash.
_BARE_UUID = re.compile(r"[0-9a-f]{12}[1-8][0-9a-f]{3}[89ab][0-9a-f]{15}", re.IGNORECASE)
_PLAIN_BYTES = 12  # of readable text that base64 hides, before it is believed
_BINARY_TEXTS = 3  # different ones
_BINARY_CHARS = 12


def read_bools(texts: Sequence[str]) -> Reading | None:
    """``bool`` for the type's own words: one of true and false, or a pair of the others, must be among them.

    A column of only 0 and 1 counts something and is left to ``int``; only ``n``, or only ``f``, may mean anything.
    """
    if any(len(text) > 5 for text in texts):
        return None
    words = {text.lower() for text in texts}
    if words <= {*TRUE, *FALSE} and (words & {"true", "false"} or any(pair <= words for pair in _PAIRS)):
        return Reading("bool")
    return None


def read_uuids(texts: Sequence[str]) -> Reading | None:
    """``uuid``, if one is written with hyphens or all without them have a version and a variant."""
    if not accepted(to_uuid, texts):
        return None
    if any("-" in text for text in texts) or all(_BARE_UUID.fullmatch(text) for text in texts):
        return Reading("uuid")
    return None


def is_container(text: str) -> bool:
    """Whether a text is a JSON object or array."""
    return text.lstrip(" \t\r\n")[:1] in ("{", "[") and accepts(to_json_text, text)


def read_json(texts: Sequence[str]) -> Reading | None:
    """``json`` where objects and arrays are the most of it; lone numbers and words are something else."""
    if sum(map(is_container, texts)) * 2 < len(texts) or not accepted(to_json_text, texts):
        return None
    return Reading("json")


def read_base64(texts: Sequence[str]) -> Reading | None:
    """A ``base64`` step for text or JSON that it hides, ``bytes`` for what is binary.

    Many words are valid base64 by chance. What they decode to is hardly ever readable, which is proof enough of text.
    Binary must come in several cells, with both cases, a digit and one of ``+ / =`` among their characters, not all
    of them hexadecimal digits.
    """
    if not accepted(to_bytes, texts):
        return None
    decoded = [to_bytes(text) for text in texts]
    plain = _readable(decoded)
    if plain is not None:
        if sum(map(len, decoded)) < _PLAIN_BYTES:
            return None
        return (read_json(plain) or Reading("string")).after("base64")
    if len(texts) < _BINARY_TEXTS or any(len(text) < _BINARY_CHARS for text in texts):
        return None
    characters = set().union(*texts)
    kinds = (str.islower, str.isupper, str.isdigit, "+/=".__contains__)
    return Reading("bytes") if all(any(map(kind, characters)) for kind in kinds) else None


def _readable(decoded: Sequence[bytes]) -> list[str] | None:
    """The texts that bytes are in UTF-8; None where one is not, or holds characters that no text has."""
    try:
        texts = [cell.decode() for cell in decoded]
    except UnicodeDecodeError:
        return None
    return texts if all(text and text.translate(_LAYOUT).isprintable() for text in texts) else None


_LAYOUT = dict.fromkeys(map(ord, "\t\r\n"), " ")
