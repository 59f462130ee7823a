"""``make audit``: what it makes of an advisory database's answers, and of none."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytestmark = pytest.mark.one_build("gil")

ROOT = Path(__file__).parent.parent
NOBODY = "http://127.0.0.1:1/"  # no listener there: binding so low a port takes root


def audit(*options: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ROOT / ".venv-gil/bin/python", ROOT / "scripts/audit.py", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def against(url: str) -> subprocess.CompletedProcess[str]:
    return audit("--vulnerability-service", "osv", "--osv-url", url)


@contextmanager
def database(answer: Callable[[str], dict[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    """A server with OSV's interface; gives its URL, and the names it was asked for."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.add(query["package"]["name"])
            body = json.dumps(answer(query["package"]["name"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that it has there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def locked() -> set[str]:
    texts = [(ROOT / f"requirements/{name}.lock").read_text() for name in ("engine", "msgspec")]
    return {name for text in texts for name in re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)}


def test_nothing_is_known() -> None:
    """Each package that the image has is asked for, and a database with nothing against any is status 0."""
    with database(lambda _: {}) as (url, asked):
        done = against(url)
    assert (done.returncode, asked) == (0, locked()), done.stderr
    assert done.stderr.startswith(
        f"audit: nothing is known against the {len(asked)} packages of requirements/engine.lock"
    )


def test_an_advisory_is_told() -> None:
    """A package with something against it is named with its release, all names of the advisory and what mends it."""
    package = {"name": "aiohttp", "ecosystem": "PyPI"}
    events = [{"introduced": "0"}, {"fixed": "999.1"}]
    affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}], "versions": []}]
    advisory = {"id": "PYSEC-1-1", "aliases": ["CVE-1-1"], "summary": "s", "details": "d", "affected": affected}
    with database(lambda name: {"vulns": [advisory]} if name == "aiohttp" else {}) as (url, _):
        done = against(url)
    assert done.returncode == 1, done.stderr
    assert re.fullmatch(r"audit: aiohttp \S+: PYSEC-1-1 CVE-1-1; fixed in 999\.1\n", done.stderr)


def test_a_database_that_cannot_be_reached_is_no_good_news() -> None:
    """Where nobody can be asked, one line says so, with a status that is neither of the others."""
    done = against(NOBODY)
    assert done.returncode == 3
    assert done.stderr.startswith("audit: not done: the advisory database cannot be asked from here")
    assert done.stderr.count("\n") == 1


def test_an_option_that_is_none() -> None:
    """What pip-audit refuses is told apart from a database that does not answer."""
    done = audit("--vulnerability-service", "nobody")
    assert done.returncode == 2
    assert done.stderr.startswith("audit: pip-audit refuses ")
    assert done.stderr.count("\n") == 1
