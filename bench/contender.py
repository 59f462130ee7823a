"""A contender in a fresh process of its own, which runs when it is told to and says what it took.

``python -m bench.contender KIND WORKLOAD FORMAT`` reads a line of JSON a run from standard input, ``{"source": path,
"output": path}``, and answers with a line: ``{"wall": s, "cpu": s, "rows": written}``. Its first line says what it is.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from engine.core.encoders.formats import Format

__all__ = ["KINDS", "Child", "Run"]

KINDS = ("engine", "duckdb", "loop")


class Run(NamedTuple):
    """What one run took: seconds on the clock, seconds of processor time of the whole process, and rows written."""

    wall: float
    cpu: float
    rows: int


class Child:
    """The process of a contender. Leaving the context ends it.

    Attributes:
        about: its Python, and the version of what it runs.
    """

    def __init__(self, kind: str, workload: str, format_: Format) -> None:
        self.kind, self.format = kind, format_
        self._name = f"{kind} {workload} {format_}"
        command = [_interpreter(kind), "-m", "bench.contender", kind, workload, format_]
        root = Path(__file__).parent.parent
        self._process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about: dict[str, Any] = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # the end of its orders
        self._process.wait()

    def run(self, source: Path, output: Path) -> Run:
        """Maps one file to another; raises SystemExit when the contender has failed."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"source": str(source), "output": str(output)}) + "\n")
        self._process.stdin.flush()
        return Run(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the contender {self._name} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _interpreter(kind: str) -> str:
    """This Python, or for DuckDB, which has no build for free-threaded 3.13, the one with the GIL beside it."""
    if kind != "duckdb" or importlib.util.find_spec("duckdb") is not None:
        return sys.executable
    beside = Path(__file__).parent.parent / ".venv-gil" / "bin" / "python"
    if not beside.exists():
        raise SystemExit(f"no DuckDB here and no {beside}: run scripts/setup")
    return str(beside)


class _Contender(Protocol):
    def run(self, source: Path, output: Path) -> int: ...


def _contender(kind: str, workload: str, format_: Format) -> tuple[_Contender, str]:
    """The contender, and the package whose version matters."""
    if kind == "duckdb":
        from bench.peers.duck import Duck

        return Duck(workload, format_), "duckdb"
    if kind == "loop":
        from bench.peers.loop import Loop

        return Loop(workload, format_), "pydantic-core"
    from bench.peers.core import Core

    return Core(workload, format_), "pyarrow"


def _serve(kind: str, workload: str, format_: Format) -> None:
    contender, package = _contender(kind, workload, format_)
    if kind != "duckdb":
        gc.collect()
        gc.freeze()  # as the engine's workers do
    gil = sys._is_gil_enabled()  # noqa: SLF001 - the documented way to ask
    print(json.dumps({"python": platform.python_version(), "gil": gil, package: version(package)}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        rows = contender.run(Path(order["source"]), Path(order["output"]))
        took = Run(time.perf_counter() - wall, time.process_time() - cpu, rows)
        print(json.dumps(took._asdict()), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]
