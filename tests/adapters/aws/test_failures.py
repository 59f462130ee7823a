"""The table from SDK errors to engine errors."""

from __future__ import annotations

import pickle

import aiohttp
import pytest
from botocore import exceptions as sdk

from engine.adapters.aws.failures import SDK_ERRORS, Purpose, translated
from engine.errors import (
    AccessDenied,
    ConfigError,
    DestinationMissing,
    EngineError,
    Failure,
    FileError,
    LeaseLost,
    SourceChanged,
    SourceMissing,
    TransientError,
)


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
    (service("PermanentRedirect", 301), "read", EngineError),
    (service("SlowDown", 503), "read", TransientError),
    (service("ThrottlingException", 400), "queue", TransientError),
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
    (service("AWS.SimpleQueueService.MessageNotInflight", 400), "queue", LeaseLost),
    (service("MalformedXML", 400), "write", EngineError),
    (sdk.ParamValidationError(report="x"), "read", EngineError),
]


@pytest.mark.parametrize(("error", "purpose", "expected"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_table(error: Exception, purpose: Purpose, expected: type[EngineError]) -> None:
    """Each fault has its class; its text names the place, is one line, and repeats nothing that the service said."""
    assert isinstance(error, SDK_ERRORS)
    found = translated(error, "s3://acme/a.csv", purpose=purpose, file="a.csv")
    assert type(found) is expected
    assert "s3://acme/a.csv" in found.message
    assert "\n" not in found.message
    assert "AKIA" not in str(found)
    assert "arn:" not in str(found)
    assert str(pickle.loads(pickle.dumps(found))) == str(found)


def test_outages_are_transient_and_refusals_permanent() -> None:
    """What the failure means for the message follows the class."""
    assert translated(service("SlowDown", 503), "x", purpose="read").failure is Failure.TRANSIENT
    assert translated(service("AccessDenied", 403), "x", purpose="read").failure is Failure.PERMANENT


def test_engine_errors_pass_through() -> None:
    """An error that is one of ours already stays what it is."""
    error = SourceChanged("changed", file="a")
    assert translated(error, "x", purpose="read") is error
