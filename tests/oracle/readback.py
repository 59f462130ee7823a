"""The engine's output files, read for comparison."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from decimal import Decimal
from typing import Any

from tests.oracle.files import Reject
from tests.oracle.texts import refused_as_surrogates

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
            record.get("raw_bytes"),
        )
        for record in read_jsonl(data)
    ]


def _raw(record: dict[str, Any]) -> str:
    """The exact source text: of a row that does not decode, ``raw`` only shows it and ``raw_base64`` holds it."""
    shown, exact = str(record["raw"]), record.get("raw_base64")
    if exact is None:
        assert "raw_encoding" not in record, "raw_encoding is about raw_base64"
        return shown
    text = refused_as_surrogates(b64decode(exact, validate=True), record.get("raw_encoding", "utf-8"))
    assert re.sub("\ufffd+", "\ufffd", shown) == re.sub("[\ufffd\udc00-\udcff]+", "\ufffd", text), (
        "raw shows another text"
    )
    return text
