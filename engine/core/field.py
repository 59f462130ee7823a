"""One field, compiled: its columns through its steps, its type and its constraints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.core import constraints
from engine.core.columns import Converted, Fault, mask_of, too_long
from engine.core.constraints import Constraint
from engine.core.limits import COPIED_BYTES, Limits
from engine.core.reference import CellFault
from engine.core.stepping.call import Call, CallTally, compile_call
from engine.core.stepping.compile import compile_step
from engine.core.stepping.jsoncells import JsonCells, JsonStep
from engine.core.stepping.matching import RegexKernel
from engine.core.stepping.reference import default_text
from engine.core.stepping.text import fill_default, join_columns
from engine.core.transforms import call_problems
from engine.core.types import TypeConverter, compile_type

if TYPE_CHECKING:
    from engine.core.mapping import FieldRule, OnError
    from engine.core.steps import Step

__all__ = ["FieldPlan", "Memo", "bound_problems", "compile_field"]


@dataclass(slots=True)
class Memo:
    """What fields of one chunk have in common: the outcome of each chain of first steps, by the chain's text.

    ``tallies`` is the file's rather than the chunk's: what has come of each call of a transform, by its chain, too.
    """

    tallies: dict[str, CallTally] = field(default_factory=dict)
    done: dict[str, Converted] = field(default_factory=dict)
    parsed: dict[str, JsonCells] = field(default_factory=dict)

    def call(self, call: Call, chain: str, columns: Sequence[pa.Array], faults: Sequence[Fault]) -> Converted:
        """Runs a transform over columns, leaving out the rows of ``faults``; gives those with its own."""
        tally = self.tallies.get(chain)
        if tally is None:
            tally = self.tallies[chain] = CallTally(call.name)
        made = call.run(columns, [fault.row for fault in faults], tally)
        return _merged(Converted(made.values, faults), made)


type _Kernel = Callable[[pa.Array], Converted]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A step in its place: ``chain`` is the text of the source and all steps up to it, ``before`` up to the one before.

    Exactly one of kernel, path, default and call is set.
    """

    before: str
    chain: str
    kernel: _Kernel | None = None
    path: JsonStep | None = None
    default: str | None = None
    call: Call | None = None

    def run(self, done: Converted, memo: Memo) -> Converted:
        if self.kernel is not None:
            return _then(self.kernel, done)
        if self.path is not None:
            parsed = memo.parsed.get(self.before)
            if parsed is None:  # once for all paths into the same cells
                parsed = memo.parsed[self.before] = self.path.read(done.values)
            return _merged(done, parsed.extract(self.path.path))
        if self.call is not None:
            return memo.call(self.call, self.chain, [done.values], done.faults)
        assert self.default is not None
        rows = [fault.row for fault in done.faults]
        return Converted(fill_default(done.values, self.default, rows), done.faults)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field, ready to run.

    Attributes:
        labels: the columns it is read from; none for a constant.
        source: the text by which fields that are read from the same columns know each other.
        stages: its steps; equal chains of two fields run once a chunk.
        cell_bytes: cells over this are faults before any step, type or pattern sees them; ``cell_rule`` is why.
        separator: what several columns are joined with, unless ``call`` makes one of them.
    """

    name: str
    labels: tuple[str, ...]
    source: str
    cell_bytes: int
    cell_rule: str
    const: pa.Scalar | None
    separator: str
    call: Call | None
    stages: tuple[_Stage, ...]
    converter: TypeConverter
    checks: tuple[Constraint, ...]
    required: bool
    on_error: OnError

    @property
    def column(self) -> str | None:
        """The columns that it is read from, as a reject record names them."""
        return ", ".join(self.labels) or None

    @property
    def calls(self) -> bool:
        """Whether an operator's transform has a part in it."""
        return self.call is not None or any(stage.call is not None for stage in self.stages)

    def convert(self, columns: Mapping[str, pa.Array], rows: int, memo: Memo) -> Converted:
        """The typed column of a chunk, and every fault in it. A faulty cell is null.

        Args:
            columns: the chunk's text columns by label.
            rows: their length.
            memo: of this chunk, shared by its fields.
        """
        if self.const is not None:
            return Converted(pa.repeat(self.const, rows))
        done = self._source(columns, memo)
        for stage in self.stages:
            found = memo.done.get(stage.chain)
            if found is None:
                found = memo.done[stage.chain] = stage.run(done, memo)
            done = found
        done = _then(self.converter.kernel, done)
        broken = [fault for check in self.checks for fault in check(done.values)]
        if self.required:
            broken += constraints.missing(done.values, (fault.row for fault in done.faults))
        if not broken:
            return done
        return _merged(done, _without(done.values, broken))

    def _source(self, columns: Mapping[str, pa.Array], memo: Memo) -> Converted:
        done = memo.done.get(self.source)
        if done is None:
            cells = [columns[label] for label in self.labels]
            long = [too_long(column, self.cell_bytes, why=self.cell_rule) for column in cells]
            faults = sorted({fault.row: fault for found in long for fault in found}.values())
            if self.call is not None:
                done = memo.call(self.call, self.source, cells, faults)
            else:
                values = cells[0] if len(cells) == 1 else join_columns(cells, self.separator)
                done = _without(values, faults)
            memo.done[self.source] = done
        return done


