"""Hypothesis strategies for whole mappings, and for files that are right, nearly right and wrong for them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.core import cells
from tests.core.csvfiles import csv_sections, encodable, files

__all__ = ["Case", "cases"]

type Cells = st.SearchStrategy[str]


@dataclass(frozen=True, slots=True)
class Case:
    """A mapping document and a file for it."""

    mapping: dict[str, Any]
    data: bytes


def _around(inner: Cells) -> Cells:
    return st.builds("{}{}{}".format, st.sampled_from(["", " ", "\t", "\u2003"]), inner, st.sampled_from(["", " \r"]))


def _in_base64(inner: Cells) -> Cells:
    return inner.map(lambda text: b64encode(text.encode()).decode())


def _in_hex(inner: Cells) -> Cells:
    return inner.map(lambda text: text.encode().hex())


def _in_percents(inner: Cells) -> Cells:
    return inner.map(lambda text: "".join(f"%{octet:02x}" for octet in text.encode()))


def _in_json(inner: Cells) -> Cells:
    return inner.map(lambda text: cells.compact({"a": [0, {"é": text}], "b": text}))


def _among(inner: Cells) -> Cells:
    return st.builds("{};{};{}".format, st.sampled_from(["", "x"]), inner, st.sampled_from(["", "y;z"]))


# Steps that get at a cell of the type, and the texts that it is wrapped in.
WRAPPED: list[tuple[list[Any], Callable[[Cells], Cells]]] = [
    ([], lambda inner: inner),
    (["trim"], _around),
    (["base64"], _in_base64),
    ([{"base64": {"urlsafe": True}}], lambda inner: _in_base64(inner).map(lambda text: text.replace("/", "_"))),
    (["trim", "hex"], _in_hex),
    (["url_decode"], _in_percents),
    ([{"json": {"path": "$.b"}}], _in_json),
    ([{"json": {"path": "$.a[-1]['é']"}}], _in_json),
    (["base64", {"json": {"path": "$.b"}}, "trim"], lambda inner: _in_base64(_in_json(inner))),
    ([{"split": {"sep": ";", "index": 1}}], _among),
    ([{"regex": {"pattern": "^x?;(?P<v>[^;]*)", "group": "v"}}], _among),
    ([{"regex": {"pattern": "(?s)(;)?(.*)", "group": 2, "match": "full", "no_match": "error"}}], _among),
    ([{"replace": {"pattern": "^x?;|;.*$", "with": ""}}], _among),
    ([{"lookup": {"table": {"x": "1", "": "2026-01-01"}, "otherwise": "keep"}}], lambda inner: inner),
    ([{"default": "0"}], lambda inner: inner),
    (["upper", "lower"], lambda inner: inner),
]

# Steps in any order: what reaches them is anything.
ANY_STEP: list[Any] = [
    "trim", "lower", "upper", "base64", {"base64": {"urlsafe": True}}, "hex", "url_decode",
    {"regex": {"pattern": r"\w+"}}, {"regex": {"pattern": "(a)|b", "group": 1, "no_match": "error"}},
    {"replace": {"pattern": "[a-c]+", "with": "<é>"}}, {"split": {"sep": ","}}, {"split": {"sep": ",", "index": -1}},
    {"json": {"path": "$"}}, {"json": {"path": "$[0]"}}, {"json": {"path": "$.a"}},
    {"lookup": {"table": {"a": "b", "null": "x"}}}, {"lookup": {"table": {"a": "b"}, "otherwise": "null"}},
    {"default": "a,b"}, {"default": 1.5}, {"default": False},
]  # fmt: skip

# Each type with settings of it, and constraints on it.
TYPES: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"type": "string"}, [{"min_length": 2, "max_length": 4}, {"pattern": "[a-z0-9é]*", "enum": ["a", "x", "é1"]}]),
    ({"type": "int"}, [{"min": -5, "max": 5}, {"enum": [1, "2", -3]}]),
    ({"type": "float"}, [{"min": -0.5}, {"max": "1e3", "enum": [0, 1.5, "1e2"]}]),
    ({"type": "decimal(12,2)"}, [{"min": "0.01", "max": 100}]),
    ({"type": "decimal(38,0)"}, [{"max": "9" * 38}]),
    ({"type": "decimal(38,19)"}, [{"enum": ["0.5", 1]}]),
    ({"type": "decimal(5,5)"}, [{"max": "0.5"}]),
    ({"type": "bool"}, [{"enum": [True]}]),
    ({"type": "bool", "true": ["Ja", "да", "1"], "false": ["nein", "0"]}, [{"enum": ["nein"]}]),
    ({"type": "date"}, [{"min": "1000-01-01", "max": "2026-11-22"}]),
    ({"type": "date", "formats": ["%d/%m/%Y", "%m/%d/%Y", "iso8601", "%Y%j"]}, [{"min": "01/02/2026"}]),
    ({"type": "timestamp"}, [{"min": "1970-01-01", "max": "2026-03-29T02:30:00+01:00"}]),
    ({"type": "timestamp", "timezone": "Europe/Berlin"}, [{"max": "2026-07-01T00:00Z"}]),
    ({"type": "timestamp", "formats": ["epoch_ms", "%d/%m/%Y %H:%M", "iso8601"], "timezone": "America/New_York"}, []),
    ({"type": "timestamp", "formats": ["epoch_s", "%m/%d/%Y %I:%M:%S %p", "%Y%m%dT%H%M%S.%f"]}, [{"min": "0"}]),
    ({"type": "timestamp", "formats": ["%Y-%m-%dT%H:%M:%S%z", "%d.%m.%y %HH"], "timezone": "Australia/Lord_Howe"}, []),
    ({"type": "uuid"}, [{"enum": ["00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"]}]),
    ({"type": "json"}, []),
    ({"type": "bytes"}, [{"min_length": 1, "max_length": 3}]),
]  # fmt: skip
CONSTANTS: list[dict[str, Any]] = [
    {"type": "string", "const": "é, \"'"}, {"type": "int", "const": -7}, {"type": "float", "const": "1e-7"},
    {"type": "decimal(4,2)", "const": "1.5"}, {"type": "bool", "const": True}, {"type": "date", "const": "0001-01-01"},
    {"type": "timestamp", "const": "2026-07-01T00:00", "timezone": "Europe/Berlin"}, {"type": "bytes", "const": "AAE="},
    {"type": "json", "const": ' {"a": [1.50, "é"]} '}, {"type": "uuid", "const": "A" * 32},
]  # fmt: skip
POLICIES = ["reject_row", "null_value", "fail_file"]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any mapping of up to five fields, with a file of up to a dozen rows whose cells are mostly made for it."""
    section = draw(csv_sections())
    width, header = draw(st.integers(1, 4)), draw(st.sampled_from([True, True, True, False, None]))
    names = ["a", "b", "c", "d é" if encodable("é", section) else "d d"][:width]
    labels = [str(place + 1) if header is False else name for place, name in enumerate(names)]
    of_column: dict[str, list[Cells]] = {label: [] for label in labels}
    fields = [_field(draw, place, labels, of_column) for place in range(draw(st.integers(1, 5)))]
    spare = [] if header is False else draw(st.sampled_from([[], [], [], ["z", "z"]]))  # twice, and nobody minds
    section["header"] = [*labels, *spare] if header is None else header
    mapping: dict[str, Any] = {
        "version": 1,
        "id": "any",
        "csv": section,
        "fields": fields,
        "output": {"format": draw(st.sampled_from(["jsonl", "csv", "parquet"]))},
    }
    _policies(draw, mapping)
    columns = [_column(of_column[label], section) for label in labels] + [cells.of_type("string") for _ in spare]
    rows = [[_around_label(draw, label, section) for label in [*labels, *spare]]] if header is True else []
    rows += _rows(draw, columns, first_is_any=header is not False)
    return Case(mapping, draw(files(section, rows)))


