"""Answers that do not come from upstream: errors in the shape that the SDK reads from S3, SQS and STS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from xml.sax.saxutils import escape

from tests.faults.operations import Call
from tests.faults.wire import Head, bodyless

__all__ = ["Answer", "error", "made", "once"]

_S3_CODES = {
    400: "InvalidRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    408: "RequestTimeout",
    409: "ConditionalRequestConflict",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "SlowDown",
    500: "InternalError",
    503: "SlowDown",
}
_OTHER_CODES = {
    400: "InvalidParameterValue",
    403: "AccessDenied",
    429: "RequestThrottled",
    500: "InternalError",
    503: "ServiceUnavailable",
}
# SQS names these otherwise to those who know it from its older protocol, as the SDK does.
_OLDER_NAMES = {
    "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Answer:
    """The head, as the client is to see it, and the body without its framing; None where none may follow."""

    head: Head
    body: AsyncIterator[bytes] | None

    @property
    def status(self) -> int:
        return int(self.head.first.split(" ")[1])


async def once(data: bytes) -> AsyncIterator[bytes]:
    """A body that is there already."""
    if data:
        yield data


def made(call: Call, status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    """An answer to ``call``, of which a HEAD sees the head alone."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else "Unknown"
    head = Head(f"HTTP/1.1 {status} {phrase}").with_fields({"Content-Length": str(len(body)), **headers})
    return Answer(head, None if bodyless(call.method, status) else once(body))


def error(call: Call, status: int, code: str = "", message: str = "a fault was injected") -> Answer:
    """An error in the shape of the service that was called; with an empty ``code``, the usual one for ``status``."""
    codes = _S3_CODES if call.service == "s3" else _OTHER_CODES
    code = code or codes.get(status) or HTTPStatus(status).phrase.replace(" ", "")
    if call.service == "s3":
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(code)}</Code>'
            f"<Message>{escape(message)}</Message><Resource>{escape(call.path)}</Resource>"
            f"<RequestId>{_REQUEST_ID}</RequestId><HostId>proxy</HostId></Error>"
        )
        return made(call, status, text.encode(), {"Content-Type": "application/xml", "x-amz-request-id": _REQUEST_ID})
    fault = "Sender" if status < 500 else "Receiver"
    if "x-amz-target" not in call.headers:
        text = (
            f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(_OLDER_NAMES.get(code, code))}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
        )
        return made(call, status, text.encode(), {"Content-Type": "text/xml"})
    headers = {"Content-Type": call.headers.get("content-type", "application/x-amz-json-1.0")}
    if call.service == "sqs":
        headers["x-amzn-query-error"] = f"{_OLDER_NAMES.get(code, code)};{fault}"
    body = {"__type": f"com.amazonaws.{call.service}#{code}", "message": message}
    return made(call, status, json.dumps(body).encode(), {**headers, "x-amzn-RequestId": _REQUEST_ID})
