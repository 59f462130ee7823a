"""The launcher of the local stand-in for AWS."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.adapters.aws.moto import find_moto_server, moto_server
from engine.errors import TransientError, UsageError


def listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port))


def test_two_servers_and_nothing_left(tmp_path: Path) -> None:
    """Servers started together get ports of their own, keep their own state, and are gone after their block."""
    with moto_server(tmp_path / "one.log") as one, moto_server(tmp_path / "two.log") as two:
        assert one.endpoint_url != two.endpoint_url
        one.make_bucket("only-here")
        client = two.client("s3")
        assert client.list_buckets()["Buckets"] == []
        client.close()
        assert listens(one.endpoint_url)
    for server in (one, two):
        assert not listens(server.endpoint_url)
        with pytest.raises(ProcessLookupError):
            os.kill(server.pid, 0)


def test_server_that_was_killed(tmp_path: Path) -> None:
    """Leaving the block is no error when the server is gone already; nothing of it is left, and the next one works."""
    with contextlib.ExitStack() as connections:
        with moto_server(tmp_path / "log") as server:
            connection = connections.enter_context(connected(server.endpoint_url))
            os.killpg(server.pid, signal.SIGKILL)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""  # comes when the server's process is gone
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    with moto_server(tmp_path / "log") as again:
        assert again.make_bucket("works") == "works"


def test_server_ends_with_its_owner(tmp_path: Path) -> None:
    """A process that is killed outright takes its server along."""
    code = (
        "import sys, pathlib; from engine.adapters.aws.moto import moto_server\n"
        "with moto_server(pathlib.Path(sys.argv[1])) as server: print(server.endpoint_url, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        with connected(owner.stdout.readline().strip()) as connection:
            owner.kill()
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""  # comes when the server's process is gone


def test_server_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends at once is reported with the file that says why."""
    command = tmp_path / "moto_server"
    command.write_text("#!/bin/sh\necho no such thing >&2\nexit 3\n")
    command.chmod(0o755)
    monkeypatch.setenv("ENGINE_MOTO_SERVER", str(command))
    log = tmp_path / "log"
    with pytest.raises(TransientError, match="status 3") as raised, moto_server(log):
        pass
    assert str(log) in raised.value.message
    assert log.read_text() == "no such thing\n"


def test_no_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no command, the error says how to get it; a wrong name is told by name."""
    monkeypatch.delenv("ENGINE_MOTO_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    with pytest.raises(UsageError, match="make setup"):
        find_moto_server()
    monkeypatch.setenv("ENGINE_MOTO_SERVER", str(tmp_path / "absent"))
    with pytest.raises(UsageError, match="absent"):
        find_moto_server()
