"""Files in any text codec become UTF-8 piece by piece, and their rows find back to the bytes they had."""

from __future__ import annotations

import codecs
import encodings
import encodings.aliases
import pkgutil
import sys
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import settings as options
from hypothesis import strategies as st

from engine.core.encodings import ToUtf8, _proposed, codec_name, first_fault, internal_bytes, source_bytes
from tests.examples import examples

TEXT = 'id,"a\r\nb"\n1,é€ß£¥~\\\r\nΩж,日本語ｱ中文漢字한글\n\U0001f600x\n'
MARKS = [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE]
LITTLE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
NAMED = [
    *("shift_jis", "cp932", "gb18030", "euc_jp", "iso2022_jp", "iso2022_kr", "hz", "big5", "johab"),
    *("utf-7", "utf-16", "utf-16-be", "utf-32", "cp1252", "latin-1", "ascii", "cp037"),
]


def readable() -> list[str]:
    """Every codec that Python has and a file can be read with, by its canonical name; not UTF-8."""
    found = set()
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            found.add(codec_name(module.name))
        except ValueError:
            continue
    return sorted(found - {"utf-8"})


def plain_handler(error: UnicodeError) -> tuple[str, int]:
    """The engine's handler as it is described, byte by byte."""
    assert isinstance(error, UnicodeDecodeError)
    bad, end = error.object[error.start : error.end], error.end
    if len(bad) > 1 and bad[-1:] in (b"\n", b"\r") and not error.encoding.startswith(("utf-16", "utf-32")):
        bad, end = bad[:-1], end - 1
    return "".join(chr(0xDC00 + byte) for byte in bad), end


codecs.register_error("tests.plain", plain_handler)
ALL = readable()
# Those without state that write every character in one way.
EXACT = [
    *("ascii", "cp1252", "cp1251", "iso8859-1", "iso8859-15", "koi8-r", "cp037", "cp437", "mac-roman"),
    *("shift_jis", "gb18030", "gbk", "gb2312", "euc_kr", "cp949"),
    *("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"),
]


def expected(data: bytes, encoding: str) -> bytes:
    """What the whole file gives at once. Without a mark UTF-16 and UTF-32 are little-endian."""
    return data.decode(LITTLE.get(encoding, encoding), "tests.plain").encode("utf-8", "surrogatepass")


def read(pieces: Iterable[bytes], encoding: str) -> bytes:
    reader = ToUtf8(encoding)
    return b"".join([*map(reader.feed, pieces), reader.finish()])


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@cache
def contents(name: str) -> st.SearchStrategy[bytes]:
    """Text in a codec with anything between; no byte order mark. No stray ESC: that has a test of its own."""
    codec = LITTLE.get(name, name)
    letters = [letter.encode(codec, "ignore") for letter in TEXT]
    noise = st.binary(max_size=6).map(without_esc if name.startswith("iso2022") else bytes)
    part = st.one_of(st.sampled_from(letters), st.just(TEXT.encode(codec, "ignore")), noise)
    return st.lists(part, max_size=12).map(b"".join).map(without_mark)


def files(names: list[str]) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), contents(name)))


def without_esc(data: bytes) -> bytes:
    return data.replace(b"\x1b", b"\x80")


def without_mark(data: bytes) -> bytes:
    while data.startswith(tuple(MARKS)):
        data = data[2:]
    return data


@options(max_examples=examples(3_000))
@given(files(ALL), st.lists(st.integers(0, 10_000), max_size=6))
@example(("utf-7", b"a+\nb+AGE\xff\nc+A"), [3, 4])
@example(("iso2022_jp_2", b"\x1b$A\\\nab\n"), [4])
@example(("gb18030", b"a\x81\x30\n"), [2])
@example(("utf-16-be", b"\xde\n\x00\n\xd8"), [1])
def test_any_codec_split_anywhere(file: tuple[str, bytes], cuts: list[int]) -> None:
    """Every codec gives for any pieces what it gives for the whole file at once, bad bytes marked."""
    name, data = file
    assert read(split(data, cuts), name) == expected(data, name)


@pytest.mark.parametrize("name", NAMED)
def test_byte_by_byte(name: str) -> None:
    """Characters of several bytes, escape sequences and surrogate pairs survive pieces of one byte."""
    text = TEXT.encode(name, "ignore").decode(name)
    data = text.encode(name)
    assert read((data[place : place + 1] for place in range(len(data))), name).decode() == text


@pytest.mark.parametrize("name", ALL)
def test_each_byte_alone(name: str) -> None:
    """A row of one byte gives what the codec says of it, for all 256."""
    for byte in range(256):
        data = bytes([byte])
        if data != b"\x1b" or not name.startswith("iso2022"):
            assert internal_bytes(data, name) == expected(data, name)


