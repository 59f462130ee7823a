"""A local stand-in for AWS: starts ``moto_server`` as a process of its own and fills it. For the demo and the tests.

moto cannot be installed beside a free-threaded interpreter (it needs cffi), and as a separate process behind HTTP it
is the fairer stand-in for a network service anyway.
"""

from __future__ import annotations

import functools
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import TransientError, UsageError

__all__ = ["LOCAL_AWS_ENV", "Moto", "find_moto_server", "moto_server"]

REGION = "us-east-1"

LOCAL_AWS_ENV: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the standard AWS chain needs to talk to a local server and to nothing else."""

# Runs a command until its standard input is closed: by us, or by the kernel when this process dies in whatever way.
_TIED_TO_US = """
exec 3<&0
"$@" 3<&- & server=$!
{ cat <&3 >/dev/null; kill $server; } & watcher=$!
exec 3<&-
wait $server; status=$?
kill $watcher 2>/dev/null
exit $status
"""

_LISTENING = re.compile(rb"Running on http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True)
class Moto:
    """A running server. Its methods block: call them before a loop runs, or from a thread; from one at a time."""

    endpoint_url: str
    pid: int  # of the server's process group
    log: Path

    def client(self, service: str) -> Any:
        """A plain (synchronous) botocore client for this server; close it after use."""
        from botocore.config import Config

        return _session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=LOCAL_AWS_ENV["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=LOCAL_AWS_ENV["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def make_bucket(self, name: str) -> str:
        client = self.client("s3")
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()
        return name

    def make_queue(self, name: str, *, visibility_s: int = 30, **attributes: str) -> str:
        """Makes a queue, a FIFO queue where its name ends in ``.fifo``; returns its URL.

        Args:
            attributes: more of SQS's own, as ``RedrivePolicy``.
        """
        attributes["VisibilityTimeout"] = str(visibility_s)
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        client = self.client("sqs")
        try:
            made = client.create_queue(QueueName=name, Attributes=attributes)
        finally:
            client.close()
        url: str = made["QueueUrl"]
        return url


@functools.cache
def _session() -> Any:
    """One session a process: it reads the SDK's service descriptions only once."""
    from botocore.session import Session

    return Session()


def find_moto_server() -> Path:
    """The ``moto_server`` command: ``$ENGINE_MOTO_SERVER``, else in ``.venv-aws`` beside the running virtual
    environment (the one that set-up locks), else on PATH.

    Raises:
        UsageError: there is none; says how to get it.
    """
    named = os.environ.get("ENGINE_MOTO_SERVER")
    if named:
        if not os.access(named, os.X_OK):
            raise UsageError(f"ENGINE_MOTO_SERVER={named} is not an executable file")
        return Path(named)
    beside = Path(sys.prefix).parent / ".venv-aws" / "bin" / "moto_server"
    if os.access(beside, os.X_OK):
        return beside
    on_path = shutil.which("moto_server")
    if on_path:
        return Path(on_path)
    raise UsageError("moto_server not found: run 'make setup', or name it in ENGINE_MOTO_SERVER")


@contextmanager
def moto_server(log: Path, *, env: Mapping[str, str] | None = None, deadline_s: float = 60.0) -> Iterator[Moto]:
    """Runs ``moto_server`` on a free loopback port; it is gone when the block is left.

    The kernel picks the port (port 0), so two servers never race for one. The server is in a session of its own: a
    Ctrl-C on the terminal reaches only us, and we end it. It also ends when this process is killed outright.

    Args:
        log: file that takes the server's output.
        env: additions to this process's environment.
        deadline_s: seconds the server may take to answer its first request.

    Raises:
        UsageError: no ``moto_server`` command.
        TransientError: it ended, or did not answer in time; names the log.
    """
    command = ["/bin/sh", "-c", _TIED_TO_US, "moto", str(find_moto_server()), "-H", "127.0.0.1", "-p", "0"]
    environment = {**os.environ, **LOCAL_AWS_ENV, **(env or {})}
    environment.pop("MOTO_PORT", None)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        yield Moto(_wait_ready(process, log, time.monotonic() + deadline_s), process.pid, log)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_ready(process: subprocess.Popen[bytes], log: Path, deadline: float) -> str:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TransientError(f"moto_server ended with status {process.returncode}; its output is in {log}")
        found = _LISTENING.search(log.read_bytes())
        if found:
            url = f"http://127.0.0.1:{int(found[1])}"
            if _answers(url):
                return url
        time.sleep(0.02)
    raise TransientError(f"moto_server did not answer in time; its output is in {log}")


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/moto-api/data.json")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
