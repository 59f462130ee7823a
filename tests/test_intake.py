"""From a message, or the document that it points to, to a batch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.mappings import mapping_store
from engine.adapters.memory import MemoryStore, MemoryStores
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.batch import Batch
from engine.config import DestinationSettings, QueueSettings, Settings
from engine.errors import Failure, MappingError, MessageError, OwnAccessDenied, SourceMissing, Unavailable
from engine.intake import read_message
from engine.message import MAX_DOCUMENT_BYTES
from engine.ports import Credentials, Delivery, Location, MappingStore, S3Location, Stores
from engine.sources import SourceFile
from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.moto import Aws

MESSAGE: dict[str, Any] = {
    "version": 1,
    "batch_id": "b-1",
    "mapping_id": "people",
    "source": {"bucket": "acme", "region": "eu-west-1", "credentials": {"profile": "p"}},
    "files": ["a.csv", {"key": "b.csv", "version_id": "v7"}],
    "correlation_id": "c-1",
}
SETTINGS = Settings(
    queue=QueueSettings(document_buckets=["documents"]),
    destination=DestinationSettings(bucket="ours", prefix="out", region="us-east-1"),
)
URL = "s3://documents/b-1.json"


@pytest.fixture
async def mappings(tmp_path: Path) -> AsyncIterator[MappingStore]:
    mapping = {"version": 1, "id": "people", "fields": [{"name": "id", "type": "int"}]}
    (tmp_path / "people.json").write_text(json.dumps(mapping))
    stores = StoresFactory()()
    yield mapping_store(str(tmp_path), stores, region="us-east-1", endpoint_url=None)
    await stores.aclose()


def delivery(body: object) -> Delivery:
    return Delivery("m-1", "r-1", json.dumps(body))


def pointer(key: str = "b-1.json", bucket: str = "documents", **more: Any) -> Delivery:
    return delivery({"version": 1, "document": {"bucket": bucket, "key": key, **more}})


async def documents(stores: Stores) -> MemoryStore:
    store = await stores.open(S3Location("documents", "us-east-1"))
    assert isinstance(store, MemoryStore)
    return store


class Untouched(MemoryStores):
    """Stores that nobody may open."""

    async def open(self, location: Location) -> MemoryStore:
        raise AssertionError(f"{location} was opened")


async def test_a_message_becomes_a_batch(mappings: MappingStore) -> None:
    """Everything that a batch needs comes from the message and the configuration; no store is asked for it."""
    batch = await read_message(delivery(MESSAGE), mappings, Untouched(), SETTINGS)
    assert batch.mapping.id == "people"
    assert batch == Batch(
        batch_id="b-1",
        mapping=batch.mapping,
        source=S3Location("acme", "eu-west-1", None, Credentials(profile="p")),
        files=[SourceFile("a.csv"), SourceFile("b.csv", "v7")],
        destination=S3Location("ours", "us-east-1"),
        root="out/b-1/",
        correlation_id="c-1",
    )


@pytest.mark.parametrize(
    "body",
    [
        {"version": 1, "document": {"bucket": "documents", "key": "b-1.json"}},
        ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "documents", "s3Key": "b-1.json"}],
    ],
    ids=["ours", "extended client"],
)
async def test_a_document_becomes_the_same_batch(mappings: MappingStore, body: object) -> None:
    """A pointer, ours or the extended client's, gives the batch that the message itself would have given."""
    stores = MemoryStores(read_bytes=16)
    await (await documents(stores)).put("b-1.json", json.dumps(MESSAGE).encode())
    batch = await read_message(delivery(body), mappings, stores, SETTINGS)
    assert batch == await read_message(delivery(MESSAGE), mappings, stores, SETTINGS)


