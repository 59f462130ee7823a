"""The proposal: a mapping for files like the samples, checked by running it over them."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import raw_cells
from engine.core.inference.column import Column, Draft, Part, cells_are, draft, joined, shown
from engine.core.inference.header import Header, find_header
from engine.core.inference.judge import judge
from engine.core.inference.nulls import NULL_WORDS
from engine.core.inference.reading import Reading
from engine.core.inference.sample import Sample
from engine.core.inference.verify import refusals
from engine.core.limits import Limits
from engine.core.mapping import CsvDialect, Mapping, validate_mapping
from engine.errors import FileError

__all__ = ["Note", "Proposal", "mapping_id", "propose"]

_SHOWN_RECORDS = 3
_HEADER_ROWS = 1000  # below the first record, that tell whether it is a header
_MENDED = {  # by the code of broken rows: what they are, and the setting that may make them whole
    "extra-cell": 'have more cells than the header; csv.extra_cells "ignore" keeps them without these',
    "missing-cell": 'have fewer cells than the header; csv.missing_cells "null" keeps them with nulls',
    "encoding-error": "do not decode; set csv.encoding if the file is in another encoding",
    "quote-error": "have a quote left open or not doubled; set csv.quote or csv.escape if quotes are written otherwise",
}


class Note(NamedTuple):
    """Something to look at before the mapping is used: about a column by its label, or about the files."""

    column: str | None
    what: str

    def __str__(self) -> str:
        return " ".join((f"{self.column}: {self.what}" if self.column is not None else self.what).split())


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping: as a document that says only what is needed, and checked."""

    document: dict[str, Any]
    mapping: Mapping
    notes: tuple[Note, ...]


def propose(samples: Sequence[Sample], name: str, limits: Limits, output_format: str | None = None) -> Proposal:
    """Proposes a mapping under which every whole row of the samples is written.

    Args:
        samples: beginnings of files that are written alike; at least one. A column must be in all of them.
        name: the mapping's id.
        output_format: for ``output.format``; the mapping's default unless given.

    Raises:
        FileError: no column can be used.
    """
    header = _header(samples[0])
    notes = [Note(None, what) for what in samples[0].notes] + list(_file_notes(samples, header))
    columns = list(_columns(samples, header.present, notes))
    if not columns:
        why = "the samples have none in common" if len(samples) > 1 else "each needs a label of its own"
        raise FileError(f"no column can be used: {why}", file=samples[0].name)
    drafts = [draft(column) for column in columns]
    nulls = [word for word in NULL_WORDS if any(word in each.words and not each.reading.is_plain for each in drafts)]
    notes += [Note(each.column.label, what) for each in drafts for what in (*each.notes, *each.doubts(nulls))]
    notes += [_null_note(word, drafts) for word in nulls]
    document: dict[str, Any] = {"version": 1, "id": name}
    csv = _csv(samples[0], header.present, nulls)
    if csv:
        document["csv"] = csv
    document["fields"] = [_field(each, nulls) for each in drafts]
    if output_format is not None:
        document["output"] = {"format": output_format}
    mapping = _verified(document, columns, limits, notes)
    return Proposal(document, mapping, tuple(notes))


