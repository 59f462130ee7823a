"""Real ``engine worker`` processes, each the leader of a process group, so that a signal reaches all of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.command import ENGINE, environment

__all__ = ["Log", "Worker", "engine_of"]


def engine_of(build: str) -> Path:
    """The ``engine`` command of ``.venv`` (3.13t) or ``.venv-gil`` (3.13)."""
    return Path(sys.prefix).parent / build / "bin" / "engine"


@dataclass(slots=True)
class Log:
    """What a worker has written: its log, and what is none."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)

    def count(self, event: str, **values: Any) -> int:
        """How many lines there are of an event, with these values."""
        return sum(line["event"] == event and line.items() >= values.items() for line in self.lines)


class Worker:
    """One process, from its start; used by one thread."""

    def __init__(
        self, folder: Path, log: Path, variables: Mapping[str, str], *flags: str, engine: Path = ENGINE
    ) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [engine, "worker", *flags],
                cwd=folder,
                env=environment(**variables),
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it, and all its children, as the kernel does when memory is short."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, *, timeout_s: float = 120.0) -> int:
        """Asks it to end; returns its exit status.

        Raises:
            TimeoutExpired: it has not ended.
        """
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_s)

    def wait(self, timeout_s: float) -> int | None:
        """Waits for it to end by itself, for so long."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def log(self) -> Log:
        """What it has written so far. The last line of a killed one may be cut; that is no noise."""
        read = Log()
        *whole, _ = self._log.read_text(errors="replace").split("\n")
        for text in whole:
            if text.startswith("{"):
                read.lines.append(json.loads(text))
            elif not text.startswith("engine: SIG"):
                read.noise.append(text)
        return read

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:  # not waited for yet, so the group is still its own
            os.killpg(self._process.pid, number)
