"""SIGINT and SIGTERM: the first one stops cleanly, the second one exits at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

__all__ = ["Stop", "run_until_signalled"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """What the first signal does. Belongs to the loop it is made on.

    Attributes:
        event: set by the first signal.
        by: that signal's number; None before.
    """

    def __init__(self, on_second: Callable[[], None]) -> None:
        self.event = asyncio.Event()
        self.by: int | None = None
        self._on_second = on_second

    def install(self, on_first: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._first, number, on_first)

    def _first(self, number: int, on_first: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
            # Not a handler of the loop: the second signal must get through when the loop is stuck.
            signal.signal(each, self._second)
        self.by = number
        sys.stderr.write(f"engine: {signal.Signals(number).name}: stopping (once more to exit at once)\n")
        self.event.set()
        on_first()

    def _second(self, number: int, _: FrameType | None) -> None:
        try:
            self._on_second()
        finally:
            os._exit(128 + number)

    def restore(self) -> None:
        for each in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(each)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run_until_signalled(
    work: Callable[[Stop], Coroutine[Any, Any, int]], *, cancel: bool, on_second: Callable[[], None] = lambda: None
) -> int:
    """Runs ``work`` on a loop of its own, on the main thread.

    Args:
        cancel: the first signal cancels the work, which then undoes what it began; otherwise it only sets
            ``stop.event``, and the work ends when it sees fit.
        on_second: called before the process exits at the second signal; must be quick.

    Returns:
        What ``work`` returned; 128 + the signal's number when it was cancelled by one.
    """

    async def supervised() -> int:
        stop = Stop(on_second)
        task = asyncio.create_task(work(stop))
        stop.install(task.cancel if cancel else lambda: None)
        try:
            return await task
        except asyncio.CancelledError:
            if stop.by is None:
                raise
            return 128 + stop.by
        finally:
            stop.restore()

    return asyncio.run(supervised())
