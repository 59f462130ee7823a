"""What the adapters can be told. Names and defaults are those of ``config.toml`` ([source] and [destination])."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StoreSettings"]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How objects are read and written.

    Attributes:
        read_bytes: the most bytes a reader gives at once.
        connect_timeout_s: seconds until a connection must stand.
        read_timeout_s: seconds an established connection may stay silent.
        min_bytes_per_s: a source slower than this while it is waited for, over ``read_timeout_s`` seconds, counts as
            dropped; 0: never.
        attempts: tries in all for a request; also failures after which a read is given up, unless a whole piece of
            progress, fast enough, came between them.
        part_bytes: size of the first thousand parts of an upload; doubles every further thousand. S3 wants 5 MiB at
            least.
        allow_endpoints: origins (:func:`engine.origins.origin`) that may be at any address; others to which requests go
            in somebody else's name, AWS's own too, must be at a public one.
    """

    read_bytes: int = 1_048_576
    connect_timeout_s: float = 10
    read_timeout_s: float = 60
    min_bytes_per_s: int = 1024
    attempts: int = 5
    part_bytes: int = 8_388_608
    allow_endpoints: tuple[str, ...] = ()