def _field(draw: st.DrawFn, place: int, labels: list[str], of_column: dict[str, list[Cells]]) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": f"f{place}"}
    if draw(st.integers(0, 9)) == 0:
        return {**rule, **draw(st.sampled_from(CONSTANTS))}
    settings, constraints = draw(st.sampled_from(TYPES))
    rule |= settings
    if constraints and draw(st.booleans()):
        rule |= draw(st.sampled_from(constraints))
    if draw(st.booleans()):
        rule["required"] = draw(st.booleans())
    inner = cells.of_type(settings["type"])
    label = draw(st.sampled_from(labels))
    rule["from"] = label
    match draw(st.integers(0, 9)):
        case 0:
            rule["steps"] = draw(st.lists(st.sampled_from(ANY_STEP), min_size=1, max_size=4))
        case 1 if len(labels) > 1:
            rule["from"] = [label, *draw(st.lists(st.sampled_from(labels), min_size=1, max_size=2))]
            rule["steps"] = [{"join": draw(st.sampled_from(["", " ", ", "]))}, *draw(st.sampled_from([[], ["trim"]]))]
        case _:
            rule["steps"], wrap = draw(st.sampled_from(WRAPPED))
            inner = wrap(inner)
    of_column[label].append(inner)
    return rule


def _policies(draw: st.DrawFn, mapping: dict[str, Any]) -> None:
    """Either policies that may fail the file at a row, or a budget: which of two would be first is nobody's promise."""
    if draw(st.booleans()):
        mapping["on_error"] = draw(st.sampled_from(POLICIES))
        for rule in mapping["fields"]:
            if draw(st.booleans()):
                rule["on_error"] = draw(st.sampled_from(POLICIES))
    else:
        mapping["on_error"] = draw(st.sampled_from(POLICIES[:2]))
        budget = st.fixed_dictionaries({}, optional={"rows": st.integers(0, 4), "ratio": st.sampled_from([0, 0.5, 1])})
        mapping["budget"] = draw(budget)


def _column(made_for_it: list[Cells], section: dict[str, Any]) -> Cells:
    """Cells of one column; with white space around some where that is trimmed."""
    odd = st.one_of(st.text(max_size=5), st.sampled_from(["", "NULL", "-", "x", "9" * 40, '"', "a\r\nb", "\0", "a,b"]))
    column = st.one_of(*made_for_it, *made_for_it, odd)
    return st.one_of(column, _around(column)) if section["trim"] else column


def _around_label(draw: st.DrawFn, label: str, section: dict[str, Any]) -> str:
    return draw(st.sampled_from([label, f" {label}\t"])) if section["trim"] else label


def _rows(draw: st.DrawFn, columns: list[Cells], *, first_is_any: bool) -> list[list[str]]:
    """Up to a dozen rows, some ragged, some blank; the first is neither where it tells how many columns there are."""
    rows: list[list[str]] = []
    for _ in range(draw(st.integers(0, 12))):
        row = [draw(column) for column in columns]
        match draw(st.integers(0, 19)) if rows or first_is_any else None:
            case 0:
                row.append("more")
            case 1:
                row = row[:-1] or [""]
            case 2:
                row = []
        rows.append(row)
    return rows
