"""Compiles patterns in a process of its own: what a hostile one takes, or breaks, is this process's.

Run as a file, by an interpreter that imports nothing else: ``python -I -S patternchild.py FOLDER``, where FOLDER holds
the ``regex`` package. Standard input is a JSON array of patterns. A byte is written once patterns can be taken, and one
for each that compiles within the limits, or is refused as no pattern, which takes no more. At the first that does not,
the process ends: with :data:`MEMORY` or :data:`TIME`, or by a signal.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time

__all__ = ["BYTES", "MEMORY", "MOST_SECONDS", "SECONDS", "TIME"]

BYTES = 256 << 20
"""The most memory that all patterns of a mapping may take, compiled and while they are."""
SECONDS = 2
"""The most processor time that one pattern may take, give or take a second."""
MOST_SECONDS = 10
"""The same for all of them."""
MEMORY = 3
TIME = 4

_TICK_S = 0.02  # of processor time, between looks at how much memory is taken


def main(folder: str) -> None:
    sys.path.insert(0, folder)
    import regex

    most = _limit_memory()
    signal.signal(signal.SIGPROF, lambda *_: _look(most))
    signal.setitimer(signal.ITIMER_PROF, _TICK_S, _TICK_S)
    patterns = json.load(sys.stdin.buffer)
    _tell()
    kept: list[object] = []  # a plan holds a mapping's patterns all at once
    for pattern in patterns:
        _limit_time()
        try:
            kept.append(regex.compile(pattern, cache_pattern=False))
        except (regex.error, RecursionError, OverflowError, ValueError):
            pass  # validation meets the same, and says what is wrong
        except MemoryError:
            os._exit(MEMORY)
        _look(most)
        _tell()


def _tell() -> None:
    os.write(1, b".")


def _limit_memory() -> int:
    """No address space beyond what there is and :data:`BYTES`. A free-threaded build's allocator has reserved a GiB
    already, so what the process really holds is looked at too: gives how much that may be."""
    most = _memory("VmSize") + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return _memory("VmRSS") + BYTES


def _look(most: int) -> None:
    """Ends the process where it has held more memory than it may, or has worked for too long."""
    if _memory("VmHWM") > most:
        os._exit(MEMORY)
    if time.process_time() > MOST_SECONDS:
        os._exit(TIME)


def _memory(what: str) -> int:
    """A figure of the kernel's about this process. Not ``ru_maxrss``, which also counts what its parent held."""
    with open("/proc/self/status", "rb") as status:  # noqa: PTH123 # pathlib takes as long as all the rest
        return int(status.read().partition(what.encode() + b":")[2].split(maxsplit=1)[0]) * 1024


def _limit_time() -> None:
    soft = int(time.process_time()) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(sys.argv[1])