@options(max_examples=examples(3_000))
@given(files(EXACT), st.binary(max_size=40))
def test_the_way_back_is_exact(file: tuple[str, bytes], noise: bytes) -> None:
    """Source bytes are those that a row was read from, good and bad, where characters are written in one way only."""
    name, raw = file[0], noise + file[1]
    assert source_bytes(internal_bytes(raw, name), name) == raw


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
def test_the_way_back_adds_no_mark(name: str) -> None:
    """A row of UTF-16 or UTF-32 goes there and back as little-endian, without a byte order mark."""
    raw = "aé\U0001f600".encode(f"{name}-le")
    assert internal_bytes(raw, name).decode() == "aé\U0001f600"
    assert source_bytes("aé\U0001f600".encode(), name) == raw


def test_the_way_back_gives_the_same_text() -> None:
    """Where a character can be written twice, the source bytes decode to the same text."""
    raw = b"\x87\x90,\xff"  # NEC's sign, which is written as JIS's
    back = source_bytes(internal_bytes(raw, "cp932"), "cp932")
    assert back == b"\x81\xe0,\xff"
    assert internal_bytes(back, "cp932") == internal_bytes(raw, "cp932")


@pytest.mark.parametrize("name", ["iso2022_jp", "iso2022_kr", "hz", "utf-7"])
def test_the_way_back_with_state(name: str) -> None:
    """What a codec with state decoded is written again to the same text; what it cannot write is no error."""
    raw = internal_bytes(TEXT.encode(name, "ignore"), name)
    assert internal_bytes(source_bytes(raw, name), name) == raw
    assert b"\xff" in source_bytes(internal_bytes(b"\x1b\xa2\xff+2AA-\x1b\x0e", name), name)


@pytest.mark.parametrize(
    ("named", "mark", "used"),
    [
        *((named, codecs.BOM_UTF8, "utf-8") for named in ("utf-8", "utf-8-sig", "cp1252", "shift_jis", "utf-16")),
        *((named, codecs.BOM_UTF16_LE, "utf-16-le") for named in ("utf-16", "utf-8", "utf-16-be", "latin-1", "utf-7")),
        *((named, codecs.BOM_UTF16_BE, "utf-16-be") for named in ("utf-16", "utf-8", "utf-16-le", "latin-1")),
        *((named, codecs.BOM_UTF32_LE, "utf-32-le") for named in ("utf-32", "utf-32-le", "utf-32-be")),
        *((named, codecs.BOM_UTF32_BE, "utf-32-be") for named in ("utf-32", "utf-32-le")),
        *((named, b"", "utf-16-le") for named in ("utf-16", "utf-16-le")),
        ("utf-32", b"", "utf-32-le"),
        ("latin1", b"", "iso8859-1"),
        ("UTF8", b"", "utf-8"),
    ],
)
def test_byte_order_marks(named: str, mark: bytes, used: str) -> None:
    """A mark at the start is dropped and decides, whatever was named, wherever the pieces end; a second one stays."""
    for text in (TEXT if used != "iso8859-1" else "é", "", "\ufeffa" if mark else "a"):
        data = mark + text.encode(used)
        for cut in range(min(len(data), 6) + 1):
            reader = ToUtf8(named)
            found = reader.feed(b"") + reader.feed(data[:cut]) + reader.feed(data[cut:]) + reader.finish()
            assert (found.decode(), reader.encoding) == (text, used)


@pytest.mark.parametrize(
    ("named", "data", "text"),
    [
        ("utf-8", codecs.BOM_UTF32_LE, b"\0"),  # UTF-16's mark and a NUL
        ("utf-32", codecs.BOM_UTF8 + b"\0", "\udcef\udcbb\udcbf\udc00".encode("utf-8", "surrogatepass")),
        ("utf-32", codecs.BOM_UTF16_LE, "\udcff\udcfe".encode("utf-8", "surrogatepass")),
        ("latin-1", b"\xef\xbb", "ï»".encode()),
        ("utf-8", b"\xff", b"\xff"),
        ("utf-8", b"\xef\xbb", b"\xef\xbb"),
    ],
)
def test_what_is_no_byte_order_mark(named: str, data: bytes, text: bytes) -> None:
    """A part of a mark, and one that does not count for the named codec, are text like any other."""
    assert read([data], named) == text
    assert read(split(data, range(9)), named) == text


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("utf-8", [b"a" * 100, "é".encode(), b"\xff\xfe", b"\xc3", b""]),
        ("cp1252", [b"a" * 100, b"\x00\n", b"b" * 200_000]),
        ("ascii", [b"a,b\n"]),
    ],
)
def test_passed_on_as_it_came(name: str, pieces: list[bytes]) -> None:
    """UTF-8, valid or not, and ASCII in a codec that has it are passed on without a copy."""
    reader = ToUtf8(name)
    assert all(reader.feed(piece) is piece for piece in pieces)
    assert reader.finish() == b""


