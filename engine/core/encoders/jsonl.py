"""JSON Lines: one object a row, fields in order, nulls as ``null``, without making a Python object a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import to_json

from engine.core import native
from engine.core.columns import column_bytes
from engine.core.encoders import celltext
from engine.core.encoders.rowwriter import RowWriter
from engine.core.fieldtypes import FieldType, TypeKind

__all__ = ["JsonLinesRows"]

_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_CONTROLS = [chr(code) for code in range(0x20)]


def _escape(column: pa.Array) -> pa.Array:
    """Escapes what RFC 8259 wants escaped in a string, and nothing else."""
    data = column_bytes(column)
    if not data:
        return column
    octets = pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
    controls = _CONTROLS if pc.min(octets).as_py() < 0x20 else ()
    for character in ("\\", '"', *controls):  # the backslash first: the others bring new ones
        if character.encode() in data:
            column = pc.replace_substring(column, character, _SHORT.get(character, f"\\u{ord(character):04x}"))
    return column


# Each type's JSON text, and what stands before and after it.
_FORMS: dict[TypeKind, tuple[Callable[[pa.Array], pa.Array], str, str]] = {
    "string": (_escape, '"', '"'),
    "int": (celltext.int_text, "", ""),
    "float": (celltext.float_text, "", ""),
    "decimal": (celltext.decimal_text, "", ""),
    "bool": (celltext.bool_text, "", ""),
    "date": (celltext.date_text, '"', '"'),
    "timestamp": (celltext.timestamp_text, '"', 'Z"'),
    "uuid": (celltext.same_text, '"', '"'),
    "json": (celltext.same_text, "", ""),
    "bytes": (celltext.base64_text, '"', '"'),
}


class JsonLinesRows:
    """The rows of one mapping's fields as JSON Lines. Holds no state between batches."""

    header = b""

    def __init__(self, fields: Sequence[tuple[str, FieldType]]) -> None:
        self._forms = [_FORMS[type_.kind] for _, type_ in fields]
        keys = [to_json(name).decode() + ":" for name, _ in fields]
        self._heads = ["{" + keys[0], *("," + key for key in keys[1:])]
        heads = [head.encode() for head in self._heads]
        types = [type_ for _, type_ in fields]
        self._writer = RowWriter(types, heads, end=b"}\n", null=b"null", csv=False, filled=False)

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        """One line a row."""
        if not len(columns[0]):
            return b""
        text = self._writer.write(columns) if native.kernels is not None else None
        return self._joined(columns) if text is None else text

    def _joined(self, columns: Sequence[pa.Array]) -> bytes:
        pieces: list[pa.Array | str] = []
        literal = ""  # constant text since the last column
        for column, head, (text_of, before, after) in zip(columns, self._heads, self._forms, strict=True):
            text = text_of(column)
            if text.null_count:
                if before:
                    text = pc.binary_join_element_wise(before, text, after, "")
                pieces += [literal + head, text]
                literal = ""
            else:
                pieces += [literal + head + before, text]
                literal = after
        lines = pc.binary_join_element_wise(
            *pieces, literal + "}\n", "", null_handling="replace", null_replacement="null"
        )
        return column_bytes(lines)
