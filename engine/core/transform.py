"""One file's rows through one mapping: the pure core's face. No asyncio, no threads, no AWS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import cells_at, mask_of, valid_at
from engine.core.field import FieldPlan, Memo
from engine.core.mapping import Budget
from engine.core.plan import Plan
from engine.core.reader import CHUNK_BYTES, CsvReader, Middle, Placed
from engine.core.rejects import CellError, reject_records
from engine.core.replay import RejectsReader, Replayed
from engine.core.rows import RowIndex, SourceRow
from engine.core.stepping.call import CallTally
from engine.errors import BudgetExceeded, RowRefused

__all__ = ["Counts", "Output", "Transform", "Verdict"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows so far. Always ``rows_read == rows_written + rows_rejected``.

    Attributes:
        cells_nulled: bad cells of written rows, written as null because their field says so.
        codes: errors by code, not rows: a rejected row may have several, a nulled cell has its own.
    """

    rows_read: int = 0
    rows_written: int = 0
    rows_rejected: int = 0
    cells_nulled: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def plus(self, other: Counts) -> Counts:
        """Both together; ``other`` is of what comes after."""
        return Counts(
            self.rows_read + other.rows_read,
            self.rows_written + other.rows_written,
            self.rows_rejected + other.rows_rejected,
            self.cells_nulled + other.cells_nulled,
            self.codes + other.codes,
        )


class Output(NamedTuple):
    """What a piece of input became: bytes of the data object, and of the reject object."""

    data: bytes
    rejects: bytes


_REFUSED = "a step refused the cell; a reject record would say in which words (on_error: reject_row)"


