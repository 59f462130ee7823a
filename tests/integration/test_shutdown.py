"""Told to stop, in whatever phase: exit status 0 in time, nothing half, and the next worker goes on where it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import ENGINE
from tests.faults import FaultProxy, Hold, Match, Rule, fault_proxy
from tests.integration.rig import Rig, until
from tests.moto import Aws


@pytest.fixture
def rig(aws: Aws, tmp_path: Path) -> Iterator[Rig]:
    with fault_proxy(aws.endpoint_url) as proxy:
        yield Rig.make(aws, tmp_path, proxy)


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a batch of two files is held when the signal comes.

    Attributes:
        operation, key: the first such call is held; ``{}`` stands for the batch.
        answer: the call is carried out, and its answer held.
        after: so many other calls of one kind come to their end first.
        resumed: files that the next worker need not read; None: it finds the batch done.
    """

    operation: str
    key: str
    resumed: int | None
    after: int
    answer: bool = False

    def rule(self, batch: str) -> Rule:
        match = Match(self.operation, key=self.key.replace("{}", batch))
        return Rule(match, Hold("head" if self.answer else "request"), times=1)


PHASES = {
    "reading": Phase("GetObject", "{}/1.csv", 1, 1),
    "checkpoint": Phase("PutObject", "out/{}/checkpoints/*", 1, 1),
    "completing": Phase("CompleteMultipartUpload", "out/{}/data/*", 2, 2),
    "completed": Phase("CompleteMultipartUpload", "out/{}/rejects/*", 2, 2, answer=True),
    "manifest": Phase("PutObject", "out/{}/manifest.json", 2, 2),
    "manifest-written": Phase("PutObject", "out/{}/manifest.json", None, 2, answer=True),
}


def test_a_signal_in_any_phase_leaves_what_the_next_worker_finishes(rig: Rig) -> None:
    """A worker a phase: each first finishes what the one before was stopped in, then is stopped in its own phase, with
    exit status 0 and the message visible at once; files whose checkpoints lie there are read once in all."""
    resumed: dict[str, int] = {}
    for name, phase in PHASES.items():
        rule = rig.proxy.add(phase.rule(name))
        rig.order(name)
        with rig.worker(ENGINE_SERVICE__GRACE_S="0.3") as worker:
            rule.wait_hit()
            wait_written(rig.proxy, name, phase.after)
            worker.stop()
        rig.proxy.remove(rule)
        assert rig.site.messages() == (1, 0), name
        assert worker.events("message failed", code="shutting-down", batch_id=name), name
        assert (f"out/{name}/manifest.json" in rig.site.output()) == (phase.resumed is None), name
        kept = {key.split("/")[-1] for key in rig.aws.open_uploads(rig.site.destination)}
        assert len(kept) <= (phase.resumed or 0), f"{name}: {kept}"
        resumed |= {line["batch_id"]: line["files_resumed"] for line in worker.events("batch committed")}
    last = rig.run()
    resumed |= {line["batch_id"]: line["files_resumed"] for line in last if line["event"] == "batch committed"}
    assert resumed == {name: phase.resumed for name, phase in PHASES.items() if phase.resumed is not None}
    for name, phase in PHASES.items():
        rig.assert_committed(name, [f"{name}/0.csv", f"{name}/1.csv"])
        reads = [call.key for call in rig.proxy.calls("GetObject") if call.key and call.key.startswith(f"{name}/")]
        assert len(reads) <= 2 + 2 - (2 if phase.resumed is None else phase.resumed), name
    rig.assert_clean()


def wait_written(proxy: FaultProxy, batch: str, count: int) -> None:
    """Waits until so many checkpoints of a batch are there."""

    def there(proxy: FaultProxy) -> bool:
        puts = [call for call in proxy.calls("PutObject") if call.key and f"/{batch}/checkpoints/" in call.key]
        return sum(call.upstream == 200 for call in puts) >= count

    proxy.wait_for(there)


def test_a_message_that_comes_with_the_last_poll_is_given_back(rig: Rig) -> None:
    """Told to stop while a long poll runs, a worker waits for it; the message that it brings is visible at once."""
    polling = rig.proxy.add(Rule(Match("ReceiveMessage"), Hold("head"), times=1))
    rig.order("late")
    with rig.worker(ENGINE_QUEUE__WAIT_S="20") as worker:
        polling.wait_hit()
        worker.signal()
        until(lambda: "stopping" in worker.text, "the signal is heard")
        polling.release()
        assert worker.wait() == 0
    assert not worker.events("message received")
    assert rig.site.messages() == (1, 0)
    assert rig.site.output() == {}


def test_what_can_end_within_the_grace_ends(rig: Rig) -> None:
    """A batch that needs only a little longer is committed and acknowledged before the worker exits, with status 0."""
    held = rig.proxy.add(Rule(Match("CompleteMultipartUpload"), Hold(), times=1))
    keys = rig.order("ending")
    rig.order("waiting")
    with rig.worker(ENGINE_SERVICE__GRACE_S="60") as worker:
        held.wait_hit()
        worker.signal(signal.SIGINT)
        until(lambda: "stopping" in worker.text, "the signal is heard")
        held.release()
        assert worker.wait() == 0
    rig.assert_committed("ending", keys)
    assert rig.site.messages() == (1, 0), "no other message was taken"


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessage"])
def test_a_queue_that_does_not_answer_cannot_hold_up_the_exit(rig: Rig, operation: str) -> None:
    """Told to stop while the queue leaves a call unanswered, a worker exits with status 0, soon after the grace."""
    held = rig.proxy.add(Rule(Match(operation), Hold()))
    rig.order("unanswered")
    with rig.worker(ENGINE_SERVICE__GRACE_S="0.3") as worker:
        held.wait_hit()
        worker.signal()
        assert worker.wait() == 0, worker.text


def test_a_second_signal_exits_at_once(rig: Rig) -> None:
    """With a batch in hand and all the grace in the world, a second signal ends the worker, with status 128 + n."""
    held = rig.proxy.add(Rule(Match("GetObject"), Hold()))
    rig.order("killed")
    with rig.worker(ENGINE_SERVICE__GRACE_S="600") as worker:
        held.wait_hit()
        worker.signal(signal.SIGINT)
        until(lambda: "stopping" in worker.text, "the first signal is heard")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 128 + signal.SIGTERM
    assert rig.site.output() == {}
    assert rig.site.messages() == (0, 1), "its lease has to run out"


UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc")


def may_unshare() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*UNSHARE, "true"], check=False).returncode == 0


@pytest.mark.skipif(not may_unshare(), reason="may not make a PID namespace here (unshare --pid)")
def test_as_pid_1_a_signal_stops_it_too(rig: Rig) -> None:
    """As the first process of a container, which the kernel spares signals without a handler: SIGTERM ends it."""
    held = rig.proxy.add(Rule(Match("GetObject"), Hold()))
    rig.order("contained")
    with rig.worker(command=(*UNSHARE, "--kill-child", ENGINE, "worker"), ENGINE_SERVICE__GRACE_S="0.3") as worker:
        held.wait_hit()
        outer = worker.process.pid
        (inner,) = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
        status = Path(f"/proc/{inner}/status").read_text()
        assert "\nNSpid:\t" + inner + "\t1\n" in status
        os.kill(int(inner), signal.SIGTERM)
        assert worker.wait() == 0
    assert rig.site.messages() == (1, 0)
