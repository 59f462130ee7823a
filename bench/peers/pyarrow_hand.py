"""pyarrow by hand: what a Python engineer writes in an hour, with a loop over cells only where pyarrow has nothing.

``pyarrow.csv`` streams batches; numbers, booleans and patterns are columns' work, JSON, time stamps in several forms,
base64 and UUIDs that of the standard library, a cell at a time. Processes, since that loop holds the GIL.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bench.peers.contract import Counts, Order, in_processes, labels_of, main
from bench.peers.schemas import JSON_COLUMNS, SCHEMAS

__all__ = ["map_file"]

_INT = r"^[+-]?[0-9]{1,18}$"
_FLOAT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_TRUE = pa.array(["true", "t", "yes", "y", "1"])
_BOOL = pa.array(["true", "t", "yes", "y", "1", "false", "f", "no", "n", "0"])


def _cells(column: pa.Array, convert: Callable[[Any], Any], target: pa.DataType) -> pa.Array:
    """Cell by cell; what cannot be converted is null."""
    made = []
    for cell in column.to_pylist():
        try:
            made.append(None if cell is None else convert(cell))
        except (ValueError, KeyError, AttributeError):
            made.append(None)
    return pa.array(made, target)


def _matching(column: pa.Array, pattern: str, target: pa.DataType) -> pa.Array:
    fits = pc.match_substring_regex(column, pattern)
    return pc.cast(pc.if_else(fits, column, pa.scalar(None, pa.string())), target)


def _int(column: pa.Array) -> pa.Array:
    return _matching(pc.replace_substring_regex(column, r"^\+", ""), _INT, pa.int64())


def _float(column: pa.Array) -> pa.Array:
    return _matching(pc.replace_substring_regex(column, r"^\+", ""), _FLOAT, pa.float64())


def _bool(column: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(column)
    return pc.if_else(pc.is_in(lower, _BOOL), pc.is_in(lower, _TRUE), pa.scalar(None, pa.bool_()))


def _date(column: pa.Array) -> pa.Array:
    try:
        return pc.cast(column, pa.date32())
    except pa.ArrowInvalid:
        return _cells(column, date.fromisoformat, pa.date32())


def _moment(cell: str) -> datetime:
    moment = datetime.fromisoformat(cell)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _timestamp(column: pa.Array) -> pa.Array:
    return _cells(column, _moment, pa.timestamp("us", "UTC"))


def _uuid(column: pa.Array) -> pa.Array:
    return _cells(column, lambda cell: str(uuid.UUID(cell)), pa.string())


def _json(column: pa.Array) -> pa.Array:
    return _cells(column, lambda cell: _dumps(json.loads(cell)), pa.string())


def _bytes(column: pa.Array) -> pa.Array:
    return _cells(column, lambda cell: base64.b64decode(cell, validate=True), pa.binary())


def _group(column: pa.Array, pattern: str) -> pa.Array:
    return pc.struct_field(pc.extract_regex(column, pattern), 0)


_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

type Columns = dict[str, pa.Array]
type Checked = list[tuple[pa.Array, pa.Array]]
"""Pairs of a cell and what became of it: a row is bad where the second is null and the first is not."""


def _mixed(cells: Columns) -> tuple[Columns, Checked, list[str]]:
    chrome_text = _group(cells["user_agent"], r"Chrome/(?P<major>\d+)")
    made = {
        "event_id": _int(cells["event_id"]),
        "user_id": _uuid(cells["user_id"]),
        "at": _timestamp(cells["ts"]),
        "amount": _float(cells["amount"]),
        "is_bot": _bool(cells["is_bot"]),
        "payload": _json(cells["payload"]),
        "token": _bytes(cells["token"]),
        "chrome": _int(chrome_text),
        "comment": cells["comment"],
        "country": cells["country"],
    }
    checked = [(cells[name], made[name]) for name in ("amount", "is_bot", "payload", "token")]
    return made, [*checked, (chrome_text, made["chrome"])], ["event_id", "user_id", "at"]


def _plain(cells: Columns) -> tuple[Columns, Checked, list[str]]:
    makers = {"order_id": _int, "customer_id": _int, "quantity": _int, "price": _float, "weight": _float}
    made = {name: make(cells[name]) for name, make in makers.items()}
    made |= {name: _date(cells[name]) for name in ("ordered", "shipped")}
    checked = [(cells[name], column) for name, column in made.items()]
    made |= {name: cells[name] for name in ("sku", "city", "note")}
    return made, checked, ["order_id", "ordered", "sku"]


def _of_payload(cell: str) -> dict[str, Any]:
    found = json.loads(cell)
    user, items, ms = found.get("user", {}), found.get("items"), found.get("ms")
    return {
        "event": found["ev"],
        "ms": None if ms is None else int(ms),
        "user": str(uuid.UUID(user["id"])) if "id" in user else None,
        "plan": user.get("plan"),
        "price": float(items[0]["price"]) if items else None,
        "tags": _dumps(found["tags"]) if "tags" in found else None,
    }


_PAYLOAD = pa.struct([SCHEMAS["hard"].field(name) for name in ("event", "ms", "user", "plan", "price", "tags")])


def _hard(cells: Columns) -> tuple[Columns, Checked, list[str]]:
    found = _cells(cells["payload"], _of_payload, _PAYLOAD)
    took_text = _group(cells["log"], r"took (?P<ms>\d+\.\d+) ?ms")
    item_text = _group(cells["url"], r"/item/(?P<id>\d+)[/?]")
    made = {field.name: pc.struct_field(found, field.name) for field in _PAYLOAD}
    made |= {
        "service": _group(cells["log"], r"(?:INFO|WARN|ERROR) \[(?P<service>[a-z][a-z0-9.-]*)\]"),
        "took_ms": _float(took_text),
        "campaign": _group(cells["url"], r"[?&]utm_campaign=(?P<campaign>[^&#]+)"),
        "item": _int(item_text),
        "token": _bytes(cells["token"]),
        "message": _cells(cells["message"], lambda cell: base64.b64decode(cell, validate=True).decode(), pa.string()),
    }
    checked = [(cells["message"], made["message"]), (took_text, made["took_ms"]), (item_text, made["item"])]
    return made, checked, ["event", "service", "token"]


_CONVERT = {"mixed": _mixed, "plain": _plain, "hard": _hard}


def _batches(workload: str, source: Path) -> Iterator[Columns]:
    """Columns of text; rows of another width are left out, and so are those whose bytes are not UTF-8."""
    labels = labels_of(workload)
    reader = pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=4 << 20),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(labels, pa.binary()), null_values=[""], strings_can_be_null=True
        ),
    )
    for batch in reader:
        try:
            yield {label: pc.cast(column, pa.string()) for label, column in zip(labels, batch.columns, strict=True)}
        except pa.ArrowInvalid:
            good = [_is_text(row.values()) for row in batch.to_pylist()]
            kept = batch.filter(pa.array(good))
            yield {label: pc.cast(column, pa.string()) for label, column in zip(labels, kept.columns, strict=True)}


def _is_text(cells: Any) -> bool:
    try:
        for cell in cells:
            if cell is not None:
                cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _good(workload: str, cells: Columns) -> pa.RecordBatch:
    made, checked, required = _CONVERT[workload](cells)
    keep = pc.is_valid(made[required[0]])
    for name in required[1:]:
        keep = pc.and_(keep, pc.is_valid(made[name]))
    for cell, value in checked:
        keep = pc.and_(keep, pc.or_(pc.is_null(cell), pc.is_valid(value)))
    return pa.RecordBatch.from_pydict(made, SCHEMAS[workload]).filter(keep)


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, output: Path, json_columns: tuple[str, ...]) -> None:
        self._file = output.open("wb")
        self._json = json_columns

    def write_batch(self, batch: pa.RecordBatch) -> None:
        for name in batch.schema.names:
            place = batch.schema.get_field_index(name)
            if pa.types.is_timestamp(batch.schema.field(place).type):
                text = pc.strftime(batch.column(place), "%Y-%m-%dT%H:%M:%SZ")
                batch = batch.set_column(place, name, text)
        rows = batch.to_pylist()
        for row in rows:
            for name in self._json:
                if row[name] is not None:
                    row[name] = json.loads(row[name])
        self._file.write("".join(_line(row) + "\n" for row in rows).encode())

    def close(self) -> None:
        self._file.close()


def _in_json(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    assert isinstance(value, date)
    return value.isoformat()


_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_in_json).encode


def map_file(order: Order, source: Path) -> Counts:
    output, schema = order.output_of(source), SCHEMAS[order.workload]
    writer: _Writer = (
        _JsonLines(output, JSON_COLUMNS[order.workload])
        if order.format == "jsonl"
        else pq.ParquetWriter(output, schema, compression="snappy")
    )
    read = written = 0
    with closing(writer):
        for cells in _batches(order.workload, source):
            batch = _good(order.workload, cells)
            writer.write_batch(batch)
            read, written = read + len(next(iter(cells.values()))), written + batch.num_rows
    return Counts(read, written)


def _run(order: Order) -> list[Counts]:
    return in_processes(map_file, order)


if __name__ == "__main__":
    pa.set_cpu_count(1)
    main(_run, "pyarrow")
