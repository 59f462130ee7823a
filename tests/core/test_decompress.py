"""Compressed sources become their text, whole, in bounded steps, or an error that says at which byte."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from engine.core.decompress import STEP_BYTES, SourceCompression, decompressor
from engine.errors import CompressionError
from tests.complaints import complaints_of_dropping
from tests.examples import examples

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KINDS: list[SourceCompression] = ["gzip", "zstd"]
SUFFIX = {"gzip": ".gz", "zstd": ".zst"}
_RANDOM = random.Random(7)

# Noise and repetition, a few bytes and a few steps of text.
texts = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=50), st.integers(1, 60_000)),
    st.integers(0, 400_000).map(lambda size: random.Random(size).randbytes(size)),
)
kinds = st.sampled_from(KINDS)


def packed(kind: str, *parts: bytes) -> bytes:
    """A file of a member or frame for each part, written by others than those who read it here where there are such."""
    if kind == "gzip":
        return b"".join(gzip.compress(part, 4) for part in parts)
    return b"".join(pa.Codec("zstd").compress(part, asbytes=True) for part in parts)


def steps(
    pieces: Iterable[bytes], kind: SourceCompression, *, name: str = "a.csv", ratio: int = 10**9
) -> Iterator[bytes]:
    unpacked = decompressor(name, kind, ratio)
    for piece in pieces:
        yield from unpacked.feed(piece)
    yield unpacked.finish()


def failure(data: bytes, kind: SourceCompression, **options: int) -> CompressionError:
    """How a file fails; the same at once and byte by byte where it is short."""
    with pytest.raises(CompressionError) as caught:
        list(steps([data], kind, **options))  # type: ignore[arg-type]
    if len(data) < 1000:
        with pytest.raises(CompressionError) as again:
            list(steps((data[at : at + 1] for at in range(len(data))), kind, **options))  # type: ignore[arg-type]
        assert (again.value.message, again.value.offset) == (caught.value.message, caught.value.offset)
    return caught.value


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
@given(
    kind=kinds,
    how=st.sampled_from(["told", "suffix", "magic"]),
    parts=st.lists(texts, min_size=1, max_size=4),
    data=st.data(),
)
def test_any_file_in_any_pieces(kind: SourceCompression, how: str, parts: list[bytes], data: st.DataObject) -> None:
    """Any members or frames, read in any pieces, give their texts in order, told or found out what they are."""
    file = packed(kind, *parts)
    cuts = data.draw(st.lists(st.integers(0, len(file)), max_size=10))
    pieces = [file[start:end] for start, end in pairwise([0, *sorted(cuts), len(file)])]
    name = f"a.csv{SUFFIX[kind].upper()}" if how == "suffix" else "a.csv"
    found = list(steps(pieces, kind if how == "told" else "infer", name=name))
    assert b"".join(found) == b"".join(parts)
    assert max(map(len, found)) <= STEP_BYTES


@settings(max_examples=examples(100))
@given(
    data=st.binary(max_size=30), kind=st.sampled_from(["none", "infer"]), cuts=st.lists(st.integers(0, 30), max_size=4)
)
@example(b"", "infer", [])
@example(b"\x1f\x8b", "infer", [1])
@example(b"(\xb5/", "infer", [1, 2])
def test_what_is_not_compressed_comes_as_it_is(data: bytes, kind: SourceCompression, cuts: list[int]) -> None:
    """Files that are not compressed, even shorter than what tells, are given byte for byte."""
    assume(kind == "none" or not data.startswith((b"\x1f\x8b\x08", b"(\xb5/\xfd")))
    pieces = [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]
    pieces[-1:] = [data[sum(map(len, pieces[:-1])) :]]
    assert b"".join(steps(pieces, kind)) == data


def test_none_means_none_and_a_suffix_outranks_the_first_bytes() -> None:
    """With ``none`` nothing is unpacked; a suffix is believed; a kind that is named is believed against both."""
    file = packed("gzip", b"text")
    assert b"".join(steps([file], "none", name="a.csv.gz")) == file
    assert b"".join(steps([file], "gzip", name="a.csv.zst")) == b"text"
    assert b"".join(steps([packed("zstd", b"text")], "infer", name="A.ZSTD")) == b"text"
    with pytest.raises(CompressionError):
        list(steps([file], "infer", name="a.csv.zst"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_tools_files_are_read(kind: SourceCompression) -> None:
    """What gzip(1) writes, with a name in its header, and a stream without a size in its header are read."""
    text = _RANDOM.randbytes(200_000) * 3
    if kind == "gzip":
        file = subprocess.run(["gzip", "-c9"], input=text, capture_output=True, check=True).stdout
    else:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(text)
        file = sink.getvalue().to_pybytes()
    assert b"".join(steps([file, b""], kind)) == text


def test_frames_to_skip() -> None:
    """Skippable zstd frames, as parallel and seekable writers leave them, become no text anywhere in a file."""
    skip = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"index"
    assert b"".join(steps([skip + packed("zstd", b"a") + skip + packed("zstd", b"b") + skip], "zstd")) == b"ab"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_at_every_byte(kind: SourceCompression) -> None:
    """Wherever a file of two parts is cut, but between them, it fails and says where it ends and what began where."""
    first = packed(kind, b"id,name\n" * 20)
    file = first + packed(kind, _RANDOM.randbytes(60))
    for end in set(range(1, len(file))) - {len(first)}:
        error = failure(file[:end], kind)
        start = 0 if end < len(first) else len(first)
        assert (error.code, error.offset) == ("compression-error", end)
        assert f"ends at byte {end}, in the middle of the {kind} data that begins at byte {start}" in error.message
    assert b"".join(steps([first], kind)) == b"id,name\n" * 20


@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_at_all(kind: SourceCompression) -> None:
    """An empty file is not one that holds an empty text."""
    assert failure(b"", kind).offset == 0
    with pytest.raises(CompressionError, match="is empty"):
        list(steps([], "infer", name=f"a{SUFFIX[kind]}"))
    assert b"".join(steps([packed(kind, b"")], kind)) == b""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [b"\0", bytes(512), b"id,name\n1,a\n", b"\xff" * 9, b"\x1f\x8b", b"(\xb5/"])
def test_garbage_after_the_end(kind: SourceCompression, garbage: bytes) -> None:
    """Whatever follows the last member or frame, zero bytes too, fails the file and is named by its first byte."""
    whole = packed(kind, b"text", b"more")
    error = failure(whole + garbage, kind)
    assert f"begins at byte {len(whole)}" in error.message
    assert error.offset in (len(whole), len(whole) + len(garbage))  # too little of it to tell: it ends in the middle


@pytest.mark.parametrize("kind", KINDS)
def test_plain_text_by_the_name_of_a_compressed_file(kind: SourceCompression) -> None:
    """The error says that this is not the kind that was expected, at its first byte."""
    error = failure(b"id,name\n1,a\n", kind)
    assert error.offset == 0
    assert error.message.startswith(f"what begins at byte 0 is not {kind}")


@settings(max_examples=examples(200))
@given(kind=kinds, at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_other_text(kind: SourceCompression, at: int, bit: int) -> None:
    """A damaged file fails, or gives its text where the bit carries none; with the checksums that its writer put in."""
    text = b"".join(b"%d,%d\n" % (number, number * number) for number in range(300))
    file = bytearray(packed("gzip", text) if kind == "gzip" else _checked_zstd(text))
    file[at % len(file)] ^= 1 << bit
    try:
        found = b"".join(steps([bytes(file)], kind))
    except CompressionError:
        return
    assert found == text


def _checked_zstd(text: bytes) -> bytes:
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


def test_windows_over_8_mib_are_refused() -> None:
    """A frame says how much memory its reader needs; more than 8 MiB is refused before it is taken."""

    def frame(window_log: int) -> bytes:
        options: dict[int, int] = {zstd.CompressionParameter.window_log: window_log}
        writer = zstd.ZstdCompressor(options=options)  # its length untold, a frame names its window
        return writer.compress(b"text") + writer.flush()

    assert b"".join(steps([frame(23)], "zstd")) == b"text"
    assert "needs a window over 8 MiB" in failure(frame(24), "zstd").message


def bomb(kind: str, size: int) -> bytes:
    """``size`` zero bytes, compressed as well as it goes."""
    if kind == "gzip":
        writer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = bytes(1 << 20)
        return b"".join([*(writer.compress(zeros) for _ in range(size >> 20)), writer.flush()])
    # A frame of blocks that each repeat one byte 128 KiB times, in four bytes: no writer packs better.
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * (size >> 17) + last


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_fails_early_in_flat_memory(kind: SourceCompression) -> None:
    """A gigabyte of zeros, read in one piece, is given up once it passes the ratio, and never held."""
    file = bomb(kind, 1 << 30)
    sizes: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises(CompressionError, match=r"more than 200 times .* limits\.expansion_ratio"):
            sizes.extend(map(len, steps([file], kind, ratio=200)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) <= 200 * min(len(file), 1 << 16)
    assert peak < 8 * STEP_BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_the_ratio_holds_beyond_a_mebibyte(kind: SourceCompression) -> None:
    """A small file may become any text up to 1 MiB; at the ratio it passes, one above it fails."""
    small = packed(kind, bytes(1 << 20))
    assert len(b"".join(steps([small], kind, ratio=1))) == 1 << 20
    text = _RANDOM.randbytes(100_000) * 30
    file = packed(kind, *[text[at : at + 100_000] for at in range(0, len(text), 100_000)])
    assert b"".join(steps([file], kind, ratio=1)) == text
    wide = packed(kind, bytes(2 << 20))
    exact = -(-(2 << 20) // len(wide))
    assert len(b"".join(steps([wide], kind, ratio=exact))) == 2 << 20
    assert failure(wide, kind, ratio=exact - 1).offset == len(wide)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [-1, 0, 1, 2, STEP_BYTES])
def test_parts_that_end_about_a_step(kind: SourceCompression, more: int) -> None:
    """A member or frame that ends just before, at or after a step is read once, and the next one from its start."""
    text = (b"0123456" * STEP_BYTES)[: STEP_BYTES + more]
    found = list(islice(steps([packed(kind, text, text, b"end")], kind), 100))
    assert b"".join(found) == text + text + b"end"


@pytest.mark.parametrize("kind", KINDS)
def test_many_small_parts(kind: SourceCompression) -> None:
    """Thousands of members or frames of a byte each are as good as one."""
    assert b"".join(steps([packed(kind, b"x") * 5000], kind)) == b"x" * 5000


@pytest.mark.parametrize("kind", KINDS)
def test_giving_up_needs_no_closing(kind: SourceCompression) -> None:
    """A decompressor that is dropped half way raises and warns of nothing."""
    file = packed(kind, _RANDOM.randbytes(300_000))

    def half_way() -> object:
        unpacked = decompressor("a", kind, 200)
        assert b"".join(unpacked.feed(file[:-100]))
        return unpacked

    assert complaints_of_dropping(half_way) == []
