"""gzip and zstd: other people's readers read them, and neither cuts nor clocks change their bytes."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import zlib
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.encoders import output_suffix
from engine.core.encoders.compress import COMPRESSORS, TextCompression
from tests.complaints import complaints_of_dropping
from tests.examples import examples

_RANDOM = random.Random(1)
_NOISE = b"".join(
    [
        _RANDOM.randbytes(700_000),
        b"text that repeats, " * 20_000,
        *(b"%d,%.2f\n" % (number, _RANDOM.random()) for number in range(40_000)),
    ]
)


def compressed(kind: TextCompression, pieces: list[bytes]) -> bytes:
    compressor = COMPRESSORS[kind]()
    return b"".join([*(compressor.compress(piece) for piece in pieces), compressor.finish()])


def opened(kind: TextCompression, data: bytes) -> bytes:
    """The text again, by readers that would complain about anything after the first member or frame."""
    if kind == "gzip":
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        text = reader.decompress(data) + reader.flush()
        assert reader.eof
        assert reader.unused_data == b""
        assert gzip.decompress(data) == text
        return text
    with pa.CompressedInputStream(io.BytesIO(data), "zstd") as stream:
        return bytes(stream.read())


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@settings(max_examples=examples(25))
@given(cuts=st.lists(st.integers(0, len(_NOISE)), max_size=40))
def test_cuts_do_not_show(kind: TextCompression, cuts: list[int]) -> None:
    """Any cuts of a text give the same bytes, which read back as the text."""
    places = [0, *sorted(cuts), len(_NOISE)]
    pieces = [_NOISE[start:end] for start, end in pairwise(places)]
    data = compressed(kind, pieces)
    assert data == compressed(kind, [_NOISE])
    assert opened(kind, data) == _NOISE


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_nothing_is_a_valid_file(kind: TextCompression) -> None:
    """A file without a byte compresses to one that reads back as nothing."""
    assert opened(kind, compressed(kind, [])) == opened(kind, compressed(kind, [b"", b""])) == b""


def test_gzip_tells_no_time() -> None:
    """The gzip header has no time and no name, so a second run writes the same bytes."""
    header = compressed("gzip", [b"text"])[:10]
    assert header[:3] == b"\x1f\x8b\x08"
    assert header[3:8] == bytes(5)


def test_gzip_tool_reads_it() -> None:
    """gzip(1) finds the file whole."""
    text = subprocess.run(["gzip", "-dc"], input=compressed("gzip", [_NOISE]), capture_output=True, check=True).stdout
    assert text == _NOISE


def test_zstd_is_one_frame() -> None:
    """There is one frame: some readers stop after the first."""
    data = compressed("zstd", [_NOISE, _NOISE])
    assert data.startswith(b"\x28\xb5\x2f\xfd")
    assert pa.Codec("zstd").decompress(data, 2 * len(_NOISE)).to_pybytes() == 2 * _NOISE


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_bytes_come_as_they_are_ready(kind: TextCompression) -> None:
    """A compressor gives most of its bytes before the end, so memory stays flat."""
    compressor = COMPRESSORS[kind]()
    before = sum(len(compressor.compress(_NOISE)) for _ in range(5))
    assert before > 5 * 500_000
    assert len(compressor.finish()) < 1_000_000


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_giving_up_needs_no_closing(kind: TextCompression) -> None:
    """A compressor that is dropped half way raises and warns of nothing, and leaves nothing to the next."""

    def half_way() -> object:
        compressor = COMPRESSORS[kind]()
        assert compressor.compress(_NOISE)
        return compressor

    assert complaints_of_dropping(half_way) == []
    assert opened(kind, compressed(kind, [_NOISE])) == _NOISE


def test_suffixes() -> None:
    """Text formats name their compression at the end; Parquet compresses inside; snappy is for Parquet alone."""
    assert [output_suffix("jsonl", kind) for kind in (None, "gzip", "zstd")] == [".jsonl", ".jsonl.gz", ".jsonl.zst"]
    assert [output_suffix("csv", kind) for kind in (None, "gzip", "zstd")] == [".csv", ".csv.gz", ".csv.zst"]
    assert {output_suffix("parquet", kind) for kind in (None, "gzip", "zstd", "snappy")} == {".parquet"}
    with pytest.raises(ValueError, match="snappy is for parquet only"):
        output_suffix("csv", "snappy")
