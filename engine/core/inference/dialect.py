"""How a file is written, judged by its first records: a search over delimiters, quotes and escapes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.core.dialect import Dialect
from engine.core.inference.column import shown
from engine.core.inference.quoting import best_quoting
from engine.core.inference.trial import Trial, is_typed, try_dialect

__all__ = ["Found", "sniff"]

_DELIMITERS = (",", ";", "\t", "|", "\x01", "^", "~")
_WEAK = (" ", ":")  # that text and times hold too
_ENOUGH = 0.75  # the share of records as wide as the first that a delimiter must give
_CLOSE = 0.05  # shares that differ by less decide nothing
_PADDED = 0.9  # the share of a column's cells with white space around them, if it is not their own
_TITLES = 20  # lines above a header, at most

_SEP = re.compile(r'"?sep=([\x01-\x09\x0b\x0c\x0e-!#-\x7f])"?\r?\n?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A dialect, and a line on each setting of it that is a guess."""

    dialect: Dialect
    notes: tuple[str, ...] = ()


def sniff(text: str, *, whole: bool) -> Found:
    """The dialect that cuts a file's beginning into the most even records.

    Of delimiters that do so equally well the one wins whose cells are more often numbers and dates, then the one that
    gives more columns. Where none does from the first record on, lines of few cells may stand above even records; where
    there are no even records either, a delimiter that nearly all records hold is taken. A space or a colon is one only
    where nothing else is. A file without any has one column: its delimiter is the first that its records do not hold.

    Another quote than ``"``, or none, or an escape is taken only where that makes more records even.

    Args:
        text: without a byte order mark.
        whole: whether it is all of the file; otherwise its last record may be cut off.
    """
    lines = list(io.StringIO(text, newline=""))
    named = _SEP.fullmatch(lines[0]) if lines else None
    if named is None:
        return _searched(lines, 0, _DELIMITERS, whole=whole)
    found = _searched(lines[1:], 1, (named[1],), whole=whole)
    dialect = replace(found.dialect, skip_lines=max(found.dialect.skip_lines, 1))
    note = f"the first line is {shown(named[0].strip())}, as for Excel: csv.delimiter and csv.skip_lines go by it"
    return Found(dialect, (note, *found.notes))


def _searched(lines: Sequence[str], passed: int, delimiters: Sequence[str], *, whole: bool) -> Found:
    """The best dialect of some delimiters.

    Args:
        passed: how many lines of the file stand above these.
    """
    present = [delimiter for delimiter in delimiters if any(delimiter in line for line in lines)]
    trials = [best_quoting(lines, delimiter, whole=whole) for delimiter in present]
    regular = [each for each in trials if each.width > 1 and _is_even(each)]
    if regular:
        return _settled(_best(regular), 0)
    titled = [body for each in trials if (body := _below_titles(each, lines)) is not None]
    if titled:
        best = _best(titled)
        return _settled(best, passed + best.rows[0].line)
    ragged = [each for each in trials if each.first > 1 and each.split >= _ENOUGH]
    if ragged:
        return _settled(max(ragged, key=lambda each: (each.split, each.share, each.typed)), 0)
    weak = _weak(lines, whole=whole) if len(delimiters) > 1 else []
    if weak:
        return _settled(_best(weak), 0)
    absent = [Dialect(delimiter) for delimiter in delimiters if delimiter not in present][:1]
    trials += [try_dialect(lines, dialect, whole=whole) for dialect in absent]
    trials.sort(key=lambda each: delimiters.index(each.dialect.delimiter))
    return _settled(max(trials, key=lambda each: each.share if each.width <= 1 else 0), 0)  # the first of equals


def _is_even(trial: Trial) -> bool:
    """Whether records are even from the first on, but perhaps for a delimiter at the end of the header or the rows."""
    if _surplus(trial):
        return trial.below(1).share >= _ENOUGH
    return trial.first == trial.width and trial.share >= _ENOUGH


def _surplus(trial: Trial) -> int:
    """1 where all rows end in an empty cell that the header has not, -1 where the header does and no row, else 0."""
    if trial.first == trial.width - 1 and all(not cells[-1] for cells in trial.even):
        return 1
    return -1 if trial.first == trial.width + 1 and not trial.rows[0].cells[-1] else 0


def _below_titles(trial: Trial, lines: Sequence[str]) -> Trial | None:
    """The even records, where lines of far fewer cells stand above them; None where they do not."""
    start = next((place for place, row in enumerate(trial.rows) if len(row.cells) == trial.width), 0)
    if start and _surplus(trial.below(start - 1)):
        start -= 1
    if trial.width < 2 or not 0 < start <= _TITLES or not start + 1 < len(trial.rows):
        return None
    widest = max(len(row.cells) for row in trial.rows[:start])
    apart = not lines[trial.rows[start].line - 1].strip()
    body = trial.below(start)
    few = widest < body.first if apart else widest * 2 <= body.first
    proven = apart or body.width > 2 or body.has_typed_column
    return body if few and proven and _is_even(body) else None


def _weak(lines: Sequence[str], *, whole: bool) -> list[Trial]:
    """Trials of what is in text and times too, and a delimiter only where it gives a column of numbers or dates."""
    if all(is_typed(line.strip()) for line in lines[1:]):
        return []
    trials = [try_dialect(lines, Dialect(delimiter), whole=whole) for delimiter in _WEAK]
    return [
        each
        for each in trials
        if len(each.rows) > 1 and each.first == each.width > 1 and each.share >= 1 - _CLOSE and each.has_typed_column
    ]


def _best(trials: Sequence[Trial]) -> Trial:
    most = max(trial.share for trial in trials)
    return max(
        (trial for trial in trials if trial.share >= most - _CLOSE),
        key=lambda trial: (trial.dialect.quote == '"', round(trial.typed, 1), trial.share, trial.width),
    )


def _settled(trial: Trial, skip_lines: int) -> Found:
    """The dialect with what else the records tell."""
    surplus, trim = _surplus(trial), _is_padded(trial)
    dialect = replace(
        trial.dialect, skip_lines=skip_lines, trim=trim, extra_cells=surplus > 0, missing_cells=surplus < 0
    )
    return Found(dialect, tuple(_notes(dialect)))


def _is_padded(trial: Trial) -> bool:
    """Whether white space stands around the cells of most columns; in front of the first there often is none."""
    columns = list(zip(*(trial.even[1:] or trial.even), strict=True))
    padded: list[bool] = []
    for column in columns[1:] or columns:
        texts = [cell for cell in column if cell.strip()]
        if texts:
            padded.append(sum(cell != cell.strip() for cell in texts) >= _PADDED * len(texts))
    return sum(padded) * 2 > len(padded)


def _notes(dialect: Dialect) -> Iterator[str]:
    if dialect.quote is None:
        yield "quotes stand in cells and enclose none, so csv.quote is null; set it if they do"
    if dialect.escape is not None:
        yield f"{dialect.escape} takes its meaning from the quote or delimiter after it: csv.escape is set"
    if dialect.skip_lines:
        yield f"lines above the header: csv.skip_lines is {dialect.skip_lines}; lower it if they are rows"
    if dialect.trim:
        yield "white space stands around most cells: csv.trim is true; leave it out if it is theirs"
    if dialect.extra_cells:
        yield 'rows end in a delimiter that the header has not: csv.extra_cells is "ignore"'
    if dialect.missing_cells:
        yield 'the header ends in a delimiter that rows have not: csv.missing_cells is "null"'
