"""What each step does to a cell, by example: the definition that kernels are held to."""

# ruff: noqa: RUF001 # letters that look alike are what case mappings are tested with

from __future__ import annotations

from typing import Any

import pytest

from engine.core.reference import CellFault
from engine.core.stepping import reference
from engine.core.stepping.reference import Value
from tests.core.stepping.columns import make

FAULT = object()

# step, cell, result (FAULT: a step-error)
CASES: list[tuple[Any, list[tuple[str | bytes, Any]]]] = [
    (
        "trim",
        [
            ("", ""), (" ", ""), ("a", "a"), (" a ", "a"), ("\ta\n", "a"), ("a b", "a b"), ("  a  b  ", "a  b"),
            ("\r\na\r\n", "a"), ("\v\fa", "a"), ("\x1ca\x1f", "a"), ("\x85a\xa0", "a"), ("\u2003a\u3000", "a"),
            ("\u2028a\u2029", "a"), ("\u1680a\u202f", "a"), ("\u200ba", "\u200ba"), ("\ufeffa", "\ufeffa"),
            ("\0a\0", "\0a\0"), ("é ", "é"), (b" a ", "a"), (b" \xc3\xa9 ", "é"), (b"\xff", FAULT), (b"\xc3", FAULT),
        ],
    ),
    (
        "lower",
        [
            ("", ""), ("A", "a"), ("aBc1", "abc1"), ("ÄÖÜ", "äöü"), ("ΑΣ", "ας"), ("ΑΣΑ", "ασα"), ("Σ", "σ"),
            ("İ", "i̇"), ("ẞ", "ß"), ("\u212a", "k"), ("ǅ", "ǆ"), ("Ⅷ", "ⅷ"), ("Ⓐ", "ⓐ"), ("Я", "я"), ("日本", "日本"),
            ("𐐀", "𐐨"), ("A\0B", "a\0b"), (b"AB", "ab"), (b"\xc3\x84", "ä"), (b"\x80", FAULT),
        ],
    ),
    (
        "upper",
        [
            ("", ""), ("a", "A"), ("aBc1", "ABC1"), ("äöü", "ÄÖÜ"), ("ß", "SS"), ("ς", "Σ"), ("ﬁ", "FI"), ("ŉ", "ʼN"),
            ("ı", "I"), ("ǆ", "Ǆ"), ("ΐ", "\u0399\u0308\u0301"), ("ÿ", "Ÿ"), ("µ", "Μ"), ("я", "Я"), ("𐐨", "𐐀"),
            (b"ab", "AB"),
            (b"\xe2\x82", FAULT),
        ],
    ),
    (
        "base64",
        [
            ("", b""), ("YQ==", b"a"), ("YWI=", b"ab"), ("YWJj", b"abc"), ("AAAA", b"\0\0\0"), ("//8=", b"\xff\xff"),
            ("+/+/", b"\xfb\xff\xbf"), ("YR==", b"a"), ("YWJjZGVm", b"abcdef"), (b"YQ==", b"a"), ("YQ", FAULT),
            ("YQ=", FAULT), ("YQ===", FAULT), ("YQ====", FAULT), ("Y", FAULT), ("YWJjY", FAULT), ("=", FAULT),
            ("====", FAULT), ("=YQ=", FAULT), ("Y=Q=", FAULT), ("YQ==YQ==", FAULT), ("YWI=YQ==", FAULT),
            (" YQ==", FAULT), ("YQ== ", FAULT), ("YQ==\n", FAULT), ("YW\nJj", FAULT), ("YW Jj", FAULT), ("_-_-", FAULT),
            ("YWJ*", FAULT), ("YWJé", FAULT), ("ＹＱ==", FAULT), ("YWJ\0", FAULT), (b"\xff", FAULT),
        ],
    ),
    (
        {"base64": {"urlsafe": True}},
        [
            ("", b""), ("_-_-", b"\xff\xef\xfe"), ("YQ==", b"a"), ("__8=", b"\xff\xff"), ("//8=", FAULT),
            ("+/+/", FAULT),
            ("YQ", FAULT), ("__!!", FAULT), ("YQ==\n", FAULT),
        ],
    ),
    (
        "hex",
        [
            ("", b""), ("00", b"\0"), ("ff", b"\xff"), ("FF", b"\xff"), ("fF", b"\xff"),
            ("deadBEEF", b"\xde\xad\xbe\xef"),
            (b"61", b"a"), ("0", FAULT), ("000", FAULT), ("0x00", FAULT), ("0g", FAULT), ("00 00", FAULT),
            (" 00", FAULT),
            ("00\n", FAULT), ("٠٠", FAULT), ("éé", FAULT), ("-1", FAULT), ("\\x00", FAULT), (b"\xff\xff", FAULT),
        ],
    ),
    (
        "url_decode",
        [
            ("", ""), ("a", "a"), ("%41", "A"), ("a%20b", "a b"), ("a+b", "a+b"), ("%2B", "+"), ("%2b", "+"),
            ("%C3%A9", "é"), ("%c3%a9", "é"), ("é", "é"), ("é%20é", "é é"), ("%25", "%"), ("%2541", "%41"),
            ("%00", "\0"),
            ("%F0%9F%98%80", "😀"), ("%0A", "\n"), ("%25ff", "%ff"), ("%25%32%35", "%25"), (b"%41", "A"), ("%", FAULT),
            ("%4", FAULT), ("%%", FAULT), ("%4%41", FAULT), ("%GG", FAULT), ("%0x", FAULT), ("% 1", FAULT),
            ("%+1", FAULT),
            ("%é1", FAULT), ("%u0041", FAULT), ("%FF", FAULT), ("%fe", FAULT), ("%C3", FAULT), ("%C3a", FAULT),
            ("%ED%A0%80", FAULT), ("%25%FF", FAULT), ("%١١", FAULT),
        ],
    ),
    (
        {"regex": {"pattern": r"(?P<n>[0-9]+)(x)?", "group": "n"}},
        [
            ("", None), ("a1", "1"), ("12x", "12"), ("a", None), ("a1b2", "1"), ("\n1", "1"), ("٣", None), (b"a1", "1"),
            (b"\xff1", FAULT),
        ],
    ),
    (
        {"regex": {"pattern": "a(b)?", "group": 1, "no_match": "error"}},
        [("ab", "b"), ("a", None), ("b", FAULT), ("", FAULT), ("xab", "b"), ("aab", None)],
    ),
    (
        {"regex": {"pattern": r"\w+", "match": "full"}},
        [("ab", "ab"), ("", None), ("a b", None), ("ab\n", None), ("é٣_", "é٣_"), ("日本", "日本"), (" a", None)],
    ),
    (
        {"regex": {"pattern": "a+$"}},
        [("aa", "aa"), ("aa\n", "aa"), ("aa\n\n", None), ("aab", None), ("baa", "aa"), ("\naa", "aa")],
    ),
    (
        {"regex": {"pattern": r"(?<=Chrome/)\d+(?!\d|x)"}},
        [("Chrome/12", "12"), ("Chrome/12x", None), ("Chrome/12,", "12"), ("Chrome/", None), ("chrome/1", None)],
    ),
    (
        {"replace": {"pattern": r"(\d)(\d)?", "with": r"[\2\1]"}},
        [("", ""), ("12", "[21]"), ("1", "[1]"), ("a123b", "a[21][3]b"), ("x", "x"), (b"1", "[1]"), (b"\xff", FAULT)],
    ),
    (
        {"replace": {"pattern": "a*", "with": "-"}},
        [("", "-"), ("b", "-b-"), ("aab", "--b-"), ("baac", "-b--c-")],
    ),
    (
        {"split": {"sep": ","}},
        [
            ("", '[""]'), ("a", '["a"]'), ("a,b", '["a","b"]'), (",", '["",""]'), ("a,,b", '["a","","b"]'),
            ('"', '["\\""]'), ("\\", '["\\\\"]'), ("\n\t\x01\x7f", '["\\n\\t\\u0001\x7f"]'), ("é\u2028", '["é\u2028"]'),
            (b"a,b", '["a","b"]'), (b"\xff,", FAULT),
        ],
    ),
    (
        {"split": {"sep": "::", "index": 1}},
        [("a::b", "b"), ("a::b::c", "b"), ("a", None), ("", None), ("::", ""), (":::", ":"), ("a:b::c", "c")],
    ),
    (
        {"split": {"sep": ",", "index": -2}},
        [("a,b", "a"), ("a,b,c", "b"), ("a", None), ("", None), (",", ""), (",,", "")],
    ),
    (
        {"json": {"path": "$.a"}},
        [
            ('{"a":"x"}', "x"), ('{"a":""}', ""), ('{"a":null}', None), ("{}", None), ("[]", None), ('"a"', None),
            ("1", None),
            ("null", None), ('{"a":1}', "1"), ('{"a":-0}', "-0"), ('{"a":1.50}', "1.5"), ('{"a":1E2}', "100.0"),
            ('{"a":12345678901234567890123}', "12345678901234567890123"), ('{"a":true}', "true"),
            ('{"a": [1, "é"] }', '[1,"é"]'), ('{"a":{"b":null}}', '{"b":null}'), ('{"a":1,"a":2}', "2"),
            ('{"a":"\\u00e9\\n"}', "é\n"), (' {"a":1}\n', "1"), (b'{"a":"\xc3\xa9"}', "é"), ("", FAULT), ("{", FAULT),
            ("{'a':1}", FAULT), ('{"a":NaN}', FAULT), ('{"a":1e400}', FAULT), ('{"b":-1e400}', FAULT),
            ('{"a":01}', FAULT),
            ('{"a":1,}', FAULT), ('{"a":1}{', FAULT), ('{"a":"\\ud800"}', FAULT), ('{"a":"\n"}', FAULT),
            ("\ufeff{}", FAULT), (b"\xff", FAULT), ("[" * 65 + "]" * 65, FAULT), ("[" * 64 + "]" * 64, None),
        ],
    ),
    (
        {"json": {"path": "$"}},
        [('"x"', "x"), ("[1, 2]", "[1,2]"), ("null", None), ("true", "true"), ('"\\""', '"'), ("1.0", "1.0")],
    ),
    (
        {"json": {"path": "$.a[-1]['b c']"}},
        [('{"a":[{"b c":1},{"b c":2}]}', "2"), ('{"a":[]}', None), ('{"a":{"-1":{"b c":1}}}', None),
        ('{"a":"xyz"}', None)],
    ),
    (
        {"lookup": {"table": {"a": "1", "": "none", "é": "e"}}},
        [("a", "1"), ("", "none"), ("é", "e"), (b"\xc3\xa9", "e"), ("b", FAULT), ("A", FAULT), ("a ", FAULT),
        (b"\xff", FAULT)],
    ),
    ({"lookup": {"table": {"a": "1"}, "otherwise": "null"}}, [("a", "1"), ("b", None), ("", None)]),
    ({"lookup": {"table": {"a": "1"}, "otherwise": "keep"}}, [("a", "1"), ("b", "b"), (b"b", "b"), (b"\xff", FAULT)]),
]  # fmt: skip
FLAT = [(step, cell, result) for step, cells in CASES for cell, result in cells]


