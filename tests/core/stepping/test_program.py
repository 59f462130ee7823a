"""Programs find what the ``regex`` package finds, or leave it undecided, and take the patterns that clients write."""

from __future__ import annotations

from collections import Counter
from random import Random

import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import native
from engine.core.backtracking import may_explode
from engine.core.native.matcher import Matcher
from engine.core.stepping.grammar import Char, Unusual, read_pattern
from engine.core.stepping.program import compile_program
from tests.core.stepping.patterns import PATTERNS, near_misses
from tests.examples import examples

needs_kernels = pytest.mark.skipif(native.kernels is None, reason="the C kernels are not built")


def decided(pattern: str, group: int, texts: list[str], *, full: bool = False) -> list[bool]:
    """Holds a program to the regex package; which cells it decided. None are, where there is no program."""
    program = compile_program(pattern, group, full=full)
    if program is None:
        return []
    compiled = regex.compile(pattern, cache_pattern=False)
    column = pa.array(["another", *texts, "one"], pa.string()).slice(1, len(texts))
    values, undecided = Matcher(program).matched(column)
    values.validate(full=True)
    sure = [True] * len(texts) if undecided is None else [not each for each in undecided.to_pylist()]
    matches = [compiled.fullmatch(text) if full else compiled.search(text) for text in texts]
    expected = [match[group] if match and known else None for match, known in zip(matches, sure, strict=True)]
    assert values.to_pylist() == expected, (pattern, group, full, texts)
    return sure


def replaced(pattern: str, texts: list[str]) -> int:
    """Holds a program that replaces to the regex package; how many cells it decided."""
    program = compile_program(pattern, 0, full=False, repeated=True)
    if program is None:
        return 0
    column = pa.array(["another", *texts, "one"], pa.string()).slice(1, len(texts))
    count = 0
    for template in ("", "<é>"):
        values, undecided = Matcher(program).replaced(column, template.encode())
        values.validate(full=True)
        sure = [True] * len(texts) if undecided is None else [not each for each in undecided.to_pylist()]
        made = [regex.sub(pattern, template, text) for text in texts]
        expected = [text if known else None for text, known in zip(made, sure, strict=True)]
        assert values.to_pylist() == expected, (pattern, texts)
        count = sum(sure)
    return count


@needs_kernels
def test_matches_the_same() -> None:
    """Random patterns on texts made from them: what is decided, of every group or replaced, is as by ``regex``."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples(1000), deadline=None)
    @given(pattern=PATTERNS, seed=st.integers(0, 2**32), full=st.booleans())
    def hold(pattern: str, seed: int, full: bool) -> None:
        try:
            compiled = regex.compile(pattern, cache_pattern=False)
            tree, _ = read_pattern(pattern)
        except (regex.error, Unusual):
            return
        longest = 10 if may_explode(pattern) else 60
        texts = [text[:longest] for text in near_misses(tree, Random(seed), 25)]
        seen["replaced"] += replaced(pattern, texts)
        for group in range(compiled.groups + 1):
            sure = decided(pattern, group, texts, full=full)
            seen["patterns"] += 1
            seen["programs"] += bool(sure)
            seen["texts"] += len(sure)
            seen["decided"] += sum(sure)
            seen["matches"] += sum(bool(compiled.search(text)) for text in texts) if sure and not group else 0

    hold()
    # A third of what is usual at most, for examples differ from run to run.
    assert seen["programs"] > seen["patterns"] / 8
    assert seen["decided"] > seen["texts"] / 4
    assert seen["matches"] > seen["texts"] / 20
    assert seen["replaced"] > seen["texts"] / 20


_CELLS = [
    "", "\n", "2026-03-22T10:15 INFO [account-13] request 04b37f0f from 10.0.24.7 took 762.7 ms",
    "2026-03-22T10:15 WARN [a] INFO [b] took 1. took 12.5ms", "INFO [] ERROR [x.y-z]", "INFO [a é] ERROR [ok] é",
    "took 1.5  ms, took 1.5 ms", "https://shop.example/item/83?page=16&lang=de#top", "/item/5", "/item/5/",
    "/item/é/item/6?",
    "?a=1&utm_campaign=search-36#top", "&utm_campaign=é#", "utm_campaign=a?utm_campaign=b&utm_campaign=c",
    "?utm_campaign=",
    "Mozilla/5.0 (X11) Chrome/120.0.0.0 Safari/537.36", "Chrome/ Chrome/7", "Chrome/٣ Chrome/7", "a@b.example", "a@b@c",
    "a,b,c,d,e", ",,,", "1234-56-78", "01234-56-7890", "x 12.5 1.25.5 y", "level=high level=low", "\n/a/b\n", "/a/b\nc",
    "id=5&x=6", "x=6&id=5;", "<b>one</b><b>two</b>", "é" * 40, "aaaa" * 20 + "b", "a" * 12,
]  # fmt: skip


@needs_kernels
@pytest.mark.parametrize(
    ("pattern", "group"),
    [
        (r"(?P<level>INFO|WARN|ERROR) \[(?P<service>[a-z][a-z0-9.-]*)\]", 2),
        (r"took (?P<ms>\d+\.\d+) ?ms", 1),
        (r"(?<=[?&]utm_campaign=)[^&#]+", 0),
        (r"(?<=/item/)(?<id>\d+)(?=[/?])", 1),
        (r"Chrome/(?P<major>\d+)", 1),
        (r"^([\w.]+)@([\w.]+)$", 2),
        (r"(?:[^,]*,){3}([^,]*)", 1),
        (r"(\d{4})-(\d\d)-(\d\d)", 3),
        (r"\b(\d+\.\d+)\b", 1),
        (r"/([^/]+)$", 1),
        (r"^https?://[^/]+/([^/?#]+)", 1),
        (r"(?:^|[?&;])id=([^&;]*)", 1),
        (r"level=(high|hi|low)", 1),
        (r"<b>(.*?)</b>", 1),
        (r"(\w+)\s+(\w+)$", 1),
        (r"(?:a|aa)+?b", 0),
        (r"\s*", 0),
        ("(?i)CHROME/([0-9]+)", 1),
        (r"(?i)Took\s(\d+[^a-z])", 1),
    ],
)
def test_usual_patterns(pattern: str, group: int) -> None:
    """What clients write, the benchmarks' patterns among it, has a program, and it is right on odd cells, too."""
    sure = decided(pattern, group, _CELLS)
    assert sum(sure) > len(_CELLS) / 2
    decided(pattern, group, _CELLS, full=True)
    replaced(pattern, _CELLS)


