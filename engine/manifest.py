"""The manifest: what a committed batch holds. Its presence is the commit (CONTRACT section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.codec import decode_json, encode_json
from engine.errors import FileError, InputError

__all__ = ["FileEntry", "Manifest", "ObjectEntry"]


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object that the batch wrote: its full key, its size in bytes, its ETag."""

    key: str
    bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One source file and what it became. Always ``rows_read == rows_written + rows_rejected``.

    ``errors`` counts errors by code: those of rejected rows, and those of cells that were written as null instead.
    ``labels`` is the header as it was read, which reject records do not hold and their replay needs. Where the data is
    several objects, ``more_outputs`` are those after ``output``, in the order of their rows.
    """

    source: str
    version_id: str | None
    etag: str
    bytes_read: int
    rows_read: int
    rows_written: int
    rows_rejected: int
    cells_nulled: int
    errors: dict[str, int]
    output: ObjectEntry
    rejects: ObjectEntry | None
    labels: Sequence[str] = ()
    more_outputs: Sequence[ObjectEntry] = ()

    @property
    def objects(self) -> list[ObjectEntry]:
        """All that the file became."""
        rejects = [] if self.rejects is None else [self.rejects]
        return [self.output, *self.more_outputs, *rejects]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A batch's files, in the order of the message. Holds no times: but for ``attempt``, the id of the one that wrote
    it, the same work gives the same manifest."""

    batch_id: str
    mapping_id: str
    mapping_sha256: str
    files: Sequence[FileEntry]
    correlation_id: str | None = None
    attempt: str = ""
    version: int = 1

    @property
    def keys(self) -> set[str]:
        """Of the objects that the batch wrote."""
        return {entry.key for file in self.files for entry in file.objects}

    @property
    def rows_read(self) -> int:
        return sum(file.rows_read for file in self.files)

    @property
    def rows_written(self) -> int:
        return sum(file.rows_written for file in self.files)

    @property
    def rows_rejected(self) -> int:
        return sum(file.rows_rejected for file in self.files)

    @property
    def bytes_read(self) -> int:
        return sum(file.bytes_read for file in self.files)

    def to_json(self) -> bytes:
        return encode_json(asdict(self)) + b"\n"

    @classmethod
    def from_json(cls, text: bytes, name: str = "the manifest") -> Manifest:
        """Reads back what :meth:`to_json` wrote.

        Raises:
            FileError: it is not a manifest, or one of another version; ``name`` says which in the error.
        """
        try:
            document: dict[str, Any] = decode_json(text)
            files = [_file(file) for file in document.pop("files")]
            return cls(files=files, **document)
        except (InputError, TypeError, KeyError, AttributeError):
            raise FileError(f"{name} is not a manifest that this version of the engine can read") from None


def _file(entry: dict[str, Any]) -> FileEntry:
    rejects = entry["rejects"]
    written = {
        "output": ObjectEntry(**entry["output"]),
        "rejects": ObjectEntry(**rejects) if rejects is not None else None,
        "more_outputs": tuple(ObjectEntry(**each) for each in entry.get("more_outputs", ())),
    }
    return FileEntry(**{**entry, **written})
