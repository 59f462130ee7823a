"""Checkpoints: what a finished file leaves behind, so that the batch's next attempt need not read it again.

A checkpoint says where the file's pending uploads lie and what they were made from. It counts only if the same work
would be done again, from the same object, and only while its uploads are still there.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from engine.codec import encode_json
from engine.pipeline import FileJob, FileResult

__all__ = ["FOLDER", "OUTPUT_VERSION", "Checkpoint", "checkpoint_key", "fingerprint"]

FOLDER = "checkpoints/"

OUTPUT_VERSION = 1
"""To be raised by whoever changes what the same bytes and the same mapping become."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A finished file of an attempt that has not committed.

    Attributes:
        fingerprint: of the work, see :func:`fingerprint`.
        attempt: id of the attempt that did it.
    """

    fingerprint: str
    attempt: str
    result: FileResult

    def to_json(self) -> bytes:
        return _adapter().dump_json(self) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Checkpoint | None:
        """Reads back what :meth:`to_json` wrote; None for what is not a checkpoint of this version."""
        try:
            return _adapter().validate_json(text)
        except ValidationError:
            return None


@functools.cache
def _adapter() -> TypeAdapter[Checkpoint]:
    return TypeAdapter(Checkpoint)


def checkpoint_key(root: str, key: str, version_id: str | None) -> str:
    """Where the checkpoint of a source file lies; ``root`` is the batch's prefix, empty or ending in ``/``."""
    name = hashlib.sha256(encode_json([key, version_id])).hexdigest()[:32]
    return f"{root}{FOLDER}{name}.json"


def fingerprint(job: FileJob) -> str:
    """Identifies all that decides what a source object becomes, but not the object itself."""
    source = [str(job.source), job.key, job.version_id, job.replay]
    work = [OUTPUT_VERSION, *source, job.data_key, job.rejects_key, job.mapping_sha256, asdict(job.limits)]
    return hashlib.sha256(encode_json(work)).hexdigest()
