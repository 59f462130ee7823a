"""The kernel of ``json``: a column is read once, for as many paths as a mapping has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import native
from engine.core.columns import Converted, Fault, decode_column, raw_cells, true_rows
from engine.core.jsonblocks import parse_cells
from engine.core.jsonpath import JsonPath, follow, parse_path
from engine.core.native.jsonscan import MOST_PATHS, Found, find, is_findable
from engine.core.stepping.reference import json_text, json_value

__all__ = ["JsonCells", "JsonStep"]


@dataclass(frozen=True, slots=True)
class JsonStep:
    """A path into columns of JSON.

    Attributes:
        asked: the paths that fields have asked for of cells that this step read, so that one look at the next chunk's
            finds what all of them want. Belongs to the thread of the plan.
    """

    path: JsonPath
    asked: list[JsonPath] = field(default_factory=list, compare=False)

    @classmethod
    def make(cls, path: str) -> JsonStep:
        return cls(parse_path(path))

    def __call__(self, column: pa.Array) -> Converted:
        return self.read(column).extract(self.path)

    def read(self, column: pa.Array) -> JsonCells:
        """Looks at a text or binary column; :meth:`JsonCells.extract` then is :func:`reference.json_path` for it."""
        decoded = decode_column(column)
        text = decoded.values
        found, parsed = None, pc.is_valid(text)
        if native.kernels is not None:
            found = find(text, self.asked)
            parsed = found.unsure
        values, faults = _parsed(text, parsed)
        faults = sorted([*faults, *decoded.faults])
        return JsonCells(text, self.asked, found, parsed, values, tuple(faults))


@dataclass(frozen=True, slots=True)
class JsonCells:
    """A column of JSON, read.

    Attributes:
        found: what the paths of ``asked`` found in the cells that are not parsed; None where all are.
        parsed: which cells are; None: none.
        values: theirs, None where null in JSON or faulty.
        faults: the cells that are not JSON as the type ``json`` takes it. They are faults of every path.
    """

    text: pa.Array
    asked: list[JsonPath]
    found: Found | None
    parsed: pa.Array | None
    values: list[Any]
    faults: tuple[Fault, ...]

    def extract(self, path: JsonPath) -> Converted:
        """What the path finds in each row: strings as their text, the rest as compact JSON, null where nothing is."""
        found, parsed, values = self.found, self.parsed, self.values
        if found is not None and path not in found.paths:
            if is_findable(path):
                if len(self.asked) < MOST_PATHS:
                    self.asked.append(path)
                found = find(self.text, [path])
                parsed = found.unsure
            else:
                found, parsed = None, pc.is_valid(self.text)
            values = _parsed(self.text, parsed)[0]
        texts = pa.nulls(len(self.text), pa.string()) if found is None else found.texts(path)
        if parsed is not None:
            each = [json_text(follow(value, path)) for value in values]
            texts = pc.replace_with_mask(texts, parsed, pa.array(each, pa.binary()).view(pa.string()))
        return Converted(texts, self.faults)


def _parsed(text: pa.Array, rows: pa.Array | None) -> tuple[list[Any], list[Fault]]:
    """The values of some rows of a text column, None for bad ones; and the faults, by row."""
    if rows is None:
        return [], []
    values, bad = parse_cells(raw_cells(text.filter(rows)), json_value)
    places = true_rows(rows) if bad else []
    return values, [Fault(places[fault.row], fault.code, fault.message) for fault in bad]
