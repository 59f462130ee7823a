"""What is refused of a client's patterns when a mapping is loaded."""

from __future__ import annotations

import pytest

from engine.core.patterns import PATTERN_BYTES, check_pattern, check_replacement, compile_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "a", r"(?<=x)\d+", "(?P<a>x)(?&a)", r"\p{L}+", "a{1000}", "a{0,1000}", "a{5,}", r"a\{2000\}", r"\\{9}", "[{]",
        "é{3}",
        r"(\d{1,3}\.){3}\d{1,3}", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "(?:[^,]{0,1000},){0,1000}",
        "a" * PATTERN_BYTES,
        r"(?x) a{2}  # a ( comment", r"(?i)[[:alpha:]]{20}", r"(?V1)[a-z--[aeiou]]{3}", r"[](){}]{9}", "(?:ab){e<=1}",
    ],
)  # fmt: skip
def test_accepted(pattern: str) -> None:
    """A pattern within the limits is given back as it is."""
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("a" * (PATTERN_BYTES + 1), "10,000 bytes"),
        ("é" * (PATTERN_BYTES // 2 + 1), "10,000 bytes"),
        ("a{1001}", "1,000 is the most"),
        ("a{0,1001}", "1,000 is the most"),
        ("a{,1001}", "1,000 is the most"),
        ("a{99999999999999999999}", "1,000 is the most"),
        (r"\\{1001}", "1,000 is the most"),
        ("(", "not a pattern"),
        ("a**", "not a pattern"),
        (r"\q", "not a pattern"),
        (r"\L<words>", "not a pattern"),
        ("(" * 3000 + ")" * 3000, "not a pattern"),
        ("(?P<a>x", "not a pattern"),
    ],
)
def test_refused(pattern: str, what: str) -> None:
    """What is over a limit, or no pattern, is refused with the reason."""
    with pytest.raises(ValueError, match=what):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:(?:a{1000}){1000}){1000}){1000}",
        "(?:a{1000}){100}",
        "(((((a){10}){10}){10}){10}){10}",
        "(?:(?:a?){1000}){1000}",
        "(?:a{500}){500}" * 20,
        "(?x)(?: (?: (?: a # )\n ){1000} # )\n ){1000} # )\n ){1000}",
        "(?#)(?:(?:a{1000}){1000}){1000}",
        "(?:(?:[[:alpha:](]a){1000}){1000}",
        "(?:(?:[](]a){1000}){1000}",
        "(?V1)(?:(?:[a[(]]b){1000}){1000}",
        r"(?:(?:[\](]b){1000}){1000}",
        "(?:(?:[^](]a){1000}){1000}",
    ],
)
def test_repeats_that_multiply_are_refused_unread(pattern: str) -> None:
    """Compiling such a pattern takes all the memory there is: it is refused before, however it hides its brackets."""
    with pytest.raises(ValueError, match="multiply"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("template", "replaced"),
    [
        ("", "-"), ("x", "x-x"), (r"\1", "a-"), (r"\g<1>\g<name>", "a-b"), (r"\n", "\n-\n"), ("$1", "$1-$1"),
        ("{1}", "{1}-{1}"), (r"\\", "\\-\\"), (r"\0", "\0-\0"), ("é", "é-é"),
    ],
)  # fmt: skip
def test_replacements_accepted(template: str, replaced: str) -> None:
    """Templates that name groups the pattern has pass, and the pattern then takes them."""
    pattern = compile_pattern("(?x)(a)|(?P<name>b)  # a comment")
    check_replacement(pattern, template)
    assert pattern.sub(template, "a-b") == replaced


@pytest.mark.parametrize("template", [r"\3", r"\g<other>", r"\g<", r"\q", "\\", r"\g<9>", r"\ud800"])
def test_replacements_refused(template: str) -> None:
    """Templates that name other groups, or are not well formed."""
    with pytest.raises(ValueError, match="with: "):
        check_replacement(compile_pattern("(a)|(?P<name>b)"), template)
