"""DuckDB on one thread: the same mappings as SQL, written as somebody would who wants it fast.

Its casts accept more than the engine's types (``12.5`` as an integer, days of one digit): where the files have no such
cell, the queries pay for no guard. It drops bad rows, and writes no record of them.
"""

from __future__ import annotations

from pathlib import Path

from bench.peers.duckdb_files import prepare, query_of
from engine.core.encoders.formats import Format

__all__ = ["Duck"]


class Duck:
    """One connection; a query a run."""

    def __init__(self, workload: str, format_: Format) -> None:
        self._workload, self._format = workload, format_
        self._database = prepare(format_, 1)

    def run(self, source: Path, output: Path) -> int:
        found = self._database.execute(query_of(self._workload, self._format, source, output)).fetchone()
        (rows,) = found or (0,)
        return int(rows)
