"""Runs a transform over columns, and shows what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, column_bytes
from engine.core.stepping.call import Call, CallTally
from engine.transforms import Transform

__all__ = ["CELL_BYTES", "run", "shown", "text"]

CELL_BYTES = 100


def run(
    made: Transform[..., Any],
    *columns: pa.Array,
    faulty: Sequence[int] = (),
    tally: CallTally | None = None,
    **arguments: Any,
) -> Converted:
    def function(*given: Any) -> Any:
        return made.function(*given, **arguments)

    call = Call("t", function, made.by_column, made.nulls, CELL_BYTES)
    return call.run(columns, faulty, tally if tally is not None else CallTally("t"))


def shown(converted: Converted) -> tuple[list[Any], list[tuple[int, str, str]]]:
    converted.values.validate(full=True)
    assert converted.values.type in (pa.string(), pa.binary())
    lengths = pc.sum(pc.binary_length(converted.values)).as_py() or 0
    assert len(column_bytes(converted.values)) == lengths  # nothing lies beneath a null
    return converted.values.to_pylist(), [(row, code, message) for row, code, message in converted.faults]


def text(*cells: str | None) -> pa.Array:
    return pa.array(cells, pa.string())
