"""A bucket as an object store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from engine.adapters.aws.credentials import check
from engine.adapters.aws.failures import SDK_ERRORS, Purpose, error_code, translated
from engine.adapters.aws.reader import S3Reader
from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.aws.upload import S3Upload
from engine.adapters.settings import StoreSettings
from engine.errors import EngineError, TransientError
from engine.ports import ObjectInfo, Part, PendingUpload, S3Location, Upload

__all__ = ["S3Store"]


class S3Store:
    """An :class:`~engine.ports.ObjectStore` over a bucket. Stateless: any number of tasks of its loop may use it.

    Every request is tried ``settings.attempts`` times by the SDK (standard mode: jittered backoff, only what may be
    tried again), within the time-outs of the settings.

    Raises:
        AccessDenied: the location's credentials are empty or half-given.
    """

    def __init__(self, location: S3Location, clients: Clients, settings: StoreSettings) -> None:
        if location.credentials is not None:
            check(location.credentials)
        self.location = location
        self.settings = settings
        self._clients = clients
        self._endpoint = Endpoint("s3", location.region, location.endpoint_url or None, location.credentials)

    @asynccontextmanager
    async def read(self, key: str, *, version_id: str | None = None) -> AsyncIterator[S3Reader]:
        reader = await S3Reader.open(self, key, version_id)
        try:
            yield reader
        finally:
            reader.close()

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        page: dict[str, Any] = {}
        while page.get("IsTruncated", not page):
            more = {"ContinuationToken": page["NextContinuationToken"]} if page else {}
            page = await self.call("list_objects_v2", prefix, "read", key_name="Prefix", **more)
            for entry in page.get("Contents", []):
                yield ObjectInfo(entry["Key"], entry["Size"], entry["ETag"].strip('"'))

    async def head(self, key: str) -> ObjectInfo | None:
        """As the port says. A missing bucket looks like a missing object: S3 answers a HEAD without a reason."""
        try:
            found = await self._request("head_object", Key=key)
        except SDK_ERRORS as error:
            if error_code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise self._translated(error, key, "read") from error
        return ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'), found.get("VersionId"))

    async def get(self, key: str) -> bytes:
        async with self.read(key) as reader:
            return b"".join([piece async for piece in reader])

    async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
        """As the port says. With ``only_if_absent``, an object of the very same bytes counts as ours: when an answer
        is lost below us and the request sent again, nothing tells whose put it was."""
        condition = {"IfNoneMatch": "*"} if only_if_absent else {}
        try:
            done = await self._request("put_object", Key=key, Body=io.BytesIO(body), **condition)
        except SDK_ERRORS as error:
            if only_if_absent and error_code(error) == "PreconditionFailed":
                return await self._etag_if_same(key, body)
            raise self._translated(error, key, "write") from error
        etag: str = done["ETag"].strip('"')
        return etag

    async def _etag_if_same(self, key: str, body: bytes) -> str | None:
        async with self.read(key) as reader:
            if reader.info.size == len(body) and b"".join([piece async for piece in reader]) == body:
                return reader.info.etag
        return None

    async def delete(self, key: str) -> None:
        await self.call("delete_object", key, "write")

    async def begin(self, key: str) -> Upload:
        creating = asyncio.create_task(self.call("create_multipart_upload", key, "write"))
        try:
            begun = await asyncio.shield(creating)
        except asyncio.CancelledError:
            # The request may have been applied already, and an upload whose id nobody knows stays open for ever.
            with contextlib.suppress(EngineError):
                await self.abort(PendingUpload(key, (await creating)["UploadId"], ()))
            raise
        return S3Upload(self, key, begun["UploadId"], self.settings.part_bytes)

    async def upload_part(self, key: str, upload_id: str, number: int, body: io.BytesIO, size: int) -> Part:
        """Sends one part. Raises as :meth:`begin`."""
        sent = await self.call("upload_part", key, "write", UploadId=upload_id, PartNumber=number, Body=body)
        return Part(number, sent["ETag"].strip('"'), size)

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        """As the port says. When the answer is lost or ambiguous, looks whether the object is there before it fails.

        Raises:
            TransientError: not completed as far as can be seen, or the upload is gone; write the file again.
        """
        parts = [{"PartNumber": part.number, "ETag": f'"{part.etag}"'} for part in upload.parts]
        try:
            done = await self._request(
                "complete_multipart_upload", Key=upload.key, UploadId=upload.upload_id, MultipartUpload={"Parts": parts}
            )
        except SDK_ERRORS as error:
            failure = self._translated(error, upload.key, "write")
            if isinstance(failure, TransientError):
                found = await self.head(upload.key)
                if found is not None and found.size == upload.size and found.etag == _expected_etag(upload):
                    return found
            raise failure from error
        return ObjectInfo(upload.key, upload.size, done["ETag"].strip('"'), done.get("VersionId"))

    async def abort(self, upload: PendingUpload) -> None:
        try:
            await self._request("abort_multipart_upload", Key=upload.key, UploadId=upload.upload_id)
        except SDK_ERRORS as error:
            if error_code(error) != "NoSuchUpload":
                raise self._translated(error, upload.key, "write") from error

    async def abort_open(self, prefix: str) -> int:
        aborted = 0
        page: dict[str, Any] = {}
        while page.get("IsTruncated", not page):
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]} if page else {}
            page = await self.call("list_multipart_uploads", prefix, "write", key_name="Prefix", **more)
            for entry in page.get("Uploads", []):
                if entry["Key"].startswith(prefix):  # not every store honours Prefix here
                    await self.abort(PendingUpload(entry["Key"], entry["UploadId"], ()))
                    aborted += 1
        return aborted

    async def call(
        self, operation: str, key: str, purpose: Purpose, *, key_name: str = "Key", **parameters: Any
    ) -> dict[str, Any]:
        """One request about ``key`` (or the prefix that ``key_name`` says it is), with translated errors."""
        try:
            return await self._request(operation, **{key_name: key}, **parameters)
        except SDK_ERRORS as error:
            raise self._translated(error, key, purpose) from error

    async def _request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._clients.call(
            self._endpoint, operation, Bucket=self.location.bucket, **parameters
        )
        return answer

    def _translated(self, error: BaseException, key: str, purpose: Purpose) -> EngineError:
        place = f"{self.location}/{key}"
        if error_code(error) == "NoSuchBucket":
            place = str(self.location)
        return translated(error, place, purpose=purpose, file=key if purpose == "read" else None)


def _expected_etag(upload: PendingUpload) -> str | None:
    """What S3 calls an object made of these parts, unless it is encrypted with a key of its own."""
    try:
        digests = b"".join(bytes.fromhex(part.etag) for part in upload.parts)
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(upload.parts)}"
