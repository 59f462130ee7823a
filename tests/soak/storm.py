"""One storm: messages are sent, workers struck again and again and restarted, until all is done and the queue empty."""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from tests.cli.command import ENGINE, engine
from tests.faults import Call, FaultProxy, LeaseTable, fault_proxy
from tests.faults.leases import LeaseMode
from tests.site import Site
from tests.soak.moments import Moment, moments
from tests.soak.samples import Sample, pick
from tests.soak.tally import Tally
from tests.soak.verdict import Destination, is_whole, judge, judge_rest
from tests.soak.weather import Weather
from tests.soak.workers import Worker

__all__ = ["Plan", "storm"]

type Strike = Literal["kill", "freeze"]

_FILES = 5  # of a message


@dataclass(frozen=True, slots=True)
class Plan:
    """What a storm is to be.

    Attributes:
        messages: at least so many, of five files each; more are sent while strikes are due.
        kills, freezes: how often a worker is killed, or stopped for longer than its lease, in all.
        engines: the commands of the workers that run at the same time; and, for each, its executor.
        foul: whether the network has its moods too.
        deadline_s: what takes longer is given up, and complained of.
    """

    messages: int
    kills: int
    freezes: int = 0
    engines: tuple[tuple[Path, str], ...] = ((ENGINE, "auto"),)
    foul: bool = False
    leases: LeaseMode = "lenient"
    visibility_s: int = 4
    deadline_s: float = 900.0


def storm(site: Site, files: list[Sample], plan: Plan, seed: str) -> Tally:
    """Runs a storm; the site's destination is empty when it begins, and again when it has ended.

    Args:
        files: they lie in the site's bucket of sources already.
    """
    started = time.monotonic()
    with _storming(site, files, plan, Random(seed)) as run:
        run.rage()
    run.tally.seconds = time.monotonic() - started
    return run.tally


@contextmanager
def _storming(site: Site, files: list[Sample], plan: Plan, random: Random) -> Iterator[_Storm]:
    watch = _Watch()
    site, dead_letters = site.with_redrive(visibility_s=plan.visibility_s, most_receives=1000)
    with ExitStack() as stack:
        table = LeaseTable(plan.leases)
        proxies = [
            stack.enter_context(fault_proxy(site.aws.endpoint_url, leases=leases, seen=watch.seen))
            for leases in (None, *(table for _ in plan.engines))
        ]
        clients = {name: site.aws.server.client(name) for name in ("s3", "sqs")}
        for client in clients.values():
            stack.callback(client.close)
        yield _Storm(site, dead_letters, files, plan, random, proxies, watch, clients)


class _Watch:
    """Looks at every call that is done, on the threads of the proxies; the lock guards all it has seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._committed: list[str] = []
        self.manifests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.stale_deletes = 0

    def seen(self, call: Call) -> None:
        with self._lock:
            self.faults.update(fault for fault in call.faults if fault != "hold")
            if call.operation == "PutObject" and (call.key or "").endswith("/manifest.json"):
                self._committed.append(call.key or "")
                self.manifests[call.key or ""] += call.upstream == 200
            # What a fault held back until it was stale was sent in time.
            self.stale_deletes += call.operation == "DeleteMessage" and call.stale and not call.faults

    def take_committed(self) -> list[str]:
        """Keys of manifests that have perhaps been written since it was asked last."""
        with self._lock:
            found, self._committed = self._committed, []
            return found


class _Strikes:
    """The strikes that are due, and the moments for them. Any thread may take one."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._lock = threading.Lock()  # over all below
        total = plan.kills + plan.freezes
        self._due: list[Strike] = ["kill" if number < plan.kills else "freeze" for number in range(total)]
        random.shuffle(self._due)
        self._moments = moments(Random(random.random()))
        self._open = total

    def take(self) -> tuple[Strike, Moment] | None:
        with self._lock:
            return (self._due.pop(), next(self._moments)) if self._due else None

    def done(self) -> None:
        with self._lock:
            self._open -= 1

    @property
    def over(self) -> bool:
        with self._lock:
            return self._open == 0


