"""A mapping's own tests: rows, and what must become of them (CONTRACT section 1, ``tests``)."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from typing import Any, NamedTuple

from engine.core.limits import Limits
from engine.core.mapping import CsvDialect, Example, Mapping, OutputRule
from engine.core.plan import Plan
from engine.core.transform import Output, Transform
from engine.errors import EveryRowFailed, FileError

__all__ = ["ExampleFailure", "convert_few", "run_examples", "testable"]


class ExampleFailure(NamedTuple):
    """A test that did not hold: its place in ``tests``, and what came instead."""

    place: int
    what: str


def run_examples(mapping: Mapping, limits: Limits) -> list[ExampleFailure]:
    """Runs every test of a mapping through the real core; returns those that fail, in order."""
    plan = Plan.compile(_plainly_written(testable(mapping)), limits)
    failures: list[ExampleFailure] = []
    for place, example in enumerate(mapping.tests):
        what = _failure(example, mapping, plan)
        if what is not None:
            failures.append(ExampleFailure(place, what))
    return failures


def testable(mapping: Mapping) -> Mapping:
    """The mapping with every bad row rejected and JSON Lines out, so that a test sees what its row becomes."""
    fields = [
        field.model_copy(update={"on_error": "reject_row" if field.on_error == "fail_file" else field.on_error})
        for field in mapping.fields
    ]
    on_error = "reject_row" if mapping.on_error == "fail_file" else mapping.on_error
    return mapping.model_copy(update={"fields": fields, "on_error": on_error, "output": OutputRule()})


def convert_few(plan: Plan, data: bytes, file: str) -> list[Output]:
    """What becomes of a few rows, each judged by itself: that a transform failed on all of them fails no file here."""
    transform = Transform(plan, file=file)
    outputs = list(transform.feed(data))
    with suppress(EveryRowFailed):
        for output in transform.finish():
            outputs.append(output)  # noqa: PERF402  list() would lose those before the error
    return outputs


def _failure(example: Example, mapping: Mapping, plan: Plan) -> str | None:
    labels = _labels(mapping)
    unknown = sorted(set(example.row) - set(labels))
    if unknown:
        return f"no field is read from {', '.join(map(repr, unknown))}"
    try:
        written, errors = _convert(_csv(example, labels, mapping), plan)
    except FileError as error:
        return f"the file fails: {error.code}: {error.message}"
    if example.reject is not None:
        return None if errors == example.reject else f"rejected for {errors or 'nothing'}, not {example.reject}"
    if written is None:
        return f"rejected: {errors}"
    for name, value in (example.expect or {}).items():
        if name not in written:
            return f"there is no field {name!r}"
        if written[name] != value or isinstance(written[name], bool) != isinstance(value, bool):
            return f"{name} is {_shown(written[name])}, not {_shown(value)}"
    return None


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _plainly_written(mapping: Mapping) -> Mapping:
    """The mapping for rows as :func:`_csv` writes them: what a test is about is cells, however a file has them."""
    plain = CsvDialect(header=_labels(mapping) or True, trim=mapping.csv.trim, null_values=mapping.csv.null_values)
    return mapping.model_copy(update={"csv": plain})


def _labels(mapping: Mapping) -> list[str]:
    """The columns that some field is read from."""
    return list(dict.fromkeys(label for field in mapping.fields for label in field.labels))


def _csv(example: Example, labels: list[str], mapping: Mapping) -> bytes:
    """The row as a file; a cell that is null, or that the test leaves out, is the mapping's first null text."""
    null = mapping.csv.null_values[0] if mapping.csv.null_values else ""
    cells = [null if example.row.get(label) is None else example.row[label] for label in labels]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _convert(data: bytes, plan: Plan) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The written row, if it was written, and the first code of each field's errors."""
    outputs = convert_few(plan, data, "test")
    rows = b"".join(output.data for output in outputs).splitlines()
    errors: dict[str, str] = {}
    for line in b"".join(output.rejects for output in outputs).splitlines():
        for error in json.loads(line)["errors"]:
            errors.setdefault(error["field"], error["code"])
    return (json.loads(rows[0]) if rows else None), errors
