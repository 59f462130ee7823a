"""Where mappings are looked up by id: a folder or a prefix of a bucket."""

from __future__ import annotations

import re

from engine.errors import (
    AccessDenied,
    ConfigError,
    EngineError,
    MappingError,
    OwnAccessDenied,
    SourceMissing,
    TransientError,
    Unavailable,
    nearest,
)
from engine.ports import LocalLocation, Location, ObjectStore, S3Location, Stores

__all__ = ["ObjectMappingStore", "mapping_store"]

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SUFFIXES = (".json", ".toml")
_LISTED = 10_000  # names looked at for a suggestion


class ObjectMappingStore:
    """A :class:`~engine.ports.MappingStore` over an object store: ``<prefix><mapping_id>.json``, else ``.toml``.

    Args:
        stores: the loop's stores; they stay the caller's to close.
        location: folder or bucket.
        prefix: what the keys begin with; empty, or ends with ``/``.
    """

    def __init__(self, stores: Stores, location: Location, prefix: str) -> None:
        self._stores = stores
        self._location = location
        self._prefix = prefix
        self._readable: str | None = None  # the document that was read last

    async def get(self, mapping_id: str) -> tuple[str, bytes]:
        """As the port says. What is wrong with the store as a whole is no message's fault:

        Raises:
            MappingError: the store is there and has no such mapping.
            OwnAccessDenied: the store may not be read.
            Unavailable: it is not there, or cannot be read now.
            AccessDenied: this document may not be read, while another may.
        """
        if not _ID.fullmatch(mapping_id) or mapping_id in {".", ".."}:
            raise MappingError(f"{mapping_id!r} is not a mapping id: 1 to 128 of A-Z a-z 0-9 . _ -")
        store = await self._stores.open(self._location)
        name = ""
        try:
            for suffix in _SUFFIXES:
                name = mapping_id + suffix
                try:
                    text = await store.get(self._prefix + name)
                except SourceMissing:
                    continue
                self._readable = name
                return name, text
            near = await self._nearest(store, mapping_id)
        except AccessDenied as error:
            # A bucket that may not be listed refuses what is not there as well: that must not pass for an outage.
            alone = await self._another_is_readable(store, name)
            raise (AccessDenied if alone else OwnAccessDenied)(error.message, file=error.file) from error
        except Unavailable:
            raise
        except TransientError as error:
            raise Unavailable(error.message, file=error.file) from error
        where = " or ".join(f"{self._location}/{self._prefix}{mapping_id}{suffix}" for suffix in _SUFFIXES)
        raise MappingError(f"no mapping {mapping_id!r}: looked for {where}{near}")

    async def _another_is_readable(self, store: ObjectStore, name: str) -> bool:
        if self._readable in (None, name):
            return False
        try:
            await store.get(f"{self._prefix}{self._readable}")
        except EngineError:
            return False
        return True

    async def _nearest(self, store: ObjectStore, mapping_id: str) -> str:
        """The id that was meant, perhaps. Raises Unavailable where the store itself is missing."""
        names: list[str] = []
        empty = True
        try:
            async for info in store.list(self._prefix):
                empty = False
                name = info.key.removeprefix(self._prefix)
                if "/" not in name and name.endswith(_SUFFIXES):
                    names.append(name.rpartition(".")[0])
                if len(names) >= _LISTED:
                    break
        except AccessDenied:
            return ""  # may read but not list: no suggestion
        except SourceMissing as error:
            raise Unavailable(f"the mapping store is not there: {error.message}") from error
        if empty and isinstance(self._location, LocalLocation):
            raise Unavailable(f"the mapping store {self._location} is empty: is it mounted?")
        return nearest(mapping_id, names)

    async def aclose(self) -> None:
        """Nothing of its own to close."""


def mapping_store(store: str, stores: Stores, *, region: str, endpoint_url: str | None) -> ObjectMappingStore:
    """The store that ``[mappings] store`` names, reached with the engine's own credentials.

    Args:
        store: a folder, or ``s3://bucket/prefix/``.
        stores: the loop's stores; they stay the caller's to close.
        region, endpoint_url: where an S3 bucket is; no endpoint means AWS.

    Raises:
        ConfigError: it is neither.
    """
    location, prefix = _parse(store, region, endpoint_url or None)
    return ObjectMappingStore(stores, location, prefix)


def _parse(store: str, region: str, endpoint_url: str | None) -> tuple[Location, str]:
    scheme, separator, rest = store.partition("://")
    if not separator:
        return LocalLocation(store.rstrip("/") or "/"), ""
    if scheme == "s3":
        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise ConfigError(f"mappings.store {store!r} names no bucket: s3://bucket/prefix/")
        return S3Location(bucket, region, endpoint_url), f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    if scheme in {"http", "https"}:
        raise ConfigError(f"mappings.store {store!r}: web stores are not supported yet; use a folder or s3://")
    raise ConfigError(f"mappings.store {store!r}: use a folder or s3://bucket/prefix/")
