"""The kernels of ``regex`` and ``replace``: a program or RE2 where it is bound to match the same, else ``regex``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import regex

from engine.core import native
from engine.core.columns import Converted, Fault, column_bytes, true_rows, widths
from engine.core.native.matcher import Matcher
from engine.core.patterns import compile_pattern
from engine.core.reference import CellFault
from engine.core.stepping import reference
from engine.core.stepping.cells import from_texts, of_distinct, of_present, of_text, texts
from engine.core.stepping.guard import Guard
from engine.core.stepping.program import compile_program
from engine.core.stepping.shape import Translation, free_length, translate

__all__ = ["RegexKernel", "ReplaceKernel"]

_ROOM = 1 << 26  # bytes that a column may take while it is replaced in, mostly never touched


@dataclass(frozen=True, slots=True)
class RegexKernel:
    """:func:`reference.regex_group` for a column. Used by one thread only, because of its compiled pattern."""

    pattern: regex.Pattern[str]
    group: int
    full: bool
    required: bool
    guard: Guard
    quick: Translation | None
    matcher: Matcher | None

    @classmethod
    def make(cls, pattern: str, group: int | str, *, full: bool, required: bool, timeout_s: float) -> RegexKernel:
        compiled = compile_pattern(pattern)
        number = compiled.groupindex[group] if isinstance(group, str) else group
        quick = _usable(translate(pattern, number, full=full, around=True))
        program = None if native.kernels is None else compile_program(pattern, number, full=full)
        matcher = None if program is None else Matcher(program)
        return cls(compiled, number, full, required, Guard(timeout_s, free_length(pattern)), quick, matcher)

    def __call__(self, column: pa.Array) -> Converted:
        """Raises PatternTimeout: the pattern took longer than it may, on a cell or on all of them."""
        if self.matcher is not None and native.kernels is not None:
            return of_text(column, partial(self._matched, self.matcher))  # as fast as to look which cells are distinct
        return of_text(column, lambda cells: of_distinct(cells, self._of_cells))

    def _matched(self, matcher: Matcher, column: pa.Array) -> Converted:
        return self._judged(column, _completed(column, *matcher.matched(column), self._each).values)

    def _of_cells(self, column: pa.Array) -> Converted:
        if self.quick is None or not _fits(self.quick, column):
            return of_present(column, self._each)
        return self._judged(column, pc.struct_field(pc.extract_regex(column, self.quick.pattern), [0]))

    def _judged(self, column: pa.Array, values: pa.Array) -> Converted:
        """What a group matched that takes part in every match: it is null only where there is none."""
        if not self.required or values.null_count == column.null_count:
            return Converted(values)
        unmatched = pc.and_(pc.is_null(values), pc.is_valid(column))
        return Converted(values, [Fault(row, "step-error", reference.NO_MATCH) for row in true_rows(unmatched)])

    def _each(self, column: pa.Array) -> Converted:
        match = self.pattern.fullmatch if self.full else self.pattern.search
        group = self.group
        found: list[str | None] = []
        faults: list[Fault] = []
        for matches in self.guard.many(match, texts(column)):
            if self.required and None in matches:
                rows = [len(found) + place for place, made in enumerate(matches) if made is None]
                faults += [Fault(row, "step-error", reference.NO_MATCH) for row in rows]
            found += [None if made is None else made[group] for made in matches]
        return Converted(from_texts(found), faults)


@dataclass(frozen=True, slots=True)
class ReplaceKernel:
    """:func:`reference.replace` for a column. Used by one thread only, because of its compiled pattern."""

    pattern: regex.Pattern[str]
    template: str
    most_bytes: int
    guard: Guard
    quick: Translation | None
    matcher: Matcher | None

    @classmethod
    def make(cls, pattern: str, template: str, *, most_bytes: int, timeout_s: float) -> ReplaceKernel:
        quick = None if "\\" in template else _usable(translate(pattern, 0, full=False))
        if quick is not None and not quick.shortest:  # empty matches: the two disagree on which of them count
            quick = None
        guard = Guard(timeout_s, free_length(pattern, repeated=True))
        plain = native.kernels is not None and "\\" not in template
        program = compile_program(pattern, 0, full=False, repeated=True) if plain else None
        matcher = None if program is None else Matcher(program)
        return cls(compile_pattern(pattern), template, most_bytes, guard, quick, matcher)

    def __call__(self, column: pa.Array) -> Converted:
        """Raises PatternTimeout: the pattern took longer than it may, on a cell or on all of them."""
        return of_text(column, self._of_texts)

    def _of_texts(self, column: pa.Array) -> Converted:
        if self.matcher is None or native.kernels is None or not self._small(column):
            return of_distinct(column, self._of_cells)
        text = self.template.encode()
        if self.matcher.most_replaced(column, text) > _ROOM:
            return of_distinct(column, self._of_cells)
        return _completed(column, *self.matcher.replaced(column, text), self._each)

    def _small(self, column: pa.Array) -> bool:
        """Whether no cell can become too long."""
        return bool(widths(column)[1] * (1 + 4 * len(self.template)) <= self.most_bytes)

    def _of_cells(self, column: pa.Array) -> Converted:
        if self.quick is not None and self._small(column) and _fits(self.quick, column):
            return Converted(pc.replace_substring_regex(column, self.quick.pattern, self.template))
        return of_present(column, self._each)

    def _each(self, column: pa.Array) -> Converted:
        replace: Callable[..., str | CellFault] = partial(
            reference.replaced, pattern=self.pattern, template=self.template, most_bytes=self.most_bytes
        )
        found: list[str | None] = []
        faults: list[Fault] = []
        for results in self.guard.many(replace, texts(column)):
            for result in results:
                if isinstance(result, CellFault):
                    faults.append(Fault(len(found), result.code, result.message))
                    found.append(None)
                else:
                    found.append(result)
        return Converted(from_texts(found), faults)


def _completed(
    column: pa.Array, values: pa.Array, undecided: pa.Array | None, convert: Callable[[pa.Array], Converted]
) -> Converted:
    """The values, with those of undecided cells from ``convert``."""
    if undecided is None:
        return Converted(values)
    rest = of_distinct(column.filter(undecided), convert)
    faults = rest.faults
    if faults:
        rows = true_rows(undecided)
        faults = [Fault(rows[fault.row], fault.code, fault.message) for fault in faults]
    return Converted(pc.replace_with_mask(values, undecided, rest.values), faults)


def _usable(quick: Translation | None) -> Translation | None:
    """The translation, if RE2 takes it: it has a limit on a pattern's size."""
    if quick is None:
        return None
    try:
        pc.extract_regex(pa.array([""]), quick.pattern)
    except pa.ArrowInvalid:
        return None
    return quick


def _fits(quick: Translation, column: pa.Array) -> bool:
    if not quick.ascii_only and not quick.one_line:
        return True
    data = column_bytes(column)
    return (data.isascii() or not quick.ascii_only) and not (quick.one_line and b"\n" in data)
