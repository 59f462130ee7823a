"""One spelling of an endpoint, and none for what only looks like one."""

from __future__ import annotations

import pytest

from engine.config import SourceSettings, load_settings
from engine.errors import ConfigError
from engine.origins import origin


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("http://minio:9000", "http://minio:9000"),
        ("http://minio:9000/", "http://minio:9000"),
        ("HTTP://MinIO.Example:80/", "http://minio.example"),
        ("https://minio:443", "https://minio"),
        ("https://minio:80", "https://minio:80"),
        ("http://10.0.0.1:9000", "http://10.0.0.1:9000"),
        ("http://[0:0:0:0:0:0:0:1]:9000", "http://[::1]:9000"),
        ("http://[FD00::0001]", "http://[fd00::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://a-b.c1:65535", "http://a-b.c1:65535"),
        ("http://1.example", "http://1.example"),
    ],
)
def test_one_spelling(url: str, spelled: str) -> None:
    """However an endpoint is written, it is compared and used in one spelling, which stays what it is."""
    assert origin(url) == spelled == origin(spelled)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("minio:9000", "http:// or https://"),
        ("http://user:password@minio", "http:// or https://"),
        ("http://minio/bucket", "http:// or https://"),
        ("http://minio?x", "http:// or https://"),
        ("http://minio#x", "http:// or https://"),
        ("http://minio:", "http:// or https://"),
        ("http://minio:0", "http:// or https://"),
        ("http://minio\n", "http:// or https://"),
        ("http://bücher.example", "http:// or https://"),
        ("http://[fe80::1%eth0]", "http:// or https://"),
        ("http://minio:65536", "a port of 1 to 65535"),
        ("http://minio.", "without a dot at its end"),
        ("http://10.0.0.1.", "without a dot at its end"),
        ("http://a..b", "labels"),
        ("http://-a", "labels"),
        ("http://" + "a" * 64, "labels"),
        ("http://" + "a." * 127 + "a", "labels"),
        ("http://127.1", "four decimal numbers"),
        ("http://0x7f.1", "four decimal numbers"),
        ("http://0x7f000001", "four decimal numbers"),
        ("http://2130706433", "four decimal numbers"),
        ("http://017700000001", "four decimal numbers"),
        ("http://127.0.0.01", "four decimal numbers"),
        ("http://minio.0x", "four decimal numbers"),
        ("http://[10.0.0.1]", "an IPv6 address in brackets"),
        ("http://[1:2:3]", "an IPv6 address in brackets"),
    ],
)
def test_no_origin(url: str, what: str) -> None:
    """What holds more than scheme, host and port, or hides its host, is refused in words that do not repeat it."""
    with pytest.raises(ValueError, match=what) as refused:
        origin(url)
    assert "password" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_operator_lists() -> None:
    """Listed endpoints are kept in the one spelling; one that no message could ever match is a fault of the file."""
    listed = ["HTTP://MinIO:9000/", "https://s3.example:443"]
    assert SourceSettings(allow_endpoints=listed).allow_endpoints == ["http://minio:9000", "https://s3.example"]
    with pytest.raises(ConfigError) as refused:
        load_settings(environ={"ENGINE_SOURCE__ALLOW_ENDPOINTS": '["http://minio:9000", "http://u:pw@minio/x"]'})
    (problem,) = refused.value.problems
    assert str(problem) == (
        "source.allow_endpoints[1] (ENGINE_SOURCE__ALLOW_ENDPOINTS): must be http:// or https://, a host and perhaps "
        "a port"
    )
