"""Compressed sources: gzip and zstd, in steps that are bounded whatever the bytes are."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from engine.errors import CompressionError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["STEP_BYTES", "Decompressor", "SourceCompression", "decompressor", "is_plain"]

type SourceCompression = Literal["infer", "none", "gzip", "zstd"]

STEP_BYTES = 1 << 20
"""A step gives so much text at most."""

_SLICE_BYTES = 1 << 16  # compressed bytes that a step takes at most: how far a bomb gets before it is judged again
_FLOOR_BYTES = 1 << 20  # text that a file of any size may become
_GZIP_WINDOW = 15 + 16  # the largest window, with a gzip header
_ZSTD_WINDOW = 23  # 8 MiB: what RFC 8878 asks decoders for; larger windows are memory that a stranger's file decides on

_SUFFIXES: dict[str, SourceCompression] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_MAGIC: dict[bytes, SourceCompression] = {b"\x1f\x8b\x08": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_MAGIC_BYTES = 4


class Decompressor(Protocol):
    """Decompresses one file. Used by one thread; needs no closing when a file is given up."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Takes the file's next bytes; gives their text step by step, and is to be exhausted before the next bytes.

        A step gives :data:`STEP_BYTES` at most, perhaps nothing; text that is not compressed comes as it is.

        Raises:
            CompressionError: the bytes cannot be decompressed, or become more text than they may.
        """
        ...

    def finish(self) -> bytes:
        """Says that the file ends here, and gives what was held back of it.

        Raises:
            CompressionError: it ends in the middle of compressed data.
        """
        ...


def decompressor(name: str, compression: SourceCompression, expansion_ratio: int) -> Decompressor:
    """What makes text of a file.

    Args:
        name: its key; ``infer`` goes by the suffix, and where that says nothing by the first bytes.
        expansion_ratio: so many times the compressed bytes read, the text may be long; 1 MiB may always be.
    """
    if compression == "infer":
        by_suffix = _by_suffix(name)
        return _of(by_suffix, expansion_ratio) if by_suffix is not None else _ByFirstBytes(expansion_ratio)
    return _of(compression, expansion_ratio)


def is_plain(name: str, compression: SourceCompression, head: bytes) -> bool:
    """Whether a file is text as it is. Arguments as for :func:`decompressor`, and the file's first bytes."""
    if compression == "infer":
        compression = _by_suffix(name) or _by_magic(head)
    return compression == "none"


def _by_suffix(name: str) -> SourceCompression | None:
    return next((kind for ending, kind in _SUFFIXES.items() if name.lower().endswith(ending)), None)


def _of(compression: SourceCompression, expansion_ratio: int) -> Decompressor:
    match compression:
        case "gzip":
            return _Compressed("gzip", _GzipPart, "is not gzip or is damaged", expansion_ratio)
        case "zstd":
            return _Compressed(
                "zstd", _ZstdPart, "is not zstd, is damaged or needs a window over 8 MiB", expansion_ratio
            )
    return _Plain()


class _Plain:
    """No compression."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> bytes:
        return b""


class _ByFirstBytes:
    """Holds the file's first bytes back until they say what it is."""

    def __init__(self, expansion_ratio: int) -> None:
        self._ratio = expansion_ratio
        self._held = b""
        self._found: Decompressor | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._found is None:
            data = self._held = self._held + data
            if len(data) < _MAGIC_BYTES:
                return
            self._found = _of(_by_magic(data), self._ratio)
            self._held = b""
        yield from self._found.feed(data)

    def finish(self) -> bytes:
        found = self._found or _of(_by_magic(self._held), self._ratio)
        return b"".join(found.feed(self._held)) + found.finish()


def _by_magic(head: bytes) -> SourceCompression:
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")


class _Part(Protocol):
    """A gzip member or a zstd frame: a file is one or several of them, and nothing else."""

    def step(self, data: bytes) -> bytes:
        """Takes its next bytes, none while :attr:`waiting`; gives :data:`STEP_BYTES` at most."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether there is more to give before bytes are taken again."""
        ...

    @property
    def rest(self) -> bytes | None:
        """None until its end was reached; then the bytes it was given that lie behind that."""
        ...


class _GzipPart:
    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)

    def step(self, data: bytes) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail or data, STEP_BYTES)

    @property
    def waiting(self) -> bool:
        # Behind a member's end zlib leaves what is unused in unconsumed_tail too: that is no part of this member.
        return bool(self._inflate.unconsumed_tail) and not self._inflate.eof

    @property
    def rest(self) -> bytes | None:
        return self._inflate.unused_data if self._inflate.eof else None


class _ZstdPart:
    def __init__(self) -> None:
        self._frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW})

    def step(self, data: bytes) -> bytes:
        return self._frame.decompress(data, STEP_BYTES)

    @property
    def waiting(self) -> bool:
        return not (self._frame.needs_input or self._frame.eof)

    @property
    def rest(self) -> bytes | None:
        return self._frame.unused_data if self._frame.eof else None


class _Compressed:
    """Part after part, to the last byte."""

    def __init__(self, kind: str, open_part: Callable[[], _Part], complaint: str, expansion_ratio: int) -> None:
        self._kind = kind
        self._open_part = open_part
        self._complaint = complaint
        self._ratio = expansion_ratio
        self._part: _Part | None = None
        self._start = 0  # the byte of the file where the part begins
        self._taken = 0
        self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        for begin in range(0, len(data), _SLICE_BYTES):
            left = data[begin : begin + _SLICE_BYTES]
            self._taken += len(left)
            while left:
                if self._part is None:
                    self._part = self._open_part()
                    self._start = self._taken - len(left)
                part = self._part
                yield self._step(part, left)
                while part.waiting:
                    yield self._step(part, b"")
                left = part.rest or b""
                if part.rest is not None:
                    self._part = None

    def _step(self, part: _Part, data: bytes) -> bytes:
        try:
            text = part.step(data)
        except (zlib.error, zstd.ZstdError) as error:
            before = f"; the {self._kind} data before it is whole" if self._start else ""
            raise CompressionError(
                f"what begins at byte {self._start} {self._complaint} ({error}){before}", offset=self._start
            ) from None
        self._given += len(text)
        if self._given > max(_FLOOR_BYTES, self._ratio * self._taken):
            raise CompressionError(
                f"the first {self._taken} bytes become more than {self._ratio} times as many; if the file is as it"
                " should be, raise limits.expansion_ratio",
                offset=self._taken,
            )
        return text

    def finish(self) -> bytes:
        if not self._taken:
            raise CompressionError(f"is empty: there is no {self._kind} data at byte 0", offset=0)
        if self._part is not None:
            raise CompressionError(
                f"ends at byte {self._taken}, in the middle of the {self._kind} data that begins at byte {self._start};"
                " send the whole file",
                offset=self._taken,
            )
        return b""
