"""DuckDB over whole files: the SQL of :mod:`bench.peers.duck`, a database with one thread for each of N threads.

Where every file has an output of its own, that is faster than one database with N threads, file after file: rows stay
in order, which its writers otherwise wait for. ``--threads-inside`` runs the other way, to compare.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import duckdb

from bench.peers.contract import Counts, Order, in_threads, labels_of, main

__all__ = ["prepare", "query_of"]

OCTETS = {"mixed": ["token"], "plain": [], "hard": ["token"]}
"""Columns of bytes, which JSON has as base64."""

# JSON that DuckDB writes as JSON it compacts itself: there a check is enough.
_COMPACT = {"jsonl": "TRY_CAST(cell AS JSON)", "parquet": "TRY(json(cell))"}
_OPTIONS = {
    "jsonl": "FORMAT json, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
    "parquet": "FORMAT parquet, COMPRESSION snappy",
}


def prepare(format_: str, threads: int) -> duckdb.DuckDBPyConnection:
    """A database in memory with what the queries need."""
    database = duckdb.connect(config={"threads": threads})
    database.execute("SET TimeZone = 'UTC'")
    database.execute(f"CREATE MACRO compact(cell) AS {_COMPACT[format_]}")
    return database


def query_of(workload: str, format_: str, source: Path, output: Path) -> str:
    """The statement that maps one file to another."""
    columns = ", ".join(f"'{label}': 'VARCHAR'" for label in labels_of(workload))
    csv = (
        f"read_csv('{source}', auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"',"
        f" new_line = '\\n', ignore_errors = true, columns = {{{columns}}})"
    )
    query = (Path(__file__).parent / f"{workload}.sql").read_text(encoding="utf-8").replace("{csv}", csv)
    as_text = ", ".join(f"to_base64({name}) AS {name}" for name in OCTETS[workload])
    selected = f"* REPLACE ({as_text})" if as_text and format_ == "jsonl" else "*"
    return f"COPY (SELECT {selected} FROM ({query})) TO '{output}' ({_OPTIONS[format_]})"


def _map_file(threads: int, order: Order, source: Path) -> Counts:
    database = prepare(order.format, threads)
    found = database.execute(query_of(order.workload, order.format, source, order.output_of(source))).fetchone()
    database.close()
    (rows,) = found or (0,)
    return Counts(int(rows), int(rows))


def _run(order: Order) -> list[Counts]:
    return in_threads(partial(_map_file, 1), order)


def _run_inside(order: Order) -> list[Counts]:
    return [_map_file(order.threads, order, source) for source in order.files]


if __name__ == "__main__":
    inside = "--threads-inside" in sys.argv
    if inside:
        sys.argv.remove("--threads-inside")
    main(_run_inside if inside else _run, "duckdb")
