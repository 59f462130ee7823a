"""Hypothesis strategies for ``csv`` sections of mappings and for files written to them, well, nearly, or not at all."""

from __future__ import annotations

import codecs
from typing import Any

from hypothesis import strategies as st

__all__ = ["CHARACTERS", "ENCODINGS", "MARKS", "csv_sections", "encodable", "files"]

BAD = "\udcff"
"""Stands in a text for bytes that its encoding has no character for."""

# Encodings with such bytes (Latin-1 has a character for each).
ENCODINGS = {
    "utf-8": b"\xff", "utf8": b"\xe2\x82", "utf-8-sig": b"\xc0", "latin-1": b"\xff", "cp1252": b"\x81",
    "utf-16": b"\x00\xdc", "utf-16-le": b"\x00\xd8", "utf-16-be": b"\xdc\x00", "utf-32": b"\xff\xff\xff\xff",
    "shift_jis": b"\xff", "gb18030": b"\xff", "cp037": b"\xff", "ascii": b"\x80",
}  # fmt: skip


def _characters(three: str) -> dict[str, str | None]:
    return {
        "delimiter": three[0],
        "quote": None if three[1] == "-" else three[1],
        "escape": None if three[2] == "-" else three[2],
    }


CHARACTERS = [
    _characters(three)
    for three in (
        ',"-', ',"-', ',"-', ';"-', '\t"-', ",'-", ',"\\', ';"\\', ',"/', '|"\\', '\x01"-', " '-", " '\\", "x'-", 'a"/',
        '"\'\\', ",-\\", "\t--", "|--", ';-"', ",\x02\x03", "\\'\"", ';""',
    )
]  # fmt: skip
"""Delimiter, quote and escape, with none of them for a hyphen. The usual ones are likely."""


@st.composite
def csv_sections(draw: st.DrawFn) -> dict[str, Any]:
    """Any ``csv`` section, less its header."""
    characters = draw(st.sampled_from(CHARACTERS))
    return characters | {
        "encoding": draw(st.sampled_from(["utf-8", "utf-8", "utf-8", *ENCODINGS])),
        "skip_lines": draw(st.sampled_from([0, 0, 0, 1, 2])),
        "trim": draw(st.sampled_from([False, False, True])),
        "null_values": draw(st.sampled_from([[""], ["", "NULL", "-"], []])),
        "extra_cells": draw(st.sampled_from(["error", "ignore"])),
        "missing_cells": draw(st.sampled_from(["error", "null"])),
        "blank_rows": draw(st.sampled_from(["skip", "error"])),
    }


def encodable(text: str, section: dict[str, Any]) -> bool:
    """Whether the section's encoding has all characters of a text."""
    return bool(text.encode(section["encoding"], "ignore").decode(section["encoding"]) == text)


@st.composite
def files(draw: st.DrawFn, section: dict[str, Any], rows: list[list[str]]) -> bytes:
    """A file of these rows, the header among them, with a few characters more where they may do harm."""
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    always = draw(st.booleans())
    lines = ['# "' for _ in range(section["skip_lines"])]
    lines += [section["delimiter"].join([_written(cell, section, always=always) for cell in row]) for row in rows]
    text = end.join(lines) + (draw(st.sampled_from([end, ""])) if rows and rows[-1] else "")
    for at, what in draw(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(_harmful(section))), max_size=4)):
        place = len(text) - at % (len(text) + 1)  # from the end: the header is mostly whole
        text = text[:place] + what + text[place:]
    return _encoded(draw, text, section["encoding"])


def _harmful(section: dict[str, Any]) -> list[str]:
    quote, escape, delimiter = section["quote"] or '"', section["escape"] or "\\", section["delimiter"]
    return [
        quote, BAD, quote + "x", delimiter, "\n", "\r", "\r\n", escape, escape + "\n", delimiter + quote,
        quote + delimiter, "\n\n", "\0", "\u2028", "\x85", "\ufeff", " ", quote + "\n" + quote, "x" * 30,
    ]  # fmt: skip


def _written(cell: str, section: dict[str, Any], *, always: bool) -> str:
    """A cell as it must be written to be read back, as far as the dialect can."""
    delimiter: str = section["delimiter"]
    quote: str | None = section["quote"]
    escape: str | None = section["escape"]
    if escape == quote:
        escape = None
    special = [delimiter, "\n", "\r", *([quote] if quote else []), *([escape] if escape else [])]
    if not (always or any(each in cell for each in special)):
        return cell
    if escape:
        cell = "".join(escape + each if each in (escape, quote, delimiter, "\n", "\r") else each for each in cell)
    if quote:
        return quote + (cell if escape else cell.replace(quote, quote * 2)) + quote
    return cell if escape else "".join(each for each in cell if each not in special)


def _encoded(draw: st.DrawFn, text: str, encoding: str) -> bytes:
    """In the encoding; or in what a mark says, whatever the mapping does."""
    mark, codec = draw(st.sampled_from(MARKS)) if encoding != "utf-32" else (b"", "utf-32-le")
    codec = codec or {"utf-16": "utf-16-le"}.get(encoding, encoding)
    bad = ENCODINGS.get(codec, b"\xff\xff\xff\xff")
    return mark + bad.join([part.encode(codec, "replace") for part in text.split(BAD)])


MARKS = [
    *[(b"", "")] * 3,
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
