"""``engine demo``: one command that shows everything and leaves nothing running."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.command import engine, started

pytestmark = [pytest.mark.one_build("free-threaded"), pytest.mark.slow]

CHECKOUT = Path(__file__).parents[2]


def answers(text: str) -> bool:
    """Whether anything still listens where the demo's server was."""
    found = re.search(r"http://127\.0\.0\.1:\d+", text)
    assert found is not None
    port = urlsplit(found[0]).port
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_demo_shows_the_result_and_leaves_nothing_running(tmp_path: Path) -> None:
    """Every corrupted row is rejected for the right reason; --keep has both batches; the server is gone."""
    kept = tmp_path / "kept"
    done = engine("demo", "--rows", "3000", "--files", "3", "--keep", kept, cwd=CHECKOUT, env={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert "exactly the corrupted rows" in done.stdout
    assert "0 messages on the queue, 0 open uploads" in done.stdout
    assert not answers(done.stdout)
    manifests = [json.loads(path.read_text()) for path in sorted(kept.rglob("manifest.json"))]
    assert [manifest["batch_id"] for manifest in manifests] == ["acme-2026-11-22", "globex-2026-11-22"]
    files = [file for manifest in manifests for file in manifest["files"]]
    assert sum(file["rows_read"] for file in files) == 3000
    assert all((kept / file["output"]["key"]).stat().st_size == file["output"]["bytes"] for file in files)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_interrupted_demo_leaves_nothing_running_either(tmp_path: Path) -> None:
    """A signal in the middle ends the demo with the signal's status, its server and its temporary files."""
    with started("demo", "--rows", "200000", "--files", "40", cwd=CHECKOUT, env={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        said = ""
        while "127.0.0.1" not in said:
            said = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert not answers(said)
    assert list(tmp_path.iterdir()) == []


def test_without_the_checkout_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    """Where the sample data cannot be imported the demo is one clear line, not a traceback."""
    (tmp_path / "bench.py").write_text("raise ImportError('shadows the checkout')\n")
    done = engine("demo", cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "checkout" in done.stderr
