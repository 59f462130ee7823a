"""The types a field may have, as a mapping names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from engine.errors import nearest

__all__ = ["TYPE_SCHEMA", "FieldType", "TypeKind", "parse_type"]

type TypeKind = Literal["string", "int", "float", "decimal", "bool", "date", "timestamp", "uuid", "json", "bytes"]

_PLAIN: dict[str, TypeKind] = {
    "string": "string",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "date": "date",
    "timestamp": "timestamp",
    "uuid": "uuid",
    "json": "json",
    "bytes": "bytes",
}
_DECIMAL = re.compile(r"decimal\(([0-9]{1,2}),([0-9]{1,2})\)")
TYPE_SCHEMA = {
    "anyOf": [{"enum": list(_PLAIN)}, {"type": "string", "pattern": r"^decimal\([0-9]{1,2}, ?[0-9]{1,2}\)$"}]
}
"""JSON Schema of a type's name."""

_DIGITS = 38  # of a decimal128


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type; ``precision`` and ``scale`` are a decimal's digits, all and after the point."""

    kind: TypeKind
    precision: int = 0
    scale: int = 0


def parse_type(text: str) -> FieldType:
    """Reads a type's name.

    Raises:
        ValueError: there is no such type; offers the nearest.
    """
    if text in _PLAIN:
        return FieldType(_PLAIN[text])
    match = _DECIMAL.fullmatch(text.replace(" ", ""))
    if match is None:
        hint = " (as decimal(12,2))" if text.startswith("decimal") else nearest(text, _PLAIN)
        raise ValueError(f"no such type: {text!r}{hint}")
    precision, scale = int(match[1]), int(match[2])
    if not 1 <= precision <= _DIGITS or scale > precision:
        raise ValueError(f"decimal(p,s) takes 1 to {_DIGITS} digits p, of which s at most p stand after the point")
    return FieldType("decimal", precision, scale)
