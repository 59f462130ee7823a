"""REJECTS arguments of ``engine replay``: reject files, and the header labels of the files that they are from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.cli.sources import resolve_sources, split_url
from engine.config import DestinationSettings
from engine.core.limits import Limits
from engine.core.mapping import Mapping
from engine.core.replay import read_labels
from engine.errors import BatchFailed, InputError, Problem, SourceMissing, UsageError
from engine.layout import MANIFEST
from engine.manifest import Manifest
from engine.ports import LocalLocation, ObjectStore, S3Location, Stores
from engine.sources import SourceFile

__all__ = ["given_labels", "resolve_rejects"]

_PIECE_BYTES = 65_536


def given_labels(mapping: Mapping, header: Path | None, limits: Limits) -> tuple[str, ...] | None:
    """The labels that the user gave, in the mapping or else as a file; None where there are none.

    Raises:
        UsageError: the file cannot be read or is empty.
        HeaderError: its first record is not UTF-8.
    """
    labels = mapping.csv.header
    if not isinstance(labels, bool):
        return tuple(labels)
    if header is None:
        return None
    try:
        with header.open("rb") as file:
            pieces = iter(partial(file.read, _PIECE_BYTES), b"")
            found = read_labels(pieces, mapping.csv.dialect, header=labels, limits=limits)
    except OSError as error:
        raise UsageError([Problem("--header", f"{header} cannot be read: {error.strerror}")]) from None
    if not found:
        raise UsageError([Problem("--header", f"{header} has no header: it is empty")])
    return found


async def resolve_rejects(
    texts: Sequence[str],
    settings: DestinationSettings,
    stores: Stores,
    *,
    batch_id: str,
    mapping: Mapping,
    labels: tuple[str, ...] | None,
) -> tuple[LocalLocation | S3Location, list[SourceFile]]:
    """The reject files that the arguments name, found and named as :func:`resolve_sources` does, each with its labels.

    An argument that names the output of a run means its ``rejects/``. Hidden files are not left out: what a run wrote
    there is a reject file, whatever its name.

    Args:
        settings: how buckets are reached: rejects lie where the engine wrote them.
        labels: those of all files; None to take each file's from the manifest of the run that wrote it.

    Raises:
        UsageError: as :func:`resolve_sources`; or a file's labels are not known.
        BatchFailed: arguments name nothing, or the output of a run without rejects.
    """
    below = [await _rejects_of(text, settings, stores, batch_id) for text in texts]
    location, files = await resolve_sources(below, settings, stores, batch_id=batch_id, hidden=True)
    if labels is None:
        every = await _all_labels(location, files, stores)
        if mapping.csv.header is False:
            every = [tuple(str(place + 1) for place in range(len(found))) for found in every]
    else:
        every = [labels] * len(files)
    return location, [
        replace(file, name=_source_name(file.name or file.key), replay=found)
        for file, found in zip(files, every, strict=True)
    ]


def _source_name(name: str) -> str:
    """A name that leads to the output keys of the run before: ``a.gz.jsonl`` is what became of ``a.gz.csv``."""
    return name.removesuffix(".jsonl") + ".csv"


async def _rejects_of(text: str, settings: DestinationSettings, stores: Stores, batch_id: str) -> str:
    """The rejects of a run's output, where ``text`` names one; else ``text``."""
    if "://" in text:
        bucket, key = split_url(text, "REJECTS")
        folder = key.rstrip("/")
        store = await stores.open(S3Location(bucket, settings.region, settings.endpoint_url or None))
        rejects = f"s3://{bucket}/{folder}/rejects/" if folder else f"s3://{bucket}/rejects/"
    else:
        folder = _from_root(Path(text))
        store = await stores.open(_ROOT)
        rejects = f"{text}/rejects"
    manifest = await _manifest(store, f"{folder}/{MANIFEST}".removeprefix("/"))
    if manifest is None:
        return text
    if not manifest.rows_rejected:
        raise BatchFailed(batch_id, [SourceMissing("this run rejected no row: there is nothing to replay", file=text)])
    return rejects


_ROOT = LocalLocation("/")


def _from_root(path: Path) -> str:
    return os.path.abspath(path).lstrip("/")  # noqa: PTH100 # .. is folded, links are kept


async def _all_labels(
    location: LocalLocation | S3Location, files: Sequence[SourceFile], stores: Stores
) -> list[tuple[str, ...]]:
    local = isinstance(location, LocalLocation)
    store = await stores.open(_ROOT if local else location)
    seen: dict[str, Manifest | None] = {}
    every: list[tuple[str, ...]] = []
    unknown: list[str] = []
    for file in files:
        key = _from_root(Path(location.root, file.key)) if isinstance(location, LocalLocation) else file.key
        labels = await _labels(store, key, seen)
        every.append(labels)
        if not labels:
            unknown.append(f"{location}/{file.key}")
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise UsageError(
            f"{unknown[0]}{more}: no manifest.json beside rejects/ tells the header of the source; name a file with"
            " its header line (--header FILE), or list the labels in the mapping (csv.header)"
        )
    return every


async def _labels(store: ObjectStore, key: str, seen: dict[str, Manifest | None]) -> tuple[str, ...]:
    """The labels of the file whose reject file ``key`` is; none where no manifest above tells them."""
    parts = key.split("/")
    for place in reversed(range(len(parts) - 1)):
        if parts[place] != "rejects":
            continue
        where = "/".join([*parts[:place], MANIFEST])
        if where not in seen:
            seen[where] = await _manifest(store, where)
        labels = _listed(seen[where], "/".join(parts[place:]))
        if labels:
            return labels
    return ()


def _listed(manifest: Manifest | None, below: str) -> tuple[str, ...]:
    """Labels of the file whose rejects the run wrote to ``below``; the output may have been moved since."""
    found = {
        file.rejects.key: file.labels
        for file in (manifest.files if manifest is not None else ())
        if file.rejects is not None and f"/{file.rejects.key}".endswith(f"/{below}")
    }
    return tuple(found[min(found, key=len)]) if found else ()  # all have one root: the shortest has nothing between


async def _manifest(store: ObjectStore, key: str) -> Manifest | None:
    """A run's manifest; None where there is none, or something else of that name."""
    if await store.head(key) is None:
        return None
    try:
        return Manifest.from_json(await store.get(key))
    except (InputError, LookupError, TypeError, AttributeError):
        return None
