"""Files of any size for each workload, in seconds: cells are drawn from pools made once, a block of rows at a time.

The same description gives the same bytes on every build; good rows are the same whatever the share of bad ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from bench.cells import BLOCK_ROWS, as_cell, pick
from bench.data import Activity, write
from bench.workloads import COLUMNS_OF, FAULTS_OF

__all__ = ["Corpus", "write_corpus"]

_ROWS_APART = 10_000_000  # ids of mixed files start so far from each other


@dataclass(frozen=True, slots=True)
class Corpus:
    """The files of one run.

    Attributes:
        share: of bad rows.
        size: bytes of all files together.
        good: rows that must be written.
    """

    workload: str
    share: float
    files: tuple[Path, ...]
    size: int
    rows: int
    good: int


def write_corpus(workload: str, share: float, files: int, size: int, folder: Path) -> Corpus:
    """Makes files of ``size`` bytes each, at least, in a folder of their own.

    Args:
        share: of bad rows, 0 to 1; each has one bad cell, or in ``mixed`` is bad as a whole. It is part of the names.
    """
    folder.mkdir(parents=True)
    paths = tuple(folder / f"{workload}-{share * 1000:03.0f}-{number}.csv" for number in range(files))
    write_file = _write_mixed if workload == "mixed" else _write_pooled
    counts = [write_file(workload, share, number, size, path) for number, path in enumerate(paths)]
    rows, bad = (sum(column) for column in zip(*counts, strict=True))
    return Corpus(workload, share, paths, sum(path.stat().st_size for path in paths), rows, rows - bad)


def _write_mixed(_: str, share: float, number: int, size: int, path: Path) -> tuple[int, int]:
    rows: list[int] = []
    activity = Activity(size=size, corrupt=share, first_id=1 + number * _ROWS_APART)
    corrupted = write(activity, path, lambda block: rows.append(block.rows))
    return sum(rows), len(corrupted)


def _write_pooled(workload: str, share: float, number: int, size: int, path: Path) -> tuple[int, int]:
    rows = bad = 0
    with path.open("wb") as file:
        file.write(",".join(COLUMNS_OF[workload]).encode() + b"\n")
        for block, spoilt in _blocks(workload, share, number):
            file.write(b"\n".join([*block, b""]))
            rows, bad = rows + len(block), bad + spoilt
            if file.tell() >= size:
                return rows, bad
    raise AssertionError("blocks never end")


def _blocks(workload: str, share: float, number: int) -> Iterator[tuple[list[bytes], int]]:
    """Rows without their line ends, and how many of them are bad."""
    pools = _pools(workload)
    places, faults = Random(f"{workload} {number}"), Random(f"{workload} {number} faults {share}")
    while True:
        starts = [int(places.random() * BLOCK_ROWS) for _ in pools]
        columns = [pool[start : start + BLOCK_ROWS] for pool, start in zip(pools.values(), starts, strict=True)]
        spoilt = 0
        if share:
            by_label = dict(zip(pools, columns, strict=True))
            for row in range(BLOCK_ROWS):
                if faults.random() < share:
                    label, text = pick(faults, FAULTS_OF[workload])
                    by_label[label][row] = as_cell(text)
                    spoilt += 1
        yield list(map(b",".join, zip(*columns, strict=True))), spoilt


@lru_cache
def _pools(workload: str) -> dict[str, list[bytes]]:
    """Cells by column, each pool twice over so that any turn of it is one slice."""
    random = Random(f"{workload} pools")
    return {
        label: [as_cell(maker(random)) for _ in range(BLOCK_ROWS)] * 2 for label, maker in COLUMNS_OF[workload].items()
    }
