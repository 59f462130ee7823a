"""The table from SDK errors to engine errors."""

from __future__ import annotations

import pickle
from pathlib import Path
from xml.etree.ElementTree import ParseError

import aiohttp
import pytest
from aiohttp.http_exceptions import TransferEncodingError
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from engine.adapters.aws.failure_table import markdown
from engine.adapters.aws.failures import (
    RULES,
    SDK_ERRORS,
    Purpose,
    Rule,
    Signer,
    Unusable,
    meaning,
    signer,
    translated,
)
from engine.errors import (
    AccessDenied,
    ConfigError,
    DestinationMissing,
    EngineError,
    Failure,
    FileError,
    LeaseLost,
    OwnAccessDenied,
    SourceChanged,
    SourceMissing,
    TransientError,
    Unavailable,
)
from engine.ports import Credentials


def service(code: str, status: int, operation: str = "GetObject") -> sdk.ClientError:
    return sdk.ClientError(
        {
            "Error": {"Code": code, "Message": "AKIASECRETSECRET of arn:aws:iam::42:user/x"},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RequestId": "",
                "HostId": "",
                "RetryAttempts": 0,
            },
        },
        operation,
    )


CASES: list[tuple[Exception, Purpose, type[EngineError]]] = [
    (service("NoSuchKey", 404), "read", SourceMissing),
    (service("NoSuchBucket", 404), "read", SourceMissing),
    (service("NoSuchVersion", 404), "read", SourceMissing),
    (service("404", 404), "read", SourceMissing),
    (service("MethodNotAllowed", 405), "read", SourceMissing),
    (service("NoSuchBucket", 404), "write", DestinationMissing),
    (service("AWS.SimpleQueueService.NonExistentQueue", 400), "queue", ConfigError),
    (service("QueueDoesNotExist", 400), "queue", ConfigError),
    (service("AccessDenied", 403), "read", AccessDenied),
    (service("AccessDenied", 403), "write", AccessDenied),
    (service("SomethingNew", 403), "read", AccessDenied),
    (service("InvalidAccessKeyId", 403), "read", AccessDenied),
    (service("SignatureDoesNotMatch", 403), "read", AccessDenied),
    (service("ExpiredToken", 400), "read", AccessDenied),
    (service("RequestTimeTooSkewed", 403), "read", TransientError),
    (service("BadDigest", 400), "write", TransientError),
    (service("IncompleteBody", 400), "write", TransientError),
    (service("XAmzContentSHA256Mismatch", 400), "write", TransientError),
    (service("InvalidPart", 400), "write", TransientError),
    (service("NotImplemented", 501), "write", EngineError),
    (service("XMinioStorageFull", 507), "write", TransientError),
    (ResponseParserError("<html>"), "write", TransientError),
    (ParseError("no element found"), "write", TransientError),
    (TransferEncodingError("x"), "read", TransientError),
    (Unusable(), "write", TransientError),
    (sdk.SSLError(endpoint_url="x", error=OSError()), "read", TransientError),
    (sdk.CredentialRetrievalError(provider="x", error_msg="x"), "read", TransientError),
    (service("InvalidClientTokenId", 403, "AssumeRole"), "read", AccessDenied),
    (service("ValidationError", 400, "AssumeRole"), "read", AccessDenied),
    (service("ServiceUnavailable", 503, "AssumeRole"), "read", TransientError),
    (sdk.NoCredentialsError(), "write", AccessDenied),
    (sdk.PartialCredentialsError(provider="env", cred_var="x"), "write", AccessDenied),
    (sdk.ProfileNotFound(profile="p"), "read", AccessDenied),
    (service("PreconditionFailed", 412), "read", SourceChanged),
    (service("412", 412), "read", SourceChanged),
    (service("InvalidRange", 416), "read", SourceChanged),
    (service("InvalidObjectState", 403), "read", FileError),
    (service("PermanentRedirect", 301), "read", FileError),
    (service("PermanentRedirect", 301), "write", DestinationMissing),
    (service("SlowDown", 503), "read", TransientError),
    (service("ThrottlingException", 400), "read", TransientError),
    (service("InternalError", 500), "write", TransientError),
    (service("InternalError", 200), "write", TransientError),
    (service("BrandNewFault", 599), "write", TransientError),
    (service("429", 429), "read", TransientError),
    (service("NoSuchUpload", 404), "write", TransientError),
    (service("ConditionalRequestConflict", 409), "write", TransientError),
    (sdk.EndpointConnectionError(endpoint_url="http://x"), "read", TransientError),
    (sdk.ConnectTimeoutError(endpoint_url="http://x"), "read", TransientError),
    (sdk.ReadTimeoutError(endpoint_url="http://x"), "read", TransientError),
    (sdk.ConnectionClosedError(endpoint_url="http://x"), "read", TransientError),
    (sdk.ResponseStreamingError(error="x"), "read", TransientError),
    (sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2), "read", TransientError),
    (aiohttp.ClientPayloadError("x"), "read", TransientError),
    (ConnectionResetError("x"), "read", TransientError),
    (TimeoutError(), "read", TransientError),
    (service("ReceiptHandleIsInvalid", 404), "queue", LeaseLost),
    (service("MessageNotInflight", 400), "queue", LeaseLost),
    (service("AWS.SimpleQueueService.MessageNotInflight", 400), "queue", LeaseLost),
    (service("MalformedXML", 400), "write", EngineError),
    (sdk.ParamValidationError(report="x"), "read", EngineError),
]


