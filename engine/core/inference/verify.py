"""What of a sample a mapping refuses."""

from __future__ import annotations

from collections import Counter

from pydantic_core import from_json

from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.core.plan import Plan
from engine.core.transform import Transform

__all__ = ["refusals"]


def refusals(mapping: Mapping, data: bytes, limits: Limits) -> Counter[str]:
    """How many cells of a whole file each field refuses; rows that are broken as such are none of any field's."""
    transform = Transform(Plan.compile(mapping, limits), file="sample")
    found: Counter[str] = Counter()
    for output in (*transform.feed(data), *transform.finish()):
        for line in output.rejects.splitlines():
            for error in from_json(line)["errors"]:
                if error["field"] is not None:
                    found[error["field"]] += 1
    return found
