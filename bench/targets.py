"""What the engine is to reach against the others, by ratio of speeds; ratios are medians of those of each round."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Reached", "print_targets", "reached"]

_ENGINE = "engine-3.13t-threads-2"


@dataclass(frozen=True, slots=True)
class _Target:
    """``mine`` is to be ``least`` times as fast as ``theirs``; contenders by key, and their shares of bad rows."""

    what: str
    least: float
    theirs: str
    workloads: tuple[str, ...]
    formats: tuple[str, ...] = ("jsonl", "parquet")
    mine: str = _ENGINE
    my_share: float = 0.0


_ALL = ("mixed", "plain", "hard")
_TARGETS = (
    _Target("DuckDB", 1.5, "duckdb-2", ("mixed",), ("jsonl",)),
    _Target("Polars", 2.0, "polars-2", ("mixed",), ("jsonl",)),
    _Target("DuckDB", 1.2, "duckdb-2", ("mixed",), ("parquet",)),
    _Target("Polars", 1.0, "polars-2", ("mixed",), ("parquet",)),
    _Target("DuckDB", 1.5, "duckdb-2", ("hard",)),
    _Target("Polars", 1.5, "polars-2", ("hard",)),
    _Target("DuckDB", 0.8, "duckdb-2", ("plain",)),
    _Target("Node", 8.0, "node-2", _ALL, ("jsonl",)),
    _Target("plain Python", 5.0, "plain-2", _ALL),
    _Target("1 worker", 1.9, "engine-3.13t-threads-1", _ALL),
    _Target("clean files, with 1 % bad rows", 0.7, _ENGINE, _ALL, my_share=0.01),
    _Target("processes with the GIL", 1.0, "engine-3.13-processes-2", _ALL),
)


@dataclass(frozen=True, slots=True)
class Reached:
    """A target and the ratio that was measured, with what makes it doubtful."""

    workload: str
    format: str
    what: str
    least: float
    ratio: float
    doubts: tuple[str, ...]

    @property
    def met(self) -> bool:
        return self.ratio >= self.least


def reached(result: dict[str, Any]) -> Iterator[Reached]:
    """All targets that a comparison has both sides of."""
    for group in result["groups"]:
        found = {(each["contender"], each["share"]): each for each in group["results"] if "mb_s" in each}
        for target in _TARGETS:
            if group["workload"] not in target.workloads or group["format"] not in target.formats:
                continue
            mine, theirs = found.get((target.mine, target.my_share)), found.get((target.theirs, 0.0))
            if mine is not None and theirs is not None:
                doubts = tuple(dict.fromkeys([*mine["doubts"], *theirs["doubts"]]))
                ratio = _ratio(mine, theirs)
                yield Reached(group["workload"], group["format"], target.what, target.least, ratio, doubts)


def _ratio(mine: dict[str, Any], theirs: dict[str, Any]) -> float:
    pairs = zip(mine["runs"], theirs["runs"], strict=True)
    ratios = [(mine["bytes"] / one["wall"]) / (theirs["bytes"] / other["wall"]) for one, other in pairs]
    return float(statistics.median(ratios))


def print_targets(result: dict[str, Any]) -> None:
    print("\ntargets: times as fast on 2 workers as")
    for each in reached(result):
        sign = ">=" if each.met else "< "
        doubt = f"  ({'; '.join(each.doubts)})" if each.doubts else ""
        where = f"{each.workload} {each.format}"
        print(f"  {where:15}{each.what:32}{each.ratio:7.2f} {sign} {each.least:<5}{doubt}")
