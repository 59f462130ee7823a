"""``engine send``: pointers, long messages and FIFO queues, against a real queue and real buckets over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import MAPPING, engine_here
from tests.moto import Aws
from tests.site import Site

pytestmark = pytest.mark.one_build("free-threaded")


@pytest.fixture
def site(tmp_path: Path, aws: Aws) -> Site:
    made = Site.make(aws, tmp_path, MAPPING)
    aws.put(made.source, "a.csv", b"id,name\n1,Ann\nx,Bob\n")
    return made


def written(site: Site, document: object) -> Path:
    path = site.folder / "message.json"
    path.write_text(json.dumps(document))
    return path


def group(site: Site, queue: str) -> str:
    """The message group of a queue's next message, which is taken."""
    client = site.aws.server.client("sqs")
    try:
        (message,) = client.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]
        client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        found: str = message["Attributes"]["MessageGroupId"]
        return found
    finally:
        client.close()


def test_pointers_and_messages_of_a_fifo_queue_are_worked_off(site: Site) -> None:
    """A document of ours is checked and its pointer sent; a worker makes of it what it makes of a message."""
    site = replace(site, queue=site.aws.queue(fifo=True))
    documents = site.aws.bucket("documents")
    env = site.env(ENGINE_QUEUE__DOCUMENT_BUCKETS=json.dumps([documents]), ENGINE_QUEUE__WAIT_S="1")
    site.aws.put(documents, "b1.json", json.dumps(site.message("b1", ["a.csv"])).encode())
    pointer = {"version": 1, "document": {"bucket": documents, "key": "b1.json"}}
    for message in (pointer, site.message("b2", ["a.csv"]), site.message("b3", ["a.csv"])):
        sent = engine_here("send", written(site, message), cwd=site.folder, env=env)
        assert (sent.returncode, sent.stderr) == (0, "")
    done = engine_here("worker", "--drain", cwd=site.folder, env=env)
    assert done.returncode == 0, done.stderr
    assert {key for key in site.output() if key.endswith("manifest.json")} == {
        f"out/{name}/manifest.json" for name in ("b1", "b2", "b3")
    }
    assert site.messages() == (0, 0)


@pytest.mark.parametrize(
    ("document", "changes", "named"),
    [
        (None, {}, "b1.json: the document of the message does not exist"),
        ({"files": []}, {}, "b1.json: files: must name at least one file"),
        ({"mapping_id": None, "mapping": {"version": 1, "id": "m", "fields": []}}, {}, "b1.json: mapping: "),
        ({}, {"key": ""}, "message.json: document.key: must be"),
        ({}, {"bucket": "elsewhere"}, "document.bucket: is not allowed here"),
    ],
    ids=["missing", "message", "mapping", "pointer", "bucket"],
)
def test_a_pointer_that_a_worker_could_not_follow(
    site: Site, document: dict[str, Any] | None, changes: dict[str, Any], named: str
) -> None:
    """What is wrong with the pointer, its bucket or its document is said before anything is sent."""
    documents = site.aws.bucket("documents")
    if document is not None:
        site.aws.put(documents, "b1.json", json.dumps(site.message("b1", ["a.csv"]) | document).encode())
    pointer = {"version": 1, "document": {"bucket": documents, "key": "b1.json", **changes}}
    env = site.env(ENGINE_QUEUE__DOCUMENT_BUCKETS=json.dumps([documents]))
    done = engine_here("send", written(site, pointer), cwd=site.folder, env=env)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert site.messages() == (0, 0)


def test_a_message_too_long_for_a_queue(site: Site) -> None:
    """One line says that it has to be put into a bucket, and what to send instead."""
    long = site.message("b1", [f"{number:0100}.csv" for number in range(20_000)])
    done = engine_here("send", written(site, long), cwd=site.folder, env=site.env())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "a queue takes at most 1,048,576" in done.stderr
    assert '{"version": 1, "document": {"bucket": "...", "key": "..."}}' in done.stderr


def test_a_message_at_the_limit_is_sent(site: Site) -> None:
    """What is as long as a queue takes arrives whole."""
    path = written(site, site.message("b1", [f"{number:0100}.csv" for number in range(8_000)]))
    path.write_text(path.read_text() + " " * (1_048_576 - path.stat().st_size))
    sent = engine_here("send", path, cwd=site.folder, env=site.env())
    assert sent.returncode == 0, sent.stderr
    assert site.messages() == (1, 0)


def test_groups_on_a_fifo_queue(site: Site) -> None:
    """Messages of one client follow one another, clients do not wait for each other: the group is the source's bucket
    unless one is named."""
    queue = site.aws.queue(fifo=True)
    message = written(site, site.message("b1", ["a.csv"]))
    for flags, expected in (((), site.source), (("--group", "night-run"), "night-run")):
        sent = engine_here("send", message, "--queue", queue, *flags, cwd=site.folder, env=site.env())
        assert (sent.returncode, sent.stderr) == (0, "")
        assert group(site, queue) == expected


@pytest.mark.parametrize(
    ("queue", "given", "named"),
    [("work", "g", "is none"), ("work.fifo", "x y", "--group must be"), ("work.fifo", "", "--group must be")],
)
def test_groups_that_cannot_be(site: Site, queue: str, given: str, named: str) -> None:
    """A group for a queue without groups, or one that SQS would refuse, is wrong usage."""
    url = f"http://127.0.0.1:1/{queue}"
    message = written(site, site.message("b1", ["a.csv"]))
    done = engine_here("send", message, "--queue", url, "--group", given, cwd=site.folder, env=site.env())
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


def test_characters_that_sqs_refuses(site: Site) -> None:
    """JSON may hold them, a queue may not: the error says how to write them."""
    path = site.folder / "message.json"
    path.write_text(json.dumps(site.message("b1", ["\uffff.csv"]), ensure_ascii=False))
    done = engine_here("send", path, cwd=site.folder, env=site.env())
    assert done.returncode == 2
    assert "write \\ufffe or \\uffff" in done.stderr
    path.write_text(json.dumps(site.message("b1", ["\uffff.csv"])))
    assert engine_here("send", path, cwd=site.folder, env=site.env()).returncode == 0
