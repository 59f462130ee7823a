"""Proposals for files that tests write down."""

from __future__ import annotations

from typing import Any

from engine.core.inference import Proposal, Sample, propose, read_sample
from engine.core.limits import Limits

__all__ = ["field_of", "proposal", "sample"]


def sample(data: bytes | str, name: str = "a.csv", *, rows: int = 10_000, piece: int = 50_000) -> Sample:
    """A sample read a piece at a time, as from a file."""
    whole = data.encode() if isinstance(data, str) else data
    pieces = (whole[start : start + piece] for start in range(0, len(whole), piece))
    return read_sample(pieces, name, rows=rows, limits=Limits())


def proposal(*files: bytes | str) -> Proposal:
    return propose([sample(data, f"{place}.csv") for place, data in enumerate(files)], "test", Limits())


def field_of(cells: list[str], label: str = "a") -> tuple[dict[str, Any], list[str]]:
    """The field proposed for a column, without its name, and the notes on it."""
    quoted = [f'"{cell.replace('"', '""')}",{number}' for number, cell in enumerate(cells)]
    made = proposal("\n".join([f"{label},number", *quoted]) + "\n")
    field = dict(made.document["fields"][0])
    assert field.pop("name") == label
    return field, [note.what for note in made.notes if note.column == label]
