"""Where mappings come from."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MappingStore"]


class MappingStore(Protocol):
    """Where mappings are looked up by id."""

    async def get(self, mapping_id: str) -> tuple[str, bytes]:
        """The document's name (``<mapping_id>.json`` or ``.toml``) and its text.

        Raises:
            MappingError: there is no such mapping, or the id is not one.
            AccessDenied: this mapping may not be read, and others may.
            OwnAccessDenied: the store may not be read.
            Unavailable: the store is not there, or cannot be reached.
        """
        ...

    async def aclose(self) -> None: ...
