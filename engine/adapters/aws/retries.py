"""Trying a call again, and asking less of a tenant who asks for that.

The SDK does neither for us: its retry quota and its adaptive mode belong to a client, and all tenants share clients.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable

from botocore.exceptions import ClientError

from engine.adapters.aws.failures import SDK_ERRORS, meaning

__all__ = ["Throttle", "backoff_s", "tried"]

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 20.0

_CUT = 0.7  # of the rate that is left by a cut, as CUBIC has it
_BETWEEN_CUTS_S = 1.0  # calls that were on their way together are one reason to cut
_GROWTH = 3.0  # calls a second, gained a second
_SLOWEST = 1.0  # calls a second
_FREE_AFTER_S = 5.0  # without being asked to slow down
_FREE_FROM = 200.0  # calls a second: more than a loop makes


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures, in seconds: exponential, with full jitter, at most 20."""
    longest = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2**failures)
    return random.uniform(0, longest)  # noqa: S311 - jitter, not a secret


class Throttle:
    """How often a tenant may be called. Belongs to one loop.

    Calls are free until the tenant's side asks to be asked less. Then they start one after another, at first at 70 % of
    the rate that they had; each further second in which it asks again cuts the rate to 70 %, though never below one a
    second, and each second of good answers adds three calls a second, until the rate is far above what is wanted.
    Additive increase and multiplicative decrease: Chiu and Jain, "Analysis of the increase and decrease algorithms for
    congestion avoidance" (1989); that the first cut starts from the measured rate is botocore's adaptive mode.
    """

    def __init__(self) -> None:
        self.rate: float | None = None  # calls a second; None: free
        self._order = asyncio.Lock()  # who waits for a turn waits in line
        self._next = 0.0  # when the next call may start
        self._cut = 0.0  # when the rate was cut
        self._grown = 0.0  # until when growth is counted
        self._window = 0.0  # of the measurement in hand: when it began, the calls since, and the rate of the last one
        self._calls = 0
        self._measured = 0.0

    async def turn(self) -> None:
        """Waits until a call may start. Cancelled, it leaves the line."""
        if self.rate is not None:
            async with self._order:
                await asyncio.sleep(self._wait_s())
                self._next = asyncio.get_running_loop().time() + self._gap_s()
        self._measure()
        self._calls += 1

    def answered(self) -> None:
        """Counts an answer that did not ask to slow down."""
        if self.rate is None:
            return
        now = asyncio.get_running_loop().time()
        self.rate += _GROWTH * (now - self._grown)
        self._grown = now
        if now - self._cut >= _FREE_AFTER_S and self.rate >= min(2 * self._measure(), _FREE_FROM):
            self.rate = None

    def slow_down(self) -> None:
        """Counts an answer that asked to slow down."""
        now = asyncio.get_running_loop().time()
        if self.rate is None:
            self.rate = max(_SLOWEST, _CUT * self._measure())
        elif now - self._cut >= _BETWEEN_CUTS_S:
            self.rate = max(_SLOWEST, _CUT * self.rate)
        else:
            return
        self._cut = self._grown = now

    def _wait_s(self) -> float:
        """Until the next turn; none for those who still wait in line when the tenant is free again."""
        return 0 if self.rate is None else max(0, self._next - asyncio.get_running_loop().time())

    def _gap_s(self) -> float:
        return 0 if self.rate is None else 1 / self.rate

    def _measure(self) -> float:
        """The calls a second of the last second or so."""
        now = asyncio.get_running_loop().time()
        elapsed_s = now - self._window
        if elapsed_s >= 1:
            self._measured, self._calls, self._window = self._calls / elapsed_s, 0, now
        return max(self._measured, float(self._calls))


async def tried[T](call: Callable[[], Awaitable[T]], attempts: int, throttle: Throttle) -> T:
    """Makes a call until it succeeds, fails for good, or has failed ``attempts`` times. Cancellation ends it at once.

    Raises:
        SDK_ERRORS: what the last try raised.
    """
    for failures in itertools.count(1):
        await throttle.turn()
        try:
            answer = await call()
        except SDK_ERRORS as error:
            found = meaning(error)
            if found.slow_down:
                throttle.slow_down()
            elif isinstance(error, ClientError):
                throttle.answered()
            if not found.again or failures >= attempts:
                raise
        else:
            throttle.answered()
            return answer
        await asyncio.sleep(backoff_s(failures))
    raise AssertionError
