"""One fixture a store, and all three behind one name for the contract that they share."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.adapters.memory import MemoryStores
from engine.adapters.settings import StoreSettings
from engine.adapters.stores import StoresFactory
from engine.ports import LocalLocation, ObjectStore, Stores
from tests.moto import Aws

SETTINGS = StoreSettings(read_bytes=64 * 1024, part_bytes=5 * 1024 * 1024, attempts=3, read_timeout_s=20)
"""Small pieces, the smallest parts that S3 takes."""


def allowing(endpoint: str, settings: StoreSettings) -> StoreSettings:
    """The settings of an operator who lists ``endpoint``, which may be here then also for somebody else's keys."""
    return dataclasses.replace(settings, allow_endpoints=(endpoint,))


@pytest.fixture
async def stores() -> AsyncIterator[Stores]:
    opened = StoresFactory(SETTINGS)()
    yield opened
    await opened.aclose()


@pytest.fixture(params=["memory", "local", "s3"])
async def store(request: pytest.FixtureRequest, stores: Stores, tmp_path: Path) -> ObjectStore:
    """An empty store of each kind."""
    if request.param == "memory":
        return await MemoryStores(read_bytes=SETTINGS.read_bytes).open(LocalLocation("memory"))
    if request.param == "local":
        return await stores.open(LocalLocation(str(tmp_path / "root")))
    aws: Aws = request.getfixturevalue("aws")
    return await stores.open(aws.location(aws.bucket()))
