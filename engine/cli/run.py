"""``engine run``: one batch from the command line, without a queue."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.common import BatchFlags, configure
from engine.cli.order import place_order, run_order
from engine.cli.starting import starting
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.cli.order import Files, Order
    from engine.config import SourceSettings
    from engine.ports import Stores

__all__ = ["run"]


def run(mapping: Path, /, *sources: str, flags: BatchFlags) -> int:
    """Run files through a mapping: one batch, committed whole or not at all.

    Parameters
    ----------
    mapping
        The mapping, a JSON or TOML file.
    sources
        Files, folders, globs, or s3://bucket/key, prefix or glob; all local, or all in one bucket.
    """
    with starting():
        settings, _ = configure(flags)
        if not sources:
            raise UsageError("SOURCE is missing: name at least one file, folder, glob or s3:// URL")
        order = place_order(mapping, sources, flags, settings)
    return run_order(order, settings, partial(_find, sources, order, settings.source))


async def _find(texts: tuple[str, ...], order: Order, settings: SourceSettings, stores: Stores) -> Files:
    from engine.cli.sources import resolve_sources
    from engine.ports import LocalLocation

    below = Path(order.destination.root) if isinstance(order.destination, LocalLocation) else None
    return await resolve_sources(texts, settings, stores, batch_id=order.batch_id, except_below=below)
