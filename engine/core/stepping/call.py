"""The ``call`` step: an operator's transform over one column, or over several as the first step of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.columns import Converted, Fault, decode_column, mask_of, spread, too_long, true_rows
from engine.core.stepping.cells import texts
from engine.core.stepping.results import from_column, from_values, one_line
from engine.core.transforms import call_arguments, find_transform
from engine.errors import EveryRowFailed, TransformFailed

if TYPE_CHECKING:
    from engine.core.steps import CallRule

__all__ = ["Call", "CallTally", "compile_call"]

_TWO_KINDS = "transform %r returned bytes for some rows and text for others"


@dataclass(slots=True)
class CallTally:
    """What came of one call step in one file so far. Owned by whoever converts the file, on one thread.

    Attributes:
        tried: rows that the function was called for.
        raised: those of them that ended in an exception which is no refusal.
        first: the first such exception: its class and where it was raised, not its text, which may quote a cell.
        kind: whether the results are text or binary; None as long as there were only nulls.
    """

    name: str
    tried: int = 0
    raised: int = 0
    first: str = ""
    kind: pa.DataType | None = None

    def judge(self) -> None:
        """To be called at the end of the file.

        Raises:
            EveryRowFailed: the function was called, and every row ended in an exception.
        """
        if self.tried and self.raised == self.tried:
            raise EveryRowFailed(
                f"transform {self.name!r} failed on every row, {self.tried:,} in all; on the first {self.first}"
            )

    def add(self, other: CallTally) -> None:
        """Counts what came of the step in the part of the file after this one.

        Raises:
            TransformFailed: its results are of another kind, as :meth:`of_one_kind` says.
        """
        self.tried += other.tried
        self.raised += other.raised
        self.first = self.first or other.first
        self.kind = self.kind or other.kind
        if other.kind not in (None, self.kind):
            raise TransformFailed(_TWO_KINDS % self.name)

    def note(self, error: Exception) -> None:
        """Counts a row that ended in ``error``."""
        self.raised += 1
        if not self.first:
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            code = trace.tb_frame.f_code if trace is not None else None
            where = (
                f" at line {trace.tb_lineno} of {code.co_filename}" if trace is not None and code is not None else ""
            )
            self.first = f"with {type(error).__name__}{where}"

    def of_one_kind(self, values: pa.Array) -> pa.Array:
        """The results in the kind of the file's earlier ones.

        Raises:
            TransformFailed: some of the file's results are text and some binary, so that what comes of a cell would
                depend on its neighbours.
        """
        if values.null_count == len(values):
            return pa.nulls(len(values), self.kind or pa.string())
        self.kind = self.kind or values.type
        if values.type != self.kind:
            raise TransformFailed(_TWO_KINDS % self.name)
        return values


@dataclass(frozen=True, slots=True)
class Call:
    """A transform with its arguments, for one thread.

    Attributes:
        function: what the operator wrote, given its arguments.
        cell_bytes: a result over this is ``too-long``.
    """

    name: str
    function: Callable[..., Any]
    by_column: bool
    nulls: bool
    cell_bytes: int

    def run(self, columns: Sequence[pa.Array], faulty: Sequence[int], tally: CallTally) -> Converted:
        """What the transform makes of the rows: a text or binary column.

        Args:
            columns: text or binary, of equal length.
            faulty: rows that are refused already; the function never sees them, and they are null in what it makes.
            tally: of this step and file.

        Raises:
            TransformFailed: the function returned what cannot be used.
        """
        faults: list[Fault] = []
        if not self.by_column:
            decoded = [decode_column(column) for column in columns]
            columns = [each.values for each in decoded]
            undecodable = {fault.row: fault for each in decoded for fault in each.faults}
            faults += undecodable.values()
            faulty = [*faulty, *undecodable]
        wanted = self._wanted(columns, faulty)
        if wanted is None:
            converted = self._converted(columns, tally)
        else:
            converted = self._converted([column.filter(wanted) for column in columns], tally)
            rows = true_rows(wanted)
            moved = [Fault(rows[row], code, message) for row, code, message in converted.faults]
            converted = Converted(spread(converted.values, wanted), moved)
        return Converted(converted.values, sorted([*faults, *converted.faults])) if faults else converted

    def _wanted(self, columns: Sequence[pa.Array], faulty: Sequence[int]) -> pa.Array | None:
        """Which rows the function is to see; None for all."""
        wanted = pc.invert(mask_of(faulty, len(columns[0]))) if faulty else None
        for column in columns:
            if column.null_count and not self.nulls:
                valid = pc.is_valid(column)
                wanted = valid if wanted is None else pc.and_(wanted, valid)
        return wanted

    def _converted(self, columns: Sequence[pa.Array], tally: CallTally) -> Converted:
        rows = len(columns[0])
        if not rows:
            return Converted(pa.nulls(0, tally.kind or pa.string()))
        tally.tried += rows
        converted = _joined(list(self._attempts(columns, tally))) if self.by_column else self._each(columns, tally)
        faults = too_long(converted.values, self.cell_bytes)
        if not faults:
            return converted
        long = mask_of([fault.row for fault in faults], rows)
        values = pc.replace_with_mask(converted.values, long, pa.scalar(None, converted.values.type))
        named = [Fault(row, code, f"{self.name}: the result is {message}") for row, code, message in faults]
        return Converted(values, sorted([*converted.faults, *named]))

    def _each(self, columns: Sequence[pa.Array], tally: CallTally) -> Converted:
        """A function of values, row by row."""
        function = self.function
        values: list[object] = []
        faults: list[Fault] = []
        for row, cells in enumerate(zip(*map(_cells, columns), strict=True)):
            try:
                values.append(function(*cells))
            except ValueError as error:
                values.append(None)
                faults.append(Fault(row, "step-error", _said(self.name, error)))
            except MemoryError:
                raise  # says nothing of this row
            except Exception as error:  # noqa: BLE001  whatever an operator's code raises
                values.append(None)
                faults.append(Fault(row, "step-error", _raised(self.name, error)))
                tally.note(error)
        made = from_values(self.name, values)
        return Converted(tally.of_one_kind(made.values), sorted([*faults, *made.faults]))

    def _attempts(self, columns: Sequence[pa.Array], tally: CallTally) -> Iterator[Converted]:
        """A function of columns: over all rows if it can, else over halves, so that bad rows are found one by one."""
        rows = len(columns[0])
        try:
            returned = self.function(*columns)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever an operator's code raises
            if rows == 1:
                tally.note(error)
                values = pa.nulls(1, tally.kind or pa.string())
                yield Converted(values, [Fault(0, "step-error", _raised(self.name, error))])
                return
        else:
            made = from_column(self.name, returned, rows)
            yield Converted(tally.of_one_kind(made.values), made.faults)
            return
        half = rows // 2
        yield from self._attempts([column.slice(0, half) for column in columns], tally)
        yield from self._attempts([column.slice(half) for column in columns], tally)


def compile_call(rule: CallRule, labels: Sequence[str], cell_bytes: int) -> Call:
    """Compiles a call that was checked when its mapping was loaded.

    Args:
        labels: of the columns that the transform gets.
    """
    registered = find_transform(rule.name)
    transform, arguments = registered.transform, call_arguments(registered, rule, labels)
    function = partial(transform.function, **arguments) if arguments else transform.function
    return Call(rule.name, function, transform.by_column, transform.nulls, cell_bytes)


def _cells(column: pa.Array) -> list[Any]:
    """The texts of a column, None for its nulls."""
    if not column.null_count:
        return texts(column)
    found: list[str | None] = [None] * len(column)
    for row, text in zip(true_rows(pc.is_valid(column)), texts(column.drop_null()), strict=True):
        found[row] = text
    return found


def _said(name: str, error: Exception) -> str:
    """``name: text`` of an error, whatever its ``__str__`` does."""
    try:
        return one_line(f"{name}: {error}")
    except Exception:  # noqa: BLE001  an operator's class
        return f"{name}: {type(error).__name__}"


def _raised(name: str, error: Exception) -> str:
    return _said(f"{name}: {type(error).__name__}", error)


def _joined(pieces: Sequence[Converted]) -> Converted:
    """Pieces of a column, in order, as one."""
    if len(pieces) == 1:
        return pieces[0]
    kind = next((piece.values.type for piece in pieces if piece.values.null_count < len(piece.values)), pa.string())
    faults: list[Fault] = []
    start = 0
    for piece in pieces:
        faults += [Fault(start + row, code, message) for row, code, message in piece.faults]
        start += len(piece.values)
    values = [piece.values if piece.values.type == kind else pa.nulls(len(piece.values), kind) for piece in pieces]
    return Converted(pa.concat_arrays(values), faults)
