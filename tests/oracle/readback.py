"""The engine's output files, read for comparison."""

from __future__ import annotations

import json
from base64 import b64decode
from decimal import Decimal
from typing import Any

from tests.oracle.files import Reject

__all__ = ["read_jsonl", "read_rejects"]


def read_jsonl(data: bytes) -> list[dict[str, Any]]:
    """The rows of an engine's JSON Lines output, to be compared with :attr:`tests.oracle.Expected.rows`."""
    return [json.loads(line, parse_float=Decimal) for line in data.decode().split("\n") if line]


def read_rejects(data: bytes) -> list[Reject]:
    """The records of an engine's reject file, to be compared with :attr:`tests.oracle.Expected.rejects`."""
    return [
        Reject(
            record["row"],
            record["line"],
            tuple((error["field"] or "", error["code"]) for error in record["errors"]),
            _raw(record),
        )
        for record in read_jsonl(data)
    ]


def _raw(record: dict[str, Any]) -> str:
    """The exact source text: of a row that is not UTF-8, ``raw`` only shows it and ``raw_base64`` holds it."""
    exact = record.get("raw_base64")
    return str(record["raw"]) if exact is None else b64decode(exact, validate=True).decode("utf-8", "surrogateescape")
