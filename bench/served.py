"""A process that does work when it is told to and says what it took: a line of JSON each way."""

from __future__ import annotations

import gc
import importlib.util
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Self

__all__ = ["ROOT", "Run", "Served", "builds", "interpreter_with", "serve", "timed"]

ROOT = Path(__file__).parent.parent


class Run(NamedTuple):
    """What one run took: seconds on the clock, seconds of processor time of the whole process, and rows written."""

    wall: float
    cpu: float
    rows: int


class Served:
    """A fresh process that answers. Leaving the context ends it.

    Attributes:
        about: its Python, and the version of what it runs.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about: dict[str, Any] = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the end of its orders
        self._process.wait()

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer; raises SystemExit when the process has failed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the contender {self.name} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve(package: str, answer: Callable[[dict[str, Any]], Mapping[str, Any]], *, freeze: bool = True) -> None:
    """The other side: says what this process is, then answers orders until there are no more.

    Args:
        package: the one whose version matters.
        freeze: nothing made so far is looked at by a garbage collection, as in the engine's workers.
    """
    if freeze:
        gc.collect()
        gc.freeze()
    gil = sys._is_gil_enabled()  # noqa: SLF001 - the documented way to ask
    print(json.dumps({"python": platform.python_version(), "gil": gil, package: version(package)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def timed(work: Callable[[], int]) -> Run:
    """Does it once; it returns its rows."""
    wall, cpu = time.perf_counter(), time.process_time()
    rows = work()
    return Run(time.perf_counter() - wall, time.process_time() - cpu, rows)


def interpreter_with(package: str) -> str:
    """This Python, or for a package that has no build for free-threaded 3.13, the one with the GIL beside it."""
    if importlib.util.find_spec(package) is not None:
        return sys.executable
    beside = ROOT / ".venv-gil" / "bin" / "python"
    if not beside.exists():
        raise SystemExit(f"no {package} here and no {beside}: run scripts/setup")
    return str(beside)


def builds() -> list[str]:
    """The interpreters that set-up leaves here, free-threaded and with the GIL; this one alone where it is no such."""
    both = [ROOT / name for name in (".venv", ".venv-gil")]
    if Path(sys.prefix) not in both:
        return [sys.executable]
    return [str(folder / "bin" / "python") for folder in both if folder.exists()]
