"""Typed rows for the encoders' tests: every type, its extremes, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from engine.core.encoders import Encoder, OutputFormat, output_format
from engine.core.encoders.parquet import parquet_schema
from engine.core.fieldtypes import FieldType, parse_type

__all__ = [
    "EXTREMES",
    "FIELDS",
    "columns_of",
    "encode_all",
    "extreme_rows",
    "field_named",
    "format_of",
    "pieces_of",
    "values_of",
]

type Fields = Sequence[tuple[str, FieldType]]
type Row = Sequence[Any]

FIELDS: Fields = [
    (f"the {name}", parse_type(name))
    for name in (
        "string",
        "int",
        "float",
        "decimal(38,10)",
        "decimal(38,38)",
        "decimal(38,0)",
        "decimal(12,2)",
        "decimal(7,7)",
        "bool",
        "date",
        "timestamp",
        "uuid",
        "json",
        "bytes",
    )
]


def _decimals(precision: int, scale: int) -> list[Decimal]:
    digits = [0, 1, 9, 10 ** (precision - 1), 10**precision - 1, 123, 10**scale if scale < precision else 5]
    return [_scaled(sign * number, scale) for number in digits for sign in (1, -1)]


def _scaled(number: int, scale: int) -> Decimal:
    """Exact, whatever the context's precision."""
    return Decimal((number < 0, tuple(map(int, str(abs(number)))), -scale))


EXTREMES: dict[str, list[Any]] = {
    "string": [
        "",
        " ",
        '"',
        '""',
        ",",
        "\n",
        "\r",
        "\r\n",
        'a "quoted", b',
        "\\",
        '\\"',
        "\\n",
        "".join(map(chr, range(0x21))),
        "\x7f\x80\x85\xa0",
        "a\u2028b\u2029c",
        "\ufeff",
        "\ufffd\uffff",
        "\U0001f600 \U0010ffff",
        "e\u0301 \u00e9 \u6f22\u5b57 \u0645\u0631\u062d\u0628\u0627",
        "null",
        "NaN",
        "=1+1",
        "'",
        "x" * 1_000_000,
        'y,"\n\\' * 200_000,
    ],
    "int": [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, -(10**18)],
    "float": [
        0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
        -1.7976931348623157e308, 1e15, 1e16, 1e21, 1e22, 123456789.123456789, 9007199254740993.0, 1e-5, 1e-7,
        -0.5, 1e100,
    ],
    "decimal(38,10)": _decimals(38, 10),
    "decimal(38,38)": _decimals(38, 38),
    "decimal(38,0)": _decimals(38, 0),
    "decimal(12,2)": _decimals(12, 2),
    "decimal(7,7)": _decimals(7, 7),
    "bool": [True, False],
    "date": [date.min, date(999, 12, 31), date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date.max],
    "timestamp": [
        datetime.min.replace(tzinfo=UTC),
        datetime(999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 1, UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "json": [
        "null",
        "true",
        "0",
        "-1.5e300",
        '""',
        '"a,b\\n\\"c\\""',
        "[]",
        "{}",
        '[1,"2",null,{"a":[]}]',
        '{"a":{"b":"\u00e9\u2028"},"c":"\\u0000"}',
        "12345678901234567890",
    ],
    "bytes": [b"", b"\0", b"\xff", b"\0\0", b"abc", b"\xff\xfe\xfd\xfc", bytes(range(256)), b"\xfb" * 1_000_000],
}  # fmt: skip
"""By the name of the type, without nulls."""


def field_named(type_name: str) -> Fields:
    """One field of a type."""
    return [(f"the {type_name}", parse_type(type_name))]


def extreme_rows() -> list[Row]:
    """Rows of :data:`FIELDS` in which every extreme stands once, nulls last, and a row of nulls in the middle."""
    height = max(map(len, EXTREMES.values()))
    columns = [values + [None] * (height - len(values)) for values in EXTREMES.values()]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return [*rows[:2], [None] * len(FIELDS), *rows[2:]]


def values_of(kind: FieldType) -> st.SearchStrategy[Any]:
    """Any value of a type, null too."""
    text = st.text(st.one_of(st.sampled_from('",\n\r\\\0 \t;x'), st.characters(codec="utf-8")), max_size=8)
    limit = 10**kind.precision - 1
    of: dict[str, st.SearchStrategy[Any]] = {
        "string": text,
        "int": st.integers(-(2**63), 2**63 - 1),
        "float": st.floats(allow_nan=False, allow_infinity=False),
        "decimal": st.integers(-limit, limit).map(lambda number: _scaled(number, kind.scale)),
        "bool": st.booleans(),
        "date": st.dates(),
        "timestamp": st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
        "uuid": st.uuids().map(str),
        "json": st.sampled_from(EXTREMES["json"]),
        "bytes": st.binary(max_size=8),
    }
    return st.none() | of[kind.kind]


def columns_of(fields: Fields, rows: Sequence[Row]) -> list[pa.Array]:
    """The rows as typed columns, as the engine's kernels give them."""
    schema = parquet_schema(fields)
    return [pa.array([row[place] for row in rows], type_) for place, type_ in enumerate(schema.types)]


def format_of(name: Any, compression: Any, fields: Fields, *, guard_formulas: bool = False) -> OutputFormat:
    return output_format(
        name, compression, fields, mapping_id="activity", mapping_sha256="5ha", guard_formulas=guard_formulas
    )


def pieces_of(encoder: Encoder, columns: Sequence[pa.Array], cuts: Sequence[int]) -> list[bytes]:
    """What the encoder gives for batches that end at ``cuts`` (slices, so their offsets differ), and for the end."""
    places = [0, *sorted(cuts), len(columns[0])]
    pieces = [
        encoder.encode([column.slice(start, end - start) for column in columns]) for start, end in pairwise(places)
    ]
    return [*pieces, encoder.finish()]


def encode_all(output: OutputFormat, fields: Fields, rows: Sequence[Row]) -> bytes:
    """The whole file of some rows, in one batch."""
    return b"".join(pieces_of(output.open(), columns_of(fields, rows), []))
