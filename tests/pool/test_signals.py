"""Signals and sudden ends of a whole process that runs a pool."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def running_host(executor: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The host in a process group of its own, with a file being read on each of its two workers."""
    command = [sys.executable, "-m", "tests.pool.host", executor, str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "running\n"
            yield host
        finally:
            host.kill()


def ends(pidfd: int) -> bool:
    """Waits for the end of a process that is not our child."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(60_000))


def test_killed_coordinator_leaves_no_orphan(tmp_path: Path) -> None:
    """After kill -9 of the coordinator its worker processes abort their uploads and end by themselves."""
    with running_host("processes", tmp_path) as host:
        workers = [os.pidfd_open(int((tmp_path / f"f{n}.pid").read_text())) for n in range(2)]
        host.kill()
        host.wait()
        try:
            assert all(ends(worker) for worker in workers)
        finally:
            for worker in workers:
                os.close(worker)
    assert {path.name for path in tmp_path.glob("*.aborted")} == {"f0.aborted", "f1.aborted"}


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_interrupt_of_the_whole_group_reaches_the_coordinator_only(executor: str, tmp_path: Path) -> None:
    """Ctrl-C in a terminal goes to all processes: workers ignore it, the coordinator cancels them, nothing is left."""
    with running_host(executor, tmp_path) as host:
        os.killpg(host.pid, signal.SIGINT)
        said, errors = host.communicate()
    assert (said, errors, host.returncode) == ("interrupted\n", "", 0)
    assert {path.name for path in tmp_path.glob("*.aborted")} == {"f0.aborted", "f1.aborted"}


def test_signals_are_blocked_from_the_start(tmp_path: Path) -> None:
    """A worker process has SIGINT and SIGTERM blocked since before its first line of Python: there is no gap."""
    with running_host("processes", tmp_path):
        for n in range(2):
            status = Path(f"/proc/{(tmp_path / f'f{n}.pid').read_text()}/status").read_text()
            blocked = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), 16)
            for number in (signal.SIGINT, signal.SIGTERM):
                assert blocked & 1 << number - 1


def test_terminated_worker_process_works_on(tmp_path: Path) -> None:
    """SIGTERM to a worker process, as a service manager sends to all of a group, does not take its file away."""
    with running_host("processes", tmp_path) as host:
        for n in range(2):
            os.kill(int((tmp_path / f"f{n}.pid").read_text()), signal.SIGTERM)
        os.kill(host.pid, signal.SIGINT)
        said, errors = host.communicate()
    assert (said, errors, host.returncode) == ("interrupted\n", "", 0)
