"""What a running proxy shares with those who set its rules and look at what went through it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from tests.faults.leases import LeaseTable
from tests.faults.operations import Call
from tests.faults.rules import Rule

__all__ = ["FaultProxy"]


class FaultProxy:
    """A proxy at ``url``, in front of ``upstream``. Any thread may use it, at any time while it runs.

    Attributes:
        leases: its table of leases; None: receipt handles are upstream's business.
    """

    def __init__(
        self,
        upstream: str,
        rules: tuple[Rule, ...] = (),
        *,
        leases: LeaseTable | None = None,
        keep: int = 20_000,
        seen: Callable[[Call], None] | None = None,
    ) -> None:
        self.url = ""  # set once, before anybody but its maker has it
        self.upstream = upstream
        self.leases = leases
        self._seen = seen
        self._changed = threading.Condition()  # guards what follows; notified when a call comes, or is done
        self._rules = list(rules)
        self._calls: deque[Call] = deque(maxlen=keep)
        self._connections = 0
        self._errors: list[Exception] = []

    def add(self, rule: Rule) -> Rule:
        """Has ``rule`` strike from now on, where no earlier one does."""
        with self._changed:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Has ``rule`` strike no more, and releases what it holds. Idempotent."""
        with self._changed:
            if rule in self._rules:
                self._rules.remove(rule)
        rule.release()

    @property
    def rules(self) -> tuple[Rule, ...]:
        with self._changed:
            return tuple(self._rules)

    @property
    def requests(self) -> list[Call]:
        """The calls so far, in the order in which they came; what is under way still changes."""
        with self._changed:
            return list(self._calls)

    def calls(self, *operations: str) -> list[Call]:
        """The calls of these operations."""
        return [call for call in self.requests if call.operation in operations]

    @property
    def signed_by(self) -> set[str]:
        """The access keys whose signatures requests carried."""
        return {call.access_key for call in self.requests if call.access_key is not None}

    @property
    def connections(self) -> int:
        """How many connections clients have opened."""
        with self._changed:
            return self._connections

    def wait_for(self, what: Callable[[FaultProxy], bool], *, timeout_s: float = 60.0) -> None:
        """Waits until ``what`` is true of this proxy; asked whenever a call comes or is done.

        Raises:
            TimeoutError: it is not within ``timeout_s``.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: what(self), timeout_s):
                latest = ", ".join(f"{call.operation} {call.where}: {call.status}" for call in [*self._calls][-5:])
                raise TimeoutError(f"not so after {len(self._calls)} calls, the latest: {latest}")

    def wait_idle(self, *, timeout_s: float = 60.0) -> None:
        """Waits until no call is under way, so that :attr:`requests` changes no more. A client has its answer a little
        before the proxy has taken note of it.

        Raises:
            TimeoutError: one still is after ``timeout_s``.
        """
        self.wait_for(lambda proxy: all(call.done for call in proxy.requests), timeout_s=timeout_s)

    def opened(self) -> None:
        """The relay's: a client has connected."""
        with self._changed:
            self._connections += 1

    def came(self, call: Call) -> None:
        """The relay's: a call has come."""
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    def went(self, call: Call) -> None:
        """The relay's: nothing more comes of a call."""
        with self._changed:
            call.done = True
            self._changed.notify_all()
        if self._seen is not None:
            self._seen(call)

    def failed(self, error: Exception) -> None:
        """The relay's: it, or a rule's function, raised what it should not have."""
        with self._changed:
            self._errors.append(error)

    def check(self) -> None:
        """Raises what :meth:`failed` was told, as a group; does nothing if that is nothing."""
        with self._changed:
            if self._errors:
                raise ExceptionGroup("the proxy failed", self._errors)
