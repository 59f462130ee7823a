"""How a command starts: it can be told to end, and imports what it needs without taking longer than it must."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import cast

__all__ = ["end_when_told", "keep_freed_memory", "starting", "uncollected"]

_PURGE_DELAY = "MIMALLOC_PURGE_DELAY"  # milliseconds


def end_when_told() -> None:
    """Lets SIGTERM end the first process of a container while it starts, when there is nothing to undo.

    The kernel gives to a first process only the signals that it handles: one that came early would be lost, and the
    container killed when its grace is over. The status is the one that shells give for a signal. What handles signals
    later (:mod:`engine.cli.signals`) takes this one's place.
    """
    if os.getpid() == 1:
        import signal

        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


def keep_freed_memory() -> None:
    """Starts the process anew, once, so that a free-threaded build's allocator holds freed memory for longer.

    It is mimalloc, which gives memory back to the system after 10 ms. A chunk takes about as long, so what it frees the
    next one would fault in again. The option is read before any Python runs: hence exec, which takes 15 ms. *Measured*
    with 100 ms on 512 MB in 2 threads: 80,000 page faults instead of 360,000, 0.7 s of system time instead of 1.2 s
    beside 2.9 s of the user's, for 20 MB; a second saves no more, and costs 40 MB besides. A value that is set already
    stands.
    """
    if "t" in sys.abiflags and sys.executable and _PURGE_DELAY not in os.environ:
        os.environ[_PURGE_DELAY] = "100"
        with suppress(OSError):  # not allowed here, or no interpreter to be found: then without
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # no shell is wanted


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is collected in the body: imports make much that stays and little that goes.

    *Measured*: the collector takes 0.15 of the 0.93 s of a run's imports on 3.13t, 0.06 of 0.74 s with the GIL.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@contextmanager
def starting() -> Iterator[None]:
    """:func:`uncollected`, and Arrow is there, imported without NumPy.

    Arrow imports NumPy where it is installed, to exchange arrays with it, and nothing here does that: 0.16 s and 15 MB.
    Only texts with quotes out of place are read with its help, and then it is imported by itself.
    """
    with uncollected():
        _import_arrow()
        yield


def _import_arrow() -> None:
    if "numpy" in sys.modules:
        return
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules["numpy"] = None  # an import of it fails, as if it were not there
    try:
        import pyarrow.compute  # noqa: F401
    finally:
        del modules["numpy"]
