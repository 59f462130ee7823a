"""A small S3 in the test's loop that keeps checksums as S3 does, refuses them as other stores do, or lies about them.

moto takes any checksum for true and demands none, so it proves nothing here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

from aiohttp import web

__all__ = ["ChecksumStore", "Knows", "checksum_store", "crc32"]

type Knows = Literal["all", "nothing", "not at create", "not in parts", "ignores"]
"""``all``: as S3. ``nothing``: refuses whatever names a checksum. ``not at create``, ``not in parts``: refuses it only
there. ``ignores``: takes no notice."""


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class ChecksumStore:
    """The server's state; belongs to the test's loop.

    Attributes:
        refused: requests that named a checksum and were refused for it.
        told: checksum headers of an object's GET, whatever the object is.
        cut: the bytes after which the next GETs end, one each.
        damaged: so many next bodies "arrive" with another checksum.
        broken: everything is refused.
    """

    def __init__(self, knows: Knows, refusal: tuple[int, str]) -> None:
        self.url = ""
        self.knows = knows
        self.refusal = refusal
        self.refused: list[str] = []
        self.told: dict[str, str] = {}
        self.cut: list[int] = []
        self.damaged = 0
        self.broken = False
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.parts: dict[int, tuple[bytes, str]] = {}
        self.named: list[str] = []  # checksums that the last Complete named

    async def handle(self, request: web.Request) -> web.StreamResponse:
        what = self._operation(request)
        body = await request.read()
        checksums = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower().startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer"))
        }
        if self.broken:
            return _error(*self.refusal)
        if checksums and self._refuses(what):
            self.refused.append(what)
            return _error(*self.refusal)
        if what in {"upload", "put"} and self.knows == "all" and (failure := self._mismatch(checksums, body)):
            return failure
        answer: web.StreamResponse = await getattr(self, f"_{what}")(request, body, checksums)
        return answer

    def _operation(self, request: web.Request) -> str:
        if request.method == "POST":
            return "create" if "uploads" in request.query else "complete"
        if request.method == "PUT":
            return "upload" if "partNumber" in request.query else "put"
        return "get" if request.method == "GET" else "head"

    def _refuses(self, what: str) -> bool:
        refusing: Mapping[Knows, bool] = {
            "nothing": True,
            "not at create": what == "create",
            "not in parts": what == "upload",
        }
        return refusing.get(self.knows, False)

    def _mismatch(self, checksums: dict[str, str], body: bytes) -> web.Response | None:
        if "x-amz-checksum-crc32" not in checksums:
            return _error(400, "InvalidRequest")
        self.damaged -= 1
        return (
            None if self.damaged < 0 and checksums["x-amz-checksum-crc32"] == crc32(body) else _error(400, "BadDigest")
        )

    async def _create(self, request: web.Request, _: bytes, checksums: dict[str, str]) -> web.Response:
        self.parts.clear()
        if self.knows == "all" and checksums.get("x-amz-checksum-algorithm") != "CRC32":
            return _error(400, "InvalidRequest")
        self.metadata[request.path] = {k: v for k, v in request.headers.items() if k.lower().startswith("x-amz-meta-")}
        return _xml("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")

    async def _upload(self, request: web.Request, body: bytes, checksums: dict[str, str]) -> web.Response:
        self.parts[int(request.query["partNumber"])] = body, checksums.get("x-amz-checksum-crc32", "")
        kept = {"x-amz-checksum-crc32": crc32(body)} if self.knows == "all" else {}
        return web.Response(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"', **kept})

    async def _complete(self, request: web.Request, body: bytes, _: dict[str, str]) -> web.Response:
        self.named = re.findall("<ChecksumCRC32>([^<]*)</ChecksumCRC32>", body.decode())
        kept = [part for _, part in sorted(self.parts.items())]
        if self.knows == "all" and self.named != [checksum for _, checksum in kept]:
            return _error(400, "InvalidRequest")
        self.objects[request.path] = b"".join(part for part, _ in kept)
        return _xml("<CompleteMultipartUploadResult/>")

    async def _put(self, request: web.Request, body: bytes, _: dict[str, str]) -> web.Response:
        self.objects[request.path] = body
        return web.Response(headers={"ETag": '"e1"'})

    async def _head(self, request: web.Request, *_: object) -> web.Response:
        if request.path not in self.objects:
            return web.Response(status=404)
        size = len(self.objects[request.path])
        headers = {"ETag": '"e1"', "Content-Length": str(size), **self.metadata.get(request.path, {})}
        return web.Response(headers=headers)

    async def _get(self, request: web.Request, _: bytes, checksums: dict[str, str]) -> web.StreamResponse:
        body, headers = self.objects[request.path], {"ETag": '"e1"'}
        start = 0
        if "Range" in request.headers:
            start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        elif checksums.get("x-amz-checksum-mode") == "ENABLED":
            headers |= self.told
        answer = web.StreamResponse(status=206 if start else 200, headers=headers)
        answer.content_length = len(body) - start
        await answer.prepare(request)
        end = self.cut.pop(0) if self.cut else len(body)
        await answer.write(body[start:end])
        if end < len(body) and request.transport is not None:
            request.transport.close()
        return answer


def _xml(text: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=f"<?xml version='1.0'?>{text}", content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    return _xml(f"<Error><Code>{code}</Code><Message>no</Message></Error>", status)


@asynccontextmanager
async def checksum_store(
    knows: Knows = "all", refusal: tuple[int, str] = (501, "NotImplemented")
) -> AsyncIterator[ChecksumStore]:
    """Runs a store on a free loopback port."""
    store = ChecksumStore(knows, refusal)
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", store.handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        store.url = f"http://{host}:{port}"
        yield store
    finally:
        await runner.cleanup()
