"""The benchmark's three mappings (``bench/mappings``) with seeded files that they are for.

``mixed`` is activity data: DESIGN section 3's row of 260 bytes. ``plain`` has ten numbers, dates and short texts,
``hard`` a JSON document with six paths into it, two texts with two patterns each, and two columns of base64.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from bench import texts
from bench.cells import as_cell, pick
from bench.data import Activity, build
from engine.core.encoders.formats import Format
from engine.core.limits import Limits
from engine.core.mapping import Mapping, validate_mapping
from engine.core.plan import Plan

__all__ = ["COLUMNS_OF", "FAULTS_OF", "SHARES", "WORKLOADS", "make_files", "mapping_of", "plan_of"]

WORKLOADS = ("mixed", "plain", "hard")
SHARES = (0.0, 0.01, 0.2)
"""The shares of bad rows that are measured; each bad row has one bad cell, or in ``mixed`` is bad as a whole."""


def mapping_of(workload: str, format_: Format) -> Mapping:
    """A workload's mapping with this output, uncompressed (snappy in Parquet)."""
    document: dict[str, Any] = json.loads((Path(__file__).parent / "mappings" / f"{workload}.json").read_bytes())
    return validate_mapping(document | {"output": {"format": format_}}, workload)


def plan_of(workload: str, format_: Format) -> Plan:
    """The mapping compiled, for the calling thread."""
    return Plan.compile(mapping_of(workload, format_), Limits())


def make_files(workload: str, rows: int) -> dict[float, tuple[bytes, int]]:
    """A workload's files by share of bad rows, each with the number of its bad rows; good rows are the same in all."""
    if workload == "mixed":
        built = {share: build(Activity(rows=rows, corrupt=share)) for share in SHARES}
        return {share: (data, len(corrupted)) for share, (data, corrupted) in built.items()}
    random = Random(f"{workload} cells")
    columns = {label: [as_cell(maker(random)) for _ in range(rows)] for label, maker in COLUMNS_OF[workload].items()}
    return {share: _spoilt(workload, columns, share) for share in SHARES}


def _spoilt(workload: str, columns: dict[str, list[bytes]], share: float) -> tuple[bytes, int]:
    """The file with a share of its rows broken, and how many they are."""
    random = Random(f"{workload} faults {share}")
    columns = {label: list(cells) for label, cells in columns.items()}
    bad = [row for row in range(len(next(iter(columns.values())))) if random.random() < share]
    for row in bad:
        label, text = pick(random, FAULTS_OF[workload])
        columns[label][row] = as_cell(text)
    header = ",".join(columns).encode()
    return b"\n".join([header, *map(b",".join, zip(*columns.values(), strict=True)), b""]), len(bad)


_CITIES = ("Kraków", "London", "São Paulo", "大阪", "New York", "Berlin", "Lagos", "Paris, Texas", "Rome", "Perth")

COLUMNS_OF: dict[str, dict[str, texts.Maker]] = {
    "plain": {
        "order_id": texts.number(9 * 10**8, 10**8),
        "customer_id": texts.number(50_000),
        "quantity": texts.number(20, -2),
        "price": texts.decimal(2_000, 2),
        "weight": texts.seldom(texts.decimal(40, 3)),
        "ordered": texts.date,
        "shipped": texts.seldom(texts.date),
        "sku": texts.sku,
        "city": texts.one_of(_CITIES),
        "note": texts.seldom(texts.one_of(("gift", "fragile", "call first", "n/a", "leave at door"))),
    },
    "hard": {
        "payload": texts.payload,
        "log": texts.log_line,
        "url": texts.url,
        "token": texts.token,
        "message": texts.message,
    },
}
# What breaks a row: the column, and the text in it.
FAULTS_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "plain": (
        ("order_id", ""),
        ("order_id", "12x4"),
        ("customer_id", "9223372036854775808"),
        ("quantity", "two"),
        ("price", "1,299.00"),
        ("price", "free"),
        ("weight", "2 kg"),
        ("ordered", "2026-02-30"),
        ("shipped", "soon"),
        ("sku", ""),
    ),
    "hard": (
        ("payload", '{"ev":"click","page":"'),
        ("payload", '{"ev":"view"},{"ev":"buy"}'),
        ("payload", '{"ev":"view","ms":"soon"}'),
        ("payload", '{"ev":"view","ms":3,"user":{"id":"anonymous"}}'),
        ("payload", '{"ms":3}'),
        ("log", "--- log rotated ---"),
        ("token", "not base64"),
        ("token", ""),
        ("message", "bm90IGJhc2U2NA="),
        ("message", "/////w=="),
    ),
}
