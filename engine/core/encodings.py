"""Any text codec in, UTF-8 out, and a row's way back to the bytes it had in the file.

The internal form of a text is its UTF-8, in which a byte ``b`` that does not decode stands as the three bytes of the
lone surrogate U+DC00 + b. Those are not valid UTF-8: a row is valid exactly where all of it could be decoded. A lone
surrogate that a codec itself yields (UTF-7 can) stands there likewise. A UTF-8 file is its own internal form.

A row's way back is exact for codecs without state that write each character in one way only, which is most. Others
give bytes that decode to the same text: Windows' Japanese has characters twice, and ISO 2022, HZ and UTF-7 have state.
"""

from __future__ import annotations

import codecs
import encodings
import encodings.aliases
import pkgutil
import re
from typing import Final

from engine.core.decoders import Decoder, byte_table, decode_last, decoder
from engine.errors import nearest

__all__ = ["ToUtf8", "codec_name", "divisible", "first_fault", "internal_bytes", "source_bytes", "source_size"]

UTF8: Final = "utf-8"
_BLOCK = 65_536  # bytes that are decoded together: text takes up to four times as much
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
# How Python source is written; one of them warns of what it reads, and waits for the end of a name however far it is.
_NOTATIONS = {"raw-unicode-escape", "unicode-escape"}
# Modules of the codecs' package that hold no codec, or none that a file is written in, or one of another system.
_NOT_PROPOSED = {"aliases", "charmap", "idna", "mbcs", "oem", "punycode", "rot_13", "undefined"}
_NOT_PROPOSED |= {"raw_unicode_escape", "unicode_escape"}
_LITTLE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # what they are without a mark
_MARKS = {codecs.BOM_UTF8: UTF8, codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_MARKS_32 = {codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be"}
_ASCII = "".join(map(chr, range(128)))
_SURROGATE = re.compile("[\ud800-\udfff]")
_BAD_BYTES = re.compile("([\udc00-\udcff]+)")


def codec_name(name: str) -> str:
    """The canonical name of a text codec that a file can be read with, piece by piece.

    Returns:
        ``"utf-8"`` for every spelling of UTF-8, with a byte order mark or without; Python's own name for others.

    Raises:
        ValueError: there is no such codec, or it is not one for text, or not for text in pieces.
    """
    if not _NAME.fullmatch(name):  # what looks a codec up may import a module of that name
        raise ValueError(f"no codec is called {name[:40]!r}{nearest(name[:40], _proposed())}")
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"no codec is called {name!r}{nearest(name, _proposed())}") from None
    try:
        "".encode(found)
    except (LookupError, UnicodeError):
        raise ValueError(f"{name!r} is not a text encoding") from None
    if found in _NOTATIONS:
        raise ValueError(f"{name!r} is a notation of Python source, not a text encoding")
    try:
        decode_last(decoder(_LITTLE.get(found, found)), b"a\xff")
    except (LookupError, UnicodeError):
        raise ValueError(f"{name!r} cannot be read piece by piece") from None
    return UTF8 if found == "utf-8-sig" else found


def _proposed() -> set[str]:
    """Names worth proposing, spelt with hyphens as most are written."""
    modules = {module.name for module in pkgutil.iter_modules(encodings.__path__)} - _NOT_PROPOSED
    modules = {module for module in modules if not module.endswith("_codec")}
    names = modules | {alias for alias, module in encodings.aliases.aliases.items() if module in modules}
    return {name.replace("_", "-") for name in names if name == name.lower()}  # no other is ever found


class ToUtf8:
    """Turns a file's bytes into its internal form. Any thread may use one, one at a time.

    A byte order mark of UTF-8 or UTF-16 at the start is dropped, and says what the encoding is, whatever was named;
    where a UTF-32 codec was named only one of UTF-32 does (FF FE 00 00 begins with UTF-16's). Without one, ``utf-16``
    and ``utf-32`` are little-endian. UTF-8 is passed on as it comes, neither copied nor checked.

    Memory: a piece of n bytes takes 3 n for its result at worst, and as much again while its parts are joined.

    Args:
        encoding: the codec that was named, in any spelling.
        first: whether what is fed begins where the file does; elsewhere no byte order mark is looked for.

    Raises:
        ValueError: it is none that :func:`codec_name` knows.
    """

    __slots__ = ("_decoder", "_encoding", "_head", "_marks", "_plain")

    def __init__(self, encoding: str, *, first: bool = True) -> None:
        named = codec_name(encoding)
        self._marks: dict[bytes, str] = {}
        if first:
            self._marks = _MARKS_32 if named.startswith("utf-32") else _MARKS
        self._encoding = _LITTLE.get(named, named)
        self._head: bytes | None = b""  # None once it is known whether there is a mark
        self._decoder: Decoder | None = None  # none for UTF-8
        self._plain = False

    @property
    def encoding(self) -> str:
        """The codec in use; it may change until the first four bytes are there, or :meth:`finish` has been called."""
        return self._encoding

    def feed(self, data: bytes) -> bytes:
        """The internal form of what is complete; a few bytes of a character or mark that is not are kept."""
        if self._head is not None:
            data = self._head + data if self._head else data
            if any(mark.startswith(data) and mark != data for mark in self._marks):
                self._head = data
                return b""
            data = self._begin(data)
        if self._decoder is None or (self._plain and data.isascii()):
            return data
        blocks = (data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK))
        return b"".join([_internal(self._decoder.decode(block)) for block in blocks])

    def finish(self) -> bytes:
        """The internal form of what was kept. To be called once, at the end."""
        rest = self._begin(self._head) if self._head is not None else b""
        return rest if self._decoder is None else _internal(decode_last(self._decoder, rest))

    def _begin(self, data: bytes) -> bytes:
        """Settles the encoding by the first bytes; returns them without a mark."""
        self._head = None
        for mark, encoding in self._marks.items():
            if data.startswith(mark):
                self._encoding, data = encoding, data[len(mark) :]
        if self._encoding != UTF8:
            self._decoder = decoder(self._encoding)
            self._plain = (byte_table(self._encoding) or "").startswith(_ASCII)
        return data


