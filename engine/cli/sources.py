"""SOURCE arguments of a batch: paths, folders, globs and ``s3://`` URLs, and the names their outputs get."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.config import DestinationSettings, SourceSettings
from engine.errors import BatchFailed, EngineError, SourceMissing, UsageError
from engine.ports import LocalLocation, ObjectInfo, ObjectStore, S3Location, Stores
from engine.sources import SourceFile

__all__ = ["local_sources", "resolve_sources", "split_url"]

_MAGIC = re.compile(r"[*?\[]")


async def resolve_sources(
    texts: Sequence[str],
    settings: SourceSettings | DestinationSettings,
    stores: Stores,
    *,
    batch_id: str,
    except_below: Path | None = None,
    hidden: bool = False,
) -> tuple[LocalLocation | S3Location, list[SourceFile]]:
    """The files that the arguments name, in their order, each once.

    A file's name, from which its output keys are made, is its path below the folder, prefix or fixed part of the glob
    that was given, and its own name when it was given itself. Names that would clash become longer until they differ.

    Args:
        settings: how buckets are reached.
        except_below: the output folder; its files are not sources, though it may lie in a folder that is.
        hidden: whether a folder's hidden files are meant too.

    Raises:
        UsageError: an argument is no path and no ``s3://`` URL, or not all are local or in one bucket.
        BatchFailed: arguments name nothing; lists all of them.
        AccessDenied, TransientError: a bucket cannot be listed.
    """
    remote = [text for text in texts if "://" in text]
    if not remote:
        return local_sources(texts, batch_id=batch_id, except_below=except_below, hidden=hidden)
    buckets = {split_url(text, "SOURCE")[0] for text in remote}
    if len(remote) < len(texts) or len(buckets) > 1:
        raise UsageError("the sources of one batch must all be local files, or all be in one bucket")
    location = S3Location(buckets.pop(), settings.region, settings.endpoint_url or None)
    store = await stores.open(location)
    found: list[SourceFile] = []
    missing: list[EngineError] = []
    for text in texts:
        try:
            matched = await _objects(store, split_url(text, "SOURCE")[1], hidden=hidden)
        except SourceMissing as error:
            missing.append(SourceMissing(error.message, file=text))
            continue
        if not matched:
            missing.append(SourceMissing("no such object, and nothing under that prefix", file=text))
        found += matched
    if missing:
        raise BatchFailed(batch_id, missing)
    return location, _apart(found)


def split_url(text: str, what: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` URL."""
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise UsageError(f"{what} {text}: must be a path or s3://bucket/key")
    return bucket, key


async def _objects(store: ObjectStore, key: str, *, hidden: bool) -> list[SourceFile]:
    magic = _MAGIC.search(key)
    if magic is not None:
        matches = re.compile(glob.translate(key, recursive=True, include_hidden=True, seps="/"))
        fixed = key[: magic.start()]
        return [_source(info, fixed) async for info in store.list(fixed) if matches.match(info.key)]
    if key and not key.endswith("/"):
        info = await store.head(key)
        if info is not None:
            return [_source(info, key)]
        below = [_source(info, f"{key}/") async for info in store.list(f"{key}/") if _wanted(info, f"{key}/", hidden)]
        if below:
            return below
    return [_source(info, key) async for info in store.list(key) if _wanted(info, key, hidden)]


def _source(info: ObjectInfo, given: str) -> SourceFile:
    return SourceFile(info.key, size=info.size, name=info.key.removeprefix(given.rpartition("/")[0] + "/"))


def _wanted(info: ObjectInfo, prefix: str, hidden: bool) -> bool:
    folder = prefix.rpartition("/")[0]
    below = info.key[len(folder) :].lstrip("/")
    return not info.key.endswith("/") and (hidden or not any(map(_is_hidden, below.split("/"))))


def local_sources(
    texts: Sequence[str], *, batch_id: str, except_below: Path | None = None, hidden: bool = False
) -> tuple[LocalLocation, list[SourceFile]]:
    """:func:`resolve_sources` for local paths. Keys are paths below the deepest folder that holds all files."""
    missing: list[EngineError] = []
    found: dict[Path, str] = {}
    excluded = except_below.absolute() if except_below is not None else None
    for text in texts:
        count = 0
        for path, name in _paths(text, hidden):
            if excluded is not None and excluded in path.parents:
                continue
            found.setdefault(path, name)
            count += 1
        if not count:
            what = "no file in this folder" if Path(text).is_dir() else "no such file or folder, and it matches none"
            missing.append(SourceMissing(what, file=text))
    if missing:
        raise BatchFailed(batch_id, missing)
    root = Path(os.path.commonpath([path.parent for path in found]))
    files = [
        SourceFile(path.relative_to(root).as_posix(), size=path.stat().st_size, name=name)
        for path, name in found.items()
    ]
    return LocalLocation(str(root)), _apart(files)


def _paths(text: str, hidden: bool) -> Iterator[tuple[Path, str]]:
    """Absolute paths of the files that one argument names, and the names they get."""
    path = Path(os.path.abspath(text))  # noqa: PTH100 # .. is folded, links are kept: names are those the user sees
    if path.is_file():
        yield path, path.name
    elif path.is_dir():
        for file in sorted(_walk(path, hidden)):
            yield file, file.relative_to(path).as_posix()
    else:
        fixed = Path(os.path.abspath(_fixed(text)))  # noqa: PTH100
        for name in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207 # Path.glob takes no absolute pattern
            file = Path(os.path.abspath(name))  # noqa: PTH100
            if file.is_file():
                yield file, file.relative_to(fixed).as_posix()


def _fixed(pattern: str) -> str:
    """The folder that a glob starts from: all segments before the first with a wildcard."""
    magic = _MAGIC.search(pattern)
    return pattern[: magic.start()].rpartition("/")[0] or ("/" if pattern.startswith("/") else ".") if magic else "."


def _walk(folder: Path, hidden: bool) -> Iterator[Path]:
    """All files below a folder; those that are hidden, or in a hidden folder, only where asked for."""
    for parent, folders, files in folder.walk():
        folders[:] = [name for name in folders if hidden or not _is_hidden(name)]
        yield from (parent / name for name in files if hidden or not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    """Hidden or set aside, as Hadoop and Spark have it."""
    return name.startswith((".", "_"))


def _apart(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Each key once; names that occur twice replaced by the whole keys."""
    once = list({file.key: file for file in reversed(files)}.values())[::-1]
    times = Counter(file.name for file in once)
    longer = [file if times[file.name] == 1 else replace(file, name=file.key) for file in once]
    if len({file.name for file in longer}) == len(longer):
        return longer
    return [replace(file, name=file.key) for file in once]  # a longer name met a short one: whole keys never clash
