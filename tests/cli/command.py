"""Runs the ``engine`` command of the environment under test, as a process of its own or, quicker, in this one."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import structlog

from engine.cli import main

__all__ = ["ENGINE", "EXECUTORS", "MAPPING", "engine", "engine_here", "started", "untouched_logging", "write_mapping"]

ENGINE = Path(sys.executable).with_name("engine")

# Each on the build that it is for. That both write the same bytes, tests/integration/test_main_job.py shows.
EXECUTORS = [
    pytest.param("threads", marks=pytest.mark.one_build("free-threaded")),
    pytest.param("processes", marks=pytest.mark.one_build("gil")),
]

MAPPING: dict[str, Any] = {
    "version": 1,
    "id": "people",
    "fields": [{"name": "id", "type": "int", "required": True}, {"name": "name", "type": "string"}],
}


def environment(**variables: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENGINE_")}
    return {**inherited, "PYTHONWARNINGS": "error", **variables}


def engine(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [ENGINE, *arguments],
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def untouched_logging() -> Iterator[None]:
    """A command that runs in this process sets up logging; afterwards it is as it was."""
    root, ours = logging.getLogger(), logging.getLogger("engine")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        structlog.reset_defaults()


def engine_here(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same in this process, without the second that a process takes to begin: for what a command does and says.
    How the process begins, ends and takes signals, :func:`engine` shows."""
    written = [io.BytesIO(), io.BytesIO()]
    output, errors = (io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in written)
    with (
        untouched_logging(),
        chdir(cwd),
        patch.dict(os.environ, environment(**(env or {})), clear=True),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        status = main([str(argument) for argument in arguments])
    said = [each.getvalue().decode() for each in written]
    return subprocess.CompletedProcess(list(arguments), status, *said)


@contextmanager
def started(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command that is still running; killed when the block is left, if it has not ended."""
    with subprocess.Popen(
        [ENGINE, *arguments],
        cwd=cwd,
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def write_mapping(folder: Path, **changes: Any) -> Path:
    path = folder / "people.json"
    path.write_text(json.dumps({**MAPPING, **changes}))
    return path
