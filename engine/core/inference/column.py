"""One column of the samples: its texts, where they stand, and what it is proposed to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import raw_cells
from engine.core.inference.judge import judge, mixed
from engine.core.inference.nulls import NULL_WORDS
from engine.core.inference.reading import STRING, Reading

__all__ = ["Column", "Draft", "Part", "cells_are", "draft", "joined", "shown"]

_SHOWN = 3  # offending texts that a note names
_FEW = 200  # cells that are sooner counted one by one


@dataclass(frozen=True, slots=True)
class Part:
    """A column's cells in one file.

    Attributes:
        file: named where rows are, if there are several files.
        cells: text without nulls.
        rows: the numbers of their rows, from 1.
    """

    file: str
    cells: pa.Array
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of all samples."""

    label: str
    name: str
    parts: Sequence[Part]

    def counts(self) -> dict[str, int]:
        """How many cells have each text, in the order in which the texts first come."""
        if sum(len(part.cells) for part in self.parts) <= _FEW:
            cells = Counter(chain.from_iterable(raw_cells(part.cells) for part in self.parts))
            return {text.decode(): times for text, times in cells.items()}
        counted = pc.value_counts(pa.concat_arrays([part.cells for part in self.parts]))
        numbers = memoryview(counted.field("counts").buffers()[1]).cast("q")
        return {text.decode(): numbers[place] for place, text in enumerate(raw_cells(counted.field("values")))}

    def place(self, text: str) -> str:
        """Where a text that some cell has stands first."""
        for part in self.parts:
            index = pc.index(part.cells, pa.scalar(text, pa.string())).as_py()
            if index >= 0:
                file = f"{part.file} " if len(self.parts) > 1 else ""
                return f"{file}row {part.rows[index]:,}"
        raise LookupError(text)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a column is proposed to be.

    Attributes:
        words: cells by their text, of those that stand for nulls if the column has a type, and may otherwise.
        empty: cells without any text.
        filled: all other cells.
        notes: what about the column needs attention, one line each.
    """

    column: Column
    reading: Reading
    words: dict[str, int]
    empty: int
    filled: int
    notes: tuple[str, ...]

    def doubts(self, nulls: Sequence[str]) -> Iterator[str]:
        """A note for each word in a column of text that may stand for nulls and is not among them."""
        if self.reading.is_plain and self.filled:
            for word, times in self.words.items():
                if word not in nulls:
                    where = f"{cells_are(times)} {shown(word)} ({self.column.place(word)})"
                    yield f"{where}; add it to csv.null_values if it is null"


def draft(column: Column) -> Draft:
    """Judges a column by every cell it has."""
    counts = column.counts()
    empty = counts.pop("", 0)
    words = {word: counts.pop(word) for word in NULL_WORDS if word in counts}
    reading = judge(list(counts), column.label) if counts else STRING
    notes = [*reading.remarks] if counts else ["no cell has a value; proposed as string"]
    if reading.is_plain and not notes:
        notes += _mixed(column, counts)
    return Draft(column, reading, words, empty, sum(counts.values()), tuple(notes))


def _mixed(column: Column, counts: dict[str, int]) -> Iterator[str]:
    found = mixed(counts, column.label)
    if found is not None:
        bad, total = sum(counts[text] for text in found.refused), sum(counts.values())
        yield (
            f"{bad:,} of {total:,} cells {_are(bad)} no {_name(found.reading)}:"
            f" {_places(column, found.refused)}; proposed as string"
        )


def _places(column: Column, texts: Sequence[str]) -> str:
    named = ", ".join(f"{column.place(text)} {shown(text)}" for text in texts[:_SHOWN])
    return named + (", ..." if len(texts) > _SHOWN else "")


def _name(reading: Reading) -> str:
    formats = f" ({', '.join(reading.formats)})" if reading.formats else ""
    return f"{reading.type}{formats}" + "".join(f" after {step}" for step in reading.steps)


def cells_are(count: int) -> str:
    """``1 cell is``, ``2 cells are``."""
    return f"{count:,} cell{'' if count == 1 else 's'} {_are(count)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def shown(text: str) -> str:
    """A cell as a note quotes it: on one line, and not all of a long one."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def joined(names: Iterable[str], most: int = 5) -> str:
    """Names as a note lists them: the first few."""
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most:,} more" if len(listed) > most else "")
