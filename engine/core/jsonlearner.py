"""Which cells of a JSON column have the shape that was learned from others of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import raw_cells
from engine.core.jsonblocks import parse_cells
from engine.core.jsonpath import JsonPath
from engine.core.jsonshape import PathPattern, Shape, learn, path_pattern, whole_pattern
from engine.core.reference import parse_json

__all__ = ["JsonLearner"]

_SAMPLE = 64  # cells that a shape is learned from
_LESSONS = 4  # how often it is tried: cells that go on to differ are parsed
_UNLIKE = 8  # one cell in so many may differ from the shape before another is learned


class JsonLearner:
    """The shape of a column's cells, learned from the first chunk and again when later ones differ.

    Part of a compiled plan, and so of one thread. What it has learned decides how fast cells are read, not how.

    Args:
        compact: whether only cells in compact form count as fitting.
    """

    def __init__(self, *, compact: bool) -> None:
        self._compact = compact
        self._lessons = _LESSONS
        self._shape: Shape | None = None
        self._pattern = ""
        self._useful = True
        self._paths: dict[JsonPath, PathPattern | None] = {}

    def fitting(self, column: pa.Array) -> pa.Array | None:
        """Which cells have the shape: each is a valid JSON value then. None when the column has no shape.

        Args:
            column: text without nulls.
        """
        if not self._useful or (self._shape is None and not self._learn(column)):
            return None
        fits = pc.match_substring_regex(column, self._pattern)
        if (len(column) - fits.true_count) * _UNLIKE > len(column) and self._learn(column.filter(pc.invert(fits))):
            fits = pc.match_substring_regex(column, self._pattern)
        self._useful = bool(self._lessons) or fits.true_count * 2 >= len(column)
        return fits

    def path(self, path: JsonPath) -> PathPattern | None:
        """How to find what a path leads to in the cells that were last found fitting; None: it takes a parser."""
        if self._shape is None:
            return None
        if path not in self._paths:
            self._paths[path] = path_pattern(self._shape, path)
        return self._paths[path]

    def _learn(self, column: pa.Array) -> bool:
        """Learns from the shape so far and some of the cells; false when that was tried often enough or did no good."""
        if not self._lessons or len(column) == 0:
            return False
        self._lessons -= 1
        step = -(-len(column) // _SAMPLE)
        sample = raw_cells(column.take(pa.array(range(0, len(column), step))))
        values, faults = parse_cells(sample, parse_json)
        bad = {fault.row for fault in faults}
        shape = learn((value for row, value in enumerate(values) if row not in bad), self._shape or Shape())
        pattern = None if shape is None else whole_pattern(shape, compact=self._compact)
        if shape is None or pattern is None:
            return False
        self._shape, self._pattern, self._paths = shape, pattern, {}
        return True
