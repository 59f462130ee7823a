"""The stores of one loop: one :class:`~engine.ports.ObjectStore` a location, made once and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.adapters.local import LocalStore
from engine.adapters.settings import StoreSettings
from engine.ports import LocalLocation, Location, ObjectStore, Stores

if TYPE_CHECKING:
    from engine.adapters.aws.session import Clients

__all__ = ["LoopStores", "StoresFactory"]


class LoopStores:
    """Implements :class:`~engine.ports.Stores`. Made, used and closed on one loop.

    The AWS SDK is imported when the first S3 location is opened. Network clients are shared by all buckets that are
    reached in the same way; keys, and clients of tenants, that were not used lately are dropped and made again when
    needed, so a loop that serves many tenants for long stays small.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._clients: Clients | None = None

    async def open(self, location: Location) -> ObjectStore:
        """The location's store. Nothing is contacted yet.

        Raises:
            AccessDenied: the location's credentials are empty or half-given.
        """
        if isinstance(location, LocalLocation):
            return LocalStore(location.root, self._settings)
        from engine.adapters.aws.s3 import S3Store
        from engine.adapters.aws.session import Clients

        if self._clients is None:
            self._clients = Clients(self._settings)
        return S3Store(location, self._clients, self._settings)

    async def aclose(self) -> None:
        """Closes every client. Nothing may be in use; idempotent."""
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.aclose()


@dataclass(frozen=True, slots=True)
class StoresFactory:
    """Makes a loop's stores; plain data, so it crosses into worker processes (:class:`~engine.ports.OpenStores`)."""

    settings: StoreSettings = field(default_factory=StoreSettings)

    def __call__(self) -> Stores:
        return LoopStores(self.settings)
