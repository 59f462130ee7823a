"""Endpoints that a message names to have the engine reach what only the engine can: nobody there is ever called."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.adapters.aws import retries
from engine.adapters.aws.addresses import is_public
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.config import SourceSettings
from engine.errors import AccessDenied, EngineError, Failure, FileError, MessageError
from engine.locations import source_location
from engine.message import parse_message
from engine.ports import Credentials, ObjectStore, S3Location
from tests.canary import Canary, answering, canary, resolving
from tests.moto import Aws
from tests.site import Site
from tests.test_message import MESSAGE, message

KEYS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="made-up")
SETTINGS = StoreSettings(attempts=2, connect_timeout_s=1, read_timeout_s=1)


@pytest.fixture(scope="module")
def trap() -> Iterator[Canary]:
    with canary() as listening:
        yield listening


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow at once."""
    monkeypatch.setattr(retries, "_FIRST_BACKOFF_S", 0.0)


@asynccontextmanager
async def opened(url: str | None, settings: StoreSettings = SETTINGS) -> AsyncIterator[ObjectStore]:
    """A client's bucket at ``url``, past all that looks at a message."""
    stores = StoresFactory(settings)()
    try:
        yield await stores.open(S3Location("bucket", "eu-west-1", url, KEYS))
    finally:
        await stores.aclose()


def listing(url: str) -> StoreSettings:
    return dataclasses.replace(SETTINGS, allow_endpoints=(url,))


async def refusal(url: str | None, settings: StoreSettings = SETTINGS) -> EngineError:
    async with opened(url, settings) as store:
        with pytest.raises(EngineError) as refused:
            await store.get("a.csv")
    return refused.value


# Where {port} is a listener's, the host leads there when nobody checks.
IN_MESSAGES = [
    "http://127.0.0.1:{port}",
    "http://127.1:{port}",
    "http://0x7f.1:{port}",
    "http://0x7F000001:{port}",
    "http://2130706433:{port}",
    "http://017700000001:{port}",
    "http://0177.0.0.1:{port}",
    "http://0:{port}",
    "http://0.0.0.0:{port}",
    "http://127.0.0.1.:{port}",
    "http://localhost:{port}",
    "http://LOCALHOST:{port}",
    "http://localhost.:{port}",
    "http://[::1]:{port}",
    "http://[::]:{port}",
    "http://[::ffff:7f00:1]:{port}",
    "http://[::FFFF:127.0.0.1]:{port}",
    "http://[::1%25lo]:{port}",
    "http://[fe80::1%eth0]:{port}",
    "http://[127.0.0.1]:{port}",
    "http://[::1:{port}",
    "https://127.0.0.1:{port}",
    "http://169.254.169.254",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]",
    "http://metadata.google.internal",
    "http://listed.example@127.0.0.1:{port}",
    "http://listed.example:9000@127.0.0.1:{port}",
    "http://listed.example:9000#@127.0.0.1:{port}",
    "http://127.0.0.1:{port}#listed.example:9000",
    "http://127.0.0.1:{port}?listed.example:9000",
    "http://127.0.0.1:{port}\\@listed.example:9000",
    "http://listed.example:9000\t",
    "http://listed.example:9000\n",
    " http://listed.example:9000",
    "http://listed.example:9000/../x",
    "http://listed.example:9000//127.0.0.1:{port}",
    "http://listed.example:{port}",
    "http://listed.example:0",
    "http://listed.example:09000",
    "http://listed.example:65536",
    "http://listed.example:9000:9000",
    "http://listed.example:",
    "http://listed.example:+9000",
    "http://listed.example:9 000",
    "http://listed.example:٩٠٠٠",
    "http://listed.example.:9000",
    "http://listed.example..:9000",
    "http://.listed.example:9000",
    "http://listed。example:9000",
    "http://ⓛisted.example:9000",
    "http://l\u0131sted.example:9000",
    "http://xn--listed.example:9000",
    "http://listed.example.evil.example:9000",
    "http://evil-listed.example:9000",
    "http://" + "a" * 64 + ".example:9000",
    "https://listed.example:9000",
    "ftp://listed.example:9000",
    "file:///etc/passwd",
    "//listed.example:9000",
    "HTTP:listed.example:9000",
    "",
    "https://s3.eu-west-1.amazonaws.com.",
    "https://s3.eu-west-1.amazonaws.com:8443",
    "http://s3.eu-west-1.amazonaws.com",
    "https://s3.eu-west-1.amazonaws.com@127.0.0.1:{port}",
    "https://s3.eu-west-1.amazonaws.com.evil.example",
    "https://s3.eu-west-1.amazonaws.com%2eevil.example",
    "https://bucket.s3.eu-west-1.amazonaws.com",
]


@pytest.mark.parametrize("url", IN_MESSAGES)
def test_a_message_cannot_name_it(url: str, trap: Canary) -> None:
    """One error that names the field and repeats nothing of a URL that may hold a password; nobody is called."""
    source = {**MESSAGE["source"], "endpoint_url": url.format(port=trap.port)}
    allowed = SourceSettings(allow_endpoints=["http://listed.example:9000"])
    with pytest.raises(MessageError) as refused:
        source_location(parse_message(json.dumps(message(source=source))), allowed)
    (problem,) = refused.value.problems
    assert problem.where == "source.endpoint_url"
    assert "\n" not in problem.what
    assert "listed.example" not in problem.what
    assert trap.visits() == 0


