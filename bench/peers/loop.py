"""A row at a time: ``csv.reader`` and the reference converters, which define what the engine must make of a file."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from bench.workloads import mapping_of
from engine.core.encoders.formats import Format
from engine.core.jsonpath import JsonPath, follow, parse_path
from engine.core.limits import Limits
from engine.core.mapping import FieldRule
from engine.core.reference import CellFault
from engine.core.stepping.compile import compile_step
from engine.core.stepping.reference import Value, as_text, json_text, json_value
from engine.core.steps import Step
from engine.core.types import compile_type

__all__ = ["Loop"]

_quoted = json.JSONEncoder(ensure_ascii=False).encode

_WRITERS: dict[str, Callable[[Any], str]] = {
    "string": _quoted,
    "int": str,
    "float": repr,
    "bool": lambda value: "true" if value else "false",
    "date": lambda value: f'"{value.isoformat()}"',
    "timestamp": lambda value: f'"{value.isoformat(timespec="microseconds")[:-6]}Z"',
    "uuid": lambda value: f'"{value}"',
    "json": lambda value: value,
    "bytes": lambda value: f'"{b64encode(value).decode()}"',
}


_last_value = lru_cache(maxsize=1)(json_value)  # six paths into a cell parse it once, as anybody would


def _json_path(value: Value, *, path: JsonPath) -> Value:
    """The reference of the step ``json``, less the parsing of a cell that was parsed just before."""
    if value is None:
        return None
    found = json_text(follow(_last_value(as_text(value)), path))
    return None if found is None else found.decode()


def _step(step: Step) -> Callable[[Value], Value]:
    if step.name == "json":
        return partial(_json_path, path=parse_path(step.rule.path))
    return compile_step(step, Limits()).reference


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    label: str
    steps: tuple[Callable[[Value], Value], ...]
    kind: str
    reference: Callable[[str], Any]
    required: bool

    @classmethod
    def of(cls, rule: FieldRule) -> _Field:
        kind = rule.field_type.kind
        steps = tuple(map(_step, rule.steps))
        return cls(rule.name, rule.labels[0], steps, kind, compile_type(rule).reference, rule.required)

    def convert(self, cell: str | None) -> Any:
        value: Value = cell
        for step in self.steps:
            value = step(value)
        if value is None:
            return None
        if self.kind == "bytes" and isinstance(value, bytes):
            return value
        return self.reference(as_text(value))


class Loop:
    """Fields of one source column, without constraints but ``required``; writes JSON Lines whatever is asked."""

    def __init__(self, workload: str, _format: Format) -> None:
        self._fields = [_Field.of(rule) for rule in mapping_of(workload, "jsonl").fields]

    def run(self, source: Path, output: Path) -> int:
        """Rejected rows go beside the output, under ``.rejects``: row number and (field, code) of each error."""
        written = 0
        with (
            source.open(encoding="utf-8", errors="surrogateescape", newline="") as file,
            output.open("w", encoding="utf-8", newline="") as data,
            output.with_suffix(".rejects").open("w", encoding="utf-8") as rejects,
        ):
            rows = csv.reader(file, strict=True)
            header = next(rows)
            fields = [(field, header.index(field.label), _WRITERS[field.kind]) for field in self._fields]
            for row, cells in enumerate(rows, 1):
                text, errors = _convert(cells, len(header), fields)
                if errors:
                    rejects.write(json.dumps({"row": row, "errors": errors}) + "\n")
                else:
                    data.write(text)
                    written += 1
        return written


type _Placed = tuple[_Field, int, Callable[[Any], str]]


def _convert(cells: list[str], width: int, fields: list[_Placed]) -> tuple[str, list[tuple[str | None, str]]]:
    """The row's line, or its errors as (field, code)."""
    if len(cells) != width:
        return "", [(None, "extra-cell" if len(cells) > width else "missing-cell")]
    if any(not cell.isascii() and not _is_text(cell) for cell in cells):
        return "", [(None, "encoding-error")]
    errors: list[tuple[str | None, str]] = []
    parts: list[str] = []
    for field, place, write in fields:
        try:
            value = field.convert(cells[place] or None)
        except CellFault as fault:
            errors.append((field.name, fault.code))
            continue
        if value is not None:
            parts.append(f'"{field.name}":{write(value)}')
        elif field.required:
            errors.append((field.name, "missing-value"))
        else:
            parts.append(f'"{field.name}":null')
    return "{" + ",".join(parts) + "}\n", errors


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