def test_every_name_python_has() -> None:
    """Every alias is accepted, with a name that stands for itself, or refused in one line."""
    accepted, refused = {}, {}
    for name in {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), *_proposed()}:
        try:
            accepted[name] = codec_name(name)
        except ValueError as error:
            refused[name] = str(error)
    assert all(codec_name(canonical) == canonical for canonical in accepted.values())
    assert all(ToUtf8(name).feed(b"a,b") is not None for name in accepted)
    assert len(accepted) > 300
    assert not refused.keys() & _proposed()
    assert not [message for message in refused.values() if "\n" in message or len(message) > 120]
    for spelling in ("UTF-8", "utf8", "utf_8", "U8", "cp65001", "utf-8-sig", "UTF_8_SIG", "utf8"):
        assert codec_name(spelling) == "utf-8"
    assert (codec_name("Windows-1252"), codec_name("UTF16"), codec_name("latin1")) == ("cp1252", "utf-16", "iso8859-1")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "os",
            "this",
            "../x",
            "a.b.c",
            "os.path",
            "x" * 41,
            "x" * 100_000,
            "utf-8\0",
            "",
            ".",
            "..",
            "/etc/passwd",
            "é",
        ),
        *("aliases", "__init__", "cp1252\n", " utf-8", "utf-8,strict", "%s", "-", "_"),
    ],
)
def test_hostile_names(name: str) -> None:
    """A name that is no codec's is refused in one short line, and imports nothing."""
    before = set(sys.modules)
    with pytest.raises(ValueError, match="no codec is called ") as caught:
        codec_name(name)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)
    assert {module for module in set(sys.modules) - before if not module.startswith("encodings.")} == set()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("utf9", "no codec is called 'utf9' (did you mean 'utf'?)"),
        ("windows-1522", "no codec is called 'windows-1522' (did you mean 'windows-1252'?)"),
        ("Shift JIS", "no codec is called 'Shift JIS' (did you mean 'shiftjis'?)"),
        ("nothing-like-it", "no codec is called 'nothing-like-it'"),
        *((name, f"{name!r} is not a text encoding") for name in ("base64", "rot13", "hex", "zlib", "undefined")),
        *((name, f"{name!r} cannot be read piece by piece") for name in ("idna", "punycode")),
        ("unicode_escape", "'unicode_escape' is a notation of Python source, not a text encoding"),
    ],
)
def test_refused_names(name: str, message: str) -> None:
    """What no file can be read with is refused with the reason, and the nearest name that would do."""
    with pytest.raises(ValueError, match=r"codec|text|piece") as caught:
        codec_name(name)
    assert str(caught.value) == message


def test_a_codec_for_whole_texts_only() -> None:
    """A codec that somebody registered without a decoder for pieces is refused."""

    def find(name: str) -> codecs.CodecInfo | None:
        return (
            codecs.CodecInfo(codecs.latin_1_encode, codecs.latin_1_decode, name=name) if name == "tests_whole" else None
        )

    codecs.register(find)
    try:
        with pytest.raises(ValueError, match="'tests-whole' cannot be read piece by piece"):
            codec_name("tests-whole")
    finally:
        codecs.unregister(find)


@pytest.mark.parametrize(
    ("source", "name", "offset", "message"),
    [
        (b"abc\xff\xfe", "utf-8", 3, "byte 0xff at offset 3 of the row is not UTF-8"),
        (b"a,\xed\xb2\x80", "utf-8", 2, "byte 0xed at offset 2 of the row is not UTF-8"),
        ("éé".encode("cp1252") + b"\x81\x8d", "cp1252", 2, "byte 0x81 at offset 2 of the row is not cp1252"),
        ("日本".encode("shift_jis") + b"a\xff", "shift_jis", 5, "byte 0xff at offset 5 of the row is not shift_jis"),
        ("é".encode("utf-16-le") + b"\x00\xd8a\0", "utf-16-le", 2, "byte 0x00 at offset 2 of the row is not utf-16-le"),
        (b"a\0b", "utf-16", 2, "byte 0x62 at offset 2 of the row is not utf-16"),
        (b"a+2D0-", "utf-7", 1, "U+D83D at offset 1 of the row is half of a surrogate pair, not a character"),
    ],
)
def test_first_fault(source: bytes, name: str, offset: int, message: str) -> None:
    """The first bad byte of a row is named, with its place in the row's source bytes."""
    assert first_fault(internal_bytes(source, name), name) == (offset, message)


@options(max_examples=examples(2_000))
@given(files(EXACT))
def test_faults_are_where_they_are_said_to_be(file: tuple[str, bytes]) -> None:
    """A row is valid exactly where its codec decodes it; else what comes before its first fault decodes."""
    name, source = file
    raw = internal_bytes(source, name)
    fault = None
    try:
        assert raw == source.decode(name).encode()
    except UnicodeDecodeError as error:
        fault = error.start
    if fault is None:
        with pytest.raises(ValueError, match="valid"):
            first_fault(raw, name)
    else:
        message = f"byte 0x{source[fault]:02x} at offset {fault} of the row is not {name}"
        assert first_fault(raw, name) == (fault, message)


def test_no_fault_in_utf8() -> None:
    """A valid row of UTF-8 has no fault to name."""
    with pytest.raises(ValueError, match="valid"):
        first_fault("é".encode(), "utf-8")
