"""The JSON Lines encoder: typed columns in, bytes out, without making a Python object a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_json

from engine.core.columns import column_bytes
from engine.core.mapping import TypeName

__all__ = ["JsonLines"]

_ESCAPED = bytes(range(0x20)) + b'"\\'
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _escape(column: pa.Array) -> pa.Array:
    """Escapes what RFC 8259 wants escaped in a string, and nothing else."""
    data = column_bytes(column)
    if len(data.translate(None, _ESCAPED)) == len(data):
        return column
    present = sorted(set(data) & set(_ESCAPED), key=lambda byte: byte != ord("\\"))  # the backslash first
    for byte in present:
        character = chr(byte)
        column = pc.replace_substring(column, character, _SHORT.get(character, f"\\u{byte:04x}"))
    return column


def _timestamp(column: pa.Array) -> pa.Array:
    # Casting a column with a zone to text is thirty times slower than one without; both are UTC here.
    text = pc.cast(pc.cast(column, pa.timestamp("us")), pa.string())
    return pc.binary_replace_slice(text, 10, 11, "T")


def _as_text(column: pa.Array) -> pa.Array:
    return pc.cast(column, pa.string())


def _as_is(column: pa.Array) -> pa.Array:
    return column


# Each type's JSON text, and what stands before and after it.
_FORMS: dict[TypeName, tuple[Callable[[pa.Array], pa.Array], str, str]] = {
    "string": (_escape, '"', '"'),
    "int": (_as_text, "", ""),
    "float": (_as_text, "", ""),
    "bool": (_as_text, "", ""),
    "timestamp": (_timestamp, '"', 'Z"'),
    "uuid": (_as_is, '"', '"'),
    "json": (_as_is, "", ""),
}


class JsonLines:
    """Encodes batches of one mapping's fields. Holds no state between batches.

    Args:
        fields: name and type of each field, in output order.
    """

    def __init__(self, fields: Sequence[tuple[str, TypeName]]) -> None:
        self._forms = [_FORMS[kind] for _, kind in fields]
        keys = [to_json(name).decode() + ":" for name, _ in fields]
        self._heads = ["{" + keys[0], *("," + key for key in keys[1:])]

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        """One line a row, fields in order, nulls as ``null``; ``columns`` are the typed columns, of equal length."""
        if not len(columns[0]):
            return b""
        pieces: list[pa.Array | str] = []
        literal = ""  # constant text since the last column
        for column, head, (text_of, before, after) in zip(columns, self._heads, self._forms, strict=True):
            text = text_of(column)
            if text.null_count:
                if before:
                    text = pc.binary_join_element_wise(before, text, after, "")
                pieces += [literal + head, pc.fill_null(text, "null")]
                literal = ""
            else:
                pieces += [literal + head + before, text]
                literal = after
        lines = pc.binary_join_element_wise(*pieces, literal + "}\n", "")
        return column_bytes(lines)
