"""What S3 refuses, by class and by name."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.adapters.stores import StoresFactory
from engine.errors import AccessDenied, EngineError, FileError, SourceMissing, Unavailable
from engine.ports import Credentials, Stores
from tests.adapters.conftest import SETTINGS, allowing
from tests.faults import Match, Refuse, Rule, Substitute, fault_proxy
from tests.moto import Aws


async def test_missing_bucket(aws: Aws, stores: Stores) -> None:
    """A missing source bucket is missing, is named, and is told from a missing key."""
    store = await stores.open(aws.location("no-such-bucket"))
    with pytest.raises(SourceMissing, match=r"no such bucket: s3://no-such-bucket$") as raised:
        await store.get("a.csv")
    assert raised.value.file == "a.csv"
    with pytest.raises(SourceMissing, match="no such bucket"):
        await anext(aiter(store.list("")))
    assert await store.head("a.csv") is None


async def test_missing_key(aws: Aws, bucket: str, stores: Stores) -> None:
    """A missing key is named with its bucket."""
    store = await stores.open(aws.location(bucket))
    with pytest.raises(SourceMissing, match=f"no such object: s3://{bucket}/in/a.csv"):
        await store.get("in/a.csv")


async def test_delete_marker(aws: Aws, bucket: str, stores: Stores) -> None:
    """A deleted object of a versioned bucket is missing; its older version can still be read."""
    client = aws.server.client("s3")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket=bucket, Key="a", Body=b"old")["VersionId"]
    client.delete_object(Bucket=bucket, Key="a")
    client.close()
    store = await stores.open(aws.location(bucket))
    with pytest.raises(SourceMissing):
        await store.get("a")
    async with store.read("a", version_id=version) as reader:
        assert [piece async for piece in reader] == [b"old"]


@pytest.mark.parametrize(
    ("code", "credentials", "expected"),
    [
        ("ExpiredToken", None, Unavailable),
        ("ExpiredToken", Credentials("a", "b", "c"), AccessDenied),
        ("AuthorizationHeaderMalformed", Credentials("a", "b", "c"), FileError),
        ("", None, EngineError),
    ],
)
async def test_a_head_that_is_refused_without_a_reason(
    aws: Aws, bucket: str, code: str, credentials: Credentials | None, expected: type[EngineError]
) -> None:
    """S3 answers a HEAD without a body, whatever is wrong: a GET is asked why. Expired keys are ours to renew, or the
    client's; another region is that; where the GET succeeds nothing is known."""
    aws.put(bucket, "a", b"1")
    rules = [Rule(Match("HeadObject"), Substitute(400))]
    rules += [Rule(Match("GetObject"), Refuse(400, code))] if code else []
    with fault_proxy(aws.endpoint_url, *rules) as proxy:
        where = replace(aws.location(bucket), endpoint_url=proxy.url, credentials=credentials)
        stores = StoresFactory(allowing(proxy.url, SETTINGS))()
        with pytest.raises(EngineError, match=code or r"\(400\)") as caught:
            await (await stores.open(where)).head("a")
        await stores.aclose()
    assert type(caught.value) is expected


async def test_impossible_bucket_name(aws: Aws, stores: Stores) -> None:
    """A name that no bucket can have is an engine error, not one of the SDK."""
    store = await stores.open(aws.location("Not A Bucket!"))
    with pytest.raises(EngineError):
        await store.get("a")


async def test_pages(aws: Aws, bucket: str, stores: Stores) -> None:
    """A listing goes on over pages: more keys than one answer holds."""
    names = [f"k/{number:04}" for number in range(1005)]
    client = aws.server.client("s3")
    for name in names:
        client.put_object(Bucket=bucket, Key=name)
    client.close()
    store = await stores.open(aws.location(bucket))
    assert [info.key async for info in store.list("k/")] == names


async def test_factory_crosses_processes(aws: Aws, bucket: str) -> None:
    """A factory that was pickled makes stores that work, and closing them twice is harmless."""
    aws.put(bucket, "a", b"x")
    opened = pickle.loads(pickle.dumps(StoresFactory(SETTINGS)))()
    store = await opened.open(aws.location(bucket))
    assert await store.get("a") == b"x"
    await opened.aclose()
    await opened.aclose()


def test_local_needs_no_sdk(tmp_path: Path) -> None:
    """Stores that only ever open folders read and write them, and close, without the SDK being imported."""
    code = (
        "import asyncio, sys\n"
        "from engine.adapters.stores import StoresFactory\n"
        "from engine.ports import LocalLocation\n"
        "async def main():\n"
        "    stores = StoresFactory()()\n"
        "    store = await stores.open(LocalLocation(sys.argv[1]))\n"
        "    await store.put('a/b', b'x')\n"
        "    print(await store.get('a/b'))\n"
        "    await stores.aclose()\n"
        "    await stores.aclose()\n"
        "asyncio.run(main())\n"
        "print(sorted({'aiobotocore', 'botocore', 'aiohttp'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'x'\n[]\n", "")
    assert (tmp_path / "a/b").read_bytes() == b"x"
