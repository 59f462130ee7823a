"""An S3 of any size in no room: objects are made while they are read, and of what is written only the sizes are kept.

It knows what the engine asks of a store: GET (whole objects), HEAD, multipart uploads, and PUT.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from engine.adapters.aws.moto import LOCAL_AWS_ENV

__all__ = ["HollowS3", "Repeated", "hollow_s3"]

_PIECE = 1 << 20
_METADATA = "x-amz-meta-"
_ETAG = '"0123456789abcdef0123456789abcdef"'


@dataclass(frozen=True, slots=True)
class Repeated:
    """An object's bytes: ``head`` once, then ``block`` so many times."""

    head: bytes
    block: bytes
    times: int

    @property
    def size(self) -> int:
        return len(self.head) + len(self.block) * self.times

    def pieces(self) -> Iterator[bytes]:
        yield self.head
        for _ in range(self.times):
            yield self.block


@dataclass(slots=True)
class _Written:
    """An upload, and the object that it becomes: the metadata that it was begun with, the size of each part."""

    metadata: dict[str, str]
    parts: dict[str, int] = field(default_factory=dict)


class HollowS3(ThreadingHTTPServer):
    """The server; a thread a connection.

    Attributes:
        objects: by path, ``bucket/key``; read only while it serves.
        uploads: by id.
        written: what was completed, by path.
        received: bytes of all bodies written so far.
    """

    daemon_threads = True

    def __init__(self, objects: Mapping[str, Repeated]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects = objects
        self.uploads: dict[str, _Written] = {}
        self.written: dict[str, _Written] = {}
        self.received = 0
        self.changing = threading.Lock()  # held to change the last three

    @property
    def env(self) -> dict[str, str]:
        """What makes the engine use this server for ``s3://`` URLs."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {**LOCAL_AWS_ENV, "ENGINE_SOURCE__ENDPOINT_URL": url, "ENGINE_DESTINATION__ENDPOINT_URL": url}


@contextmanager
def hollow_s3(objects: Mapping[str, Repeated]) -> Iterator[HollowS3]:
    """Serves until the body is left."""
    with HollowS3(objects) as server:
        thread = threading.Thread(target=server.serve_forever, name="hollow-s3")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: HollowS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""

    def do_HEAD(self) -> None:
        written = self.server.written.get(self._path())
        if written is None:
            self._object()
        else:
            self._head(sum(written.parts.values()), written.metadata)

    def do_GET(self) -> None:
        if "uploads" in self._query():
            self._answer(
                200, b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
            )
            return
        found = self._object()
        if found is not None:
            for piece in found.pieces():
                self.wfile.write(piece)

    def do_PUT(self) -> None:
        left, query = int(self.headers["Content-Length"]), self._query()
        with self.server.changing:
            self.server.received += left
            if "uploadId" in query:
                self.server.uploads[query["uploadId"][0]].parts[query["partNumber"][0]] = left
        while left:
            left -= len(self.rfile.read(min(left, _PIECE)))
        self._answer(200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        query, etag = self._query(), _ETAG.encode()
        with self.server.changing:
            if "uploads" in query:
                upload_id = f"u{len(self.server.uploads)}"
                metadata = {name: value for name, value in self.headers.items() if name.lower().startswith(_METADATA)}
                self.server.uploads[upload_id] = _Written(metadata)
                begun = b"<InitiateMultipartUploadResult><UploadId>%b</UploadId></InitiateMultipartUploadResult>"
                answer = begun % upload_id.encode()
            else:
                self.server.written[self._path()] = self.server.uploads[query["uploadId"][0]]
                answer = b"<CompleteMultipartUploadResult><ETag>%b</ETag></CompleteMultipartUploadResult>" % etag
        self._answer(200, answer)

    def do_DELETE(self) -> None:
        self._answer(204, b"")

    def _query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True)

    def _path(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _object(self) -> Repeated | None:
        """Answers with the head of an object that is there, or with 404."""
        found = self.server.objects.get(self._path())
        if found is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return None
        self._head(found.size, {})
        return found

    def _head(self, size: int, headers: Mapping[str, str]) -> None:
        self.send_response(200)
        self.send_header("ETag", _ETAG)
        self.send_header("Content-Length", str(size))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", _ETAG)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