@pytest.mark.parametrize(
    "bucket",
    [
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/evil",
        "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/evil",
        "arn:aws:s3-outposts:eu-west-1:123456789012:outpost:op-0123:accesspoint:evil",
        "evil--euw1-az1--x-s3",
    ],
)
def test_a_bucket_cannot_choose_the_host(bucket: str) -> None:
    """What the SDK would put before a listed endpoint's host, to ask a host that nobody listed, is for AWS alone."""
    allowed = SourceSettings(allow_endpoints=["http://listed.example:9000"])
    named = {
        url: {**MESSAGE["source"], "bucket": bucket, "endpoint_url": url}
        for url in (None, "http://listed.example:9000")
    }
    of_aws, listed = (parse_message(json.dumps(message(source=source))) for source in named.values())
    assert source_location(of_aws, allowed).bucket == bucket
    with pytest.raises(MessageError, match=r"^acme.*: source.bucket: must be the plain name of a bucket"):
        source_location(listed, allowed)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",
        "localhost",
        "LocalHost",
        "0x7f.1",
        "0x7f000001",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "0177.1",
        "2130706433",
        "017700000001",
        "0",
    ],
)
async def test_no_spelling_leads_to_loopback(host: str, trap: Canary) -> None:
    """Where whoever looks at messages lets a spelling of loopback through, the socket still does not connect."""
    assert trap.reached_by(host) or ":" in host  # not every machine has IPv6
    refused = await refusal(f"http://{host}:{trap.port}")
    assert "s3://bucket/a.csv" in refused.message
    assert trap.visits() == 0


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "10.0.0.1",
        "172.31.255.254",
        "192.168.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
async def test_no_address_inside_is_connected_to(host: str) -> None:
    """Metadata, link-local, private and group addresses are refused at once, with what the operator can do."""
    refused = await refusal(f"http://{host}")
    assert type(refused) is AccessDenied
    assert refused.failure is Failure.PERMANENT
    assert f"endpoint http://{host} is at " in refused.message
    assert "[source] allow_endpoints" in refused.message


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["::1", "127.0.0.1"]])
async def test_a_name_that_has_another_address_the_second_time(
    addresses: list[str], trap: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public to whoever asks first, and leads inside when it is connected to, leads nowhere."""
    answers = iter([["8.8.8.8"]])
    resolving(monkeypatch, "rebind.example", lambda: next(answers, addresses), trap.port)
    first = socket.getaddrinfo("rebind.example", trap.port)[0][4][0]
    assert is_public(str(first))
    refused = await refusal(f"http://rebind.example:{trap.port}")
    assert type(refused) is AccessDenied
    assert "http://rebind.example" in refused.message
    assert trap.visits() == 0


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
@pytest.mark.parametrize("body", [b"", b"<html><br></html>", b"<Error><Code>PermanentRedirect</Code></Error>"])
async def test_a_redirection_is_not_followed(status: int, body: bytes, trap: Canary) -> None:
    """An endpoint that the operator listed cannot send the engine on: one permanent error that names the endpoint and
    the status, after one request."""
    with answering(status, {"Location": f"{trap.url}/bucket/a.csv"}, body) as endpoint:
        refused = await refusal(endpoint.url, listing(endpoint.url))
        assert type(refused) is FileError
        assert refused.failure is Failure.PERMANENT
        assert f"endpoint {endpoint.url} answered {status}" in refused.message
        assert len(endpoint.requests) == 1
    assert trap.visits() == 0


@pytest.mark.parametrize("there", ["{url}/x", "//127.0.0.1:{port}/x", "http://0x7f.1:{port}", "/", "\\\\127.0.0.1", ""])
async def test_nothing_is_asked_elsewhere_whatever_is_asked(there: str, trap: Canary) -> None:
    """Looking, listing and reading a range are not sent on either, wherever the redirection leads."""
    with answering(307, {"Location": there.format(url=trap.url, port=trap.port)}) as endpoint:
        async with opened(endpoint.url, listing(endpoint.url)) as store:
            with pytest.raises(FileError, match="answered 307"):
                await store.head("a.csv")
            with pytest.raises(FileError, match="answered 307"):
                _ = [info async for info in store.list("in/")]
            with pytest.raises(FileError, match="answered 307"):
                await store.get("a.csv")
        assert len(endpoint.requests) == 3
    assert trap.visits() == 0


@pytest.mark.slow
def test_a_worker_puts_a_message_aside_whose_endpoint_sends_it_on(aws: Aws, tmp_path: Path, trap: Canary) -> None:
    """Through queue, pool and all: the batch fails for good and says why, and nobody is called."""
    site = Site.make(aws, tmp_path)
    with answering(302, {"Location": trap.url}) as endpoint:
        site.send("sent-on", ["a.csv"], endpoint_url=endpoint.url)
        worked = site.worker("--once", ENGINE_SOURCE__ALLOW_ENDPOINTS=json.dumps([endpoint.url]))
        assert any(f"endpoint {endpoint.url} answered 302" in json.dumps(line) for line in worked.log)
        assert len(endpoint.requests) <= 2
    assert worked.status == 1
    assert site.output() == {}
    assert trap.visits() == 0
