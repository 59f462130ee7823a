"""A mapping's step, ready to run: its kernel and its reference. Made once per plan and thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from engine.core.columns import Converted
from engine.core.limits import Limits
from engine.core.stepping import reference
from engine.core.stepping.jsoncells import JsonStep
from engine.core.stepping.matching import RegexKernel, ReplaceKernel
from engine.core.stepping.octets import base64_column, hex_column, url_decode_column
from engine.core.stepping.re2kernels import Re2Match, Re2Replace, of_one_cell
from engine.core.stepping.reference import Value
from engine.core.stepping.text import lookup_column, lower_column, split_column, trim_column, upper_column
from engine.core.steps import Base64Rule, JsonRule, LookupRule, RegexRule, ReplaceRule, SplitRule, Step

__all__ = ["StepConverter", "compile_step"]


@dataclass(frozen=True, slots=True)
class StepConverter:
    """One step. Not for two threads: it may hold a compiled pattern.

    Attributes:
        name: the step's name in a mapping.
        kernel: text or binary column in, text or binary column and faults out; a faulty cell is null.
        reference: the same for one cell; raises ``CellFault``.

    Both raise ``PatternTimeout`` when a pattern takes too long.
    """

    name: str
    kernel: Callable[[pa.Array], Converted]
    reference: Callable[[Value], Value]


def compile_step(step: Step, limits: Limits) -> StepConverter:
    """Compiles any step that takes one column and knows nothing of other fields: all but join, default and call.

    Args:
        limits: ``regex_timeout_s`` for patterns; ``cell_bytes`` also for the text that a ``replace`` makes of a cell.
    """
    if step.name in _BARE:
        return StepConverter(step.name, *_BARE[step.name])
    if step.name == "regex":
        return _regex(step.rule, limits.regex_timeout_s)
    if step.name == "replace":
        return _replace(step.rule, limits)
    return _WITH_SETTINGS[step.name](step.rule)


_BARE: dict[str, tuple[Callable[[pa.Array], Converted], Callable[[Value], Value]]] = {
    "trim": (trim_column, reference.trim),
    "lower": (lower_column, reference.lower),
    "upper": (upper_column, reference.upper),
    "hex": (hex_column, reference.hexadecimal),
    "url_decode": (url_decode_column, reference.url_decode),
}


def _base64(rule: Base64Rule) -> StepConverter:
    safe = rule.urlsafe
    return StepConverter("base64", partial(base64_column, urlsafe=safe), partial(reference.base64, urlsafe=safe))


def _split(rule: SplitRule) -> StepConverter:
    return StepConverter(
        "split",
        partial(split_column, sep=rule.sep, index=rule.index),
        partial(reference.split, sep=rule.sep, index=rule.index),
    )


def _json(rule: JsonRule) -> StepConverter:
    step = JsonStep.make(rule.path)
    return StepConverter("json", step, partial(reference.json_path, path=step.path))


def _lookup(rule: LookupRule) -> StepConverter:
    kernel = partial(
        lookup_column,
        keys=pa.array(list(rule.table), pa.string()),
        values=pa.array(list(rule.table.values()), pa.string()),
        otherwise=rule.otherwise,
    )
    return StepConverter("lookup", kernel, partial(reference.lookup, table=rule.table, otherwise=rule.otherwise))


def _regex(rule: RegexRule, timeout_s: float) -> StepConverter:
    full, required = rule.match == "full", rule.no_match == "error"
    if rule.engine == "re2":
        re2 = Re2Match.make(rule.pattern, rule.group_number, full=full, required=required, timeout_s=timeout_s)
        return StepConverter("regex", re2, partial(of_one_cell, re2))
    kernel = RegexKernel.make(rule.pattern, rule.group, full=full, required=required, timeout_s=timeout_s)
    cell = partial(
        reference.regex_group,
        pattern=kernel.pattern,
        group=kernel.group,
        full=full,
        required=required,
        guard=kernel.guard,
    )
    return StepConverter("regex", kernel, cell)


def _replace(rule: ReplaceRule, limits: Limits) -> StepConverter:
    most_bytes, timeout_s = limits.cell_bytes, limits.regex_timeout_s
    if rule.engine == "re2":
        re2 = Re2Replace.make(rule.pattern, rule.replacement, most_bytes=most_bytes, timeout_s=timeout_s)
        return StepConverter("replace", re2, partial(of_one_cell, re2))
    kernel = ReplaceKernel.make(rule.pattern, rule.replacement, most_bytes=most_bytes, timeout_s=timeout_s)
    cell = partial(
        reference.replace,
        pattern=kernel.pattern,
        template=rule.replacement,
        most_bytes=most_bytes,
        guard=kernel.guard,
    )
    return StepConverter("replace", kernel, cell)


_WITH_SETTINGS: dict[str, Callable[[Any], StepConverter]] = {
    "base64": _base64,
    "split": _split,
    "json": _json,
    "lookup": _lookup,
}
