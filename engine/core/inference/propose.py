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
from engine.core.inference.sample import Sample
from engine.core.inference.verify import refusals
from engine.core.limits import Limits
from engine.core.mapping import CsvDialect, Mapping, validate_mapping
from engine.errors import FileError

__all__ = ["Note", "Proposal", "mapping_id", "propose"]

_SHOWN_RECORDS = 3
_HEADER_ROWS = 1000  # below the first record, that tell whether it is a header


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
        FileError: the first record of a sample is broken, or no column can be used.
    """
    header = _header(samples[0])
    notes = list(_file_notes(samples, header))
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
    mapping = _verified(document, samples, limits, notes)
    return Proposal(document, mapping, tuple(notes))


def mapping_id(text: str) -> str:
    """A valid mapping id that resembles a text, as a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")[:128] or "mapping"


def _header(sample: Sample) -> Header:
    if not sample.numbers or sample.numbers[0] != 0:
        raise FileError(f"the first record is broken: {sample.broken[0].message}", file=sample.name)
    first = [column[0].as_py() for column in sample.columns]
    below = [_texts(column.slice(1, _HEADER_ROWS)) for column in sample.columns]
    values = [[text for text in texts if text and text not in NULL_WORDS] for texts in below]
    readings = [judge(texts, "") if texts else None for texts in values]
    return find_header(first, readings, [cell in texts for cell, texts in zip(first, below, strict=True)])


def _texts(cells: pa.Array) -> list[str]:
    """The distinct texts of a column without nulls, in the order in which they first come."""
    return [cell.decode() for cell in raw_cells(pc.unique(cells))]


def _labels(sample: Sample, header: bool) -> list[str]:
    if not header:
        return [str(place + 1) for place in range(len(sample.columns))]
    if not sample.numbers or sample.numbers[0] != 0:
        raise FileError(f"the header is broken: {sample.broken[0].message}", file=sample.name)
    return [column[0].as_py() for column in sample.columns]


def _columns(samples: Sequence[Sample], header: bool, notes: list[Note]) -> Iterator[Column]:
    """The columns that fields can be read from: those that all samples have, each once."""
    labels = [_labels(sample, header) for sample in samples]
    for label in dict.fromkeys(label for each in labels for label in each):
        if not label:
            unnamed = next(each for each in labels if label in each)
            places = [f"{place:,}" for place, found in enumerate(unnamed, 1) if not found]
            notes.append(Note(None, f"left out, without a label: column {joined(places)}"))
            continue
        twice = [sample.name for sample, each in zip(samples, labels, strict=True) if each.count(label) > 1]
        lacking = [sample.name for sample, each in zip(samples, labels, strict=True) if label not in each]
        if twice:
            notes.append(Note(label, "stands more than once in the header, so no field can be read from it: left out"))
        elif lacking:
            notes.append(Note(label, f"not in {joined(lacking)}: left out"))
        else:
            parts = [_part(sample, each.index(label), header) for sample, each in zip(samples, labels, strict=True)]
            yield Column(label, _name(label, labels[0], header), parts)


def _name(label: str, labels: Sequence[str], header: bool) -> str:
    if not header:
        return f"column_{label}"
    name = label.strip()
    return name if name and [each.strip() for each in labels].count(name) == 1 else label


def _part(sample: Sample, place: int, header: bool) -> Part:
    cells, numbers = sample.columns[place], sample.numbers
    if header:
        return Part(sample.name, cells[1:], numbers[1:])
    return Part(sample.name, cells, array("q", (number + 1 for number in numbers)))


def _csv(sample: Sample, header: bool, nulls: Sequence[str]) -> dict[str, Any]:
    settings = {
        "delimiter": sample.dialect.delimiter,
        "quote": sample.dialect.quote,
        "header": header,
        "null_values": ["", *nulls],
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
        rows = (sample.numbers[-1] if sample.numbers else 0) + (not header.present)
        if not sample.whole:
            yield Note(None, f"{name}only the first {rows:,} rows were looked at")
        if sample.broken:
            shown_ones = "; ".join(f"line {each.line:,}: {each.message}" for each in sample.broken[:_SHOWN_RECORDS])
            more = "; ..." if len(sample.broken) > _SHOWN_RECORDS else ""
            yield Note(
                None, f"{name}rows that are broken and will be rejected: {len(sample.broken):,} ({shown_ones}{more})"
            )


def _verified(document: dict[str, Any], samples: Sequence[Sample], limits: Limits, notes: list[Note]) -> Mapping:
    """The mapping, once it refuses no cell of the samples; a field that does becomes text, and a note says so."""
    while True:
        mapping = validate_mapping(document, "proposal")
        found = Counter[str]()
        for sample in samples:
            found.update(refusals(mapping, sample.data, limits))
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
