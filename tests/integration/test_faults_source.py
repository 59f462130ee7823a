"""A source that changes, breaks off, is busy or asks to be asked less: the output is that of one whole object."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import RESET, Cut, Drip, Hold, Match, Refuse, Rule, fault_proxy
from tests.faults.rules import Do
from tests.integration.rig import Log, Rig, table
from tests.moto import Aws

pytestmark = pytest.mark.one_build("free-threaded")


def test_a_file_replaced_between_two_reads_is_wholly_the_new_one(aws: Aws, tmp_path: Path) -> None:
    """A file replaced in the middle of a read, and one replaced after its checkpoint, come out as the new object's."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy)
        (first,) = rig.put("reading", files=1, rows=4000)
        rig.send(rig.message("reading", [first]))
        proxy.add(Rule(Match("GetObject", key=first), Cut("body", 30_000), times=1))
        resuming = proxy.add(Rule(Match("GetObject", key=first), Hold("request"), times=1))
        kept, failing = rig.order("between")
        proxy.add(Rule(Match("GetObject", key=failing), Refuse(500), times=6))
        looking = proxy.add(Rule(Match("HeadObject", bucket=rig.site.source, key=kept), Hold("request"), times=1))
        with rig.worker(ENGINE_SOURCE__READ_BYTES="4096", ENGINE_FAILURE__ATTEMPTS="2") as worker:
            resuming.wait_hit()
            assert proxy.calls("GetObject")[0].passed == 30_000
            aws.put(rig.site.source, first, table("changed/0.csv", rows=4000))  # of the same length
            resuming.release()
            looking.wait_hit()
            aws.put(rig.site.source, kept, table("changed/0.csv"))
            looking.release()
            rig.until_empty(worker)
            worker.stop()
        assert worker.events("file tried again", code="source-changed")
        assert worker.events("batch committed", batch_id="between", files_resumed=0)
        rig.assert_committed("reading", [first])
        rig.assert_committed("between", [kept, failing])
        for key in ("reading/reading/0", "between/between/0"):
            batch, _, name = key.partition("/")
            output = rig.site.output()[f"out/{batch}/data/{name}.jsonl"]
            assert output.count(b"changed/0.csv ") == output.count(b"\n")
        rig.assert_clean()


@dataclass(frozen=True, slots=True)
class Ran:
    rig: Rig
    rules: dict[str, Rule]
    log: Log


BUSY: list[Do] = [Refuse(503), Refuse(500), RESET, Cut("head", 0), Cut("head", 40), Cut("body", 0, "close")]


