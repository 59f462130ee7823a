"""A plain HTTP client of a real moto, behind a proxy of the test's own."""

from __future__ import annotations

import http.client
import random
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.faults import FaultProxy, Match, Rule
from tests.faults.rules import Do
from tests.moto import Aws

__all__ = ["ANY", "BODY", "SIGNED", "SIZE", "Site"]

SIZE = 300_000
BODY = random.Random(7).randbytes(SIZE)
ANY = Match()
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/s3/aws4_request, Signature=0"}
"""moto looks for a signature and not at it."""


@dataclass(frozen=True, slots=True)
class Site:
    aws: Aws
    proxy: FaultProxy
    bucket: str

    def do(self, do: Do, match: Match = ANY, **limits: Any) -> Rule:
        return self.proxy.add(Rule(match, do, **limits))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.proxy.url).netloc, timeout=60)

    def ask(self, method: str, key: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            more = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, f"/{self.bucket}/{key}", body, SIGNED | more)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def raw(self) -> socket.socket:
        parts = urlsplit(self.proxy.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=60)

    def objects(self) -> dict[str, bytes]:
        return self.aws.objects(self.bucket)
