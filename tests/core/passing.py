"""A whole file through the core, in pieces, for the tests that look at what comes out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan
from engine.core.reader import CHUNK_BYTES
from engine.core.transform import Counts, Transform

__all__ = ["Passed", "pass_through"]

_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Passed:
    """The bytes of the two outputs, and the counts at the end."""

    written: bytes
    rejected: bytes
    counts: Counts

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The written rows of JSON Lines output."""
        return [json.loads(line) for line in self.written.splitlines()]

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The reject records."""
        return [json.loads(line) for line in self.rejected.splitlines()]


def pass_through(
    data: bytes,
    mapping: dict[str, Any],
    cuts: Iterable[int] = (),
    *,
    chunk_bytes: int = CHUNK_BYTES,
    limits: Limits = _LIMITS,
) -> Passed:
    """Feeds a file named ``f.csv`` in the pieces that ``cuts`` make of it (places beyond its end count as its end).

    ``mapping`` is a document less what all have in common: ``version``, and an ``id`` where it does not matter.
    """
    plan = Plan.compile(validate_mapping({"version": 1, "id": "m", **mapping}, "test"), limits)
    transform = Transform(plan, file="f.csv", chunk_bytes=chunk_bytes)
    outputs = []
    for start, end in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        outputs += list(transform.feed(data[start:end]))
    outputs += list(transform.finish())
    return Passed(
        b"".join(output.data for output in outputs), b"".join(output.rejects for output in outputs), transform.counts
    )