class _BadCell(NamedTuple):
    """A faulty cell of a chunk, by the row of its columns."""

    row: int
    field: FieldPlan
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mapping says of a file as a whole: what is allowed, and whether a transform of it does anything at all."""

    budget: Budget

    def rows(self, counts: Counts) -> None:
        """Raises BudgetExceeded: more rows rejected so far than the whole file may have."""
        allowed = self.budget.rows
        if allowed is not None and counts.rows_rejected > allowed:
            raise BudgetExceeded(
                f"{counts.rows_rejected} rows rejected, budget.rows allows {allowed}; {_reasons(counts)}"
            )

    def whole(self, counts: Counts, tallies: Mapping[str, CallTally]) -> None:
        """To be called once all of the file has been read.

        Raises:
            EveryRowFailed: a transform failed on every row.
            BudgetExceeded: the share of rejected rows is larger than it may be.
        """
        for tally in tallies.values():
            tally.judge()
        allowed = self.budget.ratio
        if allowed is not None and counts.rows_rejected > allowed * counts.rows_read:
            raise BudgetExceeded(
                f"{counts.rows_rejected} of {counts.rows_read} rows rejected, budget.ratio allows {allowed:g};"
                f" {_reasons(counts)}"
            )


def _reasons(counts: Counts) -> str:
    """The codes, the most frequent first; those that are as frequent by name, not by which the file has first."""
    return ", ".join(f"{code}: {times}" for code, times in sorted(counts.codes.items(), key=lambda of: (-of[1], of[0])))


class Transform:
    """Feeds a file's bytes, or a part of them that consists of whole records, through a plan.

    Args:
        file: the name that reject records carry.
        replay: None for a CSV file; for the reject file of one, the labels of that one's header. What is rejected
            again keeps the place that its record gives it.
        part: what is fed is not the whole file: the :class:`Verdict` on it is left to whoever sees all parts.
        middle: where the part is not the first. Reject records then count rows and lines from where it begins, and
            what is written follows what was written before it.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        file: str,
        replay: Sequence[str] | None = None,
        chunk_bytes: int = CHUNK_BYTES,
        part: bool = False,
        middle: Middle | None = None,
    ) -> None:
        self._plan = plan
        self._file = file
        self._labels: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self._counts = Counts()
        self._verdict = None if part else Verdict(plan.budget)
        self._encoder = plan.output.open() if middle is None else plan.output.go_on()
        self.tallies: dict[str, CallTally] = {}  # of the mapping's calls, by their chains
        self._reader = _reader(plan, self._bind, replay, chunk_bytes, middle)

    @property
    def labels(self) -> tuple[str, ...]:
        """The header's labels, as found or as given; none before the header was read."""
        return self._labels

    @property
    def counts(self) -> Counts:
        return self._counts

    @property
    def held(self) -> int:
        """Bytes of text that were fed and not converted yet."""
        return self._reader.held

    @property
    def reader(self) -> CsvReader:
        """What reads the file, which is not one of rejects."""
        assert isinstance(self._reader, CsvReader)
        return self._reader

    def feed(self, data: bytes) -> Iterator[Output]:
        """Takes the file's next bytes, in pieces of any size; gives what they became, perhaps nothing yet.

        Raises:
            HeaderError: a column that the mapping uses is missing or stands twice.
            RowRefused: a bad row that the mapping does not let pass.
            BudgetExceeded: more rejected rows than the mapping allows.
            PatternTimeout: a pattern ran too long.
            TransformFailed: an operator's transform is of no use.
            FileError: the file cannot be read on.
        """
        return map(self._convert, self._reader.feed(data))

    def finish(self) -> Iterator[Output]:
        """Gives what the end of the file completes; raises as :meth:`feed`. The transform is done."""
        yield from map(self._convert, self._reader.finish())
        if self._verdict is not None:
            # Of rejects, every row may be there because a transform fails on it.
            self._verdict.whole(self._counts, self.tallies if isinstance(self._reader, CsvReader) else {})
        yield Output(self._encoder.finish(), b"")

    def _bind(self, labels: list[str]) -> tuple[int, ...]:
        self._labels = tuple(labels)
        self._places = self._plan.bind(labels)
        return tuple(sorted(set(self._places.values())))

    def _convert(self, placed: Placed | Replayed) -> Output:
        chunk = placed.chunk
        sources = {label: chunk.columns[place] for label, place in self._places.items()}
        height = chunk.height
        memo = Memo(self.tallies)
        columns: list[pa.Array] = []
        bad: list[_BadCell] = []
        for plan in self._plan.fields:
            converted = plan.convert(sources, height, memo)
            columns.append(converted.values)
            bad += [_BadCell(row, plan, code, message) for row, code, message in converted.faults]
        self._refuse(placed, bad)
        rejected = {cell.row for cell in bad if cell.field.on_error == "reject_row"}
        if rejected:
            keep = pc.invert(mask_of(list(rejected), height))
            columns = [column.filter(keep) for column in columns]
        nulled = [cell for cell in bad if cell.row not in rejected]
        self._counts = replace(
            self._counts,
            rows_read=self._counts.rows_read + chunk.rows,
            rows_written=self._counts.rows_written + height - len(rejected),
            rows_rejected=self._counts.rows_rejected + len(rejected) + len(chunk.aside),
            cells_nulled=self._counts.cells_nulled + len({(cell.row, cell.field.name) for cell in nulled}),
            codes=self._counts.codes + Counter(cell.code for cell in nulled),
        )
        rejects = self._rejects(placed, sources, [cell for cell in bad if cell.row in rejected])
        if self._verdict is not None:
            self._verdict.rows(self._counts)
        return Output(self._encoder.encode(columns), rejects)

    def _rejects(self, placed: Placed | Replayed, sources: dict[str, pa.Array], bad: list[_BadCell]) -> bytes:
        """The records of the chunk's rejected rows, in order, each with all its errors."""
        chunk = placed.chunk
        if not bad and not chunk.aside:
            return b""
        errors: dict[int, list[CellError]] = {}
        for ordinal, code, message in chunk.aside:
            errors[ordinal] = [{"field": None, "column": None, "code": code, "message": message, "value": None}]
        ordinals = chunk.ordinals(cell.row for cell in bad)
        for (_, plan, code, message), ordinal, value in zip(bad, ordinals, _values(sources, bad), strict=True):
            error: CellError = {
                "field": plan.name, "column": plan.column, "code": code, "message": message, "value": value,
            }  # fmt: skip
            errors.setdefault(ordinal, []).append(error)
        codes = Counter(each["code"] for found in errors.values() for each in found)
        self._counts = replace(self._counts, codes=self._counts.codes + codes)
        bad_rows = sorted(errors)
        return reject_records(
            (source, errors[ordinal]) for ordinal, source in zip(bad_rows, self._located(placed, bad_rows), strict=True)
        )

    def _located(self, placed: Placed | Replayed, ordinals: Sequence[int]) -> list[SourceRow]:
        """These rows of the chunk as their file has them."""
        if isinstance(placed, Replayed):
            return [placed.rows[ordinal] for ordinal in ordinals]
        chunk = placed.chunk
        index = chunk.index or RowIndex(chunk.frame, chunk.rows)
        file, row, first = self._file, placed.first_row, placed.first_line
        encoding = chunk.frame.dialect.encoding
        return [
            SourceRow(file, row + ordinal, first + line, raw, encoding, chunk.row_bytes)
            for ordinal, (line, raw) in zip(ordinals, index.sources(ordinals), strict=True)
        ]

    def _refuse(self, placed: Placed | Replayed, bad: list[_BadCell]) -> None:
        """Fails the file at its first row that may not be bad. Its error quotes no cell, so no transform's words."""
        chunk = placed.chunk
        fatal = [cell for cell in bad if cell.field.on_error == "fail_file"]
        ordinals = chunk.ordinals(cell.row for cell in fatal)
        found = [
            (ordinal, f"field {cell.field.name}: {_REFUSED if _in_words(cell) else cell.message}", cell.code)
            for ordinal, cell in zip(ordinals, fatal, strict=True)
        ]
        if self._plan.on_error == "fail_file":
            found += [(row.ordinal, row.message, row.code) for row in chunk.aside]
        if found:
            ordinal, message, code = min(found, key=lambda each: each[0])
            (source,) = self._located(placed, [ordinal])
            raise RowRefused(f"line {source.line}: {message}", code, row=source.row).at(file=source.file)


