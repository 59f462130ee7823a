"""Any bytes, in any pieces, under any dialect: rows are those of ``csv.reader(strict=True)`` over the whole text."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.csvfiles import CHARACTERS, ENCODINGS, MARKS
from tests.core.reading import ROW_BYTES, cuts, read, reference, spelled
from tests.examples import at_least

DRAWN = st.binary(max_size=20) | st.binary(min_size=12, max_size=60)
HEADERS: list[Any] = [["a", "b"], ["a"], True, False, ["a", "b", "c"]]
POLICIES: dict[str, list[Any]] = {
    "skip_lines": [0, 0, 0, 1, 2],
    "trim": [False, True],
    "extra_cells": ["error", "ignore"],
    "missing_cells": ["error", "null"],
    "blank_rows": ["skip", "error"],
}
# The limit of a row; the chunk; where to cut: every so many bytes, from the first so many.
WAYS: dict[str, list[int]] = {
    "row_bytes": [ROW_BYTES, ROW_BYTES, ROW_BYTES, 64, 16, 8],
    "chunk_bytes": [*range(64, 0, -1)],
    "step": [0, 1, 1, 2, 3, 7, 16],
    "first": [*range(20)],
}
ODD = [b"\0", "\u2028".encode(), "é".encode(), "\ufeff".encode(), "\x85".encode(), b"\xff", b"\xe2\x82", b"\x0b"]
USUAL = [
    b"a", b",", b"\n", b'"', b'"', b'"', b"\r\n", b",", b"\n", b"\r", b'""', b'"a"', b',"', b'",', b'"\n', b'\n"',
    b"bc ", b"\n\n", *ODD,
]  # fmt: skip


def any_of(choices: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """One of each, the first ones when it shrinks. Drawn as one number: ten times as fast as draws of their own."""
    sizes = [len(each) for each in choices.values()]

    def chosen(number: int) -> dict[str, Any]:
        places = [number // prod(sizes[:which]) % size for which, size in enumerate(sizes)]
        return {name: each[place] for (name, each), place in zip(choices.items(), places, strict=True)}

    return st.integers(0, prod(sizes) - 1).map(chosen)


def check(data: bytes, section: dict[str, Any], way: dict[str, int]) -> None:
    """The engine, reading in this way, has what the oracle has."""
    row_bytes, chunk_bytes = way["row_bytes"], way["chunk_bytes"]
    places = cuts(len(data), way["step"], way["first"])
    assert read(data, places, chunk_bytes=chunk_bytes, row_bytes=row_bytes, **section) == reference(
        data, row_bytes=row_bytes, **section
    )


def way(chunk_bytes: int, step: int) -> dict[str, int]:
    return {"row_bytes": ROW_BYTES, "chunk_bytes": chunk_bytes, "step": step, "first": step}


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=at_least(2000))
@given(
    DRAWN.map(lambda drawn: spelled(drawn, USUAL)),
    any_of({"header": HEADERS, "blank_rows": ["skip", "error"]}),
    any_of(WAYS),
)
@example(b'1,5" pipe\n2,"x\ny"\n3,"z"\n', {"header": ["a", "b"]}, way(8, 7))
@example(b'a\n"x\n"\n"', {}, way(1, 0))
@example(b'a\n\n""\n\r\n', {"blank_rows": "error"}, way(64, 0))
def test_usual_dialect(data: bytes, section: dict[str, Any], how: dict[str, int]) -> None:
    """Labels; and of every row its number, its line, its cells or what is wrong with it, its text."""
    check(data, section, how)


@pytest.mark.slow
def test_every_short_text() -> None:
    """The same for every text of up to five of the characters that matter, read a byte at a time and whole."""
    for length in range(6):
        for text in product(b'a,"\n\r', repeat=length):
            data = bytes(text)
            expected = reference(data, header=["1", "2"])
            assert read(data, range(1, length), chunk_bytes=1, header=["1", "2"]) == expected
            assert read(data, chunk_bytes=64, header=["1", "2"]) == expected


def tokens(section: dict[str, Any]) -> list[bytes]:
    """What structures a file of the dialect, whole idioms among it, and other text."""
    delimiter, escape = section["delimiter"].encode(), (section["escape"] or "\\").encode()
    quote = (section["quote"] or '"').encode()
    return [
        b"a", delimiter, b"\n", quote, escape, b"\r\n", b"\r", delimiter, quote, b"\n", escape, quote + delimiter,
        delimiter + quote, quote + b"\n", b"\n" + quote, quote + quote, escape + b"\n", escape + quote, escape + escape,
        escape + b"\r\n", b" ", b"\\", b'"', b",", *ODD,
    ]  # fmt: skip


def in_dialect(chosen: dict[str, Any], drawn: bytes) -> tuple[dict[str, Any], bytes]:
    """A ``csv`` section and a file."""
    section = chosen.pop("characters") | chosen
    return section, spelled(drawn, tokens(section))


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=at_least(2250))
@given(
    st.builds(in_dialect, any_of({"characters": CHARACTERS, "header": HEADERS, **POLICIES}), DRAWN),
    any_of(WAYS),
)
def test_any_dialect(case: tuple[dict[str, Any], bytes], how: dict[str, int]) -> None:
    """The same for any delimiter, quote, escape or none, lines to skip, trimming, and policy of ragged, blank rows."""
    section, data = case
    check(data, section, how)


CHARACTER = [
    "a",
    ",",
    "\n",
    '"',
    '"',
    "\r\n",
    "\r",
    ',"',
    '",',
    '"\n',
    '""',
    "é",
    "\u2028",
    "日",
    "ー",
    "\x85",
    "\ufeff",
]


def in_encoding(chosen: dict[str, Any], drawn: bytes) -> tuple[str, bytes]:
    """An encoding, and a file in it or in what its mark says, with bytes in it that are no characters."""
    encoding, (mark, marked) = chosen["encoding"], chosen["mark"]
    codec = marked or {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    whole = [each.encode(codec, "ignore") for each in CHARACTER]
    return encoding, mark + spelled(drawn, [*filter(None, whole), ENCODINGS[encoding], b"\x81", b"\xd8", b"\0"])


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=at_least(1250))
@given(
    st.builds(in_encoding, any_of({"encoding": sorted(ENCODINGS, reverse=True), "mark": MARKS}), DRAWN),
    any_of(WAYS),
)
def test_any_encoding(case: tuple[str, bytes], how: dict[str, int]) -> None:
    """The same in any encoding: characters and marks cut anywhere, bytes that are no characters cost their row."""
    encoding, data = case
    check(data, {"encoding": encoding, "header": ["a", "b"]}, how)
