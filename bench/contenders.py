"""Who takes part: each contender is a command line. To add one, add a row to :data:`TOOLS`."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.served import ROOT

__all__ = ["TOOLS", "Contender", "Counted", "Job", "Tool", "absent", "contenders"]


class Counted(NamedTuple):
    """What a contender says of its run; ``rows`` are those it wrote."""

    rows: int
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One run: these files through that workload's mapping into ``output``."""

    workload: str
    format: str
    files: tuple[Path, ...]
    output: Path
    mapping: Path
    pipelines: int = 4

    @property
    def report(self) -> Path:
        return self.output.with_suffix(".report")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program in one environment.

    Attributes:
        name: how tables call it.
        python: the environment's folder in the checkout.
        arguments: of the command, after the program, before what the job adds.
        formats: that it can write.
        part: the share of the data that it is given: what is slow and linear need not run for minutes.
        limits: what it cannot express, by workload and format (``*`` for any); such rows of the report are marked.
        brief: whether it takes part unless all are asked for.
    """

    key: str
    name: str
    python: str
    arguments: tuple[str, ...]
    command: Callable[[Tool, Job, int], list[str]]
    read: Callable[[Job, str], Counted]
    formats: tuple[str, ...] = ("jsonl", "parquet")
    part: float = 1.0
    limits: dict[tuple[str, str], str] = field(default_factory=dict)
    brief: tuple[int, ...] = (2,)


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool with so many threads or processes."""

    tool: Tool
    workers: int

    @property
    def key(self) -> str:
        return f"{self.tool.key}-{self.workers}"

    def command(self, job: Job) -> list[str]:
        return self.tool.command(self.tool, job, self.workers)

    def limit(self, workload: str, format_: str) -> str | None:
        """What it cannot express of this work."""
        keys = ((workload, format_), (workload, "*"), ("*", format_), ("*", "*"))
        return next((self.tool.limits[key] for key in keys if key in self.tool.limits), None)

    def output_of(self, job: Job, source: Path) -> Path:
        """Where the rows of a source file are."""
        folder = job.output / "data" if self.tool.command is _engine else job.output
        return folder / f"{source.stem}.{job.format}"


def _engine(tool: Tool, job: Job, workers: int) -> list[str]:
    return [
        str(ROOT / tool.python / "bin" / "engine"), "run", str(job.mapping), *map(str, job.files),
        "--output", str(job.output), "--format", job.format, "--report", str(job.report),
        "--workers", str(workers), "--pipelines", str(job.pipelines), *tool.arguments,
    ]  # fmt: skip


def _engine_rows(job: Job, _: str) -> Counted:
    entries: list[dict[str, Any]] = json.loads(job.report.read_bytes())["files"]
    return Counted(sum(entry["rows_written"] for entry in entries), {})


def _module(tool: Tool, job: Job, workers: int) -> list[str]:
    return [str(ROOT / tool.python / "bin" / "python"), "-m", *tool.arguments, *_peer_arguments(job, workers)]


def _node(tool: Tool, job: Job, workers: int) -> list[str]:
    """It writes JSON Lines only, and takes no ``--format``."""
    return [
        "node", *tool.arguments, "--workload", job.workload, "--threads", str(workers),
        "--pipelines", str(job.pipelines), "--output", str(job.output), *map(str, job.files),
    ]  # fmt: skip


def _peer_arguments(job: Job, workers: int) -> list[str]:
    return [
        "--workload", job.workload, "--format", job.format, "--threads", str(workers),
        "--output", str(job.output), *map(str, job.files),
    ]  # fmt: skip


def _peer_rows(_: Job, said: str) -> Counted:
    answer: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return Counted(answer["rows_written"], answer.get("versions", {}))


def _engine_tool(build: str, python: str, executor: str, brief: tuple[int, ...] = ()) -> Tool:
    name = f"engine, {build}, {executor}"
    return Tool(
        f"engine-{build}-{executor}", name, python, ("--executor", executor), _engine, _engine_rows, brief=brief
    )


