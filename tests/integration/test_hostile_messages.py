"""A queue full of messages that mean harm, among some that do not: each is set aside by name, and nobody else notices.

One worker takes them all, with an address space of 2 GiB. What credentials, endpoints and mappings can do to it has
tables of its own; here is what a whole message, its keys and its documents can.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.canary import canary
from tests.cli.command import ENGINE, MAPPING, environment
from tests.integration.rig import table
from tests.moto import Aws
from tests.site import Site

type Change = Callable[[dict[str, Any], int], Any]
"""Makes a good message hostile: changes it, or gives the body to send instead. Gets the port of a listener."""

MEMORY = 2 << 30
FINE = ("fine-0", "fine-1", "fine-2")


def key(*path: str | int, to: Any) -> Change:
    """Sets what lies at ``path``; a text may name the listener as ``{port}``."""

    def change(message: dict[str, Any], port: int) -> None:
        below: Any = message
        for part in path[:-1]:
            below = below[part]
        below[path[-1]] = to.replace("{port}", str(port)) if isinstance(to, str) else to

    return change


def endpoint(url: str) -> Change:
    return key("source", "endpoint_url", to=url)


def body(text: str) -> Change:
    return lambda message, port: text


def spliced(old: str, new: str) -> Change:
    """The message's text with a piece of it replaced."""
    return lambda message, port: json.dumps(message).replace(old, new, 1)


NOT_ALLOWED = ("message-error", r"^source\.endpoint_url: ")

