"""The command line that all peers share, Node's too: files in, a file each out, one line of JSON at the end.

``... --workload W --format jsonl|parquet --threads N --output DIR FILE...`` writes ``DIR/<stem>.jsonl|.parquet`` for
each FILE, without the bad rows, and prints ``{"rows_read": n, "rows_written": n, "versions": {...}}``.

Nothing of the engine is imported here: a peer's start-up is its own.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

__all__ = ["LABELS", "Counts", "Order", "in_processes", "in_threads", "labels_of", "main"]

LABELS = {
    "mixed": "event_id,user_id,ts,amount,is_bot,payload,token,user_agent,comment,country",
    "plain": "order_id,customer_id,quantity,price,weight,ordered,shipped,sku,city,note",
    "hard": "payload,log,url,token,message",
}


class Counts(NamedTuple):
    """Rows of one file. A tool that drops bad rows unseen reads as many as it writes."""

    read: int
    written: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a peer is to do."""

    workload: str
    format: str
    threads: int
    output: Path
    files: tuple[Path, ...]

    def output_of(self, source: Path) -> Path:
        return self.output / f"{source.stem}.{self.format}"


type MapFile = Callable[[Order, Path], Counts]


def labels_of(workload: str) -> list[str]:
    return LABELS[workload].split(",")


def in_processes(map_file: MapFile, order: Order) -> list[Counts]:
    """The files by a pool of processes; in this one where one is enough."""
    if order.threads == 1:
        return [map_file(order, source) for source in order.files]
    with ProcessPoolExecutor(order.threads, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(map_file, order), order.files))


def in_threads(map_file: MapFile, order: Order) -> list[Counts]:
    """The files by a pool of threads."""
    with ThreadPoolExecutor(order.threads) as pool:
        return list(pool.map(partial(map_file, order), order.files))


def main(run: Callable[[Order], list[Counts]], *packages: str) -> None:
    """Reads the command line, runs it, and prints the counts and the versions of these packages."""
    parser = argparse.ArgumentParser(description="One contender of the benchmark.")
    parser.add_argument("--workload", choices=list(LABELS), required=True)
    parser.add_argument("--format", choices=["jsonl", "parquet"], default="jsonl")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    counts = run(Order(options.workload, options.format, options.threads, options.output, tuple(options.files)))
    versions = {"python": platform.python_version(), **{package: version(package) for package in packages}}
    read, written = (sum(column) for column in zip(*counts, strict=True))
    print(json.dumps({"rows_read": read, "rows_written": written, "versions": versions}))
