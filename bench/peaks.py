"""The memory of a process and of all that it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["family", "family_peak_kb", "family_peaks", "family_pss_kb", "family_rss_kb", "peak_kb", "peak_kb_of"]

_POLL_S = 0.05
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def peak_kb(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process to end; returns its own peak resident memory in kB, looked at twenty times a second.

    What wait4 reports as a child's peak includes its parent's memory at the fork.
    """
    peak = 0
    while process.returncode is None:
        peak = max(peak, peak_kb_of(process.pid))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
    return peak


def family_peak_kb(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process to end; the sum of its peak resident memory and its descendants', in kB.

    Each one's own peak counts, whenever it was, so the sum is at least what all of them ever had together. Looked at
    twenty times a second: of a peak in a process's last moment some may be missed.
    """
    peaks: dict[int, int] = {}
    while process.returncode is None:
        peaks |= family_peaks(process.pid)  # never less than before, but for the moment between fork and exec
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
    return sum(peaks.values())


def family_peaks(root: int) -> dict[int, int]:
    """The peaks so far of a process and of its descendants that are alive, in kB by their ids."""
    return {pid: peak for pid in family(root) if (peak := peak_kb_of(pid))}


def family_rss_kb(root: int) -> int:
    """The resident memory now of a process and of its descendants, in kB; pages that they share count for each."""
    total = 0
    for pid in family(root):
        with contextlib.suppress(OSError, IndexError):  # it has just ended
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_KB
    return total


def family_pss_kb(root: int) -> int:
    """The same with shared pages divided among those that share them. Slow: some milliseconds a process."""
    total = 0
    for pid in family(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def family(root: int) -> list[int]:
    """A process and its descendants that are alive."""
    found = [root]
    for pid in found:
        found += _children(pid)
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):  # it has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, (task / "children").read_text(encoding="ascii").split())


def peak_kb_of(pid: int) -> int:
    """The peak so far of one process, in kB; 0 for one that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0
