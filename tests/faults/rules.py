"""Rules: which calls a fault strikes, how often, and what it does to them."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from tests.faults.operations import OPERATIONS, Call
from tests.faults.wire import How

__all__ = [
    "DROP",
    "LOSE_ANSWER",
    "RESET",
    "Alter",
    "At",
    "Cut",
    "Delay",
    "Do",
    "Drip",
    "Hold",
    "Match",
    "Refuse",
    "Replay",
    "Rule",
    "Substitute",
    "replacing",
]

type At = Literal["request", "head", "body"]
"""Where in a call: in the request's body, in the head of the answer, in the answer's body."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection once ``after`` bytes have passed, at the end of what is shorter.

    At byte 0 of the request nothing of it is forwarded; at the end of its body all of it was, and is carried out. In
    the answer, the request has been carried out.
    """

    at: At = "body"
    after: int = 0
    how: How = "reset"


@dataclass(frozen=True, slots=True)
class Hold:
    """Passes nothing on after ``after`` bytes, until :meth:`Rule.release`, or until the client goes.

    That a client goes is not seen while more of its request lies unread than fits into a buffer of 128 KiB.
    """

    at: At = "request"
    after: int = 0


@dataclass(frozen=True, slots=True)
class Delay:
    """Waits before anything else is done; the rules that follow have their turn then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Passes the answer's body on at ``bytes_per_s``, in pieces ten times a second or a byte at a time."""

    bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answers with an error of the service's own shape; the request is read and not forwarded.

    ``code`` is the usual one for ``status`` where it is empty: ``SlowDown`` for S3's 503, say.
    """

    status: int = 503
    code: str = ""
    message: str = "a fault was injected"


@dataclass(frozen=True, slots=True)
class Replay:
    """Forwards the request twice, one after the other, and passes the second answer on."""


@dataclass(frozen=True, slots=True)
class Alter:
    """Changes the answer: its body by a function (it is held whole for that), header fields to these values.

    A field of None is left out. ``Content-Length`` follows the body, unless it is among ``headers``.
    """

    change: Callable[[bytes], bytes] | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Substitute:
    """Forwards the request, waits for the answer and gives this one instead of it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


type Do = Cut | Hold | Delay | Drip | Refuse | Replay | Alter | Substitute

RESET = Cut("request", 0, "reset")
"""Nothing is forwarded, the client sees a reset."""

LOSE_ANSWER = Cut("head", 0, "reset")
"""The request is carried out, the client sees a reset."""

DROP = Hold("request", 0)
"""Nothing is forwarded, the client sees silence."""


def replacing(old: bytes, new: bytes) -> Alter:
    """Every ``old`` in the body becomes ``new``."""
    return Alter(lambda body: body.replace(old, new))


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls are meant: all whose every name fits. Names are globs (``*`` goes over slashes), in exact case.

    Attributes:
        operation: one, or several; ``CompleteMultipartUpload``, ``*Object``.
        queue: the queue's name, not its URL.

    Raises:
        ValueError: an operation is unknown, so that the rule would never strike.
    """

    operation: str | tuple[str, ...] = "*"
    method: str = "*"
    bucket: str = "*"
    key: str = "*"
    queue: str = "*"

    def __post_init__(self) -> None:
        for name in self._operations():
            if name.isalpha() and name not in OPERATIONS:
                raise ValueError(f"no operation {name}; there are {', '.join(sorted(OPERATIONS))}")

    def fits(self, call: Call) -> bool:
        return (
            any(fnmatchcase(call.operation, operation) for operation in self._operations())
            and fnmatchcase(call.method, self.method)
            and fnmatchcase(call.bucket or "", self.bucket)
            and fnmatchcase(call.key or "", self.key)
            and fnmatchcase(call.queue or "", self.queue)
        )

    def _operations(self) -> tuple[str, ...]:
        return (self.operation,) if isinstance(self.operation, str) else self.operation


class Rule:
    """Strikes calls, and tells when it did. Any thread may use it; the lock of its condition guards its state.

    Args:
        match: which calls. Of these,
        after: the first so many are spared;
        times: at most so many are struck, None: without end;
        rate: each is struck with this probability, drawn from ``random.Random(seed)``;
        seconds: none is struck later than this after the first that was.
    """

    def __init__(
        self,
        match: Match,
        do: Do,
        *,
        after: int = 0,
        times: int | None = None,
        rate: float = 1.0,
        seed: int = 0,
        seconds: float | None = None,
    ) -> None:
        self.match = match
        self.do = do
        self._after = after
        self._times = times
        self._rate = rate
        self._random = random.Random(seed)
        self._seconds = seconds
        self._condition = threading.Condition()  # notified when a hit is counted
        self._matched = 0
        self._strikes = 0
        self._hits = 0
        self._first: float | None = None  # when the first strike was
        self._released = False
        self._held: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def __repr__(self) -> str:
        return f"Rule({self.match}, {self.do})"

    @property
    def name(self) -> str:
        return type(self.do).__name__.lower()

    @property
    def matched(self) -> int:
        """How many calls matched, struck or not."""
        with self._condition:
            return self._matched

    @property
    def hits(self) -> int:
        """How often its fault has taken effect: a connection was cut, a call is held, an error was given."""
        with self._condition:
            return self._hits

    def wait_hit(self, count: int = 1, *, timeout_s: float = 60.0) -> None:
        """Waits until the fault has taken effect ``count`` times.

        Raises:
            TimeoutError: it has not within ``timeout_s``; says what matched.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: self._hits >= count, timeout_s):
                raise TimeoutError(f"{self!r}: {self._hits} of {count} hits, {self._matched} calls matched")

    def release(self) -> None:
        """Lets go what is held, and whatever would be from now on."""
        with self._condition:
            self._released = True
            for loop, event in self._held:
                loop.call_soon_threadsafe(event.set)

    def strikes(self, call: Call) -> bool:
        """Whether the fault is to strike this call. Counts it: to be asked once a call."""
        if not self.match.fits(call):
            return False
        with self._condition:
            self._matched += 1
            now = time.monotonic()
            if (
                self._matched <= self._after
                or (self._times is not None and self._strikes >= self._times)
                or (self._seconds is not None and self._first is not None and now - self._first > self._seconds)
                or (self._rate < 1 and self._random.random() >= self._rate)
            ):
                return False
            self._strikes += 1
            self._first = now if self._first is None else self._first
            return True

    def count_hit(self) -> None:
        """The fault has taken effect once more."""
        with self._condition:
            self._hits += 1
            self._condition.notify_all()

    async def wait_released(self) -> None:
        """Waits on the running loop for :meth:`release`."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self._condition:
            if self._released:
                return
            self._held.add(waiter)
        try:
            await event.wait()
        finally:
            with self._condition:
                self._held.discard(waiter)
