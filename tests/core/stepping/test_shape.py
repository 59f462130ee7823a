"""What is claimed about a pattern beforehand is true: RE2 matches the same, and free cells are never slow."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import regex

from engine.core.stepping.matching import RegexKernel
from engine.core.stepping.shape import Translation, free_length, translate

_ATOMS = [*"abc", "é", r"\.", r"\n", "[ab]", "[^a]", "[a-c_]", ".", r"\d", r"\w", r"\s", r"\W", r"\S", r"[\d-]",
r"[^\w]",
          r"[^\n]", r"[\]a]", "[b-]", r"\p{L}", "(?<=a)", "(?!b)", r"\1"]  # fmt: skip
_EDGES = ["^", "$", r"\b", r"\A", r"\Z"]
_QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{0,3}", "{1,}", "*?", "+?", "??", "{1,3}?", "++"]


def _pattern(rng: random.Random, depth: int = 0) -> str:
    return "|".join(_sequence(rng, depth) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def _search(rng: random.Random) -> str:
    """A pattern that perhaps looks behind its start and ahead of its end."""
    behind = rng.choice(
        ["", "", "(?<=a)", "(?<=[ab]b)", "(?<=a|b)", "(?<=ab|c)", "(?<=a*)", "(?<!a)", "(?<=)", r"(?<=\w)", "(?<=(a))"]
    )
    ahead = rng.choice(["", "", "(?=b)", "(?=[bc]|$)", "(?=a+b)", r"(?=\b)", "(?!a)", "(?=(b)?c)", "(?=)"])
    inside = _sequence(rng, 0) if rng.random() < 0.8 else _pattern(rng)
    return behind + inside + ahead


def _sequence(rng: random.Random, depth: int) -> str:
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3] if depth else [2, 3, 4])):
        kind = rng.random()
        if kind < 0.6 or (kind > 0.7 and depth > 2):
            part = rng.choice(_ATOMS)
        elif kind < 0.7:
            parts.append(rng.choice(_EDGES))
            continue
        else:
            part = rng.choice(["(", "(?:", f"(?P<n{rng.randrange(10**9)}>"]) + _pattern(rng, depth + 1) + ")"
        parts.append(part + (rng.choice(_QUANTIFIERS) if rng.random() < 0.4 else ""))
    return "".join(parts)


def _texts(rng: random.Random) -> list[str]:
    odd = ["".join(rng.choices("aabbcé.\n _-1]٣\v\x1c", k=rng.randrange(9))) for _ in range(20)]
    return [*odd, *("".join(rng.choices("abc", k=rng.randrange(9))) for _ in range(15)), "", "a", "\n"]


def _agreed(quick: Translation, texts: list[str]) -> list[str]:
    """The texts on which the translation claims to be the same."""
    return [
        text for text in texts
        if (text.isascii() or not quick.ascii_only) and not (quick.one_line and "\n" in text)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "seed",
    [pytest.param(n, marks=pytest.mark.one_build("gil" if n % 2 else "free-threaded")) for n in range(8)],
)
def test_re2_matches_the_same(seed: int) -> None:
    """Random patterns: wherever RE2 is used, it gives for every group what the regex package gives."""
    rng = random.Random(seed)
    used = 0
    while used < 100:
        pattern = _search(rng)
        try:
            compiled = regex.compile(pattern, cache_pattern=False)
        except regex.error:
            continue
        for group in range(compiled.groups + 1):
            full = rng.random() < 0.5
            made = RegexKernel.make(pattern, group, full=full, required=False, timeout_s=5).quick
            if made is None:
                continue
            used += 1
            texts = _agreed(made, _texts(rng))
            found = pc.struct_field(pc.extract_regex(pa.array(texts, pa.string()), made.pattern), [0]).to_pylist()
            matches = [compiled.fullmatch(text) if full else compiled.search(text) for text in texts]
            assert found == [match and match[group] for match in matches], (pattern, group, full)
            whole = translate(pattern, 0, full=False)
            if whole is not None and whole.shortest:
                texts = _agreed(whole, texts)
                replaced = pc.replace_substring_regex(pa.array(texts, pa.string()), whole.pattern, "<$>")
                assert replaced.to_pylist() == [compiled.sub("<$>", text) for text in texts], pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a)\1", "(?<=a)b", "(?=a)b", "(?i)a", "(?s).", "a++", "(?>a)", "(a*)*", "(?:a|)b", r"\p{L}", "[[:alpha:]]",
        "[a&&b]", "(?:ab){e<=1}", "(?P<x>a)|(?P<x>b)", r"\X", r"\R", "(?R)?a", "[é]", r"\x41", "(?|(a)|(b))", "a{,3}",
        "[^a]|[^b]", "x(?:y|[^a]|(?:b|[^c]))",
    ],
)  # fmt: skip
def test_what_re2_does_not_do(pattern: str) -> None:
    """Syntax that RE2 lacks, or reads otherwise, stays with the regex package."""
    assert translate(pattern, 0, full=False) is None


@pytest.mark.parametrize(("pattern", "group"), [("(a)?b", 1), ("(a)|b", 1), ("(?:(a)|b)", 1), ("(?:(a)b)+", 1)])
def test_a_group_that_may_be_missing(pattern: str, group: int) -> None:
    """A group that need not take part in a match stays with the regex package: RE2 here gives empty text, not null."""
    assert translate(pattern, group, full=False) is None


def test_usual_patterns_are_quick() -> None:
    """Everyday patterns are translated, and cells of usual length need no time limit."""
    for pattern in (
        r"Chrome/(?P<major>\d+)",
        r"^([\w.]+)@([\w.]+)$",
        r"(?:[^,]*,){3}([^,]*)",
        r"(\d{4})-(\d\d)-(\d\d)",
    ):
        assert translate(pattern, 1, full=False) is not None
        assert free_length(pattern) > 200
    for pattern in (r"(?<=[?&]utm=)[^&#]+", r"(?<=/item/)(?P<id>\d+)(?=[/?]|$)"):
        assert translate(pattern, 0, full=False, around=True) is not None
        assert translate(pattern, 0, full=False) is None
    for pattern in (r"(?<=Chrome/)(?P<major>\d+)\.(?P<minor>\d+)", r"(?i)chrome/\d+", r"\p{L}+"):
        assert translate(pattern, 0, full=False) is None
        assert free_length(pattern) > 80


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:a|a|b)+c",
        r"(a+)+b",
        r"(?:a*)*b",
        r"(a|aa)+$",
        r"(?:a?){20}a{20}",
        r"(?R)?a",
        r"(?:ab){e}",
        r"(?:(?:a|b)+,)+c",
    ],
)
def test_patterns_that_can_explode_are_never_free(pattern: str) -> None:
    """Nested repeats and the like run under a limit, however short the cell."""
    assert free_length(pattern) < 8


@pytest.mark.parametrize(
    "pattern",
    [
        "a*a*a*c", ".*.*.*=.*", "(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)b", "a*?a*?a*?c", "(?=a*b)a*c", r"(?<=a*)b",
        "a?" * 12 + "c",
        "(?i)a*A*c", r"\w*\d*\w*x", "(?:a*a*){3}c", "(?:a{1,9}){4}c", r"(?!a*c)a*d", "[^b]*[^c]*[^d]*bcd$",
        r"a+(?:\n|b)",
        r"\p{L}+\w+\d", "a*(?:aa|a)c", "(a*)(a*)b",
    ],
)  # fmt: skip
def test_free_cells_are_not_slow(pattern: str) -> None:
    """The worst text of free length takes a bounded time: far less than the second that a cell may take."""
    length = free_length(pattern)
    compiled = regex.compile(pattern)
    limit = 10.0  # seconds of processor time for what is meant to take some hundredths
    started = time.thread_time()
    for text in ("a" * length, "ab" * (length // 2), "a" * (length - 1) + "b", "A" * length):
        compiled.search(text, timeout=limit)
        compiled.sub("", text, timeout=limit)
    assert time.thread_time() - started < limit
