"""Keys: their order, and which of them may name a file."""

from __future__ import annotations

from engine.errors import FileError

__all__ = ["STAGING", "key_order", "safe_parts"]

STAGING = ".engine-uploads"
"""Hidden folder under a local root that holds what is not yet visible."""


def key_order(key: str) -> bytes:
    """S3 lists keys in the order of their UTF-8 bytes; so does every store here."""
    return key.encode("utf-8", "surrogateescape")


def safe_parts(key: str) -> tuple[str, ...]:
    """The parts of a key that may name a file below a folder.

    Raises:
        FileError: the key is empty, absolute, not canonical (``a//b``, ``./a``), has ``..`` or NUL, or names the
            hidden folder that holds uploads.
    """
    parts = tuple(key.split("/"))
    if "\0" in key or any(part in {"", ".", ".."} for part in parts):
        raise FileError(f"key {key!r} cannot name a file: no '..', no empty part, no leading '/', no NUL", file=key)
    if parts[0] == STAGING:
        raise FileError(f"key {key!r} is in {STAGING}, which is reserved for uploads", file=key)
    return parts
