"""``engine send`` and ``engine worker`` against a real queue and real buckets over HTTP."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import MAPPING, engine, started
from tests.moto import Aws
from tests.site import Site


@pytest.fixture
def site(tmp_path: Path, aws: Aws) -> Site:
    made = Site.make(aws, tmp_path, MAPPING)
    aws.put(made.source, "a.csv", b"id,name\n1,Ann\nx,Bob\n")
    aws.put(made.source, "b.csv", b"id,name\n2,Cem\n")
    return made


def env(site: Site) -> dict[str, str]:
    """Failed messages stay away for long, so that a test finds them where they went."""
    return site.env(ENGINE_QUEUE__WAIT_S="1", ENGINE_FAILURE__BACKOFF_S="[900, 900]")


def message(site: Site, name: str, **changes: Any) -> Path:
    """A file with a message for the two files, or with ``changes``."""
    path = site.folder / f"{name}.message.json"
    path.write_text(json.dumps(site.message(name, ["a.csv", "b.csv"], correlation_id=f"c-{name}") | changes))
    return path


def log(stderr: str) -> list[dict[str, Any]]:
    """Standard error of a worker that is not on a terminal: JSON, every line of it."""
    return [json.loads(line) for line in stderr.splitlines()]


def test_sent_messages_are_worked_off_and_deleted(site: Site) -> None:
    """send prints an id; --once takes one message, --drain the rest; every log line of a batch names it."""
    ids = set()
    for name in ("b1", "b2", "b3"):
        sent = engine("send", message(site, name), cwd=site.folder, env=env(site))
        assert (sent.returncode, sent.stderr) == (0, "")
        ids.add(sent.stdout.strip())
    assert len(ids) == 3
    once = engine("worker", "--once", cwd=site.folder, env=env(site))
    assert once.returncode == 0, once.stderr
    assert site.messages() == (2, 0)
    drained = engine("worker", "--drain", cwd=site.folder, env=env(site))
    assert drained.returncode == 0, drained.stderr
    assert site.messages() == (0, 0)
    assert set(site.aws.objects(site.destination)) == {
        f"out/{name}/{key}"
        for name in ("b1", "b2", "b3")
        for key in ("data/a.jsonl", "data/b.jsonl", "rejects/a.jsonl", "manifest.json")
    }
    lines = log(once.stderr) + log(drained.stderr)
    committed = [line for line in lines if line["event"] == "batch committed"]
    assert {(line["batch_id"], line["correlation_id"], line["rows_read"]) for line in committed} == {
        (name, f"c-{name}", 3) for name in ("b1", "b2", "b3")
    }
    assert "client-secret" not in once.stderr + drained.stderr
    assert "Bob" not in once.stderr + drained.stderr


def test_a_message_with_a_missing_file_stays_on_the_queue(site: Site) -> None:
    """The file and the reason are logged, the status is 1, nothing is visible and the message is not deleted."""
    assert (
        engine("send", message(site, "b1", files=["a.csv", "gone.csv"]), cwd=site.folder, env=env(site)).returncode == 0
    )
    done = engine("worker", "--drain", cwd=site.folder, env=env(site))
    assert done.returncode == 1
    failed = [line for line in log(done.stderr) if line["event"] == "message failed"]
    assert [(line["file"], line["code"]) for line in failed] == [("gone.csv", "source-missing")]
    assert site.messages() == (0, 1)
    assert site.aws.objects(site.destination) == {}
    assert site.aws.open_uploads(site.destination) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mapping": MAPPING}, "exactly one of mapping_id and mapping"),
        ({"mapping_id": None, "mapping": {**MAPPING, "fields": [{"name": "id", "type": "itn"}]}}, "fields[0].type"),
        ({"files": []}, "files"),
        ({"destination": {"bucket": "x", "perfix": "y"}}, "did you mean 'prefix'"),
    ],
    ids=["both", "mapping", "files", "destination"],
)
def test_send_refuses_what_a_worker_could_not_do(site: Site, changes: dict[str, Any], named: str) -> None:
    """A bad message is refused with status 2 and its faults, and nothing is sent."""
    done = engine("send", message(site, "b1", **changes), cwd=site.folder, env=env(site))
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert site.messages() == (0, 0)


def test_a_missing_queue_is_wrong_configuration(site: Site) -> None:
    """A queue that does not exist ends the worker with one line and status 2, not with endless retries."""
    done = engine("worker", "--queue", site.queue + "-not", "--log-level", "error", cwd=site.folder, env=env(site))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("engine: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_idle_worker_stops_when_told(site: Site, number: signal.Signals) -> None:
    """A service that is told to stop ends with status 0 after the poll in hand."""
    with started("worker", cwd=site.folder, env=env(site)) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "worker started"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait() == 0
    lines = rest.splitlines()
    told = [line for line in lines if not line.startswith("{")]
    assert told == [f"engine: {number.name}: stopping (once more to exit at once)"]
    assert json.loads(lines[-1])["event"] == "worker stopped"
