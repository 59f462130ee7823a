"""A mapping document is read whole, and every problem in it is named with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.limits import Limits
from engine.core.mapping import load_mapping, mapping_schema, validate_mapping
from engine.core.plan import cached_plan
from engine.errors import MappingError

SMALL: dict[str, Any] = {"version": 1, "id": "m", "fields": [{"name": "a", "type": "int"}]}


def problems(document: object) -> list[str]:
    with pytest.raises(MappingError) as caught:
        validate_mapping(document, "m.json")
    assert caught.value.exit_status == 2
    return [str(problem) for problem in caught.value.problems]


def test_defaults() -> None:
    """What a mapping leaves out has the contract's defaults, and a field is read from the column of its name."""
    mapping = validate_mapping(SMALL, "m.json")
    assert (mapping.csv.delimiter, mapping.csv.quote, mapping.csv.header) == (",", '"', True)
    assert (mapping.csv.null_values, mapping.csv.compression) == ([""], "infer")
    assert mapping.output.format == "jsonl"
    assert (mapping.fields[0].labels, mapping.fields[0].required) == (("a",), False)


def test_json_and_toml_are_the_same_mapping() -> None:
    """The same mapping written as JSON and as TOML, in any key order, has one identity; another has another."""
    text = b"""
        id = "m"
        version = 1
        [[fields]]
        type = "int"
        name = "a"
    """
    from_toml = load_mapping(text, "m.toml")
    from_json = load_mapping(json.dumps({**SMALL, "csv": {"delimiter": ","}}).encode(), "m.json")
    assert from_toml.canonical == from_json.canonical
    assert from_toml.sha256 == from_json.sha256
    assert validate_mapping({**SMALL, "id": "n"}, "n").sha256 != from_json.sha256


def test_compression_is_one_of_four() -> None:
    """A compression that is not read is refused with those that are."""
    assert validate_mapping({**SMALL, "csv": {"compression": "zstd"}}, "m.json").csv.compression == "zstd"
    (problem,) = problems({**SMALL, "csv": {"compression": "bzip2"}})
    assert problem.startswith("csv.compression: ")
    assert all(kind in problem for kind in ("infer", "none", "gzip", "zstd"))


def test_the_canonical_form_is_the_mapping_again() -> None:
    """A mapping read back from its canonical form is itself: this is how workers get it."""
    mapping = validate_mapping({**SMALL, "fields": [{"name": "a", "from": "A", "type": "int"}]}, "m.json")
    assert load_mapping(mapping.canonical, "m.json") == mapping
    plan = cached_plan(mapping.canonical, mapping.sha256, Limits())
    assert plan.fields[0].labels == ("A",)
    assert cached_plan(mapping.canonical, mapping.sha256, Limits()) is plan


def test_every_problem_is_listed_with_its_place() -> None:
    """One refusal names all that is wrong: wrong types, missing and unknown keys, each at its path."""
    found = problems(
        {
            "version": 2,
            "id": "a b",
            "csv": {"delimiter": ",,", "qoute": "'"},
            "fields": [
                {"name": "a", "type": "integer"},
                {"typ": "int"},
                {"name": "", "type": "int", "required": "yes"},
            ],
            "ouput": {},
        }
    )
    places = [problem.split(":")[0] for problem in found]
    assert places == [
        "version", "id", "csv.delimiter", "csv", "fields[0].type", "fields[1].name", "fields[1].type", "fields[1]",
        "fields[2].name", "fields[2].required", "unknown key 'ouput' (did you mean 'output'?)",
    ]  # fmt: skip
    assert "unknown key 'qoute' (did you mean 'quote'?)" in found[3]
    assert "unknown key 'typ' (did you mean 'type'?)" in found[7]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"fields": []}, "fields"),
        ({"fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "string"}]}, "fields named twice: a"),
        ({"csv": {"delimiter": ";", "quote": ";"}}, "delimiter and quote must differ"),
        ({"csv": {"encoding": "latin-one"}}, "no codec is called 'latin-one'"),
        ({"csv": {"encoding": "base64"}}, "base64"),
        ({"csv": {"delimiter": "\\", "escape": "\\"}}, "delimiter and escape must differ"),
        ({"csv": {"delimiter": "\n"}}, "csv.delimiter"),
        ({"csv": {"quote": "''"}}, "csv.quote"),
        ({"csv": {"skip_lines": -1}}, "csv.skip_lines"),
        ({"csv": {"extra_cells": "null"}}, "csv.extra_cells"),
        ({"csv": {"header": []}}, "csv.header"),
        ({"output": {"guard_formulas": True}}, "output: guard_formulas: is for csv"),
        ({"output": {"format": "parquet", "guard_formulas": True}}, "leave it out for parquet"),
        ({"id": ""}, "id"),
        ({"id": "../x"}, "id"),
    ],
)
def test_refused(change: dict[str, Any], what: str) -> None:
    """What cannot be run is refused when the mapping is loaded, in words that say which part it is."""
    assert any(what in problem for problem in problems({**SMALL, **change}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"{", "m.json"),
        (b"a = ", "m.toml"),
        (b"\xff", "m.json"),
        (b"\xff", "m.toml"),
        (b"[" * 100_000, "m.json"),
        (b"a = " + b"[" * 100_000, "m.toml"),
    ],
    ids=["json", "toml", "json-utf8", "toml-utf8", "json-deep", "toml-deep"],
)
def test_text_that_is_no_document(text: bytes, name: str) -> None:
    """Text that is neither JSON nor TOML is refused with the file's name."""
    with pytest.raises(MappingError, match=name):
        load_mapping(text, name)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_document_is_refused_with_problems(document: object) -> None:
    """Whatever is not a mapping is refused with at least one problem, never with another exception."""
    assert problems(document)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 1}', '{"fields": [{"name": "x", "name": "y"}]}', '{"b": {"c": [{"": 1, "": 2}]}}']
)
def test_a_key_given_twice(text: str) -> None:
    """Readers differ on which one counts, so a document with one is refused, and the key is named."""
    key = {"a": "'a'", "f": "'name'", "b": "''"}[text[2]]
    with pytest.raises(MappingError, match=rf"^m\.json: key {key} is given twice$"):
        load_mapping(text.encode(), "m.json")


def test_schema_names_every_type() -> None:
    """The JSON Schema knows the field types and the document's own key names."""
    text = json.dumps(mapping_schema())
    assert all(f'"{name}"' in text for name in ("string", "int", "float", "bool", "timestamp", "uuid", "json", "from"))