def mapping_id(text: str) -> str:
    """A valid mapping id that resembles a text, as a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")[:128] or "mapping"


def _header(sample: Sample) -> Header:
    first = [column[0].as_py() for column in sample.columns]
    below = [column.slice(1, _HEADER_ROWS) for column in sample.columns]
    again = (cell in _texts(cells) for cell, cells in zip(first, below, strict=True))
    return find_header(first, map(_reading, below), again)


def _reading(cells: pa.Array) -> Reading | None:
    texts = [text for text in _texts(cells) if text and text not in NULL_WORDS]
    return judge(texts, "") if texts else None


def _texts(cells: pa.Array) -> list[str]:
    """The distinct texts of a column without nulls, in the order in which they first come."""
    return [cell.decode() for cell in raw_cells(pc.unique(cells))]


def _labels(sample: Sample, header: bool) -> list[str]:
    if not header:
        return [str(place + 1) for place in range(len(sample.columns))]
    return [column[0].as_py() for column in sample.columns]


def _columns(samples: Sequence[Sample], header: bool, notes: list[Note]) -> Iterator[Column]:
    """The columns that fields can be read from: those that all samples have, each once."""
    labels = [_labels(sample, header) for sample in samples]
    places = [{label: place for place, label in enumerate(each)} for each in labels]
    times = [Counter(each) for each in labels]
    names = Counter(label.strip() for label in labels[0])
    for label in dict.fromkeys(label for each in labels for label in each):
        if not label:
            unnamed = next(each for each in labels if label in each)
            left_out = [f"{place:,}" for place, found in enumerate(unnamed, 1) if not found]
            notes.append(Note(None, f"left out, without a label: column {joined(left_out)}"))
            continue
        lacking = [sample.name for sample, each in zip(samples, times, strict=True) if not each[label]]
        if any(each[label] > 1 for each in times):
            notes.append(Note(label, "stands more than once in the header, so no field can be read from it: left out"))
        elif lacking:
            notes.append(Note(label, f"not in {joined(lacking)}: left out"))
        else:
            parts = [_part(sample, each[label], header) for sample, each in zip(samples, places, strict=True)]
            yield Column(label, _name(label, names) if header else f"column_{label}", parts)


def _name(label: str, names: Counter[str]) -> str:
    """The label without white space around it, where that leaves it different from others."""
    name = label.strip()
    return name if name and names[name] == 1 else label


def _part(sample: Sample, place: int, header: bool) -> Part:
    cells, numbers = sample.columns[place], sample.numbers
    if header:
        return Part(sample.name, cells[1:], numbers[1:])
    return Part(sample.name, cells, array("q", (number + 1 for number in numbers)))


def _csv(sample: Sample, header: bool, nulls: Sequence[str]) -> dict[str, Any]:
    dialect = sample.dialect
    settings = {
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "escape": dialect.escape,
        "header": header,
        "encoding": dialect.encoding,
        "skip_lines": dialect.skip_lines,
        "trim": dialect.trim,
        "null_values": ["", *nulls],
        "extra_cells": "ignore" if dialect.extra_cells else "error",
        "missing_cells": "null" if dialect.missing_cells else "error",
    }
    default = CsvDialect()
    return {key: value for key, value in settings.items() if value != getattr(default, key)}


def _field(each: Draft, nulls: Sequence[str]) -> dict[str, Any]:
    field: dict[str, Any] = {"name": each.column.name}
    if each.column.label != each.column.name:
        field["from"] = each.column.label
    field |= each.reading.settings()
    if each.filled and not each.empty and not any(word in each.words for word in nulls):
        field["required"] = True
    return field


def _null_note(word: str, drafts: Sequence[Draft]) -> Note:
    typed = [each.column.label for each in drafts if word in each.words and not each.reading.is_plain]
    plain = [each.column.label for each in drafts if word in each.words and each.reading.is_plain and each.filled]
    also = f"; so it is then in the text of {joined(plain)}" if plain else ""
    return Note(None, f"{shown(word)} is proposed as null, for {joined(typed)}{also}")


def _file_notes(samples: Sequence[Sample], header: Header) -> Iterator[Note]:
    if not header.sure:
        what = "taken for a header" if header.present else "taken for a row"
        yield Note(None, f"no column tells whether the first record is a header; {what}")
    for sample in samples:
        name = f"{sample.name}: " if len(samples) > 1 else ""
        if not sample.whole:
            yield Note(None, f"{name}only the first {sample.records - header.present:,} rows were looked at")
        if sample.broken:
            shown_ones = "; ".join(f"line {each.line:,}: {each.message}" for each in sample.broken[:_SHOWN_RECORDS])
            more = "; ..." if len(sample.broken) > _SHOWN_RECORDS else ""
            yield Note(
                None, f"{name}rows that are broken and will be rejected: {len(sample.broken):,} ({shown_ones}{more})"
            )
        codes = Counter(each.code for each in sample.broken)
        for code, what in _MENDED.items():
            if codes[code]:
                yield Note(None, f"{name}of these rows {codes[code]:,} {what}")


def _verified(document: dict[str, Any], columns: Sequence[Column], limits: Limits, notes: list[Note]) -> Mapping:
    """The mapping, once it refuses no cell of the samples; a field that does becomes text, and a note says so."""
    while True:
        mapping = validate_mapping(document, "proposal")
        found = refusals(mapping, columns, limits)
        refused = [field for field in document["fields"] if field["name"] in found]
        for field in refused:
            label, times = field.get("from", field["name"]), found[field["name"]]
            notes.append(Note(label, f"{cells_are(times)} refused {_why(field)}"))
        typed = [field for field in refused if not _is_text(field)]
        if not typed:
            return mapping
        for field in typed:
            field |= {"type": "string"}
            for key in field.keys() & {"steps", "formats", "required"}:
                del field[key]


def _is_text(field: dict[str, Any]) -> bool:
    return field["type"] == "string" and not field.keys() & {"steps", "required"}


def _why(field: dict[str, Any]) -> str:
    return "whatever their type" if _is_text(field) else f"as {field['type']}; proposed as string"
