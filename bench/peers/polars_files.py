"""Polars over whole files, on its streaming engine: lazy scans into lazy sinks, all files in one query."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from bench.peers.contract import Counts, Order, labels_of, main

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def _sink(order: Order, source: Path) -> pl.LazyFrame:
    import polars as pl

    from bench.peers.polars_queries import QUERIES, SPARE

    # Without a header of its own, a file may lack the spare column and still be asked for it.
    cells = pl.scan_csv(
        source,
        has_header=False,
        skip_rows=1,
        schema=dict.fromkeys([*labels_of(order.workload), SPARE], pl.String),
        missing_columns="insert",
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )
    made = QUERIES[order.workload](cells, order.format)
    if order.format == "jsonl":
        return made.sink_ndjson(order.output_of(source), lazy=True)
    return made.sink_parquet(order.output_of(source), compression="snappy", lazy=True)


def _run(order: Order) -> list[Counts]:
    import polars as pl

    pl.collect_all([_sink(order, source) for source in order.files], engine="streaming")
    return [_count(order, source) for source in order.files]


def _count(order: Order, source: Path) -> Counts:
    """Sinks do not say how many rows they were given; a Parquet file does, a file of lines is counted."""
    output = order.output_of(source)
    if order.format == "parquet":
        import polars as pl

        rows = pl.scan_parquet(output).select(pl.len()).collect().item()
    else:
        with output.open("rb", buffering=0) as file:
            rows = sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))
    return Counts(rows, rows)


if __name__ == "__main__":
    os.environ["POLARS_MAX_THREADS"] = sys.argv[sys.argv.index("--threads") + 1]  # read when Polars is imported
    main(_run, "polars")
