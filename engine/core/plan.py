"""A mapping compiled for running: which column feeds which kernel, once per mapping and thread."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, true_rows
from engine.core.framing import Dialect
from engine.core.jsonl import JsonLines
from engine.core.kernels import KERNELS, Kernel
from engine.core.mapping import Mapping, validate_mapping
from engine.errors import HeaderError, nearest

__all__ = ["FieldPlan", "Plan", "cached_plan"]

_KEPT = 64  # plans a thread keeps; a plan is a few kilobytes


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field, ready to run."""

    name: str
    label: str
    kernel: Kernel
    required: bool

    def convert(self, column: pa.Array) -> Converted:
        """Text column in, typed column and faults out, the field's constraints checked."""
        converted = self.kernel(column)
        if not self.required or not column.null_count:
            return converted
        missing = [Fault(row, "missing-value", "required, but empty") for row in true_rows(pc.is_null(column))]
        return Converted(converted.values, sorted([*converted.faults, *missing]))


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled mapping. Immutable, but used by one thread only: sharing it would contend on reference counts."""

    fields: tuple[FieldPlan, ...]
    dialect: Dialect
    header: bool | tuple[str, ...]
    null_values: tuple[str, ...]
    encoder: JsonLines

    @classmethod
    def compile(cls, mapping: Mapping) -> Plan:
        return cls(
            fields=tuple(
                FieldPlan(rule.name, rule.label, KERNELS[rule.type], rule.required) for rule in mapping.fields
            ),
            dialect=Dialect(mapping.csv.delimiter, mapping.csv.quote),
            header=mapping.csv.header if isinstance(mapping.csv.header, bool) else tuple(mapping.csv.header),
            null_values=tuple(mapping.csv.null_values),
            encoder=JsonLines([(rule.name, rule.type) for rule in mapping.fields]),
        )

    def bind(self, labels: Sequence[str]) -> tuple[int, ...]:
        """The column position of each field.

        Raises:
            HeaderError: a field's column is missing, or its label stands twice in the header. Names every such field.
        """
        faults: list[str] = []
        for label in dict.fromkeys(field.label for field in self.fields):
            times = labels.count(label)
            if times == 0:
                faults.append(f"no column {label!r}{nearest(label, labels)}")
            elif times > 1:
                faults.append(f"{times} columns {label!r}")
        if faults:
            raise HeaderError(f"{', '.join(faults)}; the header has {', '.join(map(repr, labels))}")
        return tuple(labels.index(field.label) for field in self.fields)


class _Cache(threading.local):
    """Each thread's plans by mapping hash, least recently used first."""

    def __init__(self) -> None:
        self.plans: OrderedDict[str, Plan] = OrderedDict()


_cache = _Cache()


def cached_plan(canonical: bytes, sha256: str) -> Plan:
    """This thread's plan for a mapping, compiled on first use.

    Args:
        canonical: :attr:`Mapping.canonical`, which was valid when it was made.
        sha256: its hash; the cache's key.
    """
    plans = _cache.plans
    plan = plans.get(sha256)
    if plan is None:
        plan = plans[sha256] = Plan.compile(validate_mapping(json.loads(canonical), "mapping"))
        if len(plans) > _KEPT:
            plans.popitem(last=False)
    else:
        plans.move_to_end(sha256)
    return plan
