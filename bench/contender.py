"""A contender in a fresh process of its own, which runs when it is told to and says what it took.

``python -m bench.contender KIND WORKLOAD FORMAT`` reads a line of JSON a run from standard input, ``{"source": path,
"output": path}``, and answers with a line: ``{"wall": s, "cpu": s, "rows": written}``. Its first line says what it is.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.served import Run, Served, interpreter_with, serve, timed
from engine.core.encoders.formats import Format

__all__ = ["KINDS", "Child", "Run"]

KINDS = ("engine", "duckdb", "loop")


class Child(Served):
    """The process of a contender. Leaving the context ends it."""

    def __init__(self, kind: str, workload: str, format_: Format) -> None:
        self.kind, self.format = kind, format_
        python = interpreter_with("duckdb") if kind == "duckdb" else sys.executable
        super().__init__(f"{kind} {workload} {format_}", [python, "-m", "bench.contender", kind, workload, format_])

    def run(self, source: Path, output: Path) -> Run:
        """Maps one file to another; raises SystemExit when the contender has failed."""
        return Run(**self.ask({"source": str(source), "output": str(output)}))


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

    def answer(order: dict[str, Any]) -> dict[str, Any]:
        return timed(partial(contender.run, Path(order["source"]), Path(order["output"])))._asdict()

    serve(package, answer, freeze=kind != "duckdb")


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]