@pytest.mark.parametrize(("error", "purpose", "expected"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_table(error: Exception, purpose: Purpose, expected: type[EngineError]) -> None:
    """Each fault has its class; its text names the place, is one line, and repeats nothing that the service said."""
    assert isinstance(error, SDK_ERRORS)
    found = translated(error, "s3://acme/a.csv", purpose=purpose, signer="given", file="a.csv")
    assert type(found) is expected
    assert "s3://acme/a.csv" in found.message
    assert "\n" not in found.message
    assert "AKIA" not in str(found)
    assert "arn:" not in str(found)
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


OUTAGES: list[tuple[Exception, Signer, type[EngineError]]] = [
    (service("SlowDown", 503), "ours", Unavailable),
    (service("SlowDown", 503), "renewed", TransientError),
    (service("InternalError", 500), "ours", Unavailable),
    (sdk.EndpointConnectionError(endpoint_url="http://x"), "ours", Unavailable),
    (TimeoutError(), "ours", Unavailable),
    (ResponseParserError("<html>"), "ours", Unavailable),
    (service("RequestTimeTooSkewed", 403), "ours", Unavailable),
    (service("ExpiredToken", 400), "ours", Unavailable),
    (service("ExpiredToken", 400), "renewed", TransientError),
    (service("ExpiredToken", 400), "given", AccessDenied),
    (sdk.NoCredentialsError(), "ours", Unavailable),
    (sdk.NoCredentialsError(), "renewed", AccessDenied),
    (service("AccessDenied", 403), "ours", OwnAccessDenied),
    (service("NoSuchUpload", 404), "ours", TransientError),
    (service("BadDigest", 400), "ours", TransientError),
    (service("PreconditionFailed", 412), "ours", SourceChanged),
    (service("ExpiredTokenException", 400, "AssumeRole"), "renewed", Unavailable),
    (service("Throttling", 400, "AssumeRole"), "renewed", TransientError),
    (service("AccessDenied", 403, "AssumeRole"), "renewed", AccessDenied),
]


@pytest.mark.parametrize(("error", "who", "expected"), OUTAGES, ids=lambda value: getattr(value, "__name__", None))
def test_outages_of_our_own_side(error: Exception, who: Signer, expected: type[EngineError]) -> None:
    """What cannot be reached or used with our own credentials is Unavailable; a tenant's is that file's alone; what
    says something about the work in hand stays so. Keys that are renewed may be good next time."""
    assert type(translated(error, "s3://x/y", purpose="write", signer=who)) is expected


def test_queues_are_our_own_side() -> None:
    """A queue that cannot be reached is an outage of ours, without anybody saying so."""
    for error in (service("RequestThrottled", 400), sdk.ReadTimeoutError(endpoint_url="http://x")):
        assert type(translated(error, "http://q", purpose="queue")) is Unavailable


def test_who_signs() -> None:
    """Keys that came in a message are not renewed; a role's and a profile's are; no credentials are our own."""
    assert signer(None) == "ours"
    assert signer(Credentials(access_key_id="a", secret_access_key="b", session_token="c")) == "given"
    assert signer(Credentials(role_arn="arn")) == signer(Credentials(profile="p")) == "renewed"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.meaning.name)
def test_each_entry_of_the_table(rule: Rule) -> None:
    """Every code, whatever its status, and every status, under a code that nobody knows, has its meaning; none is in
    the table twice."""
    for code in rule.codes:
        assert [other for other in RULES if code in other.codes] == [rule]
        assert meaning(service(code, 400)) is meaning(service(code, 599)) is rule.meaning
    for status in rule.statuses:
        assert [other for other in RULES if status in other.statuses] == [rule]
        assert meaning(service("Unheard", status)) is meaning(service(str(status), status)) is rule.meaning
    for kind in rule.types:
        assert issubclass(kind, SDK_ERRORS)
        assert meaning(kind.__new__(kind)) is rule.meaning


def test_what_the_table_does_not_know() -> None:
    """An unknown code is busy from 500 on, and refused below; an unknown exception of the SDK is refused."""
    assert meaning(service("Unheard", 599)).again
    assert not meaning(service("Unheard", 418)).again
    assert meaning(sdk.ParamValidationError(report="x")).error is EngineError
    for kind in vars(sdk).values():
        if isinstance(kind, type) and issubclass(kind, sdk.BotoCoreError):
            assert meaning(kind.__new__(kind)).text


def test_prints_as_markdown() -> None:
    """The table prints with a row a rule, each with as many cells as the head, and the documentation has it so."""
    head, line, *rows = markdown().splitlines()
    assert markdown() in (Path(__file__).parents[3] / "docs" / "delivery.md").read_text()
    assert len(rows) == len(RULES)
    assert {row.count("|") for row in (head, line, *rows)} == {head.count("|")}


def test_outages_are_transient_and_refusals_permanent() -> None:
    """What the failure means for the message follows the class."""
    assert translated(service("SlowDown", 503), "x", purpose="read").failure is Failure.TRANSIENT
    assert translated(service("AccessDenied", 403), "x", purpose="read").failure is Failure.PERMANENT


def test_engine_errors_pass_through() -> None:
    """An error that is one of ours already stays what it is."""
    error = SourceChanged("changed", file="a")
    assert translated(error, "x", purpose="read") is error
