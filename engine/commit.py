"""The commit of a batch: its uploads are completed together, then the manifest is written, once.

After Hadoop's S3A committers: every output is a pending upload, invisible until completed, and the manifest, written
last and only if there is none, is the commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.bounded import each
from engine.committing import mark_key
from engine.errors import AlreadyCommitted
from engine.layout import MANIFEST
from engine.lease import Hold
from engine.manifest import FileEntry, Manifest, ObjectEntry
from engine.pipeline import FileResult
from engine.ports import ObjectInfo, ObjectStore, PendingUpload

__all__ = ["complete_all", "publish"]


async def complete_all(results: Sequence[FileResult], store: ObjectStore, hold: Hold) -> list[FileEntry]:
    """Makes every file's output visible; returns the manifest's entries, in the order of the results.

    Raises:
        ExceptionGroup: of what :meth:`~engine.ports.ObjectStore.complete` and ``hold.check`` raise. Some outputs may
            be visible then; completing them again does no harm.
    """

    async def complete(upload: PendingUpload) -> tuple[str, ObjectInfo]:
        hold.check()
        info = await store.complete(upload)
        hold.advanced()
        return upload.key, info

    visible = dict(await each(complete, [upload for result in results for upload in result.uploads]))
    return [_entry(result, visible) for result in results]


async def publish(manifest: Manifest, root: str, store: ObjectStore, hold: Hold) -> None:
    """Writes the manifest.

    Raises:
        AlreadyCommitted: there is one, of another attempt.
    """
    hold.check()
    key = root + MANIFEST
    if await store.put(key, manifest.to_json(), only_if_absent=True) is not None:
        return
    # Refused, perhaps because this very call was applied before and its answer lost: the attempt's id tells.
    there = Manifest.from_json(await store.get(key))
    if there.attempt != manifest.attempt:
        await store.delete(mark_key(root, manifest.attempt))
        raise AlreadyCommitted(f"{key} exists: another attempt ({there.attempt}) has committed this batch meanwhile")


def _entry(result: FileResult, visible: dict[str, ObjectInfo]) -> FileEntry:
    def written(upload: PendingUpload) -> ObjectEntry:
        info = visible[upload.key]
        return ObjectEntry(info.key, info.size, info.etag)

    return FileEntry(
        source=result.source.key,
        version_id=result.source.version_id,
        etag=result.source.etag,
        bytes_read=result.bytes_read,
        rows_read=result.counts.rows_read,
        rows_written=result.counts.rows_written,
        rows_rejected=result.counts.rows_rejected,
        cells_nulled=result.counts.cells_nulled,
        errors=dict(sorted(result.counts.codes.items())),
        output=written(result.data),
        rejects=written(result.rejects) if result.rejects is not None else None,
        labels=list(result.labels),
        more_outputs=tuple(written(upload) for upload in result.more),
    )