def compile_field(rule: FieldRule, on_error: OnError, limits: Limits, readers: int = 1) -> FieldPlan:
    """Compiles a field whose settings were checked when its mapping was loaded.

    Args:
        readers: how many fields, this among them, are read from the column of it that most are read from.
    """
    cell_rule = "limits.cell_bytes"
    if (copied := COPIED_BYTES // readers) < limits.cell_bytes:
        limits = replace(limits, cell_bytes=copied)
        cell_rule = f"what {readers:,} fields may copy of one cell"
    converter = compile_type(rule)
    several = len(rule.labels) > 1
    first = rule.steps[0] if several else None  # a join or a call, which makes one column of them
    chain: list[Any] = [rule.labels, first and first.model_dump(mode="json", by_alias=True)]
    source = json.dumps(chain)
    stages: list[_Stage] = []
    for place, step in enumerate(rule.steps):
        if place or not several:
            before = json.dumps(chain)
            chain.append(step.model_dump(mode="json", by_alias=True))
            stages.append(_stage(step, before, json.dumps(chain), limits, _step_labels(rule, place)))
    return FieldPlan(
        name=rule.name,
        labels=rule.labels,
        source=source,
        cell_bytes=limits.cell_bytes,
        cell_rule=cell_rule,
        const=_scalar(rule.const, converter) if rule.const is not None else None,
        separator=(first.join or "") if first is not None else "",
        call=compile_call(first.call, rule.labels, limits.cell_bytes) if first and first.call else None,
        stages=tuple(stages),
        converter=converter,
        checks=tuple(_checks(rule, converter, limits.regex_timeout_s)),
        required=rule.required,
        on_error=rule.on_error or on_error,
    )


def _step_labels(rule: FieldRule, place: int) -> tuple[str, ...]:
    """The labels of the columns that a step gets; what was made of several columns goes by all their labels."""
    return rule.labels if place == 0 and rule.labels else (", ".join(rule.labels),)


def _stage(step: Step, before: str, chain: str, limits: Limits, labels: tuple[str, ...]) -> _Stage:
    if step.name == "default":
        return _Stage(before, chain, default=default_text(step.rule))
    if step.name == "json":
        return _Stage(before, chain, path=JsonStep.make(step.rule.path))
    if step.name == "call":
        return _Stage(before, chain, call=compile_call(step.rule, labels, limits.cell_bytes))
    return _Stage(before, chain, kernel=compile_step(step, limits).kernel)


def _without(values: pa.Array, faults: list[Fault]) -> Converted:
    """The column with null for its faulty cells."""
    if not faults:
        return Converted(values)
    faulty = mask_of([fault.row for fault in faults], len(values))
    # Not if_else, which leaves the bytes of a text beneath its null.
    return Converted(pc.replace_with_mask(values, faulty, pa.scalar(None, values.type)), sorted(faults))


def _then(kernel: _Kernel, before: Converted) -> Converted:
    return _merged(before, kernel(before.values))


def _merged(before: Converted, after: Converted) -> Converted:
    """The later outcome with all faults. Cells faulty before were null to it, and a null has no faults."""
    if not before.faults:
        return after
    return Converted(after.values, sorted([*before.faults, *after.faults]))


def _checks(rule: FieldRule, converter: TypeConverter, timeout_s: float) -> list[Constraint]:
    checks: list[Constraint] = []
    if rule.min is not None:
        checks.append(partial(constraints.minimum, bound=_scalar(rule.min, converter), shown=default_text(rule.min)))
    if rule.max is not None:
        checks.append(partial(constraints.maximum, bound=_scalar(rule.max, converter), shown=default_text(rule.max)))
    if rule.min_length is not None or rule.max_length is not None:
        checks.append(partial(constraints.lengths, least=rule.min_length, most=rule.max_length))
    if rule.pattern is not None:
        match = RegexKernel.make(rule.pattern, 0, full=True, required=False, timeout_s=timeout_s)
        checks.append(partial(constraints.pattern, match=match, shown=rule.pattern))
    if rule.enum is not None:
        allowed = pa.array([_value(each, converter) for each in rule.enum], converter.arrow_type)
        checks.append(partial(constraints.enumerated, allowed=allowed, shown=constraints.shown_list(rule.enum)))
    return checks


def bound_problems(rule: FieldRule) -> list[tuple[str, str]]:
    """Settings of a field that are not values of its type, and calls that fit no transform: place and what is wrong."""
    converter = compile_type(rule)
    given: list[tuple[str, Any]] = [("const", rule.const), ("min", rule.min), ("max", rule.max)]
    given += [(f"enum[{place}]", value) for place, value in enumerate(rule.enum or ())]
    found: list[tuple[str, str]] = []
    for place, value in given:
        if value is not None:
            try:
                _value(value, converter)
            except CellFault as fault:
                found.append((place, f"{fault.message}: the field's type is {rule.type}"))
    for number, step in enumerate(rule.steps):
        if step.name == "call":
            problems = call_problems(step.rule, _step_labels(rule, number))
            found += [(f"steps[{number}].call{'.' if each.where else ''}{each.where}", each.what) for each in problems]
    return found


def _value(value: str | float | bool, converter: TypeConverter) -> Any:
    return converter.reference(default_text(value))


def _scalar(value: str | float | bool, converter: TypeConverter) -> pa.Scalar:
    return pa.scalar(_value(value, converter), converter.arrow_type)
