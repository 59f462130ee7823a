"""``python -m tests.faults``, as a script uses it."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.proxied import SIGNED
from tests.moto import Aws

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.faults"]
LARGE = 96 * 1024 * 1024


def peak_kib(process: subprocess.Popen[str]) -> int:
    """The most memory that a running process has had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def test_it_runs_until_told_to_stop(aws: Aws, bucket: str) -> None:
    """It prints its URL, strikes as told, writes a line for each call, and ends with 0 and the tally of its rules."""
    aws.put(bucket, "a", b"body")
    rules = ["--rule", '{"match": {"operation": "GetObject"}, "do": {"refuse": {"status": 500}}, "times": 1}']
    with subprocess.Popen(
        [*COMMAND, aws.endpoint_url, *rules, "--leases", "strict"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        connection = http.client.HTTPConnection(urlsplit(process.stdout.readline().strip()).netloc, timeout=60)
        answers = []
        for _ in range(2):
            connection.request("GET", f"/{bucket}/a", headers=SIGNED)
            answers.append(connection.getresponse().read())
        connection.close()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert b"InternalError" in answers[0]
    assert answers[1] == b"body"
    assert process.returncode == 0
    lines = log.splitlines()
    assert lines[:2] == [f"500 GetObject {bucket}/a refuse", f"200 GetObject {bucket}/a"]
    assert lines[2].startswith("1 hits, 2 matches: ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_bodies_pass_in_little_memory(aws: Aws, bucket: str) -> None:
    """Up and down again, a body of 96 MiB takes a few pieces of memory, not its size."""
    with subprocess.Popen(
        [*COMMAND, aws.endpoint_url, "--quiet"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        connection = http.client.HTTPConnection(urlsplit(process.stdout.readline().strip()).netloc, timeout=60)
        before = peak_kib(process)
        connection.request("PUT", f"/{bucket}/large", bytes(LARGE), SIGNED)
        assert connection.getresponse().read() == b""
        connection.request("GET", f"/{bucket}/large", headers=SIGNED)
        answer = connection.getresponse()
        size = 0
        while piece := answer.read(1 << 20):
            size += len(piece)
        connection.close()
        grown = peak_kib(process) - before
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert size == LARGE
    assert grown < 24 * 1024


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["http://h", "--rule", '{"do": "explode"}'], "argument --rule: do: one of reset"),
        (["http://h", "--leases", "loose"], "argument --leases: invalid choice"),
        ([], "required: UPSTREAM"),
    ],
)
def test_wrong_arguments(arguments: list[str], told: str) -> None:
    """What is wrong is named, with status 2."""
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr


def test_help_shows_how_to_write_a_rule() -> None:
    """--help is all that is needed to write a rule."""
    done = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert '{"cut": {"at": "body", "after": 0, "how": "reset"}}' in done.stdout
    assert "CompleteMultipartUpload" in done.stdout