@pytest.mark.parametrize(("step", "cell", "result"), FLAT)
def test_cells(step: Any, cell: Value, result: Any) -> None:
    """Each cell gives exactly this, or is a step-error."""
    converter = make(step)
    if result is FAULT:
        with pytest.raises(CellFault) as caught:
            converter.reference(cell)
        assert caught.value.code == "step-error"
    else:
        made = converter.reference(cell)
        assert (type(made), made) == (type(result), result)


@pytest.mark.parametrize("step", [step for step, _ in CASES])
def test_null_passes_through(step: Any) -> None:
    """Null is null after every step but default."""
    assert make(step).reference(None) is None


def test_default() -> None:
    """Only a null gets the default; its text is as in JSON, a text as it is."""
    assert reference.default(None, text="x") == "x"
    assert [reference.default(value, text="x") for value in ("", "a", b"")] == ["", "a", b""]
    texts = [reference.default_text(value) for value in (True, False, 0, -5, 1.5, 1e100, 10**30, "", "é")]
    assert texts == ["true", "false", "0", "-5", "1.5", "1e100", "1" + "0" * 30, "", "é"]


def test_join() -> None:
    """Nulls count as empty text, and only nulls give null."""
    assert reference.join(["a", None, "b"], sep="-") == "a--b"
    assert reference.join([None, ""], sep="-") == "-"
    assert reference.join([None, None], sep="-") is None
    assert reference.join(["a"], sep="-") == "a"


def test_replace_is_bounded() -> None:
    """A replacement that would make a cell longer than cells may be is too-long; one that just fits is not."""
    grow = make({"replace": {"pattern": "a", "with": "12345"}}, cell_bytes=100)
    assert grow.reference("a" * 20) == "12345" * 20
    copies = make({"replace": {"pattern": "(.+)", "with": r"\1\1\1\1"}}, cell_bytes=100)
    assert copies.reference("x" * 25) == "x" * 100
    for step, cell in ((grow, "a" * 21), (copies, "x" * 26), (grow, "é" * 40 + "a" * 5)):
        with pytest.raises(CellFault) as caught:
            step.reference(cell)
        assert caught.value.code == "too-long"
