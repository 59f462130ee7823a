"""``engine janitor``: removes what dead attempts left at the destination."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from engine.cli.common import Common, configure
from engine.errors import ConfigError, Problem, UsageError

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.janitor import Swept

__all__ = ["janitor"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def janitor(
    destination: str | None = None,
    /,
    *,
    older_than: Annotated[
        str, Parameter(help="Spare what is younger: 90s, 30m, 36h, 2d; 0 spares no upload, but visible output for 13h.")
    ] = "1d",
    dry_run: bool = False,
    common: Common | None = None,
) -> int:
    """Abort uploads and remove checkpoints that dead attempts left; prints how many.

    Parameters
    ----------
    destination
        A folder or s3://bucket/prefix; the configured destination unless given.
    dry_run
        Only say what would be removed.
    """
    settings, _ = configure(common)
    spared_s = _seconds(older_than)
    swept = asyncio.run(_sweep(destination or _configured(settings), spared_s, settings, dry_run=dry_run))
    verb = "would abort and remove" if dry_run else "aborted and removed"
    sys.stdout.write(f"{verb}: {swept.uploads} open uploads, {swept.checkpoints} checkpoints\n")
    return 0


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None or (not found[2] and int(found[1])):
        raise UsageError([Problem("--older-than", f"{text!r} is no age: write 90s, 30m, 36h, 2d or 0")])
    return int(found[1]) * _UNITS.get(found[2], 0)


def _configured(settings: Settings) -> str:
    where = settings.destination
    if not where.bucket:
        raise ConfigError([Problem("destination.bucket", "is not set: name a destination, or set it in config.toml")])
    return f"s3://{where.bucket}/{where.prefix}"


async def _sweep(destination: str, spared_s: float, settings: Settings, *, dry_run: bool) -> Swept:
    from engine.adapters.stores import StoresFactory
    from engine.cli.order import destination_of
    from engine.cli.wiring import store_settings
    from engine.janitor import sweep_destination

    location, prefix = destination_of(destination, None, settings, name="DESTINATION")
    stores = StoresFactory(store_settings(settings))()
    try:
        store = await stores.open(location)
        # A clock that is ahead of the store's must not spare what "0" means to remove.
        before = time.time() - spared_s if spared_s else float("inf")
        return await sweep_destination(store, prefix, before=before, dry_run=dry_run)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group  # one line for the user: the others failed in the same moment
    finally:
        await stores.aclose()
