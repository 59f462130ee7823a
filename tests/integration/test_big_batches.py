"""Batches of a big world: listings of many pages, messages as long as a queue takes or longer, FIFO queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.integration.rig import Log, Rig, table
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")

KEYS = 2_500
FILES = [f"listed/{number:04}/rows.csv" for number in range(0, KEYS, 250)]


@dataclass(frozen=True, slots=True)
class Ran:
    rig: Rig
    log: Log
    bodies: dict[str, str]
    letters: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def ran(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One worker and a batch of each kind."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path_factory.mktemp("big"), proxy)
        documents = aws.bucket("documents")
        bodies = {
            "listed": json.dumps(rig.message("listed", "listed/")),
            "nothing": json.dumps(rig.message("nothing", "nothing/")),
            "long": long_message(rig),
            "pointed": json.dumps({"version": 1, "document": {"bucket": documents, "key": "batches/pointed.json"}}),
            "astray": json.dumps({"version": 1, "document": {"bucket": rig.site.source, "key": "pointed.json"}}),
        }
        fill(rig)
        pointed = json.dumps(rig.message("pointed", rig.put("pointed"))).ljust(2 << 20)
        aws.put(documents, "batches/pointed.json", pointed.encode())
        for body in bodies.values():
            rig.send(body)
        log = rig.run(ENGINE_QUEUE__DOCUMENT_BUCKETS=json.dumps([documents]))
        letters = {letter["body"]: letter for letter in rig.letters()}
        yield Ran(rig, log, bodies, letters)


def fill(rig: Rig) -> None:
    """Puts ``KEYS`` objects, most of them what consoles make for a folder, by eight clients at once, in no order."""
    place = urlsplit(rig.aws.endpoint_url).netloc

    def put(part: int) -> None:
        connection = HTTPConnection(place)
        for number in range(part, KEYS, 8):
            key = f"listed/{(number * 7) % KEYS:04}/"
            body = b""
            if f"{key}rows.csv" in FILES:
                key, body = f"{key}rows.csv", table(key)
            connection.request("PUT", f"/{rig.site.source}/{quote(key)}", body=body)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
        connection.close()

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(put, range(8)))


def long_message(rig: Rig) -> str:
    """A message as long as SQS takes, of five thousand files, of which there is none."""
    files = [f"long/{number:06}-{'x' * 180}.csv" for number in range(5_000)]
    return json.dumps(rig.message("long", files)).ljust(1 << 20)


def test_a_prefix_of_many_pages_is_a_batch_in_key_order(ran: Ran) -> None:
    """2,500 keys under a prefix come in three pages; the files among them are the batch, in the order of their keys."""
    pages = [call for call in ran.rig.proxy.calls("ListObjectsV2") if call.parameters.get("prefix") == "listed/"]
    assert len(pages) == 3
    ran.rig.assert_committed("listed", FILES)


def test_a_prefix_without_objects_is_a_clear_failure(ran: Ran) -> None:
    """Nothing under the prefix: set aside at once, with a reason that names the place."""
    attributes = ran.letters[ran.bodies["nothing"]]["attributes"]
    assert attributes["engine_code"] == "source-missing"
    assert f"s3://{ran.rig.site.source}/nothing/" in attributes["engine_reason"]


def test_the_longest_message_is_taken_and_set_aside_whole(ran: Ran) -> None:
    """A message of 1 MiB, as long as SQS takes, is received and read; as its files are missing it becomes a dead letter
    with the whole body."""
    assert len(ran.bodies["long"]) == 1 << 20
    failed = [line for line in ran.log if line["event"] == "message failed" and line.get("batch_id") == "long"]
    assert {line["code"] for line in failed} == {"source-missing"}
    assert ran.bodies["long"] in ran.letters


def test_a_pointer_is_the_message_that_it_leads_to(ran: Ran) -> None:
    """A message too long for a queue, in a bucket of the operator's, is run as if it had come by itself; a pointer to
    any other bucket is refused."""
    ran.rig.assert_committed("pointed", ["pointed/0.csv", "pointed/1.csv"])
    assert ran.letters[ran.bodies["astray"]]["attributes"]["engine_code"] == "message-error"
    assert len(ran.letters) == 3


def test_a_fifo_queue_keeps_the_order_of_each_group(aws: Aws, tmp_path: Path) -> None:
    """Of two groups each has a batch that fails at first: what follows it in its group waits; all commit in order."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy, fifo=True)
        names = ["a0", "b0", "a1", "b1", "a2"]
        for name in names:
            message = rig.message(name, rig.put(name))
            rig.send(json.dumps(message), MessageGroupId=name[0], MessageDeduplicationId=name)
        bad = '{"not": "a message"}'
        rig.send(bad, MessageGroupId="b", MessageDeduplicationId="bad")
        faults = [proxy.add(Rule(Match("GetObject", key=f"{name}/*"), Refuse(500), times=3)) for name in ("a0", "b1")]
        log = rig.run(ENGINE_FAILURE__ATTEMPTS="1")
        assert all(fault.hits == 3 for fault in faults)
        committed = [line["batch_id"] for line in log if line["event"] == "batch committed"]
        assert sorted(committed) == sorted(names)
        for group in "ab":
            assert [name for name in committed if name[0] == group] == sorted(n for n in names if n[0] == group)
        for name in names:
            rig.assert_committed(name, [f"{name}/0.csv", f"{name}/1.csv"])
        (letter,) = rig.letters()
        assert letter["body"] == bad
        rig.assert_clean()
