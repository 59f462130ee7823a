"""Plain Python: ``csv`` and a loop over rows with the standard library's own parsers, a process a worker.

What most teams write first. Parquet, for which the standard library has nothing, goes through pyarrow.
"""

from __future__ import annotations

import base64
import csv
import json
import math
import re
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from bench.peers.contract import Counts, Order, in_processes, main

if TYPE_CHECKING:
    from pathlib import Path

type Row = dict[str, str]
type Record = dict[str, Any]

_CHROME = re.compile(r"Chrome/(?P<major>\d+)")
_SERVICE = re.compile(r"(?P<level>INFO|WARN|ERROR) \[(?P<service>[a-z][a-z0-9.-]*)\]")
_TOOK = re.compile(r"took (?P<ms>\d+\.\d+) ?ms")
_CAMPAIGN = re.compile(r"(?<=[?&]utm_campaign=)[^&#]+")
_ITEM = re.compile(r"(?<=/item/)(?P<id>\d+)(?=[/?])")
_BOOLS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_ROWS_A_BATCH = 20_000


def _int(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _bool(text: str) -> bool:
    return _BOOLS[text.lower()]


def _timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _uuid(text: str) -> str:
    return str(uuid.UUID(text))


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _or_none[T](convert: Callable[[str], T], text: str | None) -> T | None:
    return convert(text) if text else None


def _required(text: str) -> str:
    if not text:
        raise ValueError("missing")
    return text


def _mixed(row: Row) -> Record:
    chrome = _CHROME.search(row["user_agent"])
    return {
        "event_id": _int(row["event_id"]),
        "user_id": _uuid(row["user_id"]),
        "at": _timestamp(row["ts"]),
        "amount": _or_none(_float, row["amount"]),
        "is_bot": _or_none(_bool, row["is_bot"]),
        "payload": _or_none(json.loads, row["payload"]),
        "token": _or_none(_bytes, row["token"]),
        "chrome": _int(chrome["major"]) if chrome else None,
        "comment": row["comment"] or None,
        "country": row["country"] or None,
    }


def _plain(row: Row) -> Record:
    return {
        "order_id": _int(row["order_id"]),
        "customer_id": _or_none(_int, row["customer_id"]),
        "quantity": _or_none(_int, row["quantity"]),
        "price": _or_none(_float, row["price"]),
        "weight": _or_none(_float, row["weight"]),
        "ordered": date.fromisoformat(row["ordered"]),
        "shipped": _or_none(date.fromisoformat, row["shipped"]),
        "sku": _required(row["sku"]),
        "city": row["city"] or None,
        "note": row["note"] or None,
    }


def _hard(row: Row) -> Record:
    found = json.loads(row["payload"])
    user, items = found.get("user", {}), found.get("items")
    service, took = _SERVICE.search(row["log"]), _TOOK.search(row["log"])
    campaign, item = _CAMPAIGN.search(row["url"]), _ITEM.search(row["url"])
    if service is None:
        raise ValueError("no service")
    return {
        "event": _required(found.get("ev")),
        "ms": None if found.get("ms") is None else _int(str(found["ms"])),
        "user": _or_none(_uuid, user.get("id")),
        "plan": user.get("plan"),
        "price": float(items[0]["price"]) if items else None,
        "tags": found.get("tags"),
        "service": service["service"],
        "took_ms": float(took["ms"]) if took else None,
        "campaign": campaign[0] if campaign else None,
        "item": _int(item["id"]) if item else None,
        "token": _bytes(_required(row["token"])),
        "message": _bytes(row["message"]).decode() if row["message"] else None,
    }


_CONVERT: dict[str, Callable[[Row], Record]] = {"mixed": _mixed, "plain": _plain, "hard": _hard}


class _Writer(Protocol):
    def write(self, record: Record) -> None:
        """Raises UnicodeEncodeError where the row's text was not UTF-8."""

    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, output: Path) -> None:
        self._file = output.open("wb", buffering=1 << 20)
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_in_json).encode

    def write(self, record: Record) -> None:
        self._file.write(self._encode(record).encode() + b"\n")

    def close(self) -> None:
        self._file.close()


def _in_json(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert isinstance(value, date)
    return value.isoformat()


class _Parquet:
    def __init__(self, output: Path, workload: str) -> None:
        import pyarrow.parquet as pq

        from bench.peers.schemas import JSON_COLUMNS, SCHEMAS

        self._json = JSON_COLUMNS[workload]
        self._writer = pq.ParquetWriter(output, SCHEMAS[workload], compression="snappy")
        self._records: list[Record] = []

    def write(self, record: Record) -> None:
        for name in self._json:
            if record[name] is not None:
                record[name] = json.dumps(record[name], ensure_ascii=False, separators=(",", ":"))
        for value in record.values():
            if type(value) is str:
                value.encode()
        self._records.append(record)
        if len(self._records) == _ROWS_A_BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._records, self._writer.schema))
        self._records = []

    def close(self) -> None:
        self._flush()
        self._writer.close()


def _map_file(order: Order, source: Path) -> Counts:
    convert, output = _CONVERT[order.workload], order.output_of(source)
    writer: _Writer = _JsonLines(output) if order.format == "jsonl" else _Parquet(output, order.workload)
    read = written = 0
    # Bytes that are not UTF-8 become lone surrogates, which cannot be written again: such rows are bad.
    with source.open(encoding="utf-8", errors="surrogateescape", newline="") as file, closing(writer):
        rows = csv.reader(file, strict=True)
        labels = next(rows)
        for cells in rows:
            read += 1
            if len(cells) != len(labels):
                continue
            try:
                writer.write(convert(dict(zip(labels, cells, strict=True))))
            except (ValueError, KeyError):
                continue
            written += 1
    return Counts(read, written)


def _run(order: Order) -> list[Counts]:
    return in_processes(_map_file, order)


if __name__ == "__main__":
    main(_run)
