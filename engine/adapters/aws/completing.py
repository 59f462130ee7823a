"""Completing a multipart upload, and telling whose object lies at a key: by looking, whatever an answer says.

Complete is the call whose answers lie: 200 with an error in its body, 200 with nothing in it, a connection that is
reset after the object was made, NoSuchUpload because an earlier try has worked. So its answer decides nothing. An
upload carries a token as metadata of the object that it becomes, and a HEAD tells it back.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any

from engine.adapters.aws.failures import SDK_ERRORS, error_code, meaning
from engine.adapters.aws.retries import backoff_s
from engine.errors import ConservationError, TransientError
from engine.ports import ObjectInfo, PendingUpload, Standing

if TYPE_CHECKING:
    from engine.adapters.aws.s3 import S3Store

__all__ = ["TOKEN", "complete", "object_info", "standing"]

TOKEN = "engine-upload"  # noqa: S105 - the name of a header, x-amz-meta-engine-upload; no secret
"""Name of the user metadata that holds an upload's token."""

_MULTIPART_ETAG = re.compile(r"[0-9a-fA-F]{32}-([0-9]+)")


def object_info(key: str, found: dict[str, Any]) -> ObjectInfo:
    """What a HEAD told about an object."""
    return ObjectInfo(
        key,
        found["ContentLength"],
        found["ETag"].strip('"'),
        found.get("VersionId"),
        modified=found["LastModified"].timestamp() if "LastModified" in found else None,
    )


async def complete(store: S3Store, upload: PendingUpload) -> ObjectInfo:
    """As :meth:`~engine.ports.ObjectStore.complete` says: completes, then looks, and only then tries again.

    Raises:
        ConservationError: the object is this upload's, and its size, number of parts or ETag is not as sent.
        EngineError: what Complete answered, where the object is not this upload's; a TransientError where it claimed
            to have worked.
    """
    for failures in itertools.count(1):
        error = await _complete(store, upload)
        found = await _ours(store, upload)
        if found is not None:
            return _conserved(store, upload, found)
        if error is not None and (failures >= store.settings.attempts or not meaning(error).again):
            raise store.translated(error, upload.key, "write") from error
        if failures >= store.settings.attempts:
            raise TransientError(f"{store.location}/{upload.key} was said to be completed, and is not there")
        await asyncio.sleep(backoff_s(failures))
    raise AssertionError


async def standing(store: S3Store, upload: PendingUpload) -> Standing:
    """As :meth:`~engine.ports.ObjectStore.standing` says."""
    sent = [(part.number, part.etag, part.size) for part in upload.parts]
    # The parts first: an upload that is completed between the two looks is seen by the second.
    kept = await _kept_parts(store, upload)
    if kept is not None:
        # There may be more: what was sent of a shared upload, and not used. Complete names the parts that count.
        return "pending" if sent and set(sent) <= set(kept) else "gone"
    return "completed" if await _ours(store, upload) is not None else "gone"


async def _complete(store: S3Store, upload: PendingUpload) -> BaseException | None:
    """Sends Complete, once; returns what it failed with."""
    parts = [
        {"PartNumber": part.number, "ETag": f'"{part.etag}"'}
        | ({"ChecksumCRC32": part.checksum} if part.checksum else {})
        for part in upload.parts
    ]
    about: dict[str, Any] = {"Key": upload.key, "UploadId": upload.upload_id, "MultipartUpload": {"Parts": parts}}
    try:
        await store.request("complete_multipart_upload", attempts=1, **about)
    except SDK_ERRORS as error:
        return error
    return None


async def _kept_parts(store: S3Store, upload: PendingUpload) -> list[tuple[int, str, int]] | None:
    """Number, ETag and size of each part that the store keeps; None when the upload is not open."""
    kept: list[tuple[int, str, int]] = []
    tokens = {"PartNumberMarker": "NextPartNumberMarker"}
    try:
        async for page in store.pages("list_parts", tokens, Key=upload.key, UploadId=upload.upload_id):
            kept += [(part["PartNumber"], part["ETag"].strip('"'), part["Size"]) for part in page.get("Parts", [])]
    except SDK_ERRORS as error:
        if error_code(error) == "NoSuchUpload":
            return None
        raise store.translated(error, upload.key, "write") from error
    return kept


async def _ours(store: S3Store, upload: PendingUpload) -> dict[str, Any] | None:
    """What a HEAD tells about the object at the key, if it is this upload's.

    Without a token (a store that drops metadata) an object of the very same size and ETag counts: the same bytes.
    """
    found = await store.look(upload.key)
    if found is None:
        return None
    token = found.get("Metadata", {}).get(TOKEN)
    if token is not None and upload.token:
        return found if token == upload.token else None
    same = (found.get("ContentLength"), _etag(found)) == (upload.size, _expected_etag(upload))
    return found if same else None


def _conserved(store: S3Store, upload: PendingUpload, found: dict[str, Any]) -> ObjectInfo:
    info = object_info(upload.key, found)
    place = f"{store.location}/{upload.key}"
    if info.size != upload.size:
        raise ConservationError(f"{place} has {info.size} bytes, {upload.size} were sent")
    said = _MULTIPART_ETAG.fullmatch(info.etag)
    if said is not None and int(said[1]) != len(upload.parts):
        raise ConservationError(f"{place} was made of {said[1]} parts, {len(upload.parts)} were sent")
    expected = _expected_etag(upload)
    if said is not None and expected is not None and not _opaque(store, found) and info.etag != expected:
        raise ConservationError(f"{place} has the ETag {info.etag}, that of what was sent is {expected}")
    return info


def _opaque(store: S3Store, found: dict[str, Any]) -> bool:
    """Whether ETags are no digests: with a key of one's own, and in directory buckets."""
    return (
        found.get("ServerSideEncryption", "").startswith("aws:kms")
        or "SSECustomerAlgorithm" in found
        or store.location.bucket.endswith("--x-s3")
    )


def _etag(found: dict[str, Any]) -> str:
    etag: str = found.get("ETag", "")
    return etag.strip('"')


def _expected_etag(upload: PendingUpload) -> str | None:
    """What S3 calls an object made of these parts: the MD5 of their MD5s. None where their ETags are no MD5s."""
    try:
        digests = [bytes.fromhex(part.etag) for part in upload.parts]
    except ValueError:
        return None
    if not digests or any(len(digest) != 16 for digest in digests):
        return None
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
