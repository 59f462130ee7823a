"""What a folder's files are read and written through."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from engine.adapters import local_files
from engine.errors import SourceChanged, TransientError
from engine.ports import ObjectInfo, Part, PendingUpload

__all__ = ["LocalReader", "LocalUpload", "etag_of", "info_of"]

_RELEASED_BYTES = 4 << 20  # written between two calls that have the disk begin with them


def etag_of(status: os.stat_result) -> str:
    """What tells one state of a file from another."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def info_of(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, etag_of(status), modified=status.st_mtime)


class LocalReader:
    """A file's bytes, through an open descriptor that the caller closes: an :class:`~engine.ports.ObjectReader`."""

    def __init__(self, handle: int, path: Path, info: ObjectInfo, read_bytes: int) -> None:
        self.info = info
        self._handle = handle
        self._path = path
        self._read_bytes = read_bytes
        self._left = info.size

    def narrow(self, start: int, stop: int) -> None:
        """Reads these bytes only, of those not read yet."""
        os.lseek(self._handle, start, os.SEEK_SET)
        self._left = stop - start

    def __aiter__(self) -> LocalReader:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)  # nothing here waits, yet other files of the loop, and cancellation, need their turn
        with local_files.errors(self._path, self.info.key, "read"):
            piece = os.read(self._handle, min(self._read_bytes, self._left))
            self._left -= len(piece)
            if not piece or not self._left:
                self._check_unchanged()
        if not piece:
            if self._left:
                raise TransientError(f"{self._path} gave {self.info.size - self._left} of {self.info.size} bytes")
            raise StopAsyncIteration
        return piece

    def _check_unchanged(self) -> None:
        try:
            same = etag_of(os.fstat(self._handle)) == etag_of(self._path.stat()) == self.info.etag
        except FileNotFoundError:
            same = False
        if not same:
            raise SourceChanged(f"{self._path} was changed while it was read", file=self.info.key)


class LocalUpload:
    """An object's bytes on their way into a staged file.

    Args:
        path: where the object will be; for errors.
        handle: of the staged file; belongs to this.
        discard: removes what is staged.
    """

    def __init__(self, key: str, path: Path, upload_id: str, handle: int, discard: Callable[[], None]) -> None:
        self._key = key
        self._path = path
        self._discard = discard
        self._upload_id = upload_id
        self._handle: int | None = handle
        self._unreleased = 0

    async def write(self, data: bytes) -> None:
        assert self._handle is not None, "write after finish or abort"
        with local_files.errors(self._path, self._key, "write"):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            self._unreleased += len(data)
            if self._unreleased >= _RELEASED_BYTES:
                local_files.release(self._handle)
                self._unreleased = 0
        await asyncio.sleep(0)

    async def finish(self) -> PendingUpload:
        assert self._handle is not None, "finish after finish or abort"
        handle, self._handle = self._handle, None
        status = await asyncio.to_thread(self._close, handle)
        return PendingUpload(self._key, self._upload_id, (Part(1, etag_of(status), status.st_size),))

    def _close(self, handle: int) -> os.stat_result:
        """Owns the handle from here on, so that a cancelled ``finish`` neither leaks nor closes it twice."""
        try:
            with local_files.errors(self._path, self._key, "write"):
                os.fsync(handle)
                return os.fstat(handle)
        finally:
            os.close(handle)

    async def abort(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
        self._discard()