def _internal(text: str) -> bytes:
    return text.encode(UTF8, "surrogatepass")


def internal_bytes(raw: bytes, encoding: str) -> bytes:
    """The internal form of one row, from its bytes in the file. No byte order mark is looked for.

    Args:
        encoding: a name that :func:`codec_name` or :attr:`ToUtf8.encoding` gave.
    """
    if encoding == UTF8:
        return raw
    return _internal(decode_last(decoder(_LITTLE.get(encoding, encoding)), raw))


def divisible(encoding: str) -> bool:
    """Whether a file in this encoding can be read from any byte on: UTF-8, and where each byte is a character.

    Args:
        encoding: a name that :func:`codec_name` or :attr:`ToUtf8.encoding` gave.
    """
    return encoding == UTF8 or byte_table(encoding) is not None


def source_size(text: bytes, encoding: str) -> int:
    """How many bytes of the file a text in internal form is, in an encoding that is :func:`divisible`."""
    return len(text) if encoding == UTF8 else len(text.decode(UTF8, "surrogatepass"))


def source_bytes(raw: bytes, encoding: str) -> bytes:
    """The bytes of one row in the file, from its internal form: bad bytes as they were, without a byte order mark.

    Args:
        encoding: as for :func:`internal_bytes`.
    """
    return raw if encoding == UTF8 else _source(raw.decode(UTF8, "surrogatepass"), encoding)


def _source(text: str, encoding: str) -> bytes:
    codec = _LITTLE.get(encoding, encoding)
    parts = _BAD_BYTES.split(text)  # texts and bad bytes in turn
    return b"".join(
        bytes(ord(mark) - 0xDC00 for mark in part) if place % 2 else part.encode(codec, "replace")
        for place, part in enumerate(parts)
    )


def first_fault(raw: bytes, encoding: str) -> tuple[int, str]:
    """Where a row first fails to decode, and one line about it.

    Args:
        raw: a row in internal form that is not valid UTF-8.
        encoding: as for :func:`internal_bytes`.

    Returns:
        The offset of the byte in what :func:`source_bytes` gives for the row, and the message.

    Raises:
        ValueError: the row has no fault.
    """
    if encoding == UTF8:
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            return error.start, f"byte 0x{raw[error.start]:02x} at offset {error.start} of the row is not UTF-8"
        raise ValueError("the row is valid UTF-8")
    text = raw.decode(UTF8, "surrogatepass")
    found = _SURROGATE.search(text)
    if found is None:
        raise ValueError("the row is valid UTF-8")
    code, offset = ord(found[0]), len(_source(text[: found.start()], encoding))
    if 0xDC00 <= code <= 0xDCFF:
        return offset, f"byte 0x{code - 0xDC00:02x} at offset {offset} of the row is not {encoding}"
    return offset, f"U+{code:04X} at offset {offset} of the row is half of a surrogate pair, not a character"
