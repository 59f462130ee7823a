"""The moments at which workers are struck: in a call of theirs that the proxy holds, or after a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from tests.faults import FaultProxy, Hold, Match, Rule
from tests.faults.rules import At

__all__ = ["PHASES", "Moment", "moments"]


@dataclass(frozen=True, slots=True)
class _Phase:
    """A part of a batch's life, known by a call that a worker makes in it.

    Attributes:
        where: in the call it may be struck: before it is forwarded, in its body, when it is carried out, in the
            answer's body.
        most: the first so many calls may be spared.
    """

    match: Match
    where: tuple[tuple[At, int], ...] = (("request", 0), ("head", 0))
    most: int = 0


PHASES: Mapping[str, _Phase] = {
    "poll": _Phase(Match("ReceiveMessage"), most=2),
    "read": _Phase(Match("GetObject", bucket="client-*"), (("request", 0), ("body", 0), ("body", 70_000)), most=4),
    "begin": _Phase(Match("CreateMultipartUpload"), most=4),
    "upload": _Phase(Match("UploadPart"), (("request", 0), ("request", 10_000), ("head", 0)), most=5),
    "checkpoint": _Phase(Match("PutObject", key="*/checkpoints/*"), most=4),
    "resume": _Phase(Match(("ListMultipartUploads", "ListParts", "AbortMultipartUpload")), most=4),
    "complete": _Phase(Match("CompleteMultipartUpload"), most=5),
    "look": _Phase(Match("HeadObject", key="*/data/*"), most=4),
    "manifest": _Phase(Match("PutObject", key="*/manifest.json")),
    "forget": _Phase(Match("DeleteObject", key="*/checkpoints/*"), most=4),
    "delete": _Phase(Match("DeleteMessage")),
    "extend": _Phase(Match("ChangeMessageVisibility")),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """When to strike a worker: in a call that ``rule`` holds, or after ``patience_s`` where none comes.

    Without a rule, it is struck after ``patience_s`` wherever it is then.
    """

    phase: str
    rule: Rule | None
    patience_s: float

    def wait(self, proxy: FaultProxy, over: threading.Event) -> str:
        """Waits for the moment, or until ``over``; returns the phase in which the worker is now.

        A call that is held stays so until the rule is removed from ``proxy``.
        """
        if self.rule is None:
            over.wait(self.patience_s)
            return "any time"
        proxy.add(self.rule)
        try:
            self.rule.wait_hit(timeout_s=self.patience_s)
        except TimeoutError:
            return "any time"
        return self.phase


def moments(random: Random) -> Iterator[Moment]:
    """Without end: all phases in random order, some moments at any time among them, and again."""
    while True:
        names = [*PHASES, *["any time"] * 4]
        random.shuffle(names)
        for name in names:
            yield _moment(name, random)


def _moment(name: str, random: Random) -> Moment:
    if name not in PHASES:
        return Moment(name, None, random.uniform(0.0, 3.0))
    phase = PHASES[name]
    at, after = random.choice(phase.where)
    rule = Rule(phase.match, Hold(at, after), after=random.randint(0, phase.most), times=1)
    return Moment(name, rule, random.uniform(4.0, 6.0))
