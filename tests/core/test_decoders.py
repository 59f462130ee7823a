"""Bad bytes are marked one by one, in bounded memory and linear time, and leave line ends where they are."""

from __future__ import annotations

import codecs
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core import decoders
from engine.core.decoders import ESCAPE, SHIFTED_BYTES, byte_table, decode_last, decoder
from engine.core.encodings import ToUtf8
from tests.examples import examples

MIB = 1 << 20
PIECE = 70_000  # two blocks
BAD = [
    ("cp1252", b"\x81"),
    ("ascii", b"\xff"),
    ("shift_jis", b"\xff"),
    ("gb18030", b"\xff"),
    ("iso2022_jp", b"\xff"),
    ("iso2022_jp", b"\x1b"),
    ("hz", b"\xff"),
    ("utf-7", b"\xff"),
    ("utf-16-le", b"\x00\xd8"),
    ("utf-32-le", b"\xff\xff\xff\xff"),
]


def marks(data: bytes) -> str:
    return "".join(chr(0xDC00 + byte) for byte in data)


def decoded(encoding: str, data: bytes, size: int | None = None) -> str:
    """A text decoded in pieces of ``size`` bytes, or at once."""
    made = decoder(encoding)
    size = size or len(data) or 1
    text = [made.decode(data[start : start + size]) for start in range(0, len(data), size)]
    return "".join([*text, decode_last(made, b"")])


@pytest.mark.parametrize(("encoding", "bad"), BAD)
def test_a_piece_full_of_bad_bytes(encoding: str, bad: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bad byte is marked once, and no error holds more than a block of the piece, so that time is linear."""
    sizes = []

    def counting(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        sizes.append(len(error.object))
        return codecs.lookup_error(ESCAPE)(error)  # type: ignore[return-value]

    codecs.register_error("tests.counting", counting)
    monkeypatch.setattr(decoders, "ESCAPE", "tests.counting")
    data = bad * (PIECE // len(bad))
    reader = ToUtf8(encoding)
    sizes.clear()  # a codec is tried out with a bad byte
    assert reader.feed(data) + reader.finish() == marks(data).encode("utf-8", "surrogatepass")
    assert len(sizes) <= len(data)
    assert max(sizes, default=0) <= 65_536 + 16
    assert bool(sizes) == (byte_table(encoding) is None and bad != b"\x1b")


@pytest.mark.parametrize(
    ("encoding", "unit"),
    [
        ("cp1252", b"\x81"),
        ("cp1252", b"\xe9"),
        ("gb18030", "\U0001f600".encode("gb18030")),
        ("utf-16-le", b"\x80\x20"),
        ("utf-7", b"+AGE-"),
        ("iso2022_jp", b"\x1b$B\x46\x7c\x1b(B"),
    ],
)
def test_memory_of_a_piece(encoding: str, unit: bytes) -> None:
    """A piece takes its result, that once more, and a block's text; nothing stays once it is decoded."""
    data = unit * (MIB // len(unit))
    reader = ToUtf8(encoding)
    reader.feed(b"warm")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = len(reader.feed(data))
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before <= 2 * result + MIB
    assert after - before < 20_000


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        ("utf-7", b"C+\nab\n", marks(b"+").join(["C", "\nab\n"])),
        ("utf-7", b"C+\r\nab", marks(b"+").join(["C", "\r\nab"])),
        ("iso2022_jp_2", b"\x1b$A\\\nab\n", marks(b"\\") + "\n徕\n"),
        ("iso2022_jp", b"\x1b$\nab\n", marks(b"\x1b") + "$\nab\n"),
        ("iso2022_jp", b"\x1b(\rA\n", marks(b"\x1b") + "(\rA\n"),
        ("shift_jis", b"\x81\nab\n", marks(b"\x81") + "\nab\n"),
        ("gb18030", b"\x81\x30\nab", marks(b"\x81") + "0\nab"),
        ("gb18030", b"\x81\x30\n", marks(b"\x81\x30") + "\n"),
        ("euc_jp", b"\x8f\xa1\nab\n", marks(b"\x8f\xa1") + "\nab\n"),
        ("utf-16-be", b"\xde\n\0\n", marks(b"\xde\n") + "\n"),
    ],
)
def test_line_ends_stay(encoding: str, data: bytes, text: str) -> None:
    """A bad byte at the end of a line does not take the line end with it, wherever the pieces end."""
    assert [decoded(encoding, data, size) for size in (1, 2, 3, 4, None)] == [text] * 5


