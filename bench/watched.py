"""A command run to its end: its time, its processor time and its memory, with those of all processes it starts."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peaks import family_rss_kb, peak_kb_of

__all__ = ["CommandFailed", "Took", "clean_environment", "watch"]

_POLL_S = 0.02
_MEMORY_EVERY = 2  # polls


class CommandFailed(Exception):
    """The command ended with another status than 0; says which, and its last words."""


@dataclass(frozen=True, slots=True)
class Took:
    """What a run took.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor time, user and system, of all its processes that have been waited for.
        peak_mb: resident memory of all its processes together, the most that was seen; what they share counts for each.
        others: the share of the machine's processors that was busy with anything else meanwhile, 0 to 1.
        said: its standard output.
    """

    wall: float
    cpu: float
    peak_mb: float
    others: float
    said: str


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This one without settings of the engine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENGINE_")}
    return inherited | dict(more or {})


def watch(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Took:
    """Runs a command in a fresh process.

    Raises:
        CommandFailed: it did not end with status 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        busy, start = _busy_seconds(), time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=clean_environment(env), stdout=out, stderr=err)
        peak_kb, polls = 0, 0
        while True:
            if polls % _MEMORY_EVERY == 0:
                peak_kb = max(peak_kb, family_rss_kb(process.pid), peak_kb_of(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            polls += 1
            time.sleep(_POLL_S)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        if process.returncode:
            err.seek(0)
            words = err.read().decode(errors="replace").strip().splitlines()[-3:]
            raise CommandFailed(f"{' '.join(command[:4])} ... ended with {process.returncode}: {' / '.join(words)}")
        others = max(0.0, _busy_seconds() - busy - cpu) / (wall * (os.cpu_count() or 1))
        out.seek(0)
        return Took(wall, cpu, peak_kb / 1024, min(1.0, others), out.read().decode())


def _busy_seconds() -> float:
    """Processor time that all of this machine has spent so far on other things than waiting; what others stole too."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
