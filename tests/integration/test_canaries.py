"""Secrets and cells stay where they belong, in all that a worker writes, sends or shows, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import fault_proxy
from tests.integration.canaries import CELL, COMMITTED, FAILED, SECRETS, found_in, run_everything
from tests.integration.rig import Rig
from tests.moto import Aws


@pytest.fixture(scope="module")
def rig(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with fault_proxy(aws.endpoint_url) as proxy:
        yield Rig.make(aws, tmp_path_factory.mktemp("canaries"), proxy)


@pytest.fixture(scope="module")
def written(rig: Rig) -> dict[str, bytes]:
    return run_everything(rig)


def holders(written: dict[str, bytes], canary: str) -> list[str]:
    return sorted(where for where, text in written.items() if found_in(text, canary))


def test_everything_took_place(rig: Rig, written: dict[str, bytes]) -> None:
    """What must not be found was there to be found: batches committed and failed as planned, the keys signed."""
    lines = [line for path in rig.site.folder.glob("worker-*.log") for line in path.read_text().splitlines()]
    log = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line for line in lines if not line.startswith("{")] == [
        "engine: SIGTERM: stopping (once more to exit at once)"
    ]
    committed = {line["batch_id"] for line in log if line["event"] == "batch committed"}
    failed = {line.get("batch_id", ""): line["code"] for line in log if line["event"] == "message failed"}
    assert committed == COMMITTED
    assert failed == FAILED | {"": "message-error"}
    assert sum(line["event"] == "message dead-lettered" for line in log) == len(FAILED) + 3
    assert sum(where.endswith(": unchanged") for where in written) == len(FAILED)
    assert any("/checkpoints/" in where for where in written)
    assert {Path(where).name for where in written if where.startswith("/proc/")} == {"cmdline", "environ"}
    signed = rig.proxy.calls("GetObject")
    assert {"AKIACANARY0000000001", "OURKEY"} == {call.access_key for call in signed}
    tokens = {call.headers.get("x-amz-security-token") for call in signed}
    assert {SECRETS["session_token"], SECRETS["kept_token"]} <= tokens
    assert rig.proxy.calls("AssumeRole")[0].parameters["ExternalId"] == SECRETS["external_id"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_nowhere(written: dict[str, bytes], name: str) -> None:
    """Not in logs, at debug level, nor in objects, attributes, temporary files, command lines and environments."""
    assert holders({"a message": json.dumps(SECRETS).encode()}, SECRETS[name]) == ["a message"]
    assert holders(written, SECRETS[name]) == []


def test_a_cell_is_in_output_and_rejects_alone(written: dict[str, bytes]) -> None:
    """What clients' files hold is in the data, and in the records of rows that were rejected, and nowhere else."""
    places = holders(written, CELL)
    outside = [where for where in places if "/data/" not in where and "/rejects/" not in where]
    assert outside == []
    for folder in ("data", "rejects"):
        assert {where.split("/")[1] for where in places if f"/{folder}/" in where} == COMMITTED


def test_no_key_of_ours_reached_a_client(rig: Rig, written: dict[str, bytes]) -> None:
    """The engine's own keys signed for the destination, the queue and the services that lend it keys, and never for a
    client's bucket."""
    assert written
    clients = [call for call in rig.proxy.requests if call.bucket == rig.site.source]
    assert {call.access_key for call in clients} == {"AKIACANARY0000000001"}
