"""``engine replay``: rejected rows again, through a corrected mapping."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from engine.cli.common import BatchFlags, configure
from engine.cli.order import place_order, run_order
from engine.errors import Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.order import Files, Order
    from engine.config import Settings
    from engine.ports import Stores

__all__ = ["replay"]


def replay(
    *paths: Annotated[str, Parameter(name="REJECTS... MAPPING")], header: Path | None = None, flags: BatchFlags
) -> int:
    """Run rejected rows through a corrected mapping: one batch, committed whole or not at all.

    Every reject record is one row of it, so rows written and rows still rejected are those that were rejected. What is
    rejected again keeps its file, row and line, and can be replayed again.

    Parameters
    ----------
    paths
        Reject files, folders or globs of them, outputs of earlier runs, or s3:// URLs of these; all local, or all in
        one bucket. Last the mapping, a JSON or TOML file.
    header
        A CSV file with the source files' header line, where no manifest.json beside rejects/ tells it.
    """
    settings, _ = configure(flags)
    if len(paths) < 2:
        raise UsageError("name the REJECTS first, then the corrected MAPPING")
    *rejects, mapping = paths
    order = place_order(Path(mapping), rejects, flags, settings)
    return run_order(order, settings, partial(_find, rejects, header, order, settings))


async def _find(texts: Sequence[str], header: Path | None, order: Order, settings: Settings, stores: Stores) -> Files:
    from engine.cli.rejects import given_labels, resolve_rejects
    from engine.core.limits import Limits

    labels = given_labels(order.mapping, header, Limits.of(settings.limits))
    found = await resolve_rejects(
        texts, settings.destination, stores, batch_id=order.batch_id, mapping=order.mapping, labels=labels
    )
    _keep_earlier_output(order, found)
    return found


def _keep_earlier_output(order: Order, found: Files) -> None:
    """Refuses to replace the very output that holds the rejects: its data are the rows that are not replayed.

    Raises:
        UsageError: the order would.
    """
    from engine.ports import LocalLocation, S3Location

    location, files = found
    ours = False
    if isinstance(location, LocalLocation) and isinstance(order.destination, LocalLocation):
        folder = Path(order.destination.root, order.root, "rejects").resolve()
        ours = any(folder in Path(location.root, file.key).resolve().parents for file in files)
    elif isinstance(location, S3Location) and isinstance(order.destination, S3Location):
        same = location.bucket == order.destination.bucket
        ours = same and any(file.key.startswith(f"{order.root}rejects/") for file in files)
    if ours:
        raise UsageError(
            [Problem("--output", "holds the rejects to be replayed, and the rows written beside them; name another")]
        )
