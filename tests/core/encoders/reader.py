"""Reads an output with DuckDB or Polars and prints its cells: ``reader.py duckdb|polars FILE TYPE...``.

Run as a script, with ``.venv-gil``'s Python: neither reader has a wheel for the free-threaded build. Prints a JSON
array of rows; a cell is null or a text that says its value exactly (see ``outside.py``).
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

_DUCKDB = {
    "string": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "date": "DATE",
    "timestamp": "TIMESTAMP", "uuid": "UUID", "json": "JSON", "bytes": "VARCHAR",
}  # fmt: skip
_POLARS: dict[str, Any] = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}


def _timestamp(cell: int | str) -> str:
    """Microseconds since 1970."""
    if isinstance(cell, int):
        return str(cell)
    return str((datetime.fromisoformat(cell) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def _bytes(cell: bytes | str) -> str:
    return (cell if isinstance(cell, bytes) else base64.b64decode(cell, validate=True)).hex()


def _decimal(cell: Decimal | str) -> str:
    return f"{Decimal(cell):f}"


def _json(cell: str) -> str:
    """All numbers as doubles: that is how both read them.

    Polars gives a JSON string as its bare text, and leaves control characters within an object unescaped.
    """
    try:
        value = json.loads(cell, parse_int=float, strict=False)
    except ValueError:
        value = cell
    return json.dumps(value)


# How to say a cell that Python holds, by the first word of its type.
_SAY: dict[str, Callable[[Any], str]] = {
    "string": str,
    "int": str,
    "float": float.hex,
    "decimal": _decimal,
    "bool": lambda cell: str(cell).lower(),
    "date": str,
    "timestamp": _timestamp,
    "uuid": str,
    "json": _json,
    "bytes": _bytes,
}


def _duckdb(path: str, types: Sequence[str]) -> list[tuple[Any, ...]]:
    names = [f"c{place}" for place in range(len(types))]
    columns = {name: _DUCKDB.get(kind, kind) for name, kind in zip(names, types, strict=True)}
    connection = duckdb.connect()
    if path.endswith(".parquet"):
        table = connection.read_parquet(path)
    elif ".csv" in path:
        table = connection.read_csv(
            path, columns=columns, header=True, sep=",", quotechar='"', escapechar='"', na_values="", auto_detect=False,
            max_line_size=1 << 25,
        )  # fmt: skip
    else:
        table = connection.read_json(path, columns=columns, format="newline_delimited", maximum_object_size=1 << 25)
    said = {
        "timestamp": "epoch_us({})", "date": "CAST({} AS VARCHAR)", "uuid": "CAST({} AS VARCHAR)",
        "json": "CAST({} AS VARCHAR)",
    }  # fmt: skip
    return table.project(
        ", ".join(
            ("CAST({} AS VARCHAR)" if kind.startswith("decimal") else said.get(kind, "{}")).format(name)
            for name, kind in zip(names, types, strict=True)
        )
    ).fetchall()


def _polars(path: str, types: Sequence[str]) -> list[tuple[Any, ...]]:
    schema = {f"c{place}": _POLARS.get(kind, pl.String) for place, kind in enumerate(types)}
    if path.endswith(".parquet"):
        frame = pl.read_parquet(path)
    elif ".csv" in path:
        frame = pl.read_csv(path, schema=schema)
    else:
        frame = pl.read_ndjson(path, schema=schema)
    return frame.with_columns(
        [pl.col(f"c{place}").dt.epoch("us") for place, kind in enumerate(types) if frame.dtypes[place] == pl.Datetime]
    ).rows()


def main() -> None:
    reader, path, *types = sys.argv[1:]
    rows = {"duckdb": _duckdb, "polars": _polars}[reader](path, types)
    said = [
        [None if cell is None else _SAY[kind.split("(")[0]](cell) for cell, kind in zip(row, types, strict=True)]
        for row in rows
    ]
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
