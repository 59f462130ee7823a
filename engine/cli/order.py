"""One batch from the command line: what ``engine run`` and ``engine replay`` share."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.mappingfile import read_mapping
from engine.cli.starting import starting
from engine.errors import DestinationExists, Problem, UsageError

if TYPE_CHECKING:
    from engine.batch import Committed
    from engine.cli.common import BatchFlags
    from engine.config import Settings
    from engine.core.mapping import Mapping
    from engine.ports import LocalLocation, S3Location, Stores
    from engine.sources import SourceFile

__all__ = ["Files", "Order", "destination_of", "place_order", "run_order"]


@dataclass(frozen=True, slots=True)
class Order:
    """A batch that has all but its files.

    Attributes:
        root: its key prefix at the destination.
        local: its files come from local folders and go to one.
    """

    mapping: Mapping
    destination: LocalLocation | S3Location
    root: str
    batch_id: str
    overwrite: bool
    local: bool
    report: Path | None


type Files = tuple[LocalLocation | S3Location, list[SourceFile]]
"""Where files are, and which."""


def place_order(mapping: Path, sources: Iterable[str], flags: BatchFlags, settings: Settings) -> Order:
    """Reads the mapping and checks the flags; the sources are not looked at yet.

    Raises:
        MappingError: the mapping cannot be read or is not valid.
        UsageError: a flag cannot be used.
    """
    batch_id, report = flags.batch_id, flags.report
    if batch_id is not None and not re.fullmatch(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}", batch_id):
        raise UsageError([Problem("--batch-id", "must be 1 to 128 of A-Z a-z 0-9 . _ - (not '.' or '..')")])
    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError([Problem("--report", f"there is no folder {report.absolute().parent}")])
    loaded = _load(mapping, flags.format)
    destination, root = destination_of(flags.output, batch_id, settings)
    local = not any("://" in text for text in (flags.output, *sources))
    return Order(loaded, destination, root, batch_id or loaded.id, flags.overwrite, local, report)


def run_order(order: Order, settings: Settings, find: Callable[[Stores], Awaitable[Files]]) -> int:
    """Runs the batch of the files that ``find`` names, until it is committed or a signal stops it.

    Raises:
        BatchFailed: nothing became visible.
        DestinationExists: there is an output already, and the order does not replace it.
    """
    from engine.cli.signals import run_until_signalled

    return run_until_signalled(lambda _: _run(order, settings, find), cancel=True)


def _load(path: Path, format_name: str | None) -> Mapping:
    from engine.core.mapping import validate_mapping

    mapping = read_mapping(path)
    if format_name is None:
        return mapping
    document = mapping.model_dump(by_alias=True)
    guarded = mapping.output.guard_formulas and format_name == "csv"
    document["output"] = {"format": format_name, "guard_formulas": guarded}
    return validate_mapping(document, f"{path} with --format {format_name}")


def destination_of(
    output: str, batch_id: str | None, settings: Settings, *, name: str = "--output"
) -> tuple[LocalLocation | S3Location, str]:
    """Where a folder or an ``s3://`` prefix is, and the key prefix in it: empty, or ending in ``/``. ``name`` is what
    the user wrote it as."""
    from engine.cli.sources import split_url
    from engine.ports import LocalLocation, S3Location

    below = f"{batch_id}/" if batch_id else ""
    if "://" not in output:
        return LocalLocation(os.path.abspath(output)), below  # noqa: PTH100 # .. is folded, links are kept
    bucket, prefix = split_url(output, name)
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    where = settings.destination
    return S3Location(bucket, where.region, where.endpoint_url or None), prefix + below


async def _run(order: Order, settings: Settings, find: Callable[[Stores], Awaitable[Files]]) -> int:
    with starting():
        from engine.batch import Batch, Effort, run_batch
        from engine.cli.summary import print_summary
        from engine.cli.wiring import open_runtime
        from engine.progress import Progress, live, terminal
        from engine.telemetry import log_context

    progress = Progress()
    async with open_runtime(settings, local=order.local) as runtime, live(progress, terminal(sys.stderr)):
        location, files = await find(runtime.stores)
        batch = Batch(
            batch_id=order.batch_id,
            mapping=order.mapping,
            source=location,
            files=files,
            destination=order.destination,
            root=order.root,
            existing="replace" if order.overwrite else "refuse",
        )
        with log_context(batch_id=batch.batch_id, correlation_id=None), _how_to_replace():
            committed = await run_batch(
                batch,
                pool=runtime.pool,
                stores=runtime.stores,
                effort=Effort.of(settings),
                on_files=lambda found: progress.files(batch.batch_id, found),
                on_progress=progress.file_progress,
            )
        totals = progress.totals()
    if order.report is not None:
        _report(committed, order.report)
    print_summary(sys.stdout, batch, committed.manifest, totals)
    return 0


@contextmanager
def _how_to_replace() -> Iterator[None]:
    try:
        yield
    except DestinationExists as error:
        raise DestinationExists(f"{error.message}; --overwrite replaces it") from error


def _report(committed: Committed, report: Path) -> None:
    try:
        report.write_bytes(committed.manifest.to_json())
    except OSError as error:
        raise UsageError(f"--report {report}: {error.strerror} (the batch is committed)") from None