async def test_a_bucket_that_is_not_allowed_is_never_asked(mappings: MappingStore) -> None:
    """The list of buckets is looked at before anything is opened with our own keys."""
    with pytest.raises(MessageError, match="document_buckets"):
        await read_message(pointer(bucket="acme"), mappings, Untouched(), SETTINGS)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ("{", "is not JSON"),
        (json.dumps({**MESSAGE, "files": []}), "files: must name at least one file"),
        (json.dumps({"version": 1, "document": {"bucket": "documents", "key": "k"}}), "is a pointer to another"),
    ],
    ids=["no JSON", "bad", "pointer"],
)
async def test_faults_of_a_document_name_it(mappings: MappingStore, document: str, named: str) -> None:
    """Whoever reads the error knows which object to correct."""
    stores = MemoryStores()
    await (await documents(stores)).put("b-1.json", document.encode())
    with pytest.raises(MessageError, match=f"^{URL}: {named}"):
        await read_message(pointer(), mappings, stores, SETTINGS)


async def test_a_document_beyond_the_bound_is_not_read(mappings: MappingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is looked at first: nobody can fill our memory with one."""

    async def read(_: object) -> bytes:
        raise AssertionError("the document was read")

    monkeypatch.setattr("engine.adapters.memory._MemoryReader.__anext__", read)
    stores = MemoryStores()
    await (await documents(stores)).put("b-1.json", b" " * (MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(MessageError, match=f"^{URL}: is 67,108,865 bytes long"):
        await read_message(pointer(), mappings, stores, SETTINGS)


async def test_a_missing_document_is_a_permanent_failure(mappings: MappingStore) -> None:
    """Trying again gives the same; the error says which object has to be there."""
    with pytest.raises(SourceMissing, match=f"^{URL}: the document of the message does not exist") as refused:
        await read_message(pointer(), mappings, MemoryStores(), SETTINGS)
    assert refused.value.failure is Failure.PERMANENT


async def test_a_missing_mapping_is_the_messages_fault(mappings: MappingStore) -> None:
    """A document's mapping is looked up as a message's is."""
    stores = MemoryStores()
    await (await documents(stores)).put("b-1.json", json.dumps({**MESSAGE, "mapping_id": "poeple"}).encode())
    with pytest.raises(MappingError, match="did you mean 'people'"):
        await read_message(pointer(), mappings, stores, SETTINGS)


async def test_documents_in_s3(mappings: MappingStore, aws: Aws) -> None:
    """Over HTTP, reached as the destination is: the version that is named, or the latest; a key and a version that
    are not there are missing documents; one that may not be read, a bucket that is not there and an outage are our
    own trouble."""
    bucket = aws.bucket("documents")
    client = aws.server.client("s3")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, _ = (
        client.put_object(Bucket=bucket, Key="b.json", Body=json.dumps({**MESSAGE, "batch_id": name}))["VersionId"]
        for name in ("first", "second")
    )
    client.close()
    stores = StoresFactory(StoreSettings(attempts=1))()

    async def read(asked: Delivery, endpoint_url: str = aws.endpoint_url) -> str:
        settings = SETTINGS.model_copy(
            update={
                "queue": QueueSettings(document_buckets=[bucket, "gone"]),
                "destination": DestinationSettings(bucket="ours", endpoint_url=endpoint_url),
            }
        )
        return (await read_message(asked, mappings, stores, settings)).batch_id

    assert await read(pointer("b.json", bucket)) == "second"
    assert await read(pointer("b.json", bucket, version_id=first)) == "first"
    for missing in (pointer("c.json", bucket), pointer("b.json", bucket, version_id="nope")):
        with pytest.raises(SourceMissing, match="document of the message does not exist"):
            await read(missing)
    with pytest.raises(Unavailable, match="bucket of the message's document does not exist: s3://gone"):
        await read(pointer("b.json", "gone"))
    denied = pytest.raises(OwnAccessDenied, match=rf"s3://{bucket}/b\.json")
    with fault_proxy(aws.endpoint_url, Rule(Match("GetObject"), Refuse(403, "AccessDenied"))) as proxy, denied:
        await read(pointer("b.json", bucket), proxy.url)
    with pytest.raises(Unavailable):
        await read(pointer("b.json", bucket), "http://127.0.0.1:1")
    await stores.aclose()
