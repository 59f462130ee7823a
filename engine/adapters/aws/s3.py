"""A bucket as an object store."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote_plus

from engine.adapters.aws import completing
from engine.adapters.aws.checksums import crc32, refused
from engine.adapters.aws.credentials import check
from engine.adapters.aws.failures import SDK_ERRORS, Purpose, Unusable, error_code, signer, translated
from engine.adapters.aws.reader import S3Reader
from engine.adapters.aws.session import Clients, Endpoint
from engine.adapters.aws.upload import S3Upload
from engine.adapters.settings import StoreSettings
from engine.errors import ChecksumMismatch, EngineError
from engine.ports import ObjectInfo, OpenUpload, Part, PendingUpload, S3Location, SharedUpload, Standing, Upload

__all__ = ["S3Store"]

_LEAST_PART_BYTES = 5 << 20  # S3's own bound, for all parts but the last
_LATE_S = 5.0  # a cancelled begin waits no longer for the upload that it might have to discard


class S3Store:
    """An :class:`~engine.ports.ObjectStore` over a bucket. Stateless: any number of tasks of its loop may use it.

    Every request is tried ``settings.attempts`` times (see ``retries``), within the time-outs of the settings. What is
    sent carries a CRC32, of each part of an upload; an endpoint that is not AWS's and knows no checksums is found out
    by its refusal, and done without.

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

    @asynccontextmanager
    async def read_range(
        self, of: ObjectInfo, start: int, stop: int, *, version_id: str | None = None
    ) -> AsyncIterator[S3Reader]:
        reader = await S3Reader.open_range(self, of, start, stop, version_id)
        try:
            yield reader
        finally:
            reader.close()

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        pages = self.pages("list_objects_v2", {"ContinuationToken": "NextContinuationToken"}, Prefix=prefix)
        try:
            async for page in pages:
                for entry in page.get("Contents", []):
                    yield _listed(entry)
        except SDK_ERRORS as error:
            raise self.translated(error, prefix, "read") from error

    async def head(self, key: str) -> ObjectInfo | None:
        """As the port says. A missing bucket looks like a missing object: S3 answers a HEAD without a reason."""
        found = await self.look(key)
        return completing.object_info(key, found) if found is not None else None

    async def look(self, key: str) -> dict[str, Any] | None:
        """All that a HEAD tells, as the SDK puts it; None when there is no such object. Why one is refused with a bare
        400 (keys that have expired, another region) it does not tell: a GET is asked for that."""
        try:
            return await self.request("head_object", needs=("ETag", "ContentLength"), Key=key)
        except SDK_ERRORS as error:
            if error_code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            if error_code(error) == "400":
                async with self.read(key):
                    pass
            raise self.translated(error, key, "read") from error

    async def get(self, key: str) -> bytes:
        async with self.read(key) as reader:
            return b"".join([piece async for piece in reader])

    async def put(self, key: str, body: bytes, *, only_if_absent: bool = False) -> str | None:
        """As the port says. With ``only_if_absent``, an object of the very same bytes counts as ours: when an answer
        is lost below us and the request sent again, nothing tells whose put it was."""
        condition = {"IfNoneMatch": "*"} if only_if_absent else {}
        try:
            done = await self.request(
                "put_object", checksum={"ChecksumCRC32": crc32(body)}, needs=("ETag",), Key=key, Body=body, **condition
            )
        except SDK_ERRORS as error:
            if only_if_absent and error_code(error) == "PreconditionFailed":
                return await self._etag_if_same(key, body)
            raise self.translated(error, key, "write") from error
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
        upload_id, token = await self._create(key)
        return S3Upload(self, key, upload_id, token, self.settings.part_bytes)

    async def share(self, key: str) -> SharedUpload:
        upload_id, token = await self._create(key)
        return SharedUpload(key, upload_id, token, self.settings.part_bytes, _LEAST_PART_BYTES)

    async def send_part(self, upload: SharedUpload, number: int, body: Sequence[bytes | memoryview]) -> Part:
        whole = b"".join(body)
        return await self.upload_part(upload.key, upload.upload_id, number, whole, len(whole))

    async def append(self, upload: SharedUpload, parts: Sequence[Part]) -> None:
        """Parts are joined when the upload is completed."""

    async def finish_shared(self, upload: SharedUpload, parts: Sequence[Part]) -> PendingUpload:
        return PendingUpload(upload.key, upload.upload_id, tuple(parts), upload.token)

    async def _create(self, key: str) -> tuple[str, str]:
        """Begins an upload; gives its id and its token."""
        token = uuid.uuid4().hex
        creating = asyncio.create_task(
            self.call(
                "create_multipart_upload",
                key,
                "write",
                checksum={"ChecksumAlgorithm": "CRC32"},
                needs=("UploadId",),
                Metadata={completing.TOKEN: token},
            )
        )
        try:
            begun = await asyncio.shield(creating)
        except asyncio.CancelledError:
            # It may have been begun already. What is not known in time stays open, for whoever sweeps.
            with contextlib.suppress(EngineError, TimeoutError):
                async with asyncio.timeout(_LATE_S):
                    await self.abort(PendingUpload(key, (await creating)["UploadId"], ()))
            raise
        return begun["UploadId"], token

    async def upload_part(self, key: str, upload_id: str, number: int, body: bytes, size: int) -> Part:
        """Sends one part. Raises as :meth:`begin`; ChecksumMismatch where the store says that it got other bytes."""
        checksum = crc32(body)
        sent = await self.call(
            "upload_part",
            key,
            "write",
            checksum={"ChecksumCRC32": checksum},
            needs=("ETag",),
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
        )
        kept: str = sent.get("ChecksumCRC32", "")  # a store that tells none keeps none, and must not be told of it
        if kept not in ("", checksum):
            raise ChecksumMismatch(f"{self.location}/{key}: part {number} did not arrive as it was sent")
        return Part(number, sent["ETag"].strip('"'), size, kept)

    async def complete(self, upload: PendingUpload) -> ObjectInfo:
        return await completing.complete(self, upload)

    async def standing(self, upload: PendingUpload) -> Standing:
        return await completing.standing(self, upload)

    async def abort(self, upload: PendingUpload) -> None:
        try:
            await self.request("abort_multipart_upload", Key=upload.key, UploadId=upload.upload_id)
        except SDK_ERRORS as error:
            if error_code(error) != "NoSuchUpload":
                raise self.translated(error, upload.key, "write") from error

    async def open_uploads(self, prefix: str) -> AsyncIterator[OpenUpload]:
        tokens = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
        try:
            # Keys of others may hold what XML cannot say; unlike for ListObjects the SDK does not ask for this itself.
            async for page in self.pages("list_multipart_uploads", tokens, Prefix=prefix, EncodingType="url"):
                _unquote(page)
                for entry in page.get("Uploads", []):
                    if entry["Key"].startswith(prefix):  # not every store honours Prefix here
                        yield OpenUpload(entry["Key"], entry["UploadId"], entry["Initiated"].timestamp())
        except SDK_ERRORS as error:
            raise self.translated(error, prefix, "write") from error

    async def call(self, operation: str, key: str, purpose: Purpose, **parameters: Any) -> dict[str, Any]:
        """One request about ``key``, with translated errors; else as :meth:`request`."""
        try:
            return await self.request(operation, Key=key, **parameters)
        except SDK_ERRORS as error:
            raise self.translated(error, key, purpose) from error

    async def request(
        self,
        operation: str,
        *,
        checksum: Mapping[str, str] | None = None,
        needs: Sequence[str] = (),
        **parameters: Any,
    ) -> dict[str, Any]:
        """One request; what it raises is the SDK's, or Unusable.

        Args:
            checksum: parameters for an endpoint that knows checksums. One that is not AWS's, refuses them and takes
                the same request without them is not told of them again, by this loop.
            needs: what an answer must tell.
        """
        refusing = (self.location.region, self.location.endpoint_url)
        if checksum is None or refusing in self._clients.without_checksums:
            answer = await self._answer(operation, parameters)
        else:
            try:
                answer = await self._answer(operation, {**parameters, **checksum})
            except SDK_ERRORS as error:
                if not self.location.endpoint_url or not refused(error):
                    raise
                answer = await self._answer(operation, parameters)
                self._clients.without_checksums.add(refusing)
        if any(answer.get(name) in (None, "") for name in needs):
            raise Unusable
        return answer

    async def pages(
        self, operation: str, tokens: Mapping[str, str], **parameters: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answers to a request that goes on; ``tokens`` are the next one's parameters, by what the last one calls
        them. Raises as :meth:`request`."""
        more: dict[str, Any] = {}
        while True:
            # Each says whether it is the last; nothing at all must not pass for nothing there.
            page = await self.request(operation, needs=("IsTruncated",), **parameters, **more)
            yield page
            if not page["IsTruncated"]:
                return
            last, more = more, {name: page[told] for name, told in tokens.items() if told in page}
            if not more or more == last:
                raise Unusable

    async def _answer(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self._clients.call(
            self._endpoint, operation, Bucket=self.location.bucket, **parameters
        )
        return answer

    def translated(self, error: BaseException, key: str, purpose: Purpose) -> EngineError:
        """The engine error for what a request about ``key`` raised."""
        place = f"{self.location}/{key}"
        if error_code(error) == "NoSuchBucket":
            place = str(self.location)
        file = key if purpose == "read" else None
        return translated(error, place, purpose=purpose, signer=signer(self.location.credentials), file=file)


def _unquote(page: dict[str, Any]) -> None:
    """Turns keys, and the one that the next page begins at, back into what they are where the store has quoted them."""
    if page.get("EncodingType") == "url":
        for named in (page, *page.get("Uploads", [])):
            named.update({name: unquote_plus(named[name]) for name in ("Key", "NextKeyMarker") if name in named})


def _listed(entry: dict[str, Any]) -> ObjectInfo:
    modified = entry["LastModified"].timestamp() if "LastModified" in entry else None
    try:
        return ObjectInfo(entry["Key"], entry["Size"], entry["ETag"].strip('"'), modified=modified)
    except KeyError as error:
        raise Unusable from error