_NODE = "bench/peers/node/main.mjs"
_POLARS_LIMITS = {
    (
        "mixed",
        "jsonl",
    ): "JSON is written as a string of JSON text; a missing last cell is told by a rule for these files",
    ("mixed", "*"): "a missing last cell is told from an empty one by a rule that holds for these files only",
    ("hard", "jsonl"): "JSON is written as a string of JSON text; lookbehind as a capturing group",
    ("hard", "*"): "lookbehind as a capturing group, which RE2 and Rust's regex lack",
}
_RE2_LIMITS = {("hard", "*"): "lookbehind as a capturing group, which RE2 lacks"}

TOOLS = (
    _engine_tool("3.13t", ".venv", "threads", (1, 2)),
    _engine_tool("3.13", ".venv-gil", "threads"),
    _engine_tool("3.13", ".venv-gil", "processes", (2,)),
    _engine_tool("3.14t", ".venv-3.14t", "threads"),
    _engine_tool("3.14", ".venv-3.14", "processes"),
    Tool("duckdb", "DuckDB", ".venv-gil", ("bench.peers.duckdb_files",), _module, _peer_rows, limits=_RE2_LIMITS),
    Tool("duckdb-inside", "DuckDB, file after file", ".venv-gil", ("bench.peers.duckdb_files", "--threads-inside"),
         _module, _peer_rows, limits=_RE2_LIMITS, brief=()),
    Tool("polars", "Polars", ".venv-gil", ("bench.peers.polars_files",), _module, _peer_rows, limits=_POLARS_LIMITS),
    Tool("pyarrow", "pyarrow by hand", ".venv-gil", ("bench.peers.pyarrow_hand",), _module, _peer_rows, part=0.0625,
         limits=_RE2_LIMITS),
    Tool("plain", "plain Python", ".venv-gil", ("bench.peers.plain_python",), _module, _peer_rows, part=0.0625),
    Tool("node", "Node", "", (_NODE,), _node, _peer_rows, formats=("jsonl",), part=0.25),
)  # fmt: skip


def absent(tool: Tool) -> str | None:
    """Why a tool cannot take part here."""
    if tool.command is _node:
        if shutil.which("node") is None:
            return "there is no node on PATH"
        return (
            None if (ROOT / _NODE).parent.joinpath("node_modules").is_dir() else "scripts/setup node has not been run"
        )
    if not (ROOT / tool.python / "bin" / "python").exists():
        return f"there is no {tool.python}: scripts/setup makes it where it can be had"
    package = {"duckdb": "duckdb", "duckdb-inside": "duckdb", "polars": "polars"}.get(tool.key)
    return None if package is None or _has(tool.python, package) else f"{tool.python} has no {package}"


@functools.cache
def _has(python: str, package: str) -> bool:
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return not subprocess.run([ROOT / python / "bin" / "python", "-c", find], check=False).returncode


def contenders(*, everybody: bool, only: Sequence[str] = ()) -> list[Contender]:
    """Those that can take part; says on standard error who cannot.

    Args:
        everybody: not only those that a brief run has.
        only: keys of tools or of contenders; others are left out, and these take part in brief runs too.
    """
    known = {each.key for tool in TOOLS for each in (Contender(tool, 1), Contender(tool, 2))} | {
        tool.key for tool in TOOLS
    }
    if set(only) - known:
        raise SystemExit(
            f"no such contender: {', '.join(sorted(set(only) - known))}; there are {', '.join(sorted(known))}"
        )
    found = []
    for tool in TOOLS:
        workers = (1, 2) if everybody or only else tool.brief
        wanted = [Contender(tool, count) for count in workers]
        if only:
            wanted = [each for each in wanted if each.key in only or tool.key in only]
        why = absent(tool) if wanted else None
        if why is not None:
            sys.stderr.write(f"{tool.name} is left out: {why}\n")
        else:
            found += wanted
    return found
