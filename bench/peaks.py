"""The peak memory of a process and of all that it starts."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

__all__ = ["family_peak_kb", "family_peaks"]

_POLL_S = 0.05


def family_peak_kb(process: subprocess.Popen[bytes]) -> int:
    """Waits for a process to end; the sum of its peak resident memory and its descendants', in kB.

    Each one's own peak counts, whenever it was, so the sum is at least what all of them ever had together. Looked at
    twenty times a second: of a peak in a process's last moment some may be missed. (What ``wait4`` reports as a child's
    peak includes its parent's memory at the fork.)
    """
    peaks: dict[int, int] = {}
    while process.returncode is None:
        peaks |= family_peaks(process.pid)  # never less than before, but for the moment between fork and exec
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
    return sum(peaks.values())


def family_peaks(root: int) -> dict[int, int]:
    """The peaks so far of a process and of its descendants that are alive, in kB by their ids."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                _, _, fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
                parents[int(folder.name)] = int(fields.split()[1])
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return {pid: peak for pid in family if (peak := _peak(pid))}


def _peak(pid: int) -> int:
    """In kB; 0 for a process that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0
