"""``engine run``: one batch from the command line, without a queue."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from engine.cli.common import PoolFlags, configure
from engine.errors import DestinationExists, MappingError, Problem, UsageError

if TYPE_CHECKING:
    from engine.batch import Committed
    from engine.config import Settings
    from engine.core.mapping import Mapping
    from engine.ports import LocalLocation, S3Location

__all__ = ["run"]


def run(
    mapping: Path,
    /,
    *sources: str,
    output: Annotated[str, Parameter(name=("--output", "-o"))],
    batch_id: str | None = None,
    overwrite: bool = False,
    format: Literal["jsonl", "csv", "parquet"] | None = None,  # noqa: A002 # the flag's name
    report: Path | None = None,
    flags: PoolFlags | None = None,
) -> int:
    """Run files through a mapping: one batch, committed whole or not at all.

    Parameters
    ----------
    mapping
        The mapping, a JSON or TOML file.
    sources
        Files, folders, globs, or s3://bucket/key, prefix or glob; all local, or all in one bucket.
    output
        A folder or s3://bucket/prefix; gets data/, rejects/ and, last, manifest.json.
    batch_id
        Put the output in a folder of this name below the output.
    overwrite
        Replace an output that is there already.
    format
        Output format instead of the mapping's.
    report
        Also write the manifest to this file.
    """
    settings, _ = configure(flags)
    if not sources:
        raise UsageError("SOURCE is missing: name at least one file, folder, glob or s3:// URL")
    if batch_id is not None and not re.fullmatch(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}", batch_id):
        raise UsageError([Problem("--batch-id", "must be 1 to 128 of A-Z a-z 0-9 . _ - (not '.' or '..')")])
    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError([Problem("--report", f"there is no folder {report.absolute().parent}")])
    loaded = _load(mapping, format)
    destination, root = _destination(output, batch_id, settings)
    order = _Order(loaded, sources, destination, root, batch_id or loaded.id, overwrite)

    from engine.cli.signals import run_until_signalled

    return run_until_signalled(lambda _: _run(order, settings, report), cancel=True)


@dataclass(frozen=True, slots=True)
class _Order:
    mapping: Mapping
    sources: tuple[str, ...]
    destination: LocalLocation | S3Location
    root: str
    batch_id: str
    overwrite: bool


def _load(path: Path, format_name: str | None) -> Mapping:
    from engine.core.mapping import load_mapping, validate_mapping

    try:
        text = path.read_bytes()
    except OSError as error:
        raise MappingError(f"cannot be read: {error.strerror}", file=str(path)) from None
    mapping = load_mapping(text, str(path))
    if format_name is None:
        return mapping
    document = mapping.model_dump(by_alias=True)
    document["output"] = {"format": format_name}
    return validate_mapping(document, f"{path} with --format {format_name}")


def _destination(output: str, batch_id: str | None, settings: Settings) -> tuple[LocalLocation | S3Location, str]:
    from engine.cli.sources import split_url
    from engine.ports import LocalLocation, S3Location

    below = f"{batch_id}/" if batch_id else ""
    if "://" not in output:
        return LocalLocation(os.path.abspath(output)), below  # noqa: PTH100 # .. is folded, links are kept
    bucket, prefix = split_url(output, "--output")
    prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
    where = settings.destination
    return S3Location(bucket, where.region, where.endpoint_url or None), prefix + below


async def _run(order: _Order, settings: Settings, report: Path | None) -> int:
    from rich.console import Console

    from engine.batch import Batch, run_batch
    from engine.cli.sources import resolve_sources
    from engine.cli.summary import print_summary
    from engine.cli.wiring import open_runtime
    from engine.core.limits import Limits
    from engine.ports import LocalLocation
    from engine.progress import Progress, live
    from engine.telemetry import log_context

    progress = Progress()
    below = Path(order.destination.root) if isinstance(order.destination, LocalLocation) else None
    async with open_runtime(settings) as runtime, live(progress, Console(stderr=True)):
        location, files = await resolve_sources(
            order.sources, settings.source, runtime.stores, batch_id=order.batch_id, except_below=below
        )
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
                policy=settings.pool.assign,
                limits=Limits.of(settings.limits),
                on_files=lambda found: progress.files(batch.batch_id, found),
                on_progress=progress.file_progress,
            )
        totals = progress.totals()
    if report is not None:
        _report(committed, report)
    print_summary(Console(), batch, committed.manifest, totals)
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
