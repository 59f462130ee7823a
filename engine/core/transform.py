"""One file's rows through one mapping: the pure core's face. No asyncio, no threads, no AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import mask_of
from engine.core.limits import Limits
from engine.core.plan import Plan
from engine.core.reader import CHUNK_BYTES, CsvReader, Placed
from engine.core.rejects import CellError, reject_record
from engine.core.rows import RowIndex

__all__ = ["Counts", "Output", "Transform"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows so far. Always ``rows_read == rows_written + rows_rejected``; ``codes`` counts errors, not rows."""

    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    codes: Counter[str] = field(default_factory=Counter)


class Output(NamedTuple):
    """What a piece of input became: bytes of the data object, and of the reject object."""

    data: bytes
    rejects: bytes


class Transform:
    """Feeds a file's bytes through a plan.

    Args:
        file: the name that reject records carry.
    """

    def __init__(self, plan: Plan, *, file: str, limits: Limits, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._plan = plan
        self._file = file
        self._places: tuple[int, ...] = ()
        self._counts = Counts()
        self._reader = CsvReader(
            plan.dialect,
            header=plan.header,
            bind=self._bind,
            null_values=plan.null_values,
            limits=limits,
            chunk_bytes=chunk_bytes,
        )

    @property
    def counts(self) -> Counts:
        return self._counts

    def feed(self, data: bytes) -> Iterator[Output]:
        """Takes the file's next bytes, in pieces of any size; gives what they became, perhaps nothing yet.

        Raises:
            HeaderError: a column that the mapping uses is missing or stands twice.
            FileError: the file cannot be read on.
        """
        return map(self._convert, self._reader.feed(data))

    def finish(self) -> Iterator[Output]:
        """Gives what the end of the file completes. The transform is done."""
        return map(self._convert, self._reader.finish())

    def _bind(self, labels: list[str]) -> tuple[int, ...]:
        self._places = self._plan.bind(labels)
        return tuple(sorted(set(self._places)))

    def _convert(self, placed: Placed) -> Output:
        chunk = placed.chunk
        columns: list[pa.Array] = []
        bad: dict[int, list[CellError]] = {}  # by row of the chunk's columns
        for plan, place in zip(self._plan.fields, self._places, strict=True):
            source = chunk.columns[place]
            converted = plan.convert(source)
            columns.append(converted.values)
            for row, code, message in converted.faults:
                error = CellError(plan.name, plan.label, code, message, source[row].as_py())
                bad.setdefault(row, []).append(error)
        height = len(columns[0])
        if bad:
            keep = pc.invert(mask_of(list(bad), height))
            columns = [column.filter(keep) for column in columns]
        rejects = self._rejects(placed, bad) if bad or chunk.aside else b""
        rejected = len(bad) + len(chunk.aside)
        self._counts = replace(
            self._counts,
            rows_read=self._counts.rows_read + chunk.rows,
            rows_written=self._counts.rows_written + height - len(bad),
            rows_rejected=self._counts.rows_rejected + rejected,
        )
        return Output(self._plan.encoder.encode(columns), rejects)

    def _rejects(self, placed: Placed, bad: dict[int, list[CellError]]) -> bytes:
        chunk = placed.chunk
        ordinals = chunk.ordinals()
        errors = {ordinals[row]: found for row, found in bad.items()}
        for ordinal, code, message in chunk.aside:
            errors[ordinal] = [CellError(None, None, code, message, None)]
        rows = sorted(errors)
        self._counts = replace(
            self._counts, codes=self._counts.codes + Counter(error.code for row in rows for error in errors[row])
        )
        index = RowIndex(chunk.data, self._plan.dialect, chunk.rows)
        return b"".join(
            reject_record(
                self._file, placed.first_row + ordinal, placed.first_line + source.line, errors[ordinal], source.raw
            )
            for ordinal in rows
            for source in [index.source(ordinal)]
        )