@settings(max_examples=examples(2_000))
@given(
    st.sampled_from(["iso2022_jp", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_ext", "iso2022_kr"]),
    st.lists(st.sampled_from([bytes([byte]) for byte in b"\x1b\x1b$(B&@)ACDNab0!\x0e\x0f\xff\r\n"]), max_size=60),
    st.integers(1, 20),
)
@example("iso2022_jp", [b"\x1b$", b"\nabcdefghijk"], 20)  # what Python's own decoder raises for
@example("iso2022_jp_ext", [b"\x1b&@", b"\x1b$B", b"!!\x1b&@abcdefghijklmnop"], 4)
@example("iso2022_jp", [b"\x1b"] * 60, 7)
def test_escape_sequences_that_are_none(encoding: str, parts: list[bytes], size: int) -> None:
    """Any bytes between and after escapes decode, to the same text in any pieces; without stray ones as at once."""
    data = b"".join(parts)
    text = decoded(encoding, data, size)
    assert text == decoded(encoding, data)
    sequence = rb"\x1b(?:&@\x1b\$B|(?!&@)[^A-Z@\x1b\r\n]{0,2}[A-Z@])"
    if b"\x1b" not in re.sub(sequence, b"", data):
        assert text == data.decode(encoding, ESCAPE)


@pytest.mark.parametrize("extra", [-1, 0, 1, 8, SHIFTED_BYTES, 2 * SHIFTED_BYTES + 5])
@pytest.mark.parametrize("before", ["", "x,+AGE-", "+AGEAYg,", "+,\n"])
def test_a_long_stretch_of_utf7(extra: int, before: str) -> None:
    """Base64 below the limit decodes; of a longer stretch the first bytes are marked; pieces make no difference."""
    stretch = b"AGEA" * (SHIFTED_BYTES // 4 + 40_000)
    stretch = b"+" + stretch[: SHIFTED_BYTES + extra]
    data = before.encode() + stretch + b",ok\n"
    text = decoded("utf-7", data)
    if extra < 0:
        assert text == data.decode("utf-7", ESCAPE)
    else:
        at = before.encode().decode("utf-7", ESCAPE)
        assert text == at + marks(stretch[: SHIFTED_BYTES + 1]) + (stretch[SHIFTED_BYTES + 1 :] + b",ok\n").decode()
    assert {decoded("utf-7", data, size) for size in (4_096, 65_535, 65_536, 65_537)} == {text}


@pytest.mark.parametrize("unit", [b"AGEA", b"+", b"+\n", b"+AGE-"])
def test_utf7_is_handed_on_few_times(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its base64 is, few bytes are kept and none are decoded often."""
    given_bytes = 0
    decode: Any = codecs.utf_7_decode

    def counting(data: bytes, errors: str, final: bool) -> tuple[str, int]:
        nonlocal given_bytes
        given_bytes += len(data)
        text: tuple[str, int] = decode(data, errors, final)
        return text

    monkeypatch.setattr(codecs, "utf_7_decode", counting)
    data = b"+" + unit * (MIB // 4 // len(unit))
    made: Any = decoder("utf-7")
    for start in range(0, len(data), 65_536):
        made.decode(data[start : start + 65_536])
        assert len(made._rest) <= SHIFTED_BYTES
    assert given_bytes <= 3 * len(data)


def test_a_handler_for_decoding_only() -> None:
    """The handler is of no use for encoding: what cannot be written raises as ever."""
    with pytest.raises(UnicodeEncodeError):
        "é".encode("ascii", ESCAPE)