# By name: what is done to a good message, the code of the error, and what its reason must match.
HOSTILE: dict[str, tuple[Change, str, str]] = {
    # names that become paths, URLs and headers
    "id with a slash": (key("batch_id", to="a/b"), "message-error", "^batch_id: "),
    "id that leads up": (key("batch_id", to=".."), "message-error", "^batch_id: "),
    "id of this place": (key("batch_id", to="."), "message-error", "^batch_id: "),
    "no id": (key("batch_id", to=""), "message-error", "^batch_id: "),
    "null for an id": (key("batch_id", to=None), "message-error", "^batch_id: "),
    "number for an id": (key("batch_id", to=7), "message-error", "^batch_id: "),
    "id of two lines": (key("batch_id", to="a\nlevel=info"), "message-error", "^batch_id: "),
    "id with an ending": (key("batch_id", to="a\n"), "message-error", "^batch_id: "),
    "id of other letters": (key("batch_id", to="\u0430cme"), "message-error", "^batch_id: "),
    "endless id": (key("batch_id", to="a" * 129), "message-error", "^batch_id: "),
    "id with a NUL": (key("batch_id", to="a\0b"), "message-error", "^batch_id: "),
    "mapping above": (key("mapping_id", to="../people"), "message-error", "^mapping_id: "),
    "mapping at the root": (key("mapping_id", to="/etc/passwd"), "message-error", "^mapping_id: "),
    "mapping of a module": (key("mapping_id", to="os:system"), "message-error", "^mapping_id: "),
    "mapping with a NUL": (key("mapping_id", to="people\0.json"), "message-error", "^mapping_id: "),
    "unknown mapping": (key("mapping_id", to="nobody"), "mapping-error", "nobody"),
    "hidden mapping": (key("mapping_id", to=".git"), "mapping-error", "git"),
    "bucket with a path": (key("source", "bucket", to="a/../b"), "message-error", r"^source\.bucket: "),
    "bucket of a URL": (key("source", "bucket", to="http://127.0.0.1:{port}"), "message-error", r"^source\.bucket: "),
    "bucket with a query": (key("source", "bucket", to="a?x=1#"), "message-error", r"^source\.bucket: "),
    "bucket with an at": (key("source", "bucket", to="a@127.0.0.1:{port}"), "message-error", r"^source\.bucket: "),
    "region that is a host": (key("source", "region", to="127.0.0.1:{port}/"), "message-error", r"^source\.region: "),
    "region with an at": (key("source", "region", to="x@127.0.0.1"), "message-error", r"^source\.region: "),
    "region of two lines": (key("source", "region", to="us-east-1\nHost: x"), "message-error", r"^source\.region: "),
    "correlation id of two lines": (key("correlation_id", to="a\r\nX: y"), "message-error", "^correlation_id: "),
    "escape code for an id": (key("correlation_id", to="\x1b[2J"), "message-error", "^correlation_id: "),
    # endpoints that are not the client's
    "metadata service": (endpoint("http://169.254.169.254"), *NOT_ALLOWED),
    "loopback": (endpoint("http://127.0.0.1:{port}"), *NOT_ALLOWED),
    "loopback by name": (endpoint("http://localhost:{port}"), *NOT_ALLOWED),
    "loopback in hexadecimal": (endpoint("http://0x7f.1:{port}"), *NOT_ALLOWED),
    "loopback as a number": (endpoint("http://2130706433:{port}"), *NOT_ALLOWED),
    "loopback mapped": (endpoint("http://[::ffff:7f00:1]:{port}"), *NOT_ALLOWED),
    "user info": (endpoint("https://s3.amazonaws.com@127.0.0.1:{port}"), *NOT_ALLOWED),
    "another scheme": (endpoint("file:///etc/passwd"), *NOT_ALLOWED),
    "AWS without TLS": (endpoint("http://s3.amazonaws.com"), *NOT_ALLOWED),
    "almost AWS": (endpoint("https://s3.amazonaws.com.example.com"), *NOT_ALLOWED),
    "another service of AWS": (endpoint("https://sts.amazonaws.com"), *NOT_ALLOWED),
    # keys of files, and what becomes of them
    "key that leads up": (key("files", to=["../../other/a.csv"]), "file-error", "cannot name an output"),
    "key at the root": (key("files", to=["/a.csv"]), "file-error", "cannot name an output"),
    "key of two lines": (key("files", to=["a\nb.csv"]), "file-error", "control character"),
    "key with a NUL": (key("files", to=["a\0.csv"]), "message-error", r"^files\[0\]"),
    "key that is too long": (key("files", to=["k" * 1025]), "message-error", r"^files\[0\]"),
    "key whose output is too long": (key("files", to=["k" * 1020]), "file-error", "1,024 is the most"),
    "key that is named twice": (key("files", to=["a.csv", "a.csv"]), "message-error", "^files: "),
    "version of two lines": (
        key("files", to=[{"key": "a.csv", "version_id": "1\n2"}]), "message-error", r"^files\[0\]\.version_id: "),
    "no files": (key("files", to=[]), "message-error", "^files: "),
    "files of a number": (key("files", to=[7]), "message-error", r"^files\[0\]"),
    "files and a prefix": (key("prefix", to="a/"), "message-error", "exactly one of files and prefix"),
    "destination that leads up": (
        key("destination", to={"bucket": "ours-too", "prefix": "../../x"}), "file-error", "cannot lie below"),
    "destination at the root": (
        key("destination", to={"bucket": "ours-too", "prefix": "/x"}), "message-error", r"^destination\.prefix: "),
    "destination of a URL": (
        key("destination", to={"bucket": "http://127.0.0.1:{port}"}), "message-error", r"^destination\.bucket: "),
    # documents
    "not JSON": (body("{'version': 1}"), "message-error", "is not JSON"),
    "nothing": (body(" "), "message-error", "is not JSON"),
    "a list": (body("[]"), "message-error", "must be a JSON object"),
    "deep lists": (body("[" * 100_000), "message-error", "is not JSON|nests deeper"),
    "deep objects": (body('{"a":' * 100_000), "message-error", "is not JSON|nests deeper"),
    "deep mapping": (
        lambda message, port: json.dumps(message | {"mapping": 1}).replace(
            '"mapping": 1', '"mapping": ' + '{"a":' * 100 + "1" + "}" * 100),
        "message-error", "is not JSON|nests deeper"),
    "endless number": (spliced('"version": 1', '"version": ' + "9" * 900_000), "message-error", "is not JSON"),
    "number beyond a double": (spliced('"version": 1', '"version": 1e999'), "message-error", "version: "),
    "NaN": (spliced('"version": 1', '"version": NaN'), "message-error", "is not JSON"),
    "half of a character": (spliced('"files"', r'"\ud800"'), "message-error", "is not JSON"),
    "two ids": (
        spliced('"batch_id"', '"batch_id": "fine-0", "batch_id"'), "message-error", "'batch_id' is given twice"),
    "two ids in two spellings": (
        spliced('"batch_id"', '"batchId": "fine-0", "batch_id"'), "message-error", "under two names"),
    "two buckets": (spliced('"bucket"', '"bucket": "mine", "bucket"'), "message-error", "'bucket' is given twice"),
    "unknown key": (key("credentials", to={"profile": "default"}), "message-error", "unknown key 'credentials'"),
    "key of a class": (key("__class__", to="os"), "message-error", "unknown key '__class__'"),
    "pointer elsewhere": (
        body('{"version": 1, "document": {"bucket": "theirs", "key": "a"}}'), "message-error", r"^document\.bucket: "),
    "pointer of a client of SQS": (
        body('["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "x", "s3Key": "../a"}]'),
        "message-error", r"^document\.bucket: "),
    "pointer that leads up": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "../ours/out/fine-0/manifest.json"}}'),
        "source-missing", "does not exist"),
    "pointer to a pointer": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "pointer"}}'),
        "message-error", "must lead to the message itself"),
    "ten megabytes by pointer": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "number"}}'), "message-error", "is not JSON"),
    "a million problems by pointer": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "problems"}}'),
        "message-error", "; and more$|…$"),
    "millions of lists by pointer": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "lists"}}'),
        "message-error", "split the batch"),
    "a mapping of many faults": (
        lambda message, port: json.dumps(
            {name: value for name, value in message.items() if name != "mapping_id"}
            | {"mapping": {"version": 1, "id": "m", "fields": [7] * 9_000}}),
        "mapping-error", r"^fields\[0\]: "),
    "a mapping of too many values": (
        lambda message, port: json.dumps(
            {name: value for name, value in message.items() if name != "mapping_id"}
            | {"mapping": {"version": 1, "id": "m", "fields": [7] * 300_000}}),
        "mapping-error", "has more than 120,000 values"),
    "a document of sixty-five megabytes": (
        body('{"version": 1, "document": {"bucket": "DOCUMENTS", "key": "long"}}'), "message-error", "split the batch"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a worker left that met all of them.

    Attributes:
        reasons: code and reason of each hostile message, by its name.
        output: all objects of the destination.
        log: what the worker wrote.
        connections: that the listener saw.
    """

    reasons: dict[str, tuple[str, str]]
    output: dict[str, bytes]
    log: str
    status: int
    connections: int


@pytest.fixture(scope="module")
def aftermath(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    site = Site.make(aws, tmp_path_factory.mktemp("hostile"), MAPPING)
    documents, dead = aws.bucket("documents"), aws.queue("dead")
    aws.put(documents, "pointer", b'{"version": 1, "document": {"bucket": "xyz", "key": "y"}}')
    aws.put(documents, "number", b'{"version": ' + b"9" * 10_000_000 + b"}")
    aws.put(documents, "problems", b'{"version": 1, "files": [' + b"7," * 999_999 + b"7]}")
    aws.put(documents, "lists", b'{"version": 1, "files": [' + b"[]," * 20_000_000 + b"[]]}")
    aws.put(documents, "long", b" " * (65 << 20))
    with canary() as listener:
        sent = send(site, listener.port, documents)
        variables = {
            "ENGINE_QUEUE__DEAD_LETTER_URL": dead,
            "ENGINE_QUEUE__DOCUMENT_BUCKETS": json.dumps([documents]),
            "ENGINE_QUEUE__WAIT_S": "0",
            "ENGINE_POOL__WORKERS": "1",
        }
        done = subprocess.run(
            ["prlimit", f"--as={MEMORY}", ENGINE, "worker", "--drain"],
            check=False, capture_output=True, text=True, timeout=300,
            cwd=site.folder, env=environment(**site.env(**variables)),
        )  # fmt: skip
        return Aftermath(dict(reasons(aws, dead, sent)), site.output(), done.stderr, done.returncode, listener.visits())


def send(site: Site, port: int, documents: str) -> dict[str, str]:
    """All the messages, the good ones among them; gives the names of the others by their bodies."""
    client = site.aws.server.client("sqs")
    sent: dict[str, str] = {}
    try:
        for number, (name, (change, _, _)) in enumerate(HOSTILE.items()):
            if number % 25 == 10:
                good = FINE[number // 25]
                site.aws.put(site.source, f"{good}.csv", table(good))
                client.send_message(QueueUrl=site.queue, MessageBody=json.dumps(site.message(good, [f"{good}.csv"])))
            message = copy.deepcopy(site.message(f"hostile-{number}", ["a.csv"]))
            text = change(message, port) or json.dumps(message)
            text = text.replace("DOCUMENTS", documents)
            assert sent.setdefault(text, name) == name, "two of one body cannot be told apart"
            client.send_message(QueueUrl=site.queue, MessageBody=text)
    finally:
        client.close()
    return sent


def reasons(aws: Aws, dead: str, sent: dict[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    client = aws.server.client("sqs")
    try:
        while got := client.receive_message(
            QueueUrl=dead, MessageAttributeNames=["All"], MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages"):
            for letter in got:
                client.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
                beside = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
                yield sent[letter["Body"]], (beside["engine_code"], beside["engine_reason"])
    finally:
        client.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_each_is_set_aside_by_name(name: str, aftermath: Aftermath) -> None:
    """The message went to the dead-letter queue as it was, with one clear reason that names what is wrong in it."""
    _, code, what = HOSTILE[name]
    found, reason = aftermath.reasons[name]
    assert found == code, reason
    assert re.search(what, reason), reason
    assert "\n" not in reason
    assert len(reason) <= 2100


def test_nobody_else_notices(aftermath: Aftermath) -> None:
    """The batches between them are committed, nothing else was written anywhere, and nobody was called. The worker
    ends in order, and not for want of memory."""
    assert aftermath.status == 1, aftermath.log[-2000:]  # some batches failed, and nothing else
    assert len(aftermath.reasons) == len(HOSTILE)
    expected = {f"out/{name}/{what}" for name in FINE for what in ("manifest.json", f"data/{name}.jsonl")}
    expected |= {f"out/{name}/rejects/{name}.jsonl" for name in FINE}
    assert set(aftermath.output) == expected
    assert aftermath.connections == 0


def test_the_log_is_one_line_an_event(aftermath: Aftermath) -> None:
    """Whatever the messages hold, every line of the log is one JSON object, and none is a traceback."""
    for line in aftermath.log.splitlines():
        assert isinstance(json.loads(line), dict)
    assert "Traceback" not in aftermath.log
    assert "\x1b" not in aftermath.log