@needs_kernels
def test_only_what_matters_is_undecided() -> None:
    """A character beyond ASCII leaves a cell undecided only where it could be a digit, a line end only at the end."""
    assert decided(r"took (\d+)", 1, ["é took 5 é", "took 5é", "took é", "took 5", "took ٣"]) == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert decided(r"a([^b]+)$", 1, ["aé", "aé\n", "a\né", ""]) == [True, False, True, True]


_MANY = "".join(map(chr, [*range(0x3000), 0x4E2D, 0xFF21, 0x1F600]))


@pytest.mark.parametrize("case", ["", "(?i)"])
def test_what_an_atom_is(case: str) -> None:
    """What the tree says that a character or set matches is what the regex package matches."""
    for atom in [
        *map(regex.escape, map(chr, range(33, 127))), "[a-c]", "[A-Z]", "[S-T_]", "[^&#]", "[^k]", "[^kK]", "[^A-Za-z]",
        ".", r"\w", r"\D", r"[^\d]", r"[^\s/]", r"[\dk]", "[^aA]",
    ]:  # fmt: skip
        node = read_pattern(case + atom)[0].branches[0][0].node
        assert isinstance(node, Char)
        assert not node.vague
        found = regex.findall(case + atom, _MANY)
        beyond = sum(not character.isascii() for character in found)
        assert {ord(character) for character in found if character.isascii()} == node.ascii
        if not node.unicode:
            assert beyond == (len(_MANY) - 128 if node.other else 0)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a)\1", "(?<!a)b", "a(?=b)c", "(?s).", "a++", "(a*)*", "(?:a?)+", r"\p{L}", "[[:alpha:]]", "(?:ab){e<=1}",
        "(?<=a*)b", r"\X", "[é]", "a{1,500}", "[^,]{200}", "[^a]|[^b]", "x[^a]|x[^b]", r"[^\s\S]",
    ],
)  # fmt: skip
def test_what_has_no_program(pattern: str) -> None:
    """What is not read, may repeat nothing, or would take too many states stays with others."""
    assert compile_program(pattern, 0, full=False) is None


@pytest.mark.parametrize("pattern", ["a*", "a|", "^", r"\b", "(?<=a)b", "$"])
def test_what_replaces_nothing(pattern: str) -> None:
    """Patterns that may match nothing, or look behind, have no program that finds all matches."""
    assert compile_program(pattern, 0, full=False) is not None
    assert compile_program(pattern, 0, full=False, repeated=True) is None


@pytest.mark.parametrize(("pattern", "group"), [("(a)?b", 1), ("(a)|b", 1), ("(?:(a)|b)", 1), ("(?:(a)b)+", 1)])
def test_a_group_that_may_be_missing(pattern: str, group: int) -> None:
    """A group that need not take part in a match, or may do so twice, has no program."""
    assert compile_program(pattern, group, full=False) is None