def _values(sources: dict[str, pa.Array], bad: list[_BadCell]) -> list[str | None]:
    """The source text of each bad cell; None for null, for a field of several columns, and for what is too long."""
    shown: dict[str, list[int]] = {}
    for place, cell in enumerate(bad):
        if len(cell.field.labels) == 1 and cell.code != "too-long":
            shown.setdefault(cell.field.labels[0], []).append(place)
    values: list[str | None] = [None] * len(bad)
    for label, places in shown.items():
        column = sources[label]
        rows = valid_at(column, sorted({bad[place].row for place in places}))
        cells = dict(zip(rows, cells_at(column, rows), strict=True))
        for place in places:
            found = cells.get(bad[place].row)
            values[place] = found.decode() if found is not None else None
    return values


def _reader(
    plan: Plan,
    bind: Callable[[list[str]], tuple[int, ...]],
    replay: Sequence[str] | None,
    chunk_bytes: int,
    middle: Middle | None,
) -> CsvReader | RejectsReader:
    nulls, limits = plan.null_values, plan.limits
    if replay is not None:
        return RejectsReader(
            plan.dialect,
            labels=replay,
            bind=bind,
            null_values=nulls,
            limits=limits,
            chunk_bytes=chunk_bytes,
            portion=plan.portion,
        )
    return CsvReader(
        plan.dialect,
        header=plan.header,
        bind=bind,
        null_values=nulls,
        limits=limits,
        chunk_bytes=chunk_bytes,
        portion=plan.portion,
        middle=middle,
    )


def _in_words(cell: _BadCell) -> bool:
    """Whether what is said of a cell may be an operator's words, which may quote it."""
    return cell.code == "step-error" and cell.field.calls
