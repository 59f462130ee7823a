"""A file through the core in parts, each begun where the one before it ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.boundary import middle_of
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.rejects import moved
from engine.core.transform import Counts, Output, Transform, Verdict
from tests.core.passing import Passed

__all__ = ["in_parts", "rows_of"]

_LIMITS = Limits()


def in_parts(
    data: bytes,
    mapping: dict[str, Any],
    ends: Sequence[int],
    *,
    step: int = 7,
    chunk_bytes: int = 16,
    limits: Limits = _LIMITS,
) -> tuple[Passed, list[bytes]] | None:
    """What becomes of a file whose parts are told to end at ``ends``, in pieces of ``step`` bytes; and what each part
    wrote. None for a file that cannot be read in parts. As :func:`tests.core.passing.pass_through` otherwise."""
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", **mapping}, "test"), limits)
    middle = middle_of(data, plan)
    if middle is None:
        return None
    written: list[bytes] = []
    rejected: list[bytes] = []
    counts, lines, at = Counts(), 0, 0
    for end in [*sorted(end for end in ends if end < len(data)), len(data)]:
        if end <= at:
            continue
        transform = Transform(plan, file="f.csv", part=True, middle=middle if at else None, chunk_bytes=chunk_bytes)
        outputs, at = _part(transform, data, at, end, step)
        written.append(b"".join(output.data for output in outputs))
        part = b"".join(output.rejects for output in outputs)
        rejected.append(moved(part, "f.csv", rows=counts.rows_read, lines=lines))
        counts, lines = counts.plus(transform.counts), lines + transform.reader.lines
        Verdict(plan.budget).rows(counts)
    assert at == len(data)
    Verdict(plan.budget).whole(counts, {})
    return Passed(b"".join(written), b"".join(rejected), counts), written


def _part(transform: Transform, data: bytes, at: int, end: int, step: int) -> tuple[list[Output], int]:
    """Feeds what is to be read, and then on until the part has ended."""
    outputs = _feed(transform, [data[start : min(start + step, end)] for start in range(at, end, step)])
    reader, fed = transform.reader, end
    reader.end_here()
    while not reader.ended and fed < len(data):
        outputs += _feed(transform, [data[fed : fed + step]])
        fed = min(fed + step, len(data))
    outputs += list(transform.finish())
    return outputs, fed - reader.unread


def _feed(transform: Transform, pieces: Iterable[bytes]) -> list[Output]:
    return [output for piece in pieces for output in transform.feed(piece)]


def rows_of(files: Iterable[bytes]) -> pa.Table:
    """The rows of Parquet files, in order."""
    return pa.concat_tables([pq.read_table(pa.BufferReader(file)) for file in files]).combine_chunks()
