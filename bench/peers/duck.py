"""DuckDB on one thread: the same mappings as SQL, written as somebody would who wants it fast.

Its casts accept more than the engine's types (``12.5`` as an integer, days of one digit): where the files have no such
cell, the queries pay for no guard. It drops bad rows, and writes no record of them.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from bench.workloads import mapping_of
from engine.core.encoders.formats import Format

__all__ = ["Duck"]

# JSON that DuckDB writes as JSON it compacts itself: there a check is enough.
_COMPACT = {"jsonl": "TRY_CAST(cell AS JSON)", "parquet": "TRY(json(cell))"}
_OPTIONS = {
    "jsonl": "FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
    "parquet": "FORMAT parquet, COMPRESSION snappy",
}


class Duck:
    """One connection; a query a run."""

    def __init__(self, workload: str, format_: Format) -> None:
        mapping = mapping_of(workload, format_)
        self._query = (Path(__file__).parent / f"{workload}.sql").read_text(encoding="utf-8")
        self._options = _OPTIONS[format_]
        octets = [field.name for field in mapping.fields if field.type == "bytes"]
        as_text = ", ".join(f"to_base64({name}) AS {name}" for name in octets)
        self._columns = f"* REPLACE ({as_text})" if octets and format_ == "jsonl" else "*"
        self._database = duckdb.connect()
        self._database.execute("SET threads = 1; SET TimeZone = 'UTC'")
        self._database.execute(f"CREATE MACRO compact(cell) AS {_COMPACT[format_]}")

    def run(self, source: Path, output: Path) -> int:
        with source.open("rb") as file:
            labels = file.readline().decode().rstrip("\n").split(",")
        columns = ", ".join(f"'{label}': 'VARCHAR'" for label in labels)
        csv = (
            f"read_csv('{source}', auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"',"
            f" new_line = '\\n', ignore_errors = true, columns = {{{columns}}})"
        )
        query = self._query.replace("{csv}", csv)
        found = self._database.execute(f"COPY (SELECT {self._columns} FROM ({query})) TO '{output}' ({self._options})")
        (rows,) = found.fetchone() or (0,)
        return int(rows)
