"""The source files of a storm, each with what the oracle makes of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from random import Random

from bench.data import Activity, activity_mapping, build
from tests.oracle import Expected, expect

__all__ = ["Sample", "pick", "samples"]


@dataclass(slots=True)
class Sample:
    """A source file.

    Attributes:
        data: as stored, perhaps compressed.
        output: what it becomes, byte for byte, once an output of it was found to be the oracle's row by row.
    """

    key: str
    data: bytes = field(repr=False)
    expected: Expected = field(repr=False)
    output: bytes | None = field(default=None, repr=False)


def samples(seed: int, *, big_rows: int) -> list[Sample]:
    """Files of all kinds: tiny, empty, compressed, corrupted to different degrees; the first of ``big_rows`` rows."""
    made = [
        ("big.csv", Activity(rows=big_rows, seed=seed, corrupt=0.002, newlines=0.05)),
        ("small.csv", Activity(rows=300, seed=seed + 1, corrupt=0.05)),
        ("small.csv.gz", Activity(rows=800, seed=seed + 2, corrupt=0.02, newlines=0.1)),
        ("windows.csv", Activity(rows=2500, seed=seed + 3, corrupt=0.01, crlf=True, bom=True)),
        ("clean.csv", Activity(rows=2000, seed=seed + 4)),
        ("half-bad.csv", Activity(rows=400, seed=seed + 5, corrupt=0.5)),
        ("header-only.csv", Activity(rows=0, seed=seed + 6)),
        ("clean.csv.gz", Activity(rows=5000, seed=seed + 7)),
    ]
    return [_sample(f"day/{name}", build(activity)[0]) for name, activity in made]


def _sample(key: str, text: bytes) -> Sample:
    data = gzip.compress(text, 1, mtime=0) if key.endswith(".gz") else text
    return Sample(key, data, expect(text, activity_mapping()))


def pick(among: list[Sample], count: int, random: Random) -> list[Sample]:
    """The files of one message: different ones, in any order, the big one in every second message or so."""
    big, small = among[:1], among[1:]
    chosen = big + random.sample(small, count - 1) if random.random() < 0.5 else random.sample(small, count)
    random.shuffle(chosen)
    return chosen
