"""Answers that are lost, and answers that lie, while batches commit: each commits once, whole, and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.faults import LOSE_ANSWER, RESET, Cut, Match, Refuse, Replay, Rule, Substitute, fault_proxy
from tests.faults.rules import Do
from tests.integration.rig import Log, Rig
from tests.moto import Aws

pytestmark = pytest.mark.one_build("free-threaded")

HTML = Substitute(200, b"<html><body>It works!</body></html>", {"Content-Type": "text/html"})
ERROR = Substitute(
    200,
    b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>made up</Message></Error>',
    {"Content-Type": "application/xml"},
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to calls about the keys ``key`` of a batch: the first ``times``, or all, as long as it lasts."""

    operation: str
    key: str
    do: Do
    times: int = 1

    def rule(self, batch: str) -> Rule:
        return Rule(Match(self.operation, key=f"out/{batch}/{self.key}"), self.do, times=self.times)


def complete(do: Do, times: int = 1) -> Fault:
    return Fault("CompleteMultipartUpload", "data/*", do, times)


FAULTS = {
    "complete-applied-then-reset": complete(LOSE_ANSWER),
    "complete-reset-unapplied": complete(RESET),
    "complete-cut-in-its-request": complete(Cut("request", 20)),
    "complete-200-with-error-applied": complete(ERROR),
    "complete-200-with-error-unapplied": complete(Refuse(200, "InternalError")),
    "complete-200-empty": complete(Substitute(200, b"")),
    "complete-200-html": complete(HTML),
    "complete-replayed": complete(Replay()),
    "complete-500": complete(Refuse(500), 2),
    "complete-always-unanswered": complete(LOSE_ANSWER, 20),
    "complete-refused-for-long": complete(Refuse(503), 6),
    "manifest-applied-then-reset": Fault("PutObject", "manifest.json", LOSE_ANSWER),
    "manifest-reset-unapplied": Fault("PutObject", "manifest.json", RESET),
    "manifest-replayed": Fault("PutObject", "manifest.json", Replay()),
    "manifest-always-unanswered": Fault("PutObject", "manifest.json", LOSE_ANSWER, 20),
    "manifest-refused-for-long": Fault("PutObject", "manifest.json", Refuse(503), 5),
    "manifest-409": Fault("PutObject", "manifest.json", Refuse(409)),
    "create-applied-then-reset": Fault("CreateMultipartUpload", "data/*", LOSE_ANSWER),
    "create-200-empty": Fault("CreateMultipartUpload", "rejects/*", Substitute(200, b"")),
    "part-applied-then-reset": Fault("UploadPart", "data/*", LOSE_ANSWER),
    "part-cut-in-its-request": Fault("UploadPart", "data/*", Cut("request", 300)),
    "part-replayed": Fault("UploadPart", "rejects/*", Replay()),
    "part-500": Fault("UploadPart", "data/*", Refuse(500), 2),
    "checkpoint-applied-then-reset": Fault("PutObject", "checkpoints/*", LOSE_ANSWER),
    "checkpoint-refused-for-long": Fault("PutObject", "checkpoints/*", Refuse(500), 6),
    "head-lost": Fault("HeadObject", "data/*", LOSE_ANSWER, 2),
    "forget-refused": Fault("DeleteObject", "checkpoints/*", Refuse(503), 2),
}


@dataclass(frozen=True, slots=True)
class Ran:
    rig: Rig
    rules: dict[str, Rule]
    keys: dict[str, list[str]]
    log: Log


@pytest.fixture(scope="module")
def ran(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One worker, a batch for each fault, and a fault for the first few acknowledgements."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path_factory.mktemp("commit"), proxy)
        rig.keep_versions()
        rules = {name: proxy.add(fault.rule(name)) for name, fault in FAULTS.items()}
        rules["delete-lost"] = proxy.add(Rule(Match("DeleteMessage"), LOSE_ANSWER, times=1))
        rules["delete-refused"] = proxy.add(Rule(Match("DeleteMessage"), Refuse(503), after=2, times=4))
        rules["delete-denied"] = proxy.add(Rule(Match("DeleteMessage"), Refuse(403), after=12, times=1))
        keys = {name: rig.order(name) for name in FAULTS}
        log = rig.run(ENGINE_QUEUE__VISIBILITY_S="5", ENGINE_POOL__WORKERS="2")
        yield Ran(rig, rules, keys, log)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_leaves_a_batch_that_is_committed_once(ran: Ran, name: str) -> None:
    """The fault struck; the batch is the oracle's, and its manifest and every object of it were written once."""
    assert ran.rules[name].hits >= 1
    ran.rig.assert_committed(name, ran.keys[name])
    written = ran.rig.versions(f"out/{name}/")
    final = {key: times for key, times in written.items() if "/checkpoints/" not in key}
    assert len(final) == 5
    assert set(final.values()) == {1}, final


def test_lost_and_refused_acknowledgements_are_survived(ran: Ran) -> None:
    """Deletes whose answers were lost, or that were refused for a while, come to an end; nothing is left anywhere."""
    assert [ran.rules[name].hits for name in ("delete-lost", "delete-refused", "delete-denied")] == [1, 4, 1]
    ran.rig.assert_clean()


OUTLASTING = {
    "complete-refused-for-long",
    "manifest-always-unanswered",
    "manifest-refused-for-long",
    "checkpoint-refused-for-long",
}


def test_only_what_outlasts_the_retries_is_taken_again(ran: Ran) -> None:
    """A lost or lying answer costs no attempt; what must be given back is found done, or resumed, at the next."""
    failed = [line["batch_id"] for line in ran.log if line["event"] == "message failed"]
    assert sorted(set(failed)) == sorted(OUTLASTING)
    resumed = {line["batch_id"] for line in ran.log if line["event"] == "batch resumed"}
    assert resumed >= {"complete-refused-for-long", "manifest-refused-for-long"}
    done = {line["batch_id"] for line in ran.log if line["event"] == "batch committed before"}
    assert "manifest-always-unanswered" in done
