"""The one table from what the AWS SDK raises to the engine's errors."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from botocore import exceptions as sdk

from engine.errors import (
    AccessDenied,
    ConfigError,
    DestinationMissing,
    EngineError,
    FileError,
    LeaseLost,
    SourceChanged,
    SourceMissing,
    TransientError,
)

__all__ = ["SDK_ERRORS", "Purpose", "error_code", "translated"]

type Purpose = Literal["read", "write", "queue"]

SDK_ERRORS = (sdk.BotoCoreError, sdk.ClientError, aiohttp.ClientError, HttpProcessingError, OSError)
"""What a call, or reading a body, may raise for reasons outside this program. ``TimeoutError`` is an ``OSError``;
garbled chunks of a body are an ``HttpProcessingError``, which is no ``ClientError``."""


class _Kind(Enum):
    MISSING = auto()
    DENIED = auto()
    CHANGED = auto()
    BUSY = auto()
    ARCHIVED = auto()
    ELSEWHERE = auto()
    NOT_OURS = auto()
    REFUSED = auto()


_BY_CODE: dict[str, _Kind] = {
    **dict.fromkeys(
        [
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchVersion",
            "NotFound",
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist",
        ],
        _Kind.MISSING,
    ),
    **dict.fromkeys(
        [
            "AccessDenied",
            "AccessDeniedException",
            "AllAccessDisabled",
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "Forbidden",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidToken",
            "MissingSecurityHeader",
            "NotSignedUp",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "UnrecognizedClientException",
        ],
        _Kind.DENIED,
    ),
    **dict.fromkeys(["PreconditionFailed", "InvalidRange"], _Kind.CHANGED),
    **dict.fromkeys(
        [
            "BandwidthLimitExceeded",
            "ConditionalRequestConflict",
            "InternalError",
            "InternalFailure",
            "NoSuchUpload",  # somebody aborted it: the file must be written again
            "OperationAborted",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "RequestTimeout",
            "ServiceUnavailable",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ],
        _Kind.BUSY,
    ),
    "InvalidObjectState": _Kind.ARCHIVED,
    **dict.fromkeys(
        ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"], _Kind.ELSEWHERE
    ),
    **dict.fromkeys(
        [
            "AWS.SimpleQueueService.MessageNotInflight",
            "MessageNotInflight",
            "ReceiptHandleIsInvalid",
        ],
        _Kind.NOT_OURS,
    ),
}

_BY_STATUS: dict[int, _Kind] = {
    401: _Kind.DENIED,
    403: _Kind.DENIED,
    404: _Kind.MISSING,
    405: _Kind.MISSING,  # the version asked for is a delete marker
    408: _Kind.BUSY,
    409: _Kind.BUSY,
    412: _Kind.CHANGED,
    416: _Kind.CHANGED,
    429: _Kind.BUSY,
}

_BY_TYPE: tuple[tuple[tuple[type[BaseException], ...], _Kind], ...] = (
    (
        (
            sdk.NoCredentialsError,
            sdk.PartialCredentialsError,
            sdk.ProfileNotFound,
            sdk.ConfigParseError,
            sdk.InvalidConfigError,
            sdk.UnauthorizedSSOTokenError,
            sdk.SSOTokenLoadError,
            sdk.TokenRetrievalError,
            sdk.LoginError,
            sdk.UnknownCredentialError,
            sdk.RefreshWithMFAUnsupportedError,
        ),
        _Kind.DENIED,
    ),
    (
        (
            sdk.HTTPClientError,
            sdk.ConnectionError,
            sdk.IncompleteReadError,
            sdk.CredentialRetrievalError,
            sdk.MetadataRetrievalError,
            aiohttp.ClientError,
            HttpProcessingError,
            OSError,
        ),
        _Kind.BUSY,
    ),
)


_ERRORS: dict[_Kind, tuple[type[EngineError], str]] = {
    _Kind.DENIED: (AccessDenied, "may not {verb} {place} ({code}): check the credentials and what they allow"),
    _Kind.CHANGED: (SourceChanged, "{place} was replaced while it was read"),
    _Kind.ARCHIVED: (FileError, "{place} is archived: restore it first"),
    _Kind.ELSEWHERE: (EngineError, "{place} is not in the region that was named ({code}): correct the region"),
    _Kind.NOT_OURS: (LeaseLost, "the message from {place} is no longer ours ({code})"),
    _Kind.BUSY: (TransientError, "cannot {verb} {place} now ({code})"),
    _Kind.REFUSED: (EngineError, "cannot {verb} {place} ({code})"),
}
"""The error of each kind. Missing things depend on what they were for: see ``_missing``."""


def error_code(error: BaseException) -> str:
    """The code that the service gave, or else the name of the exception's class."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def _kind(error: BaseException) -> _Kind:
    if isinstance(error, sdk.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        found = _BY_CODE.get(error_code(error)) or _BY_STATUS.get(status)
        return found or (_Kind.BUSY if status >= 500 else _Kind.REFUSED)
    return next((kind for types, kind in _BY_TYPE if isinstance(error, types)), _Kind.REFUSED)


def translated(error: BaseException, place: str, *, purpose: Purpose, file: str | None = None) -> EngineError:
    """The engine error for ``error``, to be raised from it. Its text names the code, never the service's own message,
    which may tell one account about another.

    Args:
        place: what was being used, as a user would write it: ``s3://bucket/key``, a queue's URL.
        purpose: decides whether a missing bucket is the source, the destination or the queue.
        file: the source key, where there is one.
    """
    if isinstance(error, EngineError):
        return error
    code, kind = error_code(error), _kind(error)
    if isinstance(error, sdk.ClientError) and error.operation_name == "AssumeRole" and kind is not _Kind.BUSY:
        return AccessDenied(
            f"cannot assume the role for {place} ({code}): check role_arn, external_id and the role's trust policy",
            file=file,
        )
    if kind is _Kind.MISSING:
        return _missing(code, place, purpose, file)
    error_class, text = _ERRORS[kind]
    verb = "use" if purpose == "queue" else purpose
    return error_class(text.format(verb=verb, place=place, code=code), file=file)


def _missing(code: str, place: str, purpose: Purpose, file: str | None) -> EngineError:
    if purpose == "queue":
        return ConfigError(f"no such queue: {place}; check queue.url and queue.region")
    if purpose == "write":
        return DestinationMissing(f"no such bucket for output: {place}; make it or correct the destination", file=file)
    what = {"NoSuchBucket": "bucket", "NoSuchVersion": "version"}.get(code, "object")
    return SourceMissing(f"no such {what}: {place}", file=file)
