"""The kernel of ``json``: a column is read once, for as many paths as a mapping has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json

from engine.core.columns import Converted, Fault, column_bytes, decode_column, raw_cells, spread, true_rows, widths
from engine.core.jsonblocks import compact_cells, parse_cells
from engine.core.jsonlearner import JsonLearner
from engine.core.jsonpath import JsonPath, follow, parse_path
from engine.core.reference import compact_json, parse_json
from engine.core.stepping.reference import json_text, json_value

__all__ = ["JsonCells", "JsonStep"]


@dataclass(frozen=True, slots=True)
class JsonStep:
    """A path into columns of JSON. For one thread: it learns what their cells look like."""

    path: JsonPath
    learner: JsonLearner

    @classmethod
    def make(cls, path: str) -> JsonStep:
        return cls(parse_path(path), JsonLearner(compact=False))

    def __call__(self, column: pa.Array) -> Converted:
        return self.read(column).extract(self.path)

    def read(self, column: pa.Array) -> JsonCells:
        """Looks at a text or binary column; :meth:`JsonCells.extract` then is :func:`reference.json_path` for it."""
        decoded = decode_column(column)
        text = decoded.values
        valid = pc.is_valid(text)
        present = text.filter(valid) if text.null_count else text
        fits = self.learner.fitting(present)
        fitting = pc.replace_with_mask(pc.and_(valid, False), valid, fits) if fits is not None else None
        parsed = valid if fitting is None else pc.and_not(valid, fitting)
        values, found = parse_cells(raw_cells(text.filter(parsed)), json_value)
        rows = true_rows(parsed)
        faults = [Fault(rows[fault.row], fault.code, fault.message) for fault in found]
        if fitting is None or not fitting.true_count:
            fitting, text = None, pa.nulls(len(text), pa.string())
        elif fitting.true_count < len(text):
            text = pc.replace_with_mask(text, pc.invert(fitting), pa.scalar(None, pa.string()))
        return JsonCells(text, self.learner, parsed, values, tuple(sorted([*faults, *decoded.faults])))


@dataclass(frozen=True, slots=True)
class JsonCells:
    """A column of JSON, read.

    Attributes:
        fitting: the cells whose shape the learner knows; null elsewhere.
        parsed: which of the others are cells at all.
        values: theirs, None where null in JSON or faulty.
        faults: the cells that are not JSON as the type ``json`` takes it. They are faults of every path.
    """

    fitting: pa.Array
    learner: JsonLearner
    parsed: pa.Array
    values: list[Any]
    faults: tuple[Fault, ...]

    def extract(self, path: JsonPath) -> Converted:
        """What the path finds in each row: strings as their text, the rest as compact JSON, null where nothing is."""
        found = self._of_fitting(path)
        if self.values:
            texts = [json_text(follow(value, path)) for value in self.values]
            found = pc.replace_with_mask(found, self.parsed, pa.array(texts, pa.binary()).view(pa.string()))
        return Converted(found, self.faults)

    def _of_fitting(self, path: JsonPath) -> pa.Array:
        if self.fitting.null_count == len(self.fitting):
            return self.fitting
        way = self.learner.path(path)
        if way is None:
            valid = pc.is_valid(self.fitting)
            values, _ = parse_cells(raw_cells(self.fitting.filter(valid)), json_value)
            texts = [json_text(follow(value, path)) for value in values]
            return spread(pa.array(texts, pa.binary()).view(pa.string()), valid)
        if way.pattern is None:
            return pa.nulls(len(self.fitting), pa.string())
        found = pc.extract_regex(self.fitting, way.pattern)
        text = _unescaped(pc.struct_field(found, "text"))
        other = pc.struct_field(found, "other")
        return text if widths(other)[1] == 0 else _with_others(text, other, way.compact)


def _unescaped(text: pa.Array) -> pa.Array:
    """The insides of JSON strings as the texts that they are."""
    if b"\\" not in column_bytes(text):
        return text
    escaped = pc.fill_null(pc.match_substring(text, "\\"), False)
    texts: list[str] = from_json(b'["%s"]' % b'","'.join(raw_cells(text.filter(escaped))), cache_strings="none")
    return pc.replace_with_mask(
        text, escaped, pa.array([each.encode() for each in texts], pa.binary()).view(pa.string())
    )


def _with_others(text: pa.Array, other: pa.Array, compact: str) -> pa.Array:
    """The texts, and the values that are no strings: as compact JSON, null for null."""
    others = pc.fill_null(pc.not_equal(other, ""), False)
    odd = pc.and_not(others, pc.fill_null(pc.match_substring_regex(other, compact), True))
    if odd.true_count:
        texts, _ = compact_cells(raw_cells(other.filter(odd)), _compact)
        other = pc.replace_with_mask(other, odd, pa.array(texts, pa.binary()).view(pa.string()))
    nulls = pc.fill_null(pc.equal(other, "null"), False)
    return pc.replace_with_mask(pc.if_else(others, other, text), nulls, pa.scalar(None, pa.string()))


def _compact(text: str) -> bytes:
    return compact_json(parse_json(text))
