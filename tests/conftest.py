"""Fixtures that every test may use: one real AWS stand-in a session, fresh resources a test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.pool.build import is_free_threaded
from tests.batches import Watching, open_watching
from tests.moto import LOCAL_AWS_ENV, Aws, moto_server

# Time limits of examples would fail on a busy machine; what hangs is ended by the test's own time limit.
hypothesis.settings.register_profile(
    "engine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("engine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves what every build would prove alike to the one that its ``one_build`` names."""
    this = "free-threaded" if is_free_threaded() else "gil"
    for item in items:
        marker = item.get_closest_marker("one_build")
        if marker is None:
            continue
        (build,) = marker.args
        assert build in ("free-threaded", "gil"), item.nodeid
        if build != this:
            item.add_marker(pytest.mark.skip(reason=f"the same on every build: left to {build} builds"))


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    """No test reaches real AWS: keys are made up, profiles and the metadata service are off, for children too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in LOCAL_AWS_ENV.items():
            patch.setenv(name, value)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def aws(aws_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A real ``moto_server`` in a process of its own, shared by the session. It accepts any key."""
    log: Path = tmp_path_factory.mktemp("moto") / "moto.log"
    with moto_server(log) as server:
        yield Aws(server)


@pytest.fixture(scope="session")
def moto(aws: Aws) -> str:
    """The stand-in's endpoint URL."""
    return aws.endpoint_url


@pytest.fixture
def bucket(aws: Aws) -> str:
    """A fresh, empty bucket."""
    return aws.bucket()


@pytest.fixture
def queue_url(aws: Aws) -> str:
    """A fresh, empty queue with a visibility timeout of 30 s."""
    return aws.queue()


@pytest.fixture
async def world() -> AsyncIterator[Watching]:
    """Watched stores in memory and a pool over them, for what runs batches."""
    async with open_watching() as world:
        yield world
