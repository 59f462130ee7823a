"""Our own side is out: nothing is lost, no message counts receives for it, and the worker goes on by itself."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.command import MAPPING
from tests.faults import FaultProxy, Hold, Match, Refuse, Rule, fault_proxy
from tests.integration.rig import Rig, Worker
from tests.moto import Aws

pytestmark = pytest.mark.one_build("free-threaded")


def port(proxy: FaultProxy) -> int:
    return int(proxy.url.rpartition(":")[2])


def assert_takes_nothing(rig: Rig, worker: Worker, probes: int) -> None:
    """While probes fail, after so many of earlier outages, no message is asked for."""
    worker.wait_for("no message is taken", probes + 1)
    before = len(rig.proxy.calls("ReceiveMessage"))
    worker.wait_for("no message is taken", probes + 2)
    assert len(rig.proxy.calls("ReceiveMessage")) == before


def test_while_the_destination_is_out_no_message_is_taken(aws: Aws, tmp_path: Path) -> None:
    """The destination refuses all from the middle of a batch on; later it takes no connection at all. Each time the
    batch in hand goes back, the others wait on the queue, and a probe finds out when to go on."""
    with fault_proxy(aws.endpoint_url) as proxy, ExitStack() as there:
        rig = Rig.make(aws, tmp_path, proxy)
        destination = there.enter_context(fault_proxy(aws.endpoint_url))
        held = [destination.add(Rule(Match("UploadPart", key=f"out/{name}/*"), Hold(), times=1)) for name in "ac"]
        keys = {name: rig.order(name) for name in "ab"}
        with rig.worker(ENGINE_DESTINATION__ENDPOINT_URL=destination.url, ENGINE_FAILURE__ATTEMPTS="1") as worker:
            held[0].wait_hit()
            out = destination.add(Rule(Match(bucket=rig.site.destination), Refuse(503)))
            held[0].release()
            assert_takes_nothing(rig, worker, 0)
            destination.remove(out)
            rig.until_empty(worker)

            keys |= {name: rig.order(name) for name in "cd"}
            held[1].wait_hit()
            probes = len(worker.events("no message is taken"))
            there.close()
            assert_takes_nothing(rig, worker, probes)
            there.enter_context(fault_proxy(aws.endpoint_url, port=port(destination)))
            rig.until_empty(worker)
            worker.stop()
        assert sorted(line["receive_count"] for line in worker.events("message received")) == [1, 1, 1, 1, 2, 2]
        for name, files in keys.items():
            rig.assert_committed(name, files)
        rig.assert_clean()


def test_without_queue_or_mappings_the_worker_waits(aws: Aws, tmp_path: Path) -> None:
    """A queue that refuses all at start and while a batch commits, one that takes no connection, and a mapping store
    that is out for longer than a lease: the worker neither ends nor gives anything back, and all commits."""
    with fault_proxy(aws.endpoint_url) as proxy, ExitStack() as there:
        rig = Rig.make(aws, tmp_path, proxy)
        store = aws.bucket("mappings")
        aws.put(store, "live/people.json", json.dumps(MAPPING).encode())
        queue = there.enter_context(fault_proxy(aws.endpoint_url))
        refused = queue.add(Rule(Match(queue="*?"), Refuse(500)))
        unread = proxy.add(Rule(Match(bucket=store), Refuse(500)))
        held = proxy.add(Rule(Match("GetObject", key="b/*"), Hold(), times=1))
        with rig.worker(
            ENGINE_QUEUE__ENDPOINT_URL=queue.url,
            ENGINE_QUEUE__VISIBILITY_S="4",
            ENGINE_MAPPINGS__STORE=f"s3://{store}/live/",
        ) as worker:
            worker.wait_for("queue unavailable")
            queue.remove(refused)

            keys = {"a": rig.order("a")}
            queue.wait_for(lambda queue: len(queue.calls("ChangeMessageVisibility")) >= 3)
            assert worker.events("message cannot be read now")
            proxy.remove(unread)
            worker.wait_for("message acknowledged")

            keys["b"] = rig.order("b")
            held.wait_hit()
            refused = queue.add(Rule(Match("DeleteMessage"), Refuse(500)))
            held.release()
            worker.wait_for("message not acknowledged yet")
            queue.remove(refused)
            rig.until_empty(worker)

            unanswered = len(worker.events("queue unavailable"))
            there.close()
            keys["c"] = rig.order("c")
            worker.wait_for("queue unavailable", unanswered + 1)
            there.enter_context(fault_proxy(aws.endpoint_url, port=port(queue)))
            rig.until_empty(worker)
            worker.stop()
        assert not worker.events("message given back")
        assert worker.events("message received")[0]["receive_count"] == 1
        for name, files in keys.items():
            rig.assert_committed(name, files)
        rig.assert_clean()
