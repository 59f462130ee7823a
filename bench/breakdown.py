"""Where the core's time goes for one workload: the parser, each field, the encoder, and the rest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from bench.peers.core import PIECE
from bench.workloads import plan_of
from engine.core.columns import Converted
from engine.core.encoders.formats import Encoder, Format
from engine.core.field import FieldPlan, Memo
from engine.core.reader import CsvReader
from engine.core.transform import Transform

__all__ = ["feed_all", "where_time_goes"]


@dataclass(slots=True)
class _Timed:
    """A part of the core that keeps count of the seconds spent in it."""

    inner: Any
    seconds: float = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def convert(self, columns: Mapping[str, pa.Array], rows: int, memo: Memo) -> Converted:
        field: FieldPlan = self.inner
        start = time.thread_time()
        converted = field.convert(columns, rows, memo)
        self.seconds += time.thread_time() - start
        return converted

    def open(self) -> _Timed:
        self.inner = self.inner.open()
        return self

    def encode(self, columns: Sequence[pa.Array]) -> bytes:
        encoder: Encoder = self.inner
        start = time.thread_time()
        data = encoder.encode(columns)
        self.seconds += time.thread_time() - start
        return data

    def finish(self) -> bytes:
        encoder: Encoder = self.inner
        start = time.thread_time()
        data = encoder.finish()
        self.seconds += time.thread_time() - start
        return data


def where_time_goes(workload: str, data: bytes, rows: int, format_: Format) -> dict[str, float]:
    """Nanoseconds of processor time a row, by part; ``rest`` is what the rows set aside and all between cost.

    Fields that share steps are charged for them where they stand first.
    """
    compiled = plan_of(workload, format_)
    fields = [_Timed(field) for field in compiled.fields]
    encoder = _Timed(compiled.output)
    start = time.thread_time()
    feed_all(Transform(replace(compiled, fields=tuple(fields), output=encoder), file=workload), data)  # type: ignore[arg-type]
    total = time.thread_time() - start
    parts = {f"field {field.name}": field.seconds for field in fields} | {f"encode {format_}": encoder.seconds}
    parts = {"parse": _parse_seconds(workload, data)} | parts
    parts |= {"rest": total - sum(parts.values()), "total": total}
    return {name: seconds / rows * 1e9 for name, seconds in parts.items()}


def feed_all(transform: Transform, data: bytes) -> None:
    """Gives a transform a whole file, and drops what it becomes."""
    for first in range(0, len(data), PIECE):
        for _ in transform.feed(data[first : first + PIECE]):
            pass
    for _ in transform.finish():
        pass


def _parse_seconds(workload: str, data: bytes) -> float:
    compiled = plan_of(workload, "jsonl")
    start = time.thread_time()
    reader = CsvReader(
        compiled.dialect,
        header=compiled.header,
        bind=lambda labels: sorted(set(compiled.bind(labels).values())),
        null_values=compiled.null_values,
        limits=compiled.limits,
    )
    for first in range(0, len(data), PIECE):
        for _ in reader.feed(data[first : first + PIECE]):
            pass
    for _ in reader.finish():
        pass
    return time.thread_time() - start
