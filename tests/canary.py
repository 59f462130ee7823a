"""Listeners that nobody may reach, and endpoints that send their callers on to them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

__all__ = ["Answering", "Canary", "answering", "canary", "resolving"]


@dataclass(frozen=True, slots=True)
class Canary:
    """Listens on one port of loopback, over IPv4 and where there is one IPv6, and says nothing to who comes."""

    port: int
    _listeners: tuple[socket.socket, ...]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def visits(self) -> int:
        """The connections since it was asked last. Whoever has connected by now is counted: the kernel keeps them."""
        found = 0
        for listener in self._listeners:
            with suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    found += 1
        return found

    def reached_by(self, host: str) -> bool:
        """Whether ``host``, as a URL has it, leads here when nobody checks."""
        with suppress(OSError), socket.create_connection((host.strip("[]"), self.port), timeout=5):
            return self.visits() == 1
        return False


@contextmanager
def canary() -> Iterator[Canary]:
    first = socket.create_server(("127.0.0.1", 0))
    listeners = [first]
    try:
        port: int = first.getsockname()[1]
        with suppress(OSError):
            listeners.append(socket.create_server(("::1", port), family=socket.AF_INET6))
        for listener in listeners:
            listener.setblocking(False)
        yield Canary(port, tuple(listeners))
    finally:
        for listener in listeners:
            listener.close()


@dataclass(slots=True)
class Answering:
    """An HTTP server on loopback that gives every request the same answer, and remembers what was asked."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    requests: list[str] = field(default_factory=list)  # method and path


@contextmanager
def answering(status: int, headers: Mapping[str, str], body: bytes = b"") -> Iterator[Answering]:
    said = Answering(status, headers, body)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            said.requests.append(f"{self.command} {self.path}")
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD" and said.status != 304:  # which has none
                self.wfile.write(said.body)

        do_GET = do_HEAD = do_PUT = handle_any  # noqa: N815 - the library's names

        def log_request(self, *args: Any) -> None:
            """Tests read what was asked from ``requests``."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        said.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield said
        finally:
            server.shutdown()
            thread.join()


def resolving(patch: pytest.MonkeyPatch, suffix: str, addresses: Callable[[], list[str]], port: int) -> None:
    """Has this process find names that end in ``suffix`` at ``addresses()``, asked each time, and at ``port``."""
    real = socket.getaddrinfo

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        if not str(host).endswith(suffix):
            return real(host, *rest, **more)
        return [answer for address in addresses() for answer in real(address, port, type=socket.SOCK_STREAM)]

    patch.setattr(socket, "getaddrinfo", found)
