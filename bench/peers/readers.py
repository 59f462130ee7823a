"""The contenders of :mod:`bench.reading`: each makes text columns, or rows of text, of one file in chunks.

``python -m bench.peers.readers KIND`` serves orders: a :class:`Source` and whether to ``check``. A timed run is
answered with what it took, a check with the :func:`digest` of all cells, or why the contender cannot read the file.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import batched, pairwise
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bench.peers.core import PIECE
from bench.served import serve, timed
from engine.core.columns import column_bytes
from engine.core.dialect import Dialect
from engine.core.limits import Limits
from engine.core.reader import CsvReader

__all__ = ["PACKAGES", "Source", "digest", "make_reader"]

PACKAGES = {
    "engine": "pyarrow",
    "arrow": "pyarrow",
    "arrow-stream": "pyarrow",
    "csv": "pyarrow",
    "duckdb": "duckdb",
    "polars": "polars",
}
"""Every contender, and the package whose version matters."""

_DIGEST_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read; as :class:`bench.csvfiles.CsvFile`.

    Attributes:
        labels: its header.
    """

    path: str
    labels: list[str]
    cuts: list[int]
    escape: str | None
    chunk_bytes: int


type Columns = Sequence[pa.Array]


class Reader(Protocol):
    def read(self, source: Source) -> int:
        """Makes columns or rows of all records, and keeps none of them; how many there are. This is what is timed."""
        ...

    def batches(self, source: Source) -> Iterator[Columns]:
        """All cells, as columns of text or null."""
        ...


class _InBatches:
    """What makes columns anyway is timed as it makes them."""

    def read(self: Reader, source: Source) -> int:
        return sum(len(columns[0]) for columns in self.batches(source))


class _Engine(_InBatches):
    """The engine's reader: all columns wanted, empty cells null, as mappings have it by default."""

    def batches(self, source: Source) -> Iterator[Columns]:
        places = range(len(source.labels))
        reader = CsvReader(
            Dialect(escape=source.escape),
            header=True,
            bind=lambda _: places,
            null_values=("",),
            limits=Limits(),
            chunk_bytes=source.chunk_bytes,
        )
        with Path(source.path).open("rb", buffering=0) as file:
            while piece := file.read(min(PIECE, source.chunk_bytes)):
                for placed in reader.feed(piece):
                    yield [placed.chunk.columns[place] for place in places]
        for placed in reader.finish():
            yield [placed.chunk.columns[place] for place in places]


class _Arrow(_InBatches):
    """``pyarrow.csv`` on chunks that somebody else has cut at records' ends."""

    def batches(self, source: Source) -> Iterator[Columns]:
        options = pa_csv.ConvertOptions(column_types=dict.fromkeys(source.labels, pa.string()))
        parse = pa_csv.ParseOptions(newlines_in_values=True, escape_char=source.escape or False)
        with Path(source.path).open("rb", buffering=0) as file:
            file.seek(source.cuts[0])
            for start, end in pairwise(source.cuts):
                read = pa_csv.ReadOptions(use_threads=False, block_size=end - start + 1, column_names=source.labels)
                table = pa_csv.read_csv(pa.BufferReader(file.read(end - start)), read, parse, options)
                yield from (batch.columns for batch in table.to_batches())


class _ArrowStream(_InBatches):
    """``pyarrow.csv.open_csv``: Arrow cuts the chunks."""

    def batches(self, source: Source) -> Iterator[Columns]:
        reader = pa_csv.open_csv(
            source.path,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=source.chunk_bytes),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, escape_char=source.escape or False),
            convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(source.labels, pa.string())),
        )
        with reader:
            yield from (batch.columns for batch in reader)


class _Csv:
    """``csv.reader(strict=True)``, a row at a time; after a row that it refuses it goes on at the next line."""

    def read(self, source: Source) -> int:
        rows = 0
        with _open_text(source) as file:
            reader = csv.reader(file, strict=True, escapechar=source.escape)
            next(reader)
            while True:
                try:
                    for _ in reader:
                        rows += 1
                except csv.Error:
                    continue
                return rows

    def batches(self, source: Source) -> Iterator[Columns]:
        for rows in batched(self._rows(source), _DIGEST_ROWS, strict=False):
            yield [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]

    def _rows(self, source: Source) -> Iterator[list[str]]:
        with _open_text(source) as file:
            reader = csv.reader(file, strict=True, escapechar=source.escape)
            next(reader)
            while True:
                try:
                    yield from reader
                except csv.Error:
                    continue
                return


