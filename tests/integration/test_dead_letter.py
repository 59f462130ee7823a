"""Messages that can never succeed: set aside at once, whole, with the reasons; sent again once the cause is mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import MAPPING
from tests.faults import Match, Refuse, Rule, fault_proxy
from tests.integration.rig import Rig, table
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")


@pytest.fixture
def rig(aws: Aws, tmp_path: Path) -> Iterator[Rig]:
    with fault_proxy(aws.endpoint_url) as proxy:
        yield Rig.make(aws, tmp_path, proxy)


CODES = {
    "missing-key": "source-missing",
    "bad-mapping": "mapping-error",
    "missing-column": "header-error",
    "denied": "access-denied",
}


def test_what_can_never_succeed_is_set_aside_and_can_be_sent_again(rig: Rig) -> None:
    """Each permanent failure goes to the dead-letter queue at its first receive, with its reasons and the very body;
    that body, sent again when its cause is mended, commits. While the dead-letter queue refuses, the message stays."""
    bodies = {name: json.dumps(rig.message(name, rig.put(name)), indent=1) for name in CODES}
    rig.aws.delete(rig.site.source, "missing-key/1.csv")
    bodies["bad-mapping"] = bodies["bad-mapping"].replace('"people"', '"later"')
    rig.aws.put(rig.site.source, "missing-column/0.csv", b"id,wrong\n1,a\n")
    denied = rig.proxy.add(Rule(Match("GetObject", key="denied/*"), Refuse(403)))
    fine = rig.order("fine")
    for body in [*bodies.values(), '{"version": 1, "batch_id": ']:
        rig.send(body)
    log = rig.run()
    letters = by_code(rig.letters())
    assert {code: letter["body"] for code, letter in letters.items()} == {
        **{code: bodies[name] for name, code in CODES.items()},
        "message-error": '{"version": 1, "batch_id": ',
    }
    for name, code in CODES.items():
        attributes = letters[code]["attributes"]
        assert (attributes["engine_batch_id"], attributes["engine_receive_count"]) == (name, "1")
    assert letters["source-missing"]["attributes"]["engine_file"] == "missing-key/1.csv"
    assert "'name'" in letters["header-error"]["attributes"]["engine_reason"]
    assert "engine_batch_id" not in letters["message-error"]["attributes"]
    assert [line["receive_count"] for line in log if line["event"] == "message received"] == [1] * 6
    rig.assert_committed("fine", fine)
    assert all(key.startswith("out/fine/") for key in rig.site.output())
    rig.assert_clean()

    rig.aws.put(rig.site.source, "missing-key/1.csv", table("back"))
    (rig.site.folder / "mappings" / "later.json").write_text(json.dumps({**MAPPING, "id": "later"}))
    rig.aws.put(rig.site.source, "missing-column/0.csv", table("right"))
    rig.proxy.remove(denied)
    for code in CODES.values():
        rig.send(letters[code]["body"])
    refusing = rig.proxy.add(Rule(Match("SendMessage", queue="dead*"), Refuse(403)))
    rig.send(rig.message("stays", ["none.csv"]))
    with rig.worker() as worker:
        worker.wait_for("message not dead-lettered", 2)
        assert rig.letters() == []
        rig.proxy.remove(refusing)
        rig.until_empty(worker)
        worker.stop()
    (letter,) = rig.letters()
    assert int(letter["attributes"]["engine_receive_count"]) >= 3
    assert json.loads(letter["body"])["batch_id"] == "stays"
    for name in CODES:
        rig.assert_committed(name, [f"{name}/0.csv", f"{name}/1.csv"])


def by_code(letters: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {letter["attributes"]["engine_code"]: letter for letter in letters}


def test_with_retry_a_permanent_failure_waits_on_the_queue(rig: Rig) -> None:
    """``failure.permanent = "retry"``: the message comes again until its cause is mended, and then commits."""
    keys = rig.order("again")
    rig.aws.delete(rig.site.source, keys[0])
    with rig.worker(ENGINE_FAILURE__PERMANENT="retry") as worker:
        worker.wait_for("message failed", 2, code="source-missing")
        rig.aws.put(rig.site.source, keys[0], table("back"))
        rig.until_empty(worker)
        worker.stop()
    rig.assert_committed("again", keys)
    rig.assert_clean()


def test_with_ack_a_permanent_failure_is_only_reported(rig: Rig) -> None:
    """``failure.permanent = "ack"``: the message is deleted at its first receive, the log says why."""
    rig.send(rig.message("gone", ["none.csv"]))
    log = rig.run(ENGINE_FAILURE__PERMANENT="ack")
    (failed,) = [line for line in log if line["event"] == "message failed"]
    assert (failed["batch_id"], failed["file"], failed["code"]) == ("gone", "none.csv", "source-missing")
    assert rig.site.output() == {}
    rig.assert_clean()


def test_what_is_wrong_with_the_queue_is_said_at_start(rig: Rig) -> None:
    """A queue without a redrive policy, with a visibility timeout below the configured one: a warning each, once."""
    bare = rig.aws.queue(visibility_s=10)
    with rig.worker("--drain", ENGINE_QUEUE__URL=bare, ENGINE_QUEUE__VISIBILITY_S="20") as worker:
        assert worker.wait() == 0
    said = [line["event"] for line in worker.log if line["level"] == "warning"]
    assert len(said) == 3
    assert "no redrive policy" in " ".join(said)
    assert "visibility timeout of 10 s" in " ".join(said)
    assert "queue.visibility_s is 20" in " ".join(said)
