"""A mapping compiled for running: which columns feed which steps and kernels, once per mapping and thread."""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.decompress import SourceCompression
from engine.core.dialect import Dialect
from engine.core.encoders import OutputFormat, output_format
from engine.core.field import FieldPlan, compile_field
from engine.core.limits import MADE_BYTES, Limits
from engine.core.mapping import Budget, FieldRule, Mapping, OnError, validate_mapping
from engine.core.portion import CHUNK_ROWS, Portion
from engine.errors import HeaderError, nearest

__all__ = ["Plan", "cached_plan"]

_LISTED = 20  # labels of a header that an error names
_LABEL = 60  # characters of each
_COMPARED = 1000  # labels among which the nearest to a missing one is looked for
_KEPT = 64  # plans a thread keeps; a plan is a few kilobytes


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled mapping. Immutable, but used by one thread only: sharing it would contend on reference counts, and
    compiled patterns must not be shared at all."""

    fields: tuple[FieldPlan, ...]
    compression: SourceCompression
    dialect: Dialect
    header: bool | tuple[str, ...]
    null_values: tuple[str, ...]
    on_error: OnError
    budget: Budget
    output: OutputFormat
    limits: Limits
    portion: Portion

    @classmethod
    def compile(cls, mapping: Mapping, limits: Limits) -> Plan:
        readers = Counter(label for rule in mapping.fields for label in rule.labels)
        return cls(
            fields=tuple(
                compile_field(rule, mapping.on_error, limits, max((readers[label] for label in rule.labels), default=1))
                for rule in mapping.fields
            ),
            compression=mapping.csv.compression,
            dialect=mapping.csv.dialect,
            header=mapping.csv.header if isinstance(mapping.csv.header, bool) else tuple(mapping.csv.header),
            null_values=tuple(mapping.csv.null_values),
            on_error=mapping.on_error,
            budget=mapping.budget,
            output=output_format(
                mapping.output.format,
                mapping.output.compression,
                [(rule.name, rule.field_type) for rule in mapping.fields],
                mapping_id=mapping.id,
                mapping_sha256=mapping.sha256,
                guard_formulas=mapping.output.guard_formulas,
            ),
            limits=limits,
            portion=Portion(
                rows=max(1, min(CHUNK_ROWS, MADE_BYTES // sum(map(_made_bytes, mapping.fields)))),
                size=MADE_BYTES // max(readers.values(), default=1),
            ),
        )

    def bind(self, labels: Sequence[str]) -> dict[str, int]:
        """The column position of each label that a field uses.

        Raises:
            HeaderError: such a column is missing, or its label stands twice in the header. Names every such label.
        """
        faults: list[str] = []
        wanted = dict.fromkeys(label for field in self.fields for label in field.labels)
        times, places = Counter(labels), {label: place for place, label in enumerate(labels)}
        for label in wanted:
            if times[label] == 0:
                faults.append(f"no column {label!r}{nearest(label, labels[:_COMPARED])}")
            elif times[label] > 1:
                faults.append(f"{times[label]} columns {label!r}")
        if faults:
            raise HeaderError(f"{', '.join(faults)}; the header has {_listed(labels)}")
        return {label: places[label] for label in wanted}


def _listed(labels: Sequence[str]) -> str:
    """A header's labels as an error names them: the first, and not all of a long one."""
    named = [repr(label if len(label) <= _LABEL else label[: _LABEL - 1] + "…") for label in labels[:_LISTED]]
    more = f" and {len(labels) - _LISTED:,} more" if len(labels) > _LISTED else ""
    return ", ".join(named) + more


def _made_bytes(rule: FieldRule) -> int:
    """What the mapping itself may put into a row for a field, whatever is in its cells."""
    texts = [rule.name, "" if rule.const is None else str(rule.const)]
    for step in rule.steps:
        if step.name == "default":
            texts.append(str(step.rule))
        elif step.name == "replace":
            texts.append(step.rule.replacement)
        elif step.name == "join":
            texts += [step.rule] * len(rule.labels)
        elif step.name == "lookup":
            texts.append(max(step.rule.table.values(), key=len))
    return sum(len(text.encode()) for text in texts)


class _Cache(threading.local):
    """Each thread's plans by mapping hash and limits, least recently used first."""

    def __init__(self) -> None:
        self.plans: OrderedDict[tuple[str, Limits], Plan] = OrderedDict()


_cache = _Cache()


def cached_plan(canonical: bytes, sha256: str, limits: Limits) -> Plan:
    """This thread's plan for a mapping, compiled on first use.

    Args:
        canonical: :attr:`Mapping.canonical`, which was valid when it was made.
        sha256: its hash; with the limits the cache's key.
    """
    plans, key = _cache.plans, (sha256, limits)
    plan = plans.get(key)
    if plan is None:
        mapping = validate_mapping(json.loads(canonical), "mapping")
        plan = plans[key] = Plan.compile(mapping, limits)
        if len(plans) > _KEPT:
            plans.popitem(last=False)
    else:
        plans.move_to_end(key)
    return plan
