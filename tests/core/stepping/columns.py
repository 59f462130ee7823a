"""Holds a step's kernel to its reference, on columns of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engine.core.columns import Converted, Fault
from engine.core.limits import Limits
from engine.core.reference import CellFault
from engine.core.stepping.compile import StepConverter, compile_step
from engine.core.stepping.reference import Value
from engine.core.steps import Step

TIMEOUT_S = 5.0


def make(step: Any, cell_bytes: int = 8_388_608) -> StepConverter:
    """The step, as a mapping writes it, compiled."""
    return compile_step(Step.model_validate(step), Limits(regex_timeout_s=TIMEOUT_S, cell_bytes=cell_bytes))


def expected(converter: StepConverter, values: Sequence[Value]) -> tuple[list[Value], list[Fault]]:
    """What the reference makes of each value."""
    results: list[Value] = []
    faults: list[Fault] = []
    for row, value in enumerate(values):
        try:
            results.append(converter.reference(value))
        except CellFault as fault:
            results.append(None)
            faults.append(Fault(row, fault.code, fault.message))
    return results, faults


def check(converter: StepConverter, values: Sequence[Value], *, binary: bool = False) -> Converted:
    """Asserts that the kernel gives what the reference gives, on the column and on the column as part of a longer one.

    ``binary``: texts stand in a binary column, as after ``base64``.
    """
    cells = [value.encode() if binary and isinstance(value, str) else value for value in values]
    type_ = pa.binary() if binary else pa.string()
    results, faults = expected(converter, cells)
    converted = converter.kernel(pa.array(cells, type_))
    part = converter.kernel(pa.array([*cells[:1], "1", *cells, None, "x"], type_).slice(len(cells[:1]) + 1, len(cells)))
    for made in (converted, part):
        made.values.validate(full=True)
        assert made.values.to_pylist() == results
        assert list(made.faults) == faults
    return converted
