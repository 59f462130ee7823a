"""The codec that a file is written in, judged by its bytes beyond ASCII."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from engine.core.encodings import codec_name
from engine.core.inference.column import shown
from engine.core.inference.latin import LATIN_CODECS, latin_codec

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

__all__ = ["Encoding", "find_encoding"]

_MARKS = (  # the longer ones first: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HEAD_BYTES = 65_536  # that marks and NULs are looked for in
_WIDE_SHARE = 0.1  # of the characters of UTF-16 text that are Latin, at least: digits, delimiters and line ends are
_ENOUGH = 262_144  # bytes of lines with something beyond ASCII that the codec is judged by, at most
_LINE = 65_536  # bytes of a line, the longest that is kept whole
_DETECTED = 16_384  # bytes of cells that the detector is given

# A cell, or some of it, with something beyond ASCII. Second bytes of two-byte characters are ASCII from @ on, and those
# of GB 18030 may be digits.
_CELL = re.compile(rb"[ 0-9\x40-\xff]*[\x80-\xff][ 0-9\x40-\xff]*")
_ALONE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
# What is usual there in cp1252 besides its letters from C0 on. No first byte of Japanese kana is among it.
_SIGNS = frozenset("€£§°©®™«»‘’“”–—…Œœ".encode("cp1252"))  # noqa: RUF001 # they are meant
_MOST = 0.6  # of the bytes beyond ASCII
_ASIAN = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_ASIAN_COHERENCE = 0.4  # that counts for theirs
_DISORDER = 3  # what disorder weighs against coherence
_OTHERS = (
    *_ASIAN, "cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "cp1253",
    "iso8859_7", "cp1255", "cp1256", "iso8859_6", "cp874",
)  # fmt: skip


class Encoding(NamedTuple):
    """A codec by its name, and what it was guessed from; nothing where a mark or UTF-8 itself proves it."""

    name: str
    guess: str | None = None


def find_encoding(pieces: Iterable[bytes]) -> Encoding:
    """The codec of a file.

    A byte order mark says it, UTF-8 proves itself, and NULs at every other place are UTF-16. Anything else is a guess.

    Args:
        pieces: the file's bytes, of which no more are taken than it needs to know: all of them while they are ASCII.
    """
    source = iter(pieces)
    head = _head(source)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name)
    wide = _wide(head[:_HEAD_BYTES])
    if wide is not None:
        return Encoding(wide, f"every other byte of many is NUL at the start, as in {wide}")
    lines = _telling(head, source)
    if _is_utf8(lines):
        return Encoding("utf-8")
    cells = b"\n".join(dict.fromkeys(_CELL.findall(lines)))[:_DETECTED]
    codec = _legacy(cells)
    example = cells.decode(codec, "replace").partition("\n")[0].strip()
    return Encoding(codec_name(codec), f"the text is not UTF-8, and so it reads {shown(example)}")


def _head(source: Iterator[bytes]) -> bytes:
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < _HEAD_BYTES and (piece := next(source, b"")):
        pieces.append(piece)
    return b"".join(pieces)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: one byte of most characters is NUL, and it is always the same one."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    most, least, name = (odd, even, "utf-16-le") if odd > even else (even, odd, "utf-16-be")
    return name if most and most >= _WIDE_SHARE * len(head) / 2 and least * 10 <= most else None


def _telling(head: bytes, source: Iterator[bytes]) -> bytes:
    """The file's first lines that are not all ASCII."""
    found: list[bytes] = []
    size = 0
    rest = head
    while True:
        lines = rest.split(b"\n")
        rest = b"" if len(lines[-1]) > _LINE else lines.pop()
        telling = [line for line in lines if not line.isascii()]
        found += telling
        size += sum(map(len, telling))
        piece = next(source, b"") if size < _ENOUGH else b""
        if not piece:
            return b"\n".join([*found, rest])
        rest += piece


def _is_utf8(text: bytes) -> bool:
    """Whether text is UTF-8, a damaged character here and there and a last one that is cut off allowed."""
    read, _ = codecs.utf_8_decode(text, "surrogateescape", False)
    damaged = len(re.findall("[\udc80-\udcff]", read))
    return len(re.findall("[^\x00-\x7f]", read)) >= 2 * damaged  # the damaged ones are among them


def _legacy(cells: bytes) -> str:
    """The codec of text that is not UTF-8."""
    if _is_western(cells):
        return latin_codec(cells)
    from charset_normalizer import from_bytes

    found = list(from_bytes(cells, steps=10, cp_isolation=[*LATIN_CODECS, *_OTHERS], enable_fallback=False))
    best = max(found, key=_likelihood, default=None)
    return best.encoding if best is not None and best.encoding in _OTHERS else latin_codec(cells)


def _likelihood(match: CharsetMatch) -> float:
    """How likely a codec is: its text is orderly, and like a language; the detector tells no likeness of Asian ones."""
    coherence = _ASIAN_COHERENCE if match.encoding in _ASIAN else match.coherence
    return coherence - _DISORDER * match.chaos


def _is_western(cells: bytes) -> bool:
    """Whether the bytes are accented letters and signs here and there, each by itself among ASCII ones."""
    alone = b"".join(_ALONE.findall(cells))
    many = sum(byte > 0x7F for byte in cells)
    letters = sum(byte >= 0xC0 or byte in _SIGNS for byte in alone)
    return letters >= _MOST * many
