"""The one table from what the AWS SDK and its HTTP library raise to what it means: to the engine, and for another try.

``RULES`` says what each code, status and exception is, ``Meaning`` what follows from it.
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

from engine.adapters.aws.connecting import AddressRefused, Redirected, WrongRegion, told_region
from engine.errors import (
    AccessDenied,
    ConfigError,
    DestinationMissing,
    EngineError,
    FileError,
    LeaseLost,
    OwnAccessDenied,
    SourceChanged,
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
class Meaning:
    """What a failure is.

    Attributes:
        error: the engine's error, its text in ``text``: with the verb, the place and the code.
        again: the same request may succeed at another try.
        slow_down: the other side asks to be asked less.
        outage: on our own side it says nothing about the message in hand: :class:`~engine.errors.Unavailable`.
    """

    name: str
    error: type[EngineError]
    text: str
    again: bool = False
    slow_down: bool = False
    outage: bool = False


_NOW = "cannot {verb} {place} now ({code})"

MISSING = Meaning("missing", SourceMissing, "")  # what is missing depends on the purpose: see _missing
DENIED = Meaning("denied", AccessDenied, "may not {verb} {place} ({code}): check the credentials and what they allow")
NO_KEYS = Meaning(
    "no credentials", AccessDenied, "no credentials to {verb} {place} with ({code}): check where they come from"
)
EXPIRED = Meaning("expired", AccessDenied, "the credentials to {verb} {place} have expired ({code}): give new ones")
CLOCK = Meaning(
    "clock", TransientError, "cannot {verb} {place} ({code}): set this machine's clock", again=True, outage=True
)
CHANGED = Meaning("changed", SourceChanged, "{place} was replaced while it was read")
ARCHIVED = Meaning("archived", FileError, "{place} is archived: restore it first")
ELSEWHERE = Meaning(
    "elsewhere", EngineError, "{place} is not in the region that was named ({code}): correct the region"
)
REDIRECTED = Meaning(
    "redirected",
    FileError,
    "cannot {verb} {place}: its endpoint {error.host} answered {error.status}, a redirection, which is never followed: "
    "name the endpoint that has the bucket",
)
INSIDE = Meaning(
    "inside",
    AccessDenied,
    "may not {verb} {place}: its endpoint {error.host} is at {error.address}, which is not a public address: correct "
    "the endpoint, or list it in [source] allow_endpoints of config.toml",
)
NOT_OURS = Meaning("not ours", LeaseLost, "the message from {place} is no longer ours ({code})")
BUSY = Meaning("busy", TransientError, _NOW, again=True, outage=True)
THROTTLED = Meaning("throttled", TransientError, _NOW, again=True, slow_down=True, outage=True)
GARBLED = Meaning(
    "garbled", TransientError, "{place} answered with what is no answer ({code})", again=True, outage=True
)
DAMAGED = Meaning("damaged", TransientError, "what was sent to {place} arrived damaged ({code})", again=True)
GONE = Meaning("gone", TransientError, "the upload of {place} is gone ({code}): the file must be written again")
REFUSED = Meaning("refused", EngineError, "cannot {verb} {place} ({code})")


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
        if found is ELSEWHERE and (region := told_region(error)):
            found = replace(found, text=f"{{place}} is in region {region} ({{code}}): correct the region")
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


def _missing(code: str, place: str, purpose: Purpose, file: str | None) -> EngineError:
    if purpose == "queue":
        return ConfigError(f"no such queue: {place}; check queue.url and queue.region")
    if purpose == "write":
        return DestinationMissing(f"no such bucket for output: {place}; make it or correct the destination", file=file)
    what = {"NoSuchBucket": "bucket", "NoSuchVersion": "version"}.get(code, "object")
    return SourceMissing(f"no such {what}: {place}", file=file)
