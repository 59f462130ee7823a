"""Mappings looked up by id, in a folder and in a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.adapters.mappings import ObjectMappingStore, mapping_store
from engine.adapters.memory import MemoryStore, MemoryStores
from engine.errors import (
    AccessDenied,
    ConfigError,
    EngineError,
    MappingError,
    OwnAccessDenied,
    TransientError,
    Unavailable,
)
from engine.ports import Credentials, LocalLocation, S3Location, Stores
from tests.moto import Aws

DOCUMENTS = {"activity.json": b'{"id": "activity"}', "orders.v2.toml": b'id = "orders.v2"', "both.json": b"{}"}


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> ObjectMappingStore:
    """A store with some documents, with others and a secret around it."""
    if request.param == "folder":
        folder = tmp_path / "mappings"
        folder.mkdir()
        for name, text in DOCUMENTS.items():
            (folder / name).write_bytes(text)
        (folder / "both.toml").write_bytes(b"")
        (tmp_path / "secret.json").write_bytes(b"")
        return mapping_store(f"{folder}/", stores, region="us-east-1", endpoint_url=None)
    aws: Aws = request.getfixturevalue("aws")
    bucket = request.getfixturevalue("bucket")
    for name, text in {**DOCUMENTS, "both.toml": b""}.items():
        aws.put(bucket, f"maps/{name}", text)
    aws.put(bucket, "secret.json", b"")
    return mapping_store(f"s3://{bucket}/maps", stores, region="us-east-1", endpoint_url=aws.endpoint_url)


async def test_found(store: ObjectMappingStore) -> None:
    """A document is found by its id, as JSON, else as TOML."""
    assert await store.get("activity") == ("activity.json", DOCUMENTS["activity.json"])
    assert await store.get("orders.v2") == ("orders.v2.toml", DOCUMENTS["orders.v2.toml"])
    assert await store.get("both") == ("both.json", b"{}")


async def test_missing(store: ObjectMappingStore) -> None:
    """A mapping that is not there: the places looked at, and the nearest id that is."""
    with pytest.raises(MappingError) as raised:
        await store.get("activty")
    assert "activty.json or " in raised.value.message
    assert "activty.toml" in raised.value.message
    assert "did you mean 'activity'?" in raised.value.message
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("mapping_id", ["", "../secret", "a/b", ".", "..", "a\0", "ä", "x" * 129, "a b", "a\n"])
async def test_not_an_id(store: ObjectMappingStore, mapping_id: str) -> None:
    """What is not an id is refused before anything is looked at, and cannot leave the folder."""
    with pytest.raises(MappingError, match="is not a mapping id"):
        await store.get(mapping_id)


async def test_a_store_that_is_not_there_is_an_outage(aws: Aws, stores: Stores, tmp_path: Path) -> None:
    """A missing folder or bucket, and an empty folder, which a disk that is not mounted leaves, say nothing about a
    mapping; an empty bucket, and a folder that holds something, do."""
    (tmp_path / "empty").mkdir()
    for name in (str(tmp_path / "none"), str(tmp_path / "empty"), "s3://no-such-bucket/maps/"):
        store = mapping_store(name, stores, region="us-east-1", endpoint_url=aws.endpoint_url)
        with pytest.raises(Unavailable, match=r"the mapping store .*is (not there|empty)"):
            await store.get("activity")
    (tmp_path / "empty" / "readme.txt").touch()
    for name in (str(tmp_path / "empty"), f"s3://{aws.bucket('maps')}/"):
        store = mapping_store(name, stores, region="us-east-1", endpoint_url=aws.endpoint_url)
        with pytest.raises(MappingError, match="no mapping 'activity'"):
            await store.get("activity")


async def test_outage_is_not_a_missing_mapping(stores: Stores) -> None:
    """A store that cannot be reached is unavailable; refused credentials are access-denied."""
    store = mapping_store("s3://bucket/", stores, region="us-east-1", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await store.get("activity")
    refused = ObjectMappingStore(stores, S3Location("bucket", "us-east-1", None, Credentials()), "")
    with pytest.raises(AccessDenied):
        await refused.get("activity")


class Refusing(MemoryStore):
    """Fails to read the keys that it has an error for."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, EngineError] = {}

    async def get(self, key: str) -> bytes:
        if key in self.errors:
            raise self.errors[key]
        return await super().get(key)


async def refusing() -> tuple[Refusing, ObjectMappingStore]:
    where, documents, stores = LocalLocation("maps"), Refusing(), MemoryStores()
    stores._stores[where] = documents
    for name in ("a.json", "b.json"):
        await documents.put(name, b"{}")
    return documents, ObjectMappingStore(stores, where, "")


async def test_an_error_of_the_disk_is_an_outage() -> None:
    """As what cannot be read from a bucket is: trying it in vain counts no receive of a message."""
    documents, store = await refusing()
    documents.errors["a.json"] = TransientError("input/output error")
    with pytest.raises(Unavailable, match="input/output error"):
        await store.get("a")


async def test_a_store_that_refuses_us_is_our_own_trouble() -> None:
    """Whether or not a mapping was read before; but one that alone is refused, while the last that was read still may
    be, is that mapping's: a bucket that may not be listed refuses also what it does not have."""
    documents, store = await refusing()
    documents.errors["b.json"] = AccessDenied("may not read b")
    with pytest.raises(OwnAccessDenied, match="may not read b"):
        await store.get("b")
    await store.get("a")
    with pytest.raises(AccessDenied) as alone:
        await store.get("b")
    assert not isinstance(alone.value, OwnAccessDenied)
    documents.errors["a.json"] = AccessDenied("may not read a")
    for mapping_id in ("a", "b"):
        with pytest.raises(OwnAccessDenied):
            await store.get(mapping_id)


@pytest.mark.parametrize("name", ["https://example.com/maps/", "ftp://x/", "s3://"])
def test_stores_that_are_none(stores: Stores, name: str) -> None:
    """A store of another kind is an error of the configuration that says which there are."""
    with pytest.raises(ConfigError, match=r"mappings\.store"):
        mapping_store(name, stores, region="us-east-1", endpoint_url=None)


def test_relative_folder(stores: Stores) -> None:
    """The default, a relative folder, is one."""
    store = mapping_store("mappings/", stores, region="us-east-1", endpoint_url=None)
    assert store._location == LocalLocation("mappings")
