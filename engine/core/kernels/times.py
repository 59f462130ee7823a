"""``date`` and ``timestamp`` columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import reference
from engine.core.columns import Converted, convert_nulls
from engine.core.kernels.readers import EpochReader, IsoReader, Reader, first_accepted, iso_dates
from engine.core.kernels.strptime import LayoutReader
from engine.core.kernels.zones import LocalTime
from engine.core.reference import compile_format, parse_layout
from engine.core.reference.times import iso_date
from engine.core.timeformats import EPOCHS, ISO8601, is_zoned

__all__ = ["DateKernel", "TimestampKernel"]

_TIMESTAMP = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class _Placed:
    """A reader of local time, and the zone that makes it UTC."""

    read: Reader
    local: LocalTime

    def __call__(self, cells: pa.Array) -> pa.Array:
        return self.local(self.read(cells))


@dataclass(frozen=True, slots=True)
class TimestampKernel:
    """``timestamp``: each format's readers in order, and the reference for what none of them accepts."""

    readers: tuple[Reader, ...]
    convert: Callable[[str], datetime]

    @classmethod
    def of(cls, formats: Sequence[str] = (ISO8601,), zone: tzinfo = UTC) -> Self:
        local = None if zone is UTC or str(zone) == "UTC" else LocalTime(zone)
        readers: list[Reader] = []
        for name in formats:
            if name == ISO8601:
                readers.append(IsoReader(local))
            elif name in EPOCHS:
                readers.append(EpochReader(EPOCHS[name]))
            else:
                read = LayoutReader.of(parse_layout(name))
                readers.append(read if is_zoned(name) else _placed(read, local))
        compiled = tuple(compile_format(name) for name in formats)
        return cls(tuple(readers), partial(reference.to_timestamp, formats=compiled, zone=zone))

    def __call__(self, column: pa.Array) -> Converted:
        micros = first_accepted(column, self.readers)
        return convert_nulls(column, micros.view(_TIMESTAMP), self.convert)


@dataclass(frozen=True, slots=True)
class DateKernel:
    """``date``, likewise."""

    readers: tuple[Reader, ...]
    convert: Callable[[str], date]

    @classmethod
    def of(cls, formats: Sequence[str] = (ISO8601,)) -> Self:
        readers = tuple(iso_dates if name == ISO8601 else LayoutReader.of(parse_layout(name)).days for name in formats)
        compiled = tuple(iso_date if name == ISO8601 else compile_format(name) for name in formats)
        return cls(readers, partial(reference.to_date, formats=compiled))

    def __call__(self, column: pa.Array) -> Converted:
        days = pc.cast(first_accepted(column, self.readers), pa.int32())
        return convert_nulls(column, days.view(pa.date32()), self.convert)


def _placed(read: Reader, local: LocalTime | None) -> Reader:
    return read if local is None else _Placed(read, local)
