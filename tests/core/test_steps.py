"""How mappings write steps, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.core.steps import Step

GOOD: list[tuple[Any, str]] = [
    ("trim", "trim"), ("lower", "lower"), ("upper", "upper"), ("base64", "base64"), ("hex", "hex"),
    ("url_decode", "url_decode"),
    ({"trim": {}}, "trim"), ({"base64": {}}, "base64"), ({"base64": {"urlsafe": True}}, "base64"),
    ({"regex": {"pattern": "(a)(?P<b>c)", "group": "b"}}, "regex"),
    ({"regex": {"pattern": "(a)", "group": 1}}, "regex"),
    ({"regex": {"pattern": "a", "match": "full", "no_match": "error"}}, "regex"),
    ({"replace": {"pattern": "(a)", "with": r"\1"}}, "replace"), ({"replace": {"pattern": "a", "with": ""}}, "replace"),
    ({"replace": {"pattern": "(?x)(a) # comment", "with": r"\1"}}, "replace"),
    ({"split": {"sep": ","}}, "split"), ({"split": {"sep": ",", "index": -1}}, "split"),
    ({"json": {"path": "$.a"}}, "json"),
    ({"lookup": {"table": {"a": "b"}}}, "lookup"), ({"lookup": {"table": {"": ""}, "otherwise": "keep"}}, "lookup"),
    ({"default": ""}, "default"), ({"default": False}, "default"), ({"default": 0}, "default"),
    ({"default": 1.5}, "default"),
    ({"join": ""}, "join"), ({"join": " "}, "join"), ({"call": {"name": "score", "weight": 2, "of": None}}, "call"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "name"), GOOD)
def test_steps(written: Any, name: str) -> None:
    """Each step is known by its one key, and reads back as what it dumps."""
    step = Step.model_validate(written)
    assert step.name == name
    assert step.rule is not None
    dumped = step.model_dump(by_alias=True)
    assert list(dumped) == [name]
    assert Step.model_validate(dumped) == step


def test_defaults_keep_their_type() -> None:
    """True stays a boolean, 1 an integer, 1.0 a float, "1" a text."""
    rules = [Step.model_validate({"default": value}).rule for value in (True, 1, 1.0, "1")]
    assert [(type(rule), rule) for rule in rules] == [(bool, True), (int, 1), (float, 1.0), (str, "1")]


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("trimm", "did you mean 'trim'"), ("regex", "needs its settings"), ("json", "needs its settings"),
        ("", "no such step"),
        ({}, "exactly one key"), ({"trim": {}, "lower": {}}, "exactly one key"), ({"default": None}, "exactly one key"),
        ({"trim": {"x": 1}}, "x"), ({"nope": {}}, "nope"), ({"base64": {"urlsafe": 1}}, "urlsafe"),
        ({"regex": {}}, "pattern"),
        ({"regex": {"pattern": "("}}, "not a pattern"), ({"regex": {"pattern": ""}}, "at least 1"),
        ({"regex": {"pattern": "(a)", "group": 2}}, "1 groups, no group 2"),
        ({"regex": {"pattern": "a", "group": -1}}, "group"),
        ({"regex": {"pattern": "(?P<major>a)", "group": "mayor"}}, "did you mean 'major'"),
        ({"regex": {"pattern": "a", "match": "prefix"}}, "match"),
        ({"regex": {"pattern": "a", "no_match": "keep"}}, "no_match"),
        ({"regex": {"pattern": "(?:(?:a{999}){999}){999}"}}, "multiply"),
        ({"replace": {"pattern": "a", "with": r"\1"}}, "with: "),
        ({"replace": {"pattern": "a"}}, "with"), ({"split": {"sep": ""}}, "at least 1"),
        ({"split": {"sep": ",", "index": True}}, "index"),
        ({"split": {"sep": ",", "index": 1.0}}, "index"), ({"json": {"path": "a"}}, "starts with"),
        ({"json": {"path": "$..a"}}, "position 1"),
        ({"lookup": {"table": {}}}, "at least 1"), ({"lookup": {"table": {"a": 1}}}, "table"),
        ({"lookup": {"table": {"a": "b"}, "otherwise": "drop"}}, "otherwise"), ({"default": float("nan")}, "finite"),
        ({"default": float("inf")}, "finite"), ({"default": []}, "default"), ({"join": 1}, "join"),
        ({"call": {"name": "os.system; x"}}, "name"), ({"call": {}}, "name"), (1, "dictionary"), (None, "dictionary"),
    ],
)  # fmt: skip
def test_refused(written: Any, what: str) -> None:
    """A step that is no step, or has settings that cannot be, is refused with what is wrong."""
    with pytest.raises(ValidationError) as caught:
        Step.model_validate(written)
    assert what in str(caught.value)