class _Storm:
    """Its main thread sends, looks and judges; a thread for each worker runs and strikes it."""

    def __init__(
        self,
        site: Site,
        dead_letters: str,
        files: list[Sample],
        plan: Plan,
        random: Random,
        proxies: list[FaultProxy],
        watch: _Watch,
        clients: dict[str, Any],
    ) -> None:
        self.tally = Tally()
        self._site = site
        self._dead_letters = dead_letters
        self._files = files
        self._plan = plan
        self._random = random
        self._source, *self._ours = proxies
        self._watch = watch
        self._sqs = clients["sqs"]
        self._there = Destination(clients["s3"], site.destination)
        self._batches: dict[str, list[Sample]] = {}
        self._strikes = _Strikes(plan, random)
        self._over = threading.Event()
        self._lock = threading.Lock()  # over tally, while workers' threads run

    def rage(self) -> None:
        threads = [
            threading.Thread(target=self._guarded, args=(slot, Random(self._random.random())), name=f"worker {slot}")
            for slot in range(len(self._plan.engines))
        ]
        for _ in range(self._plan.messages):
            self._send()
        weather = Weather([self._source, *self._ours], self._random, foul=self._plan.foul)
        for thread in threads:
            thread.start()
        try:
            self._until_drained(weather)
        finally:
            weather.clear()
            self._over.set()
            for thread in threads:
                thread.join()
        self._judge()

    def _until_drained(self, weather: Weather) -> None:
        deadline = time.monotonic() + self._plan.deadline_s
        while (now := time.monotonic()) < deadline:
            if self._over.is_set():  # a worker's thread has failed
                return
            weather.turn(now)
            for key in self._watch.take_committed():
                if not is_whole(self._there, key.removesuffix("manifest.json")):
                    self.tally.half_visible += 1
                    self._complain(f"{key} was there before all that it names")
            # Twice: moto may miss a message that turns visible just now.
            if self._waiting(self._site.queue) == self._waiting(self._site.queue) == 0:
                if self._strikes.over:
                    return
                self._send()
            self._over.wait(0.2)
        self._complain(f"{self._waiting(self._site.queue)} messages are not done after {self._plan.deadline_s:g} s")

    def _send(self) -> None:
        batch_id = f"b{len(self._batches)}"
        self._batches[batch_id] = pick(self._files, _FILES, self._random)
        message = self._site.message(batch_id, [sample.key for sample in self._batches[batch_id]])
        message["source"]["endpoint_url"] = self._source.url
        self._sqs.send_message(QueueUrl=self._site.queue, MessageBody=json.dumps(message))
        self.tally.messages += 1

    def _waiting(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def _judge(self) -> None:
        tally, watch = self.tally, self._watch
        tally.dead_lettered += self._waiting(self._dead_letters)
        tally.stale_deletes += watch.stale_deletes
        tally.faults.update(watch.faults)
        twice = {key: count for key, count in watch.manifests.items() if count > 1}
        tally.duplicates += sum(twice.values()) - len(twice)
        tally.complaints += [f"{key} was written {count} times" for key, count in twice.items()]
        expected = judge(self._there, self._batches, tally)
        swept = engine("janitor", "--older-than", "0", cwd=self._site.folder, env=self._site.env())
        if swept.returncode:
            tally.complaints.append(f"the janitor failed: {swept.stderr.strip()}")
        judge_rest(self._there, expected, tally)

    def _complain(self, what: str) -> None:
        with self._lock:
            self.tally.complaints.append(what)

    # What follows runs on the thread of a worker.

    def _guarded(self, slot: int, random: Random) -> None:
        try:
            starts = 0
            while not self._over.is_set():
                self._one_life(slot, starts, random)
                starts += 1
            with self._lock:
                self.tally.restarts += starts - 1
        except Exception:  # noqa: BLE001 - a thread's failure is the storm's
            self._complain(traceback.format_exc())
            self._over.set()

    def _one_life(self, slot: int, number: int, random: Random) -> None:
        """Runs a worker until it is killed, or until all is over."""
        proxy = self._ours[slot]
        command, executor = self._plan.engines[slot]
        log = self._site.folder / f"worker-{slot}-{number}.log"
        flags = ("--executor", executor, "--workers", "2")
        before = proxy.connections
        worker = Worker(self._site.folder, log, self._variables(proxy), *flags, engine=command)
        ended: int | None = None
        try:
            proxy.wait_for(lambda proxy: proxy.connections > before)
            while not self._over.is_set() and (ended := worker.status) is None:
                strike = self._strikes.take()
                if strike is None:
                    self._over.wait(0.5)
                elif self._strike(*strike, worker, proxy, random):
                    return
            if ended is None:
                ended = worker.stop()
            if ended != 0 or not self._over.is_set():
                raise RuntimeError(f"a worker ended by itself, or badly: with status {ended}")
        finally:
            worker.thaw()
            worker.kill()
            self._read_log(worker)
            log.unlink()

    def _strike(self, strike: Strike, when: Moment, worker: Worker, proxy: FaultProxy, random: Random) -> bool:
        """Kills or freezes a worker at its moment; returns whether it is gone."""
        at = self._source if when.phase == "read" else proxy
        phase = when.wait(at, self._over)
        try:
            if worker.status is not None:
                raise RuntimeError(f"a worker ended by itself: with status {worker.status}")
            if strike == "kill":
                worker.kill()
            else:
                worker.freeze()
        finally:
            if when.rule is not None:
                at.remove(when.rule)  # what was on its way arrives, while the worker is frozen
        if strike == "freeze":
            self._over.wait(self._plan.visibility_s + random.uniform(-1, 4))
            worker.thaw()
        self._strikes.done()
        with self._lock:
            self.tally.phases[phase] += 1
            self.tally.kills += strike == "kill"
            self.tally.freezes += strike == "freeze"
        return strike == "kill"

    def _variables(self, proxy: FaultProxy) -> dict[str, str]:
        return self._site.env(
            ENGINE_QUEUE__ENDPOINT_URL=proxy.url,
            ENGINE_QUEUE__VISIBILITY_S=str(self._plan.visibility_s),
            ENGINE_QUEUE__WAIT_S="1",
            ENGINE_QUEUE__DEAD_LETTER_URL=self._dead_letters,
            ENGINE_SOURCE__ALLOW_ENDPOINTS=json.dumps([self._source.url]),
            ENGINE_DESTINATION__ENDPOINT_URL=proxy.url,
            ENGINE_DESTINATION__PART_BYTES=str(5 << 20),
        )

    def _read_log(self, worker: Worker) -> None:
        log = worker.log()
        complaints = [f"a worker wrote: {line}" for line in log.noise[:20]]
        for line in log.lines:
            bad = line["event"] == "internal error" or line.get("failure") == "permanent"
            complaints += [f"a worker logged: {json.dumps(line)[:2000]}"] if bad else []
        with self._lock:
            self.tally.resumed += sum(line["files_done"] for line in log.lines if line["event"] == "batch resumed")
            self.tally.returned += log.count("message given back")
            self.tally.complaints += complaints