@pytest.fixture(scope="module")
def ran(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One worker and two batches: the same file fifty times, each read cut at another offset, and a busy source."""
    text = table("same", rows=1200)
    packed = gzip.compress(text, mtime=0)
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path_factory.mktemp("source"), proxy)
        rules: dict[str, Rule] = {}
        for body, suffix, count in ((text, "csv", 35), (packed, "csv.gz", 15)):
            for number, offset in enumerate(offsets(len(body), count)):
                key = f"cuts/{number:02}.{suffix}"
                aws.put(rig.site.source, key, body)
                cut = Cut("body", offset, "reset" if number % 2 else "close")
                rules[key] = proxy.add(Rule(Match("GetObject", key=key), cut, times=1))
        rig.send(rig.message("cuts", list(rules)))
        for key, fault in zip(rig.order("busy", files=len(BUSY)), BUSY, strict=True):
            rules[key] = proxy.add(Rule(Match("GetObject", key=key), fault, times=2))
        yield Ran(rig, rules, rig.run(ENGINE_SOURCE__READ_BYTES="4096"))


def offsets(size: int, count: int) -> list[int]:
    """So many places of a body: its ends, those of a piece and of its header, and between."""
    edges = {0, 1, 7, 8, 4095, 4096, 4097, size // 2, size - 1}
    return sorted(edges | set(range(3, size, size // (count - len(edges)))))[:count]


def test_a_cut_at_any_offset_changes_no_byte(ran: Ran) -> None:
    """Fifty reads of one file, plain and compressed, are cut once each, all elsewhere: the same output each time."""
    keys = [key for key in ran.rules if key.startswith("cuts/")]
    assert [ran.rules[key].hits for key in keys] == [1] * 50
    resumed = [call for call in ran.rig.proxy.calls("GetObject") if call.upstream == 206]
    assert len(resumed) >= 48, "all but those cut before the first byte"
    ran.rig.assert_committed("cuts", keys)
    outputs = {body for key, body in ran.rig.site.output().items() if key.startswith("out/cuts/data/")}
    assert len(outputs) == 1


def test_a_busy_source_is_asked_again(ran: Ran) -> None:
    """Errors, resets and answers cut in their heads cost retries only: no file, and no message, is taken again."""
    keys = [key for key in ran.rules if key.startswith("busy/")]
    assert [ran.rules[key].hits for key in keys] == [2] * len(BUSY)
    ran.rig.assert_committed("busy", keys)
    assert [line["receive_count"] for line in ran.log if line["event"] == "message received"] == [1, 1]
    assert not [line for line in ran.log if line["event"] == "file tried again"]
    ran.rig.assert_clean()


def test_a_throttled_tenant_waits_alone(aws: Aws, tmp_path: Path) -> None:
    """A client whose S3 only ever asks to slow down gets its message back; another client's batch commits meanwhile,
    at its first receive; the first one's does when its S3 answers again."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy)
        slow = rig.order("slow")
        slowed = proxy.add(Rule(Match(bucket=rig.site.source), Refuse(503)))
        other = aws.bucket("other")
        aws.put(other, "b.csv", table("other"))
        message = rig.message("quick", ["b.csv"])
        message["source"]["bucket"] = other
        message["source"]["credentials"]["access_key_id"] = "OTHERKEY"
        rig.send(message)
        with rig.worker(
            ENGINE_FAILURE__ATTEMPTS="1", ENGINE_SOURCE__ATTEMPTS="2", ENGINE_FAILURE__BACKOFF_S="[2, 4]"
        ) as worker:
            worker.wait_for("batch committed", batch_id="quick")
            assert worker.events("message failed", batch_id="slow", failure="transient")
            assert not worker.events("batch committed", batch_id="slow")
            assert [call.upstream for call in proxy.calls("GetObject") if call.bucket == other] == [200]
            proxy.remove(slowed)
            rig.until_empty(worker)
            worker.stop()
        assert not worker.events("no message is taken"), "a client's outage is not ours"
        counts = [line["receive_count"] for line in worker.events("message received")]
        assert counts.count(1) == 2
        rig.assert_committed("slow", slow)
        assert b"other 0" in rig.site.output()["out/quick/data/b.jsonl"]
        rig.assert_clean()


def test_a_source_that_hangs_gives_way(aws: Aws, tmp_path: Path) -> None:
    """A read that brings nothing for ``queue.stall_s`` gives its message back, and the next message has its turn; when
    the source answers again the first one commits too. One that only drips is not given up."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy)
        keys = {name: rig.order(name) for name in ("hung", "next", "dripping")}
        silent = proxy.add(Rule(Match("GetObject", key="hung/1.csv"), Hold("body", 100)))
        dripping = proxy.add(Rule(Match("GetObject", key="dripping/1.csv"), Drip(len(table("dripping/1.csv")) / 4)))
        with rig.worker(ENGINE_QUEUE__STALL_S="3", ENGINE_FAILURE__BACKOFF_S="[2, 4]") as worker:
            worker.wait_for("batch committed", batch_id="next")
            assert worker.events("message failed", batch_id="hung", code="stalled", failure="transient")
            proxy.remove(silent)
            rig.until_empty(worker)
            worker.stop()
        assert silent.hits >= 1
        assert dripping.hits >= 1
        assert not worker.events("message failed", batch_id="dripping")
        for name, files in keys.items():
            rig.assert_committed(name, files)
        rig.assert_clean()