def _open_text(source: Source) -> TextIO:
    return Path(source.path).open(encoding="utf-8", newline="")


class _Duck:
    """DuckDB on one thread: the length of every cell, so that it must find every one."""

    def __init__(self) -> None:
        import duckdb

        self._database = duckdb.connect()
        self._database.execute("SET threads = 1")

    def read(self, source: Source) -> int:
        lengths = ", ".join(f"sum(strlen({label}))" for label in source.labels)
        ((rows, *_),) = self._database.execute(f"SELECT count(*), {lengths} FROM {_read_csv(source)}").fetchall()
        return int(rows)

    def batches(self, source: Source) -> Iterator[Columns]:
        for batch in self._database.sql(f"SELECT * FROM {_read_csv(source)}").to_arrow_reader(_DIGEST_ROWS):
            yield batch.columns


def _read_csv(source: Source) -> str:
    columns = ", ".join(f"'{label}': 'VARCHAR'" for label in source.labels)
    return (
        f"read_csv('{source.path}', auto_detect = false, header = true, delim = ',', quote = '\"',"
        f" escape = '{source.escape or '"'}', new_line = '\\n', ignore_errors = true, columns = {{{columns}}})"
    )


class _Polars(_InBatches):
    """Polars on one thread: the file as one frame; it knows no escape character."""

    def __init__(self) -> None:
        os.environ["POLARS_MAX_THREADS"] = "1"  # read when it is imported
        import polars as pl

        self._polars = pl

    def read(self, source: Source) -> int:
        return int(self._frame(source).height)

    def batches(self, source: Source) -> Iterator[Columns]:
        yield from (batch.columns for batch in self._frame(source).to_arrow().to_batches())

    def _frame(self, source: Source) -> Any:
        schema = dict.fromkeys(source.labels, self._polars.String)
        return self._polars.read_csv(source.path, schema=schema)


_READERS: dict[str, Callable[[], Reader]] = {
    "engine": _Engine,
    "arrow": _Arrow,
    "arrow-stream": _ArrowStream,
    "csv": _Csv,
    "duckdb": _Duck,
    "polars": _Polars,
}


def make_reader(kind: str) -> Reader:
    """One of :data:`PACKAGES`; raises ImportError where its package is not installed."""
    return _READERS[kind]()


def digest(batches: Iterator[Columns], labels: Sequence[str]) -> dict[str, Any]:
    """What all cells come to, however they are cut into batches; null is empty text.

    Returns:
        ``rows``, and by label ``bytes`` (of UTF-8, in total) and ``cells``, a hash of all cells.
    """
    rows = 0
    totals = dict.fromkeys(labels, 0)
    texts, lengths = ({label: blake2b(digest_size=16) for label in labels} for _ in range(2))
    for columns in batches:
        rows += len(columns[0])
        for label, column in zip(labels, columns, strict=True):
            cells = pc.fill_null(column.cast(pa.string()), "")
            data = column_bytes(cells)
            totals[label] += len(data)
            texts[label].update(data)
            lengths[label].update(pc.binary_length(cells).to_numpy(zero_copy_only=False))
    hashes = {label: texts[label].hexdigest() + lengths[label].hexdigest() for label in labels}
    return {"rows": rows, "bytes": totals, "cells": hashes}


def _answer(reader: Reader, order: dict[str, Any]) -> dict[str, Any]:
    check = order.pop("check")
    source = Source(**order)
    if not check:
        return timed(partial(reader.read, source))._asdict()
    try:
        return digest(reader.batches(source), source.labels)
    except Exception as error:  # noqa: BLE001 - every contender has errors of its own; the driver says what they were
        return {"error": f"{type(error).__name__}: {str(error).partition('\n')[0]}"}


if __name__ == "__main__":
    serve(PACKAGES[sys.argv[1]], partial(_answer, make_reader(sys.argv[1])), freeze=sys.argv[1] != "duckdb")
