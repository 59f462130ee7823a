"""CSV output: a header row, commas, ``\\n``, and quotes only where a reader needs them.

Cell for cell what Python's ``csv.writer(lineterminator="\\n")`` writes. Nulls and empty texts are empty cells alike;
in a file of one column they are ``""``, since readers skip a line with nothing on it.

Guarded, a label or a ``string`` that begins as formulas do gets an apostrophe in front, so that no spreadsheet runs
what a client wrote. Numbers, which may begin with a minus, stay what they are, in JSON too; base64 can call nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native
from engine.core.columns import column_bytes
from engine.core.encoders import celltext
from engine.core.encoders.rowwriter import RowWriter
from engine.core.fieldtypes import FieldType, TypeKind

__all__ = ["DelimitedRows"]

_SPECIAL = ('"', ",", "\n", "\r")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FORMULA_COLUMN = pa.array(_FORMULA)


def _guard(column: pa.Array) -> pa.Array:
    """An apostrophe before the texts that a spreadsheet would take for formulas."""
    begins = pc.is_in(pc.utf8_slice_codeunits(column, 0, 1), _FORMULA_COLUMN)
    return pc.if_else(begins, pc.binary_join_element_wise("'", column, ""), column)


def _guarded_text(column: pa.Array) -> pa.Array:
    return _quote(_guard(column))


def _quote(column: pa.Array) -> pa.Array:
    """Quotes the cells that hold a quote, a comma or a line end."""
    data = column_bytes(column)
    present = [character for character in _SPECIAL if character.encode() in data]
    if not present:
        return column
    doubled = pc.replace_substring(column, '"', '""') if '"' in present else column
    quoted = pc.greater(pc.binary_length(doubled), pc.binary_length(column))
    for character in present:
        if character != '"' and not pc.all(quoted).as_py():
            quoted = pc.or_(quoted, _holds(column, character))
    return pc.if_else(quoted, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def _holds(column: pa.Array, character: str) -> pa.Array:
    """Which cells hold a character: those that lose one. Takes half of what Arrow's own searches do."""
    return pc.less(
        pc.binary_length(pc.replace_substring(column, character, "", max_replacements=1)), pc.binary_length(column)
    )


def _timestamp(column: pa.Array) -> pa.Array:
    return pc.binary_replace_slice(celltext.timestamp_text(column), 26, 26, "Z")


_FORMS: dict[TypeKind, Callable[[pa.Array], pa.Array]] = {
    "string": _quote,
    "int": celltext.int_text,
    "float": celltext.float_text,
    "decimal": celltext.decimal_text,
    "bool": celltext.bool_text,
    "date": celltext.date_text,
    "timestamp": _timestamp,
    "uuid": celltext.same_text,
    "json": _quote,
    "bytes": celltext.base64_text,
}


class DelimitedRows:
    """The rows of one mapping's fields as CSV. Holds no state between batches.

    Args:
        guarded: whether labels and texts that begin as formulas do get an apostrophe.
    """

    def __init__(self, fields: Sequence[tuple[str, FieldType]], *, guarded: bool = False) -> None:
        forms = _FORMS | {"string": _guarded_text} if guarded else _FORMS
        self._forms = [forms[type_.kind] for _, type_ in fields]
        labels = [f"'{name}" if guarded and name.startswith(_FORMULA) else name for name, _ in fields]
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(labels)
        self.header = header.getvalue().encode()
        alone = len(fields) == 1  # then an empty cell would be an empty line
        self._writer = RowWriter(
            [type_ for _, type_ in fields],
            [b"", *[b","] * (len(fields) - 1)],
            end=b"\n",
            null=b'""' if alone else b"",
            csv=True,
            filled=alone,
            guarded=guarded,
        )

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        """One record a row."""
        if not len(columns[0]):
            return b""
        text = self._writer.write(columns) if native.kernels is not None else None
        return self._joined(columns) if text is None else text

    def _joined(self, columns: Sequence[pa.Array]) -> bytes:
        cells = [text_of(column) for column, text_of in zip(columns, self._forms, strict=True)]
        if len(cells) == 1:
            cells = [_never_blank(cells[0])]
        records = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        file = pc.binary_join(pa.ListArray.from_arrays([0, len(records)], records), "\n")
        return b"".join((file[0].as_buffer(), b"\n"))


def _never_blank(cells: pa.Array) -> pa.Array:
    cells = pc.fill_null(cells, "")
    return pc.if_else(pc.equal(cells, ""), '""', cells)
