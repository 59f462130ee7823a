"""The one table from what the AWS SDK and its HTTP library raise to what it means: to the engine, and for another try.

``RULES`` says what each code, status and exception is, its :class:`Meaning` what follows from it.
``failure_table`` prints both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from xml.etree.ElementTree import ParseError as XmlError

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from engine.adapters.aws.connecting import AddressRefused, EndlessAnswer, Redirected, WrongRegion, told_region
from engine.adapters.aws.meanings import (
    ARCHIVED,
    BUSY,
    CHANGED,
    CLOCK,
    DAMAGED,
    DENIED,
    ELSEWHERE,
    ENDLESS,
    EXPIRED,
    GARBLED,
    GONE,
    INSIDE,
    MISSING,
    NO_KEYS,
    NOT_OURS,
    REDIRECTED,
    REFUSED,
    THROTTLED,
    Meaning,
)
from engine.errors import (
    ConfigError,
    DestinationMissing,
    EngineError,
    OwnAccessDenied,
    SourceMissing,
    TransientError,
    Unavailable,
)
from engine.ports import Credentials

__all__ = [
    "EXPIRED",
    "REFUSED",
    "RULES",
    "SDK_ERRORS",
    "Meaning",
    "Purpose",
    "Rule",
    "Signer",
    "Unusable",
    "error_code",
    "meaning",
    "signed_by",
    "signer",
    "translated",
]

type Purpose = Literal["read", "write", "queue"]
type Signer = Literal["ours", "renewed", "given"]
"""Who signs: the engine itself; a role or a profile, whose keys are renewed; keys that came in the message."""


class Unusable(ValueError):
    """An answer without what it must tell (an ETag, an upload's id). The name is what the user sees, as a code."""


SDK_ERRORS = (
    sdk.BotoCoreError,
    sdk.ClientError,
    aiohttp.ClientError,
    HttpProcessingError,
    ResponseParserError,
    XmlError,
    Unusable,
    OSError,
)
"""What a call, or reading a body, may raise for reasons outside this program. ``TimeoutError`` is an ``OSError``;
garbled chunks of a body are an ``HttpProcessingError``, which is no ``ClientError``; HTML is a ``ResponseParserError``,
which is no ``BotoCoreError``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What means ``meaning``: error codes, HTTP statuses (where the code is not known), exceptions."""

    meaning: Meaning
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    types: tuple[type[Exception], ...] = ()


RULES = (
    Rule(
        MISSING,
        codes=(
            "AWS.SimpleQueueService.NonExistentQueue",
            "InvalidAddress",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchVersion",
            "NotFound",
            "QueueDoesNotExist",
        ),
        statuses=(404, 405),  # 405: the version asked for is a delete marker
    ),
    Rule(
        NO_KEYS,
        types=(
            sdk.NoCredentialsError,
            sdk.PartialCredentialsError,
            sdk.ProfileNotFound,
            sdk.ConfigParseError,
            sdk.InvalidConfigError,
            sdk.NoAuthTokenError,
            sdk.SSOError,
            sdk.TokenRetrievalError,
            sdk.LoginError,
            sdk.UnknownCredentialError,
            sdk.RefreshWithMFAUnsupportedError,
        ),
    ),
    Rule(EXPIRED, codes=("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")),
    Rule(CLOCK, codes=("RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed")),
    Rule(
        DENIED,
        codes=(
            "AccessDenied",
            "AccessDeniedException",
            "AccountProblem",
            "AllAccessDisabled",
            "AuthFailure",
            "Forbidden",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidPayer",
            "InvalidSecurity",
            "InvalidToken",
            "KMS.DisabledException",
            "KmsAccessDenied",
            "KmsDisabled",
            "MissingSecurityHeader",
            "NotSignedUp",
            "OptInRequired",
            "RegionDisabledException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        statuses=(401, 403),
    ),
    Rule(CHANGED, codes=("InvalidRange", "PreconditionFailed"), statuses=(412, 416)),
    Rule(ARCHIVED, codes=("InvalidObjectState",)),
    Rule(
        ELSEWHERE,
        codes=("AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"),
        statuses=(301,),
        types=(WrongRegion,),
    ),
    Rule(REDIRECTED, types=(Redirected,)),
    Rule(INSIDE, types=(AddressRefused,)),
    Rule(ENDLESS, types=(EndlessAnswer,)),
    Rule(NOT_OURS, codes=("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight", "ReceiptHandleIsInvalid")),
    Rule(GONE, codes=("InvalidPart", "NoSuchUpload")),
    Rule(DAMAGED, codes=("BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch")),
    Rule(
        THROTTLED,
        codes=(
            "BandwidthLimitExceeded",
            "KmsThrottled",
            "LimitExceededException",
            "OverLimit",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "ServerBusy",
            "ServiceUnavailable",
            "SlowDown",
            "SlowDownRead",
            "SlowDownWrite",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequests",
            "TooManyRequestsException",
        ),
        statuses=(429, 503),
    ),
    Rule(
        BUSY,
        codes=(
            "ConditionalRequestConflict",
            "IDPCommunicationError",
            "InternalError",
            "InternalFailure",
            "OperationAborted",
            "PriorRequestNotComplete",
            "RequestTimeout",
            "TemporaryRedirect",
        ),
        statuses=(307, 408, 409, 500, 502, 504),  # and all others over 500
        types=(
            sdk.HTTPClientError,
            sdk.ConnectionError,
            sdk.IncompleteReadError,
            sdk.CredentialRetrievalError,
            sdk.MetadataRetrievalError,
            aiohttp.ClientError,
            OSError,
        ),
    ),
    Rule(
        GARBLED,
        types=(
            ResponseParserError,
            XmlError,
            HttpProcessingError,
            sdk.ChecksumError,
            sdk.FlexibleChecksumError,
            Unusable,
        ),
    ),
    Rule(REFUSED, codes=("NotImplemented",), statuses=(501, 505), types=(sdk.BotoCoreError,)),
)
"""In order: of several rules about one exception the first holds. What no rule knows is refused."""

_BY_CODE = {code: rule.meaning for rule in RULES for code in rule.codes}
_BY_STATUS = {status: rule.meaning for rule in RULES for status in rule.statuses}


def signer(credentials: Credentials | None) -> Signer:
    """Who signs with ``credentials``; None are the engine's own."""
    if credentials is None:
        return "ours"
    return "given" if credentials.access_key_id is not None else "renewed"


def error_code(error: BaseException) -> str:
    """The code that the service gave, or else the name of the exception's class."""
    if isinstance(error, sdk.ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def meaning(error: BaseException) -> Meaning:
    """What the table says. An engine error is refused: it was translated already."""
    if isinstance(error, sdk.ClientError):
        code, status = error_code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return _BY_CODE.get(code) or _BY_STATUS.get(status) or (BUSY if status >= 500 else REFUSED)
    return next((rule.meaning for rule in RULES if isinstance(error, rule.types)), REFUSED)


def translated(
    error: BaseException, place: str, *, purpose: Purpose, signer: Signer = "ours", file: str | None = None
) -> EngineError:
    """The engine error for ``error``, to be raised from it. Its text names the code, never the service's own message,
    which may tell one account about another.

    Args:
        place: what was being used, as a user would write it: ``s3://bucket/key``, a queue's URL.
        purpose: decides whether a missing bucket is the source, the destination or the queue.
        signer: decides whether an outage is on our own side, and whether expired keys may be renewed.
        file: the source key, where there is one.
    """
    if isinstance(error, EngineError):
        return error
    code, found = error_code(error), meaning(error)
    if isinstance(error, sdk.ClientError) and error.operation_name in _NO_KEYS_OF:
        found = _of_keys(found, _NO_KEYS_OF[error.operation_name])
    elif found is MISSING:
        return _missing(code, place, purpose, file)
    else:
        found = signed_by(found, signer)
        if found is DENIED and signer == "ours" and purpose != "queue":
            found = replace(found, error=OwnAccessDenied)
        if found is ELSEWHERE:
            found = _elsewhere(told_region(error), purpose)
    verb = "use" if purpose == "queue" else purpose
    return found.error(found.text.format(verb=verb, place=place, code=code, error=error), file=file)


def signed_by(found: Meaning, signer: Signer) -> Meaning:
    """What ``found`` means to whom it was told. Keys that are renewed may be there, or good, next time."""
    if found is EXPIRED and signer != "given":
        found = replace(found, error=TransientError, outage=True)
    if found is NO_KEYS and signer == "ours":
        found = replace(found, error=TransientError, outage=True)
    return replace(found, error=Unavailable) if found.outage and signer == "ours" else found


_NO_KEYS_OF = {
    "AssumeRole": "cannot assume the role for {place} ({code}): check role_arn, external_id and its trust policy",
    "GetSecretValue": "cannot fetch the secret for {place} ({code}): check secret_id, its region and what we may fetch",
}


def _of_keys(found: Meaning, text: str) -> Meaning:
    """What it means when keys are not to be had, which the engine asks for with its own."""
    if found in (EXPIRED, CLOCK):
        return signed_by(found, "ours")
    return found if found.again else replace(DENIED, text=text)


def _elsewhere(region: str | None, purpose: Purpose) -> Meaning:
    """A bucket that has to be written to and is elsewhere is not where it should be."""
    found = replace(ELSEWHERE, error=DestinationMissing) if purpose == "write" else ELSEWHERE
    return replace(found, text=f"{{place}} is in region {region} ({{code}}): correct the region") if region else found


def _missing(code: str, place: str, purpose: Purpose, file: str | None) -> EngineError:
    if purpose == "queue":
        return ConfigError(f"no such queue: {place}; check queue.url and queue.region")
    if purpose == "write":
        return DestinationMissing(f"no such bucket for output: {place}; make it or correct the destination", file=file)
    what = {"NoSuchBucket": "bucket", "NoSuchVersion": "version"}.get(code, "object")
    return SourceMissing(f"no such {what}: {place}", file=file)
