"""A proposed mapping as people write one: a field a line in JSON, a table a field in TOML."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["to_json_document", "to_toml_document"]


def to_json_document(document: dict[str, Any]) -> str:
    """The document as JSON, ended by a newline."""
    parts = [
        f"  {_value(key)}: {_fields(value) if key == 'fields' else _value(value)}" for key, value in document.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _fields(fields: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(f"    {_value(field)}" for field in fields) + "\n  ]"


def to_toml_document(document: dict[str, Any]) -> str:
    """The document as TOML. JSON's texts, numbers, booleans and arrays are TOML's too, with one character escaped.

    It has no null: of a quote the empty text says the same.
    """
    lines = [f"{key} = {_toml(value)}" for key, value in document.items() if not isinstance(value, list | dict)]
    for key, value in document.items():
        for table in value if isinstance(value, list) else [value]:
            if isinstance(table, dict):
                lines += ["", f"[[{key}]]" if isinstance(value, list) else f"[{key}]"]
                lines += [f"{name} = {_toml(item)}" for name, item in table.items()]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return '""' if value is None else _value(value).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
