"""What of the samples a mapping refuses."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.field import Memo, compile_field
from engine.core.inference.column import Column
from engine.core.limits import Limits
from engine.core.mapping import FieldRule, Mapping

__all__ = ["refusals"]


def refusals(mapping: Mapping, columns: Sequence[Column], limits: Limits) -> Counter[str]:
    """How many cells each field refuses, converted as the engine converts them.

    Fields that differ in nothing but their column are converted as one: of thousands of columns few differ in more.

    Args:
        columns: one for each field, by the field's name.
    """
    alike: dict[str, list[FieldRule]] = defaultdict(list)
    for rule in mapping.fields:
        alike[rule.model_copy(update={"name": "", "source": None}).model_dump_json()].append(rule)
    by_name = {column.name: column for column in columns}
    nulls = pa.array(mapping.csv.null_values, pa.string())
    found: Counter[str] = Counter()
    for rules in alike.values():
        parts = [[part.cells for part in by_name[rule.name].parts] for rule in rules]
        ends = list(accumulate(sum(map(len, each)) for each in parts))
        cells = pa.concat_arrays([part for each in parts for part in each])
        values = pc.replace_with_mask(cells, pc.is_in(cells, nulls), pa.scalar(None, pa.string()))
        plan = compile_field(rules[0], mapping.on_error, limits)
        faults = plan.convert({plan.labels[0]: values}, len(values), Memo()).faults
        found.update(rules[bisect_right(ends, fault.row)].name for fault in faults)
    return found
