"""Where mappings are looked up by id: a folder or a prefix of a bucket."""

from __future__ import annotations

import re

from engine.errors import AccessDenied, ConfigError, MappingError, SourceMissing, nearest
from engine.ports import LocalLocation, Location, S3Location, Stores

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

    async def get(self, mapping_id: str) -> tuple[str, bytes]:
        """As the port says; also raises :class:`~engine.errors.AccessDenied` when the store may not be read."""
        if not _ID.fullmatch(mapping_id) or mapping_id in {".", ".."}:
            raise MappingError(f"{mapping_id!r} is not a mapping id: 1 to 128 of A-Z a-z 0-9 . _ -")
        store = await self._stores.open(self._location)
        for suffix in _SUFFIXES:
            name = mapping_id + suffix
            try:
                return name, await store.get(self._prefix + name)
            except SourceMissing:
                continue
        where = " or ".join(f"{self._location}/{self._prefix}{mapping_id}{suffix}" for suffix in _SUFFIXES)
        raise MappingError(f"no mapping {mapping_id!r}: looked for {where}{await self._nearest(mapping_id)}")

    async def _nearest(self, mapping_id: str) -> str:
        names: list[str] = []
        try:
            store = await self._stores.open(self._location)
            async for info in store.list(self._prefix):
                name = info.key.removeprefix(self._prefix)
                if "/" not in name and name.endswith(_SUFFIXES):
                    names.append(name.rpartition(".")[0])
                if len(names) >= _LISTED:
                    break
        except (SourceMissing, AccessDenied):
            return ""  # may read but not list, or nothing is there: no suggestion
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
