"""Workers that are frozen past their leases: whoever has the message now commits, and the thawed ones touch nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults import FaultProxy, Hold, LeaseTable, Match, Refuse, Rule, fault_proxy
from tests.faults.leases import LeaseMode
from tests.integration.rig import Rig, Worker, until
from tests.moto import Aws

_COMPLETE = Match("CompleteMultipartUpload")
_MANIFEST = Match("PutObject", key="*/manifest.json")
_UPLOADS = 4  # of a batch: two files, each with rejects


@dataclass(frozen=True, slots=True)
class Frozen:
    """A worker that is to be frozen in the call that ``rule`` holds.

    Attributes:
        late: what is held arrives when the other worker is done; otherwise its answer is there at the thaw.
    """

    name: str
    rule: Rule
    late: bool = False


def points() -> Iterator[Frozen]:
    """The points of the commit between which a worker may be frozen."""
    yield Frozen("before Complete", Rule(Match("PutObject", key="*/checkpoints/*"), Hold("head"), after=1, times=1))
    yield Frozen("while Complete is on its way", Rule(_COMPLETE, Hold("request"), times=1), late=True)
    yield Frozen("between Complete and manifest", Rule(_COMPLETE, Hold("head"), after=_UPLOADS - 1, times=1))
    yield Frozen("while the manifest is on its way", Rule(_MANIFEST, Hold("request", 10), times=1), late=True)
    yield Frozen("between manifest and delete", Rule(_MANIFEST, Hold("head"), times=1))
    yield Frozen("while the delete is on its way", Rule(Match("DeleteMessage"), Hold("request"), times=1), late=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "mode",
    [
        pytest.param("strict", marks=pytest.mark.one_build("free-threaded")),
        pytest.param("lenient", marks=pytest.mark.one_build("gil")),
    ],
)
def test_a_thawed_worker_completes_and_deletes_nothing(aws: Aws, tmp_path: Path, mode: LeaseMode) -> None:
    """Frozen at six points of a commit until another worker has committed, a worker completes nothing and deletes
    nothing once thawed, whether the queue refuses its receipt or agrees to everything."""
    frozen = list(points())
    with ExitStack() as stack:
        table = LeaseTable(mode)
        source, saviour, *own = (
            stack.enter_context(fault_proxy(aws.endpoint_url, leases=leases))
            for leases in (None, table, *(table for _ in frozen))
        )
        rig = Rig.make(aws, tmp_path, source, visibility_s=3)
        rig.keep_versions()
        keys = {f"b{number}": rig.order(f"b{number}") for number in range(len(frozen))}
        workers = [stack.enter_context(rig.worker(**at(rig, proxy))) for proxy in own]
        for point, proxy in zip(frozen, own, strict=True):
            proxy.add(point.rule)
        for point, worker in zip(frozen, workers, strict=True):
            point.rule.wait_hit(timeout_s=90)
            worker.signal(signal.SIGSTOP)
            if not point.late:
                point.rule.release()
        with rig.worker(**at(rig, saviour)) as other:
            rig.until_empty(other)
            other.stop()
        for batch, files in keys.items():
            rig.assert_committed(batch, files)
        before = rig.etags("")
        thawed = [len(proxy.requests) for proxy in own]
        for point, proxy in zip(frozen, own, strict=True):
            point.rule.release()
            proxy.wait_for(lambda proxy: all(call.done for call in proxy.requests))
        for worker in workers:
            worker.signal(signal.SIGCONT)
        for worker in workers:
            settled(worker)
            worker.stop()
        assert rig.etags("") == before
        written = {key: count for key, count in rig.versions("").items() if "/checkpoints/" not in key}
        assert set(written.values()) == {1}, written
        rig.assert_clean()
        for point, proxy, worker, since in zip(frozen, own, workers, thawed, strict=True):
            harmless(point, proxy, worker, since)


def at(rig: Rig, proxy: FaultProxy) -> dict[str, str]:
    """The configuration of a worker whose own side is reached through ``proxy``; a receive holds for 3 seconds."""
    return {
        "ENGINE_QUEUE__ENDPOINT_URL": proxy.url,
        "ENGINE_QUEUE__VISIBILITY_S": "3",
        "ENGINE_DESTINATION__ENDPOINT_URL": proxy.url,
    }


def settled(worker: Worker) -> None:
    """Waits until the worker has done with the message that it was frozen with."""
    until(
        lambda: bool(
            worker.events("message failed", failure="lease_lost")
            or worker.events("message not acknowledged: it will come again, and be found done")
        ),
        f"a thawed worker has done with its message:\n{worker.text}",
    )


def harmless(point: Frozen, proxy: FaultProxy, worker: Worker, since: int) -> None:
    """A worker that was thawed deletes nothing but its own attempt's mark, aborts nothing, writes no manifest and tells
    the queue nothing.

    It may send a Complete that it had looked at the lease for before: nothing new comes of it, as the versions show.
    """
    for call in proxy.requests[since:]:
        own = call.operation == "DeleteObject" and "/checkpoints/committing-" in call.path
        assert own or not call.operation.startswith(("Delete", "Abort")), (point.name, call)
        assert not call.stale, (point.name, call)
        assert _MANIFEST.fits(call) is False, point.name
    # A Complete that arrives late is told that it succeeded: the upload is completed, by somebody else.
    late = [call for call in proxy.requests if point.late and "hold" in call.faults and not _COMPLETE.fits(call)]
    assert all(call.upstream == 412 or not call.forwarded for call in late), (point.name, late)
    assert worker.events("message acknowledged") == [], (point.name, worker.text)
    assert worker.events("message given back") == [], (point.name, worker.text)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_poison_message_does_not_hold_up_the_queue(aws: Aws, tmp_path: Path) -> None:
    """A message whose source fails for ever is received as often as the queue's redrive policy says and lies in the
    dead-letter queue then, unchanged; meanwhile another tenant's is committed."""
    with fault_proxy(aws.endpoint_url, Rule(Match("GetObject", key="poison/*"), Refuse(503))) as proxy:
        made = Rig.make(aws, tmp_path, proxy)
        site, dead_letters = made.site.with_redrive(visibility_s=30, most_receives=3)
        rig = replace(made, site=site, dead_letters=dead_letters)
        poison = rig.message("poison", rig.put("poison"))
        rig.send(poison)
        other = rig.message("other", rig.put("other"))
        other["source"]["credentials"]["access_key_id"] = "OTHERKEY"
        rig.send(other)
        log = rig.run(ENGINE_SOURCE__ATTEMPTS="1", ENGINE_FAILURE__ATTEMPTS="1")
        assert receives(log, committed=False) == [1, 2, 3]
        assert receives(log, committed=True) == [1]
        rig.assert_committed("other", ["other/0.csv", "other/1.csv"])
        assert rig.aws.objects(site.destination, "out/poison/") == {}
        assert rig.aws.open_uploads(site.destination) == []
        (letter,) = rig.letters()
        assert json.loads(letter["body"]) == poison


def receives(log: Sequence[dict[str, object]], *, committed: bool) -> list[object]:
    """The receive counts of the message that was acknowledged, or of the one that was not."""
    acknowledged = {line["message_id"] for line in log if line["event"] == "message acknowledged"}
    received = [line for line in log if line["event"] == "message received"]
    return [line["receive_count"] for line in received if (line["message_id"] in acknowledged) is committed]
