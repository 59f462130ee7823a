"""Bytes that should be UTF-8, and where they are not."""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Iterator
from struct import pack

import pyarrow as pa

from engine.core import native
from engine.core.native.utf8text import find_errors

__all__ = ["is_utf8", "with_filler"]

_BLOCK = 65_536  # bytes that are looked at together for some that are not UTF-8
_NEAR = 128  # bytes that are looked at first after some that are not


def is_utf8(data: bytes | memoryview) -> bool:
    whole = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(pack("=ii", 0, len(data))), pa.py_buffer(data)])
    try:
        whole.cast(pa.string())  # checks without making a string: a quarter of the cost of decode()
    except pa.ArrowInvalid:
        return False
    return True


def with_filler(data: bytes, filler: bytes) -> tuple[array[int], bytes]:
    """Where ``data`` is not UTF-8, and ``data`` with ``filler`` for each byte there."""
    bad = array("q")
    view = memoryview(data)
    if native.kernels is not None:
        pieces: list[memoryview | bytes] = []  # a copy of all, but one only
        good = 0
        for first, last in find_errors(data):
            bad.append(first)
            pieces += [view[good:first], filler * (last - first)]
            good = last
        return bad, b"".join([*pieces, view[good:]])
    text = bytearray(data)
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _BLOCK) + 1 or len(data)  # no character goes across a line end
        if not is_utf8(view[start:end]):
            for first, last in _errors(view[start:end]):
                bad.append(start + first)
                text[start + first : start + last] = filler * (last - first)
        start = end
    return bad, bytes(text)


def _errors(block: memoryview) -> Iterator[tuple[int, int]]:
    """Where bytes that are not UTF-8 begin and end.

    An error of the codec brings a copy of all that it was given, so it is given little after one: linear in total.
    """
    start, size = 0, _NEAR
    while start < len(block):
        end = start + size
        try:
            _, used = codecs.utf_8_decode(block[start:end], "strict", end >= len(block))
        except UnicodeDecodeError as error:
            yield start + error.start, start + error.end
            start, size = start + error.end, _NEAR
        else:
            start, size = start + used, 2 * size
