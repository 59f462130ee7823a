"""A field's constraints over a typed column (CONTRACT section 1). A null passes all of them but ``required``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, true_rows

__all__ = ["Constraint", "enumerated", "lengths", "maximum", "minimum", "missing", "pattern"]

type Constraint = Callable[[pa.Array], list[Fault]]
"""Typed column in, the faults of its cells out, in row order."""

_CODE = "constraint-error"


def missing(values: pa.Array, faulty: Iterable[int]) -> list[Fault]:
    """``required``: the nulls, less the cells that are null because they are faulty already."""
    if not values.null_count:
        return []
    known = set(faulty)
    return [
        Fault(row, "missing-value", "required, but empty") for row in true_rows(pc.is_null(values)) if row not in known
    ]


def minimum(values: pa.Array, bound: pa.Scalar, shown: str) -> list[Fault]:
    """``min``: not less than ``bound``, a scalar of the column's type."""
    return _where(pc.less(values, bound), f"less than the minimum {shown}")


def maximum(values: pa.Array, bound: pa.Scalar, shown: str) -> list[Fault]:
    """``max``: not greater than ``bound``."""
    return _where(pc.greater(values, bound), f"greater than the maximum {shown}")


def lengths(values: pa.Array, least: int | None, most: int | None) -> list[Fault]:
    """``min_length`` and ``max_length``: characters of a string, bytes of binary."""
    counts = pc.utf8_length(values) if pa.types.is_string(values.type) else pc.binary_length(values)
    faults: list[Fault] = []
    if least is not None:
        faults += _where(pc.less(counts, least), f"shorter than {least}")
    if most is not None:
        faults += _where(pc.greater(counts, most), f"longer than {most}")
    return sorted(faults)


def enumerated(values: pa.Array, allowed: pa.Array, shown: str) -> list[Fault]:
    """``enum``: one of ``allowed``, an array of the column's type."""
    return _where(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, allowed))), f"not one of {shown}")


def pattern(values: pa.Array, match: Callable[[pa.Array], Converted], shown: str) -> list[Fault]:
    """``pattern``: the whole text matches.

    Args:
        match: gives null for the texts that do not match.
        shown: the pattern.

    Raises:
        PatternTimeout: the pattern took longer than it may.
    """
    matched = match(values).values
    if matched.null_count == values.null_count:
        return []
    return _where(pc.and_(pc.is_null(matched), pc.is_valid(values)), f"does not match {shown}")


def _where(mask: pa.Array, message: str) -> list[Fault]:
    if not pc.any(mask).as_py():
        return []
    return [Fault(row, _CODE, message) for row in true_rows(pc.fill_null(mask, False))]


def all_faults(values: pa.Array, checks: Sequence[Constraint]) -> list[Fault]:
    """What all checks find, in row order."""
    faults = [fault for check in checks for fault in check(values)]
    return sorted(faults) if len(checks) > 1 else faults


def shown_list(values: Sequence[Any]) -> str:
    """Allowed values as a message lists them: the first few."""
    first = ", ".join(str(value) for value in values[:5])
    return f"{first}, ... ({len(values)} values)" if len(values) > 5 else first
