"""Bytes as text: the codec, byte order marks, and what becomes of bytes that the codec refuses."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

__all__ = ["UNDECODABLE", "Text", "read_text", "refused_as_surrogates"]

UNDECODABLE = re.compile("[\udc00-\udcff]")
"""What stands in a text for a byte ``b`` that could not be decoded: the lone surrogate U+DC00 + b."""

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded file, less its byte order mark, and the codec that it was decoded with."""

    text: str
    codec: str

    def size(self, part: str) -> int:
        """The bytes that a part of the text has in UTF-8: as in the file where that is UTF-8, three for each bad byte
        where it had to be transcoded."""
        if part.isascii():
            return len(part)
        return len(part.encode("utf-8", "surrogateescape" if self.codec.startswith("utf-8") else "surrogatepass"))


def read_text(data: bytes, encoding: str) -> Text:
    """Decodes a whole file. A UTF-8 or UTF-16 mark says the encoding, unless a UTF-32 codec was named."""
    codec = codecs.lookup(encoding).name
    if not codec.startswith("utf-32"):
        for mark, marked in _MARKS.items():
            if data.startswith(mark):
                return Text(refused_as_surrogates(data.removeprefix(mark), marked), marked)
    return Text(refused_as_surrogates(data, codec), codec)


def refused_as_surrogates(data: bytes, codec: str) -> str:
    """The text, with a lone surrogate for each byte that the codec refuses."""
    return data.decode(codec, "tests.oracle")


def _surrogates(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + octet) for octet in error.object[error.start : error.end]), error.end


codecs.register_error("tests.oracle", _surrogates)
