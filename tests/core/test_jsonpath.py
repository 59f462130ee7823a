"""JSON paths are RFC 9535's singular queries."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.jsonpath import ABSENT, follow, parse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", ()), ("$.a", ("a",)), ("$.a.b", ("a", "b")), ("$['a']", ("a",)), ('$["a"]', ("a",)), ("$[0]", (0,)),
        ("$[-1]", (-1,)), ("$.a[0]['b']", ("a", 0, "b")), ("$._a1", ("_a1",)), ("$.é", ("é",)), ("$.日本", ("日本",)),
        ("$.😀", ("😀",)), ("$ .a", ("a",)), ("$\n[0]\t.b", (0, "b")), ("$[ 'a' ]", ("a",)), ("$[\r\n0 ]", (0,)),
        ("$['']", ("",)), ("$[' ']", (" ",)), ("$['a.b']", ("a.b",)), ("$['\\'']", ("'",)), ("$['\"']", ('"',)),
        ('$["\\""]', ('"',)), ('$["\'"]', ("'",)), ("$['\\\\']", ("\\",)), ("$['\\n\\t\\/']", ("\n\t/",)),
        ("$['\\u00e9']", ("é",)), ("$['\\uD83D\\ude00']", ("😀",)), ("$['\x7f']", ("\x7f",)),
        ("$['\\\\\\'']", ("\\'",)),
        ("$[9007199254740991]", (2**53 - 1,)), ("$[-9007199254740991]", (1 - 2**53,)), ("$['*']", ("*",)),
        ("$['\\\\\"']", ('\\"',)),
    ],
)  # fmt: skip
def test_paths(text: str, path: tuple[str | int, ...]) -> None:
    """Names and indexes, in every form that the RFC allows."""
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "", "a", ".a", "@.a", " $", "$ ", "$.", "$.a ", "$..a", "$.*", "$[*]", "$[0,1]", "$['a','b']", "$[0:1]",
        "$[::]",
        "$[?@.a]", "$.a.", "$. a", "$.1a", "$.a-b", "$.-a", "$[01]", "$[-0]", "$[+1]", "$[1.0]", "$[1e1]", "$[]",
        "$[a]",
        "$['a]", "$['a\"]", "$[\"a']", "$['\\a']", "$['\\\"']", '$["\\\'"]', "$['\\u12']", "$['\\ud800']",
        "$['\\udc00\\ud800']",
        "$['\n']", "$['\t']", "$['\ud800']", "$.\ud800", "$[9007199254740992]", "$[-9007199254740992]",
        "$[" + "9" * 5000 + "]",
        "$$", "$a", "$['a'", "$[0", "$.a[", "$\x0b.a", "$\xa0.a", "$.a()", "$['\\\\\\\"']",
    ],
)  # fmt: skip
def test_what_is_no_singular_query(text: str) -> None:
    """Everything else is refused, with the place."""
    with pytest.raises(ValueError, match=r"position|starts with|out of range|well formed"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$", {"a": [1, {"b": None}], "": "x"}), ("$.a", [1, {"b": None}]), ("$.a[0]", 1), ("$.a[1].b", None),
        ("$.a[-1]", {"b": None}), ("$.a[-2]", 1), ("$['']", "x"), ("$.a[2]", ABSENT), ("$.a[-3]", ABSENT),
        ("$.b", ABSENT),
        ("$[0]", ABSENT), ("$.a.b", ABSENT), ("$.a[0].b", ABSENT), ("$['']['x']", ABSENT), ("$[''][0]", ABSENT),
        ("$.a[1].b.c", ABSENT),
    ],
)  # fmt: skip
def test_follow(text: str, found: Any) -> None:
    """A path finds a value, null included, or nothing; never a character of a text."""
    assert (
        follow({"a": [1, {"b": None}], "": "x"}, parse_path(text)) is found
        or follow({"a": [1, {"b": None}], "": "x"}, parse_path(text)) == found
    )
