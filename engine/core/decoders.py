"""Text codecs, piece by piece, that never fail: a byte that does not decode becomes a mark of its own.

The mark of byte ``b`` is the lone surrogate U+DC00 + b, ASCII bytes too. No text holds one, and UTF-8 cannot write one.
"""

from __future__ import annotations

import codecs
import re
import sys
from typing import Final, Protocol

__all__ = ["ESCAPE", "Decoder", "byte_table", "decode_last", "decoder"]

# The name of the error handler below. The registry of handlers belongs to the process, so the name says whose it is.
ESCAPE: Final = "engine.escape"
SHIFTED_BYTES: Final = 65_536  # how much of UTF-7's base64 in one stretch is not waited for any longer

_MARKS = "".join(chr(0xDC00 + byte) for byte in range(256))
_TWO_BYTE_LINE_ENDS = ("utf-16", "utf-32")
_SHIFTED = re.compile(rb"\+[A-Za-z0-9+/]{0,%d}+" % SHIFTED_BYTES)
_ESC, _ESC_MARK = b"\x1b", _MARKS[0x1B]
_ESC_SEQUENCE = 6  # the longest that any codec of the family knows
# An ESC that begins none: those end in a capital letter or @, and are of four bytes but for one.
_LONE_ESC = re.compile(rb"\x1b(?!&@\x1b\$B|(?!&@)[^A-Z@\x1b\r\n]{0,2}[A-Z@])")


class Decoder(Protocol):
    """Bytes in, text out; bytes of a character that is not complete yet are kept, few of them."""

    def decode(self, data: bytes, final: bool = ..., /) -> str: ...


def decoder(encoding: str) -> Decoder:
    """A decoder at the start of a text.

    Args:
        encoding: a codec's name, one that :func:`engine.core.encodings.codec_name` gives.
    """
    table = byte_table(encoding)
    if table is not None:
        return _SingleByte(table)
    if encoding == "utf-7":
        return _Utf7()
    made = codecs.getincrementaldecoder(encoding)(ESCAPE)
    return _Iso2022(made) if encoding.startswith("iso2022_") else made


def decode_last(decoder: Decoder, data: bytes) -> str:
    """The text of the last bytes; what is not complete then is marked."""
    return decoder.decode(data, True) + decoder.decode(b"", True)  # a line end that the handler gave back waits for it


def byte_table(encoding: str) -> str | None:
    """What each of the 256 bytes stands for, or its mark; None for a codec whose characters are not a byte each."""
    if encoding in ("ascii", "iso8859-1"):
        known = 128 if encoding == "ascii" else 256
        return "".join(map(chr, range(known))) + _MARKS[known:]
    home = getattr(codecs.lookup(encoding).incrementaldecoder, "__module__", "")  # there may be none
    table = getattr(sys.modules.get(home), "decoding_table", None) if home.startswith("encodings.") else None
    if not isinstance(table, str) or len(table) != 256:
        return None
    return "".join(mark if char == "\ufffe" else char for char, mark in zip(table, _MARKS, strict=True))


def _marked(data: bytes) -> str:
    return codecs.charmap_decode(data, "strict", _MARKS)[0]


def _escape(error: UnicodeError) -> tuple[str, int]:
    """The error handler: marks for the bad bytes, and where to go on.

    UTF-7 and ISO 2022 count the byte that ends a bad stretch to it. A line end is given back: it ends the row still.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad, end = error.object[error.start : error.end], error.end
    if len(bad) == 1:
        return _MARKS[bad[0]], end
    if bad[-1] in b"\r\n" and not error.encoding.startswith(_TWO_BYTE_LINE_ENDS):
        bad, end = bad[:-1], end - 1
    return _marked(bad), end


codecs.register_error(ESCAPE, _escape)


class _SingleByte:
    """A byte is a character: no state, and no call of the handler for every bad byte (a microsecond each)."""

    __slots__ = ("_table",)

    def __init__(self, table: str) -> None:
        self._table = table

    def decode(self, data: bytes, final: bool = False, /) -> str:  # noqa: ARG002 -- nothing is ever incomplete
        return codecs.charmap_decode(data, "strict", self._table)[0]


class _Utf7:
    """UTF-7, whose decoder keeps a stretch of base64 until it ends, however long it is.

    The first :data:`SHIFTED_BYTES` of one as long as that, or longer, are marked, wherever the pieces end.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def decode(self, data: bytes, final: bool = False, /) -> str:
        data = self._rest + data
        start, text = 0, []
        for stretch in _SHIFTED.finditer(data) if len(data) > SHIFTED_BYTES else ():
            if stretch.end() - stretch.start() > SHIFTED_BYTES:
                text += [codecs.utf_7_decode(data[start : stretch.start()], ESCAPE, True)[0], _marked(stretch[0])]
                start = stretch.end()
        last, used = codecs.utf_7_decode(data[start:], ESCAPE, final)
        self._rest = data[start + used :]
        return "".join([*text, last])


class _Iso2022:
    """The ISO 2022 family, whose decoders look for the end of an escape sequence in 15 bytes but can keep only 8.

    They raise then, handler or not. So an ESC that begins no sequence is marked here, it alone.
    """

    __slots__ = ("_decoder", "_rest")

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._rest = b""

    def decode(self, data: bytes, final: bool = False, /) -> str:
        data = self._rest + data
        cut = -1 if final else data.find(_ESC, max(0, len(data) - _ESC_SEQUENCE + 1))
        end = len(data) if cut < 0 else cut
        start, text = 0, []
        for lone in _LONE_ESC.finditer(data):
            if lone.start() >= end:
                break
            text += [decode_last(self._decoder, data[start : lone.start()]), _ESC_MARK]
            start = lone.end()
        self._rest = data[end:]
        text.append(self._decoder.decode(data[start:end], final))
        return "".join(text)
