"""Each type and each step alone: one thread, realistic columns, in chunks as the parser gives them."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from random import Random
from typing import Any

import pyarrow as pa

from bench import texts
from bench.cells import pick
from bench.workloads import SHARES
from engine.core.field import FieldPlan, Memo
from engine.core.limits import Limits
from engine.core.mapping import validate_mapping
from engine.core.plan import Plan

__all__ = ["measure_kernels"]

_CHUNK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A field of one type or one step, cells for it, and a cell that it refuses (None: it refuses nothing)."""

    name: str
    field: dict[str, Any]
    maker: texts.Maker
    bad: str | None


def _type(name: str, maker: texts.Maker, bad: str | None, **settings: Any) -> _Kernel:
    label = " ".join([name, *(str(value) for value in settings.values())])
    return _Kernel(label, {"type": name, **settings}, maker, bad)


def _step(name: str, step: Any, maker: texts.Maker, bad: str | None = None, type_: str = "string") -> _Kernel:
    return _Kernel(name, {"type": type_, "steps": [step]}, maker, bad)


def _spaced(random: Random) -> str:
    return f" {texts.sku(random)}  " if random.random() < 0.3 else texts.sku(random)


def _name(random: Random) -> str:
    return pick(random, ("Kraków Główny", "São Paulo", "New York", "Straße 12", "Łódź", "Berlin"))


def _hexadecimal(random: Random) -> str:
    return texts.uuid(random).replace("-", "")


def _escaped(random: Random) -> str:
    return f"q=r%C3%A9sum%C3%A9%20{pick(random, texts.WORDS)}&n={int(random.random() * 999)}"


def _phone(random: Random) -> str:
    return f"+49 {int(random.random() * 999)} {int(random.random() * 10**6)}-{int(random.random() * 99)}"


_KERNELS = (
    _type("string", texts.sku, None),
    _type("int", texts.number(10**9), "12x4"),
    _type("float", texts.decimal(2_000, 2), "1,299.00"),
    _type("decimal(12,2)", texts.decimal(2_000, 2), "1.999"),
    _type("bool", texts.one_of(("true", "false", "True", "0", "1")), "maybe"),
    _type("date", texts.date, "2026-02-30"),
    _type("date", lambda random: "/".join(texts.date(random).split("-")[::-1]), "30/02/2026", formats=["%d/%m/%Y"]),
    _type("timestamp", texts.timestamp, "yesterday"),
    _type("timestamp", texts.number(10**12, 10**12), "soon", formats=["epoch_ms"]),
    _type("timestamp", lambda random: f"{texts.date(random)} 12:30", "2026-03-29 02:30", timezone="Europe/Berlin"),
    _type("uuid", texts.uuid, "anonymous"),
    _type("json", texts.payload, '{"ev":'),
    _type("bytes", texts.token, "not base64"),
    _step("trim", "trim", _spaced),
    _step("lower", "lower", _name),
    _step("upper", "upper", _name),
    _step("base64", "base64", texts.message, "bm90IGJhc2U2NA="),
    _step("hex", "hex", _hexadecimal, "0x1f", "bytes"),
    _step("url_decode", "url_decode", _escaped, "100%"),
    _step("regex group", {"regex": {"pattern": "took (?P<ms>\\d+\\.\\d+) ms", "group": "ms"}}, texts.log_line),
    _step(
        "regex no_match error",
        {"regex": {"pattern": "\\[([a-z-]+\\d+)\\]", "group": 1, "no_match": "error"}},
        texts.log_line,
        "--- log rotated ---",
    ),
    _step("regex lookbehind", {"regex": {"pattern": "(?<=[?&]utm_campaign=)[^&#]+"}}, texts.url),
    _step("replace", {"replace": {"pattern": "[^0-9+]", "with": ""}}, _phone),
    _step("split", {"split": {"sep": "-", "index": 0}}, texts.sku),
    _step("json path", {"json": {"path": "$.user.plan"}}, texts.payload, '{"ev":'),
    _step("lookup", {"lookup": {"table": {word: word[:2] for word in texts.WORDS}}}, texts.one_of(texts.WORDS), "shop"),
    _step("default", {"default": "none"}, texts.seldom(texts.sku)),
    _Kernel("join", {"type": "string", "from": ["cells", "others"], "steps": [{"join": " "}]}, texts.sku, None),
)


def measure_kernels(rows: int, rounds: int) -> list[dict[str, Any]]:
    """One record a kernel and share of bad cells: nanoseconds of processor time a row, and MB/s of column text."""
    found: list[dict[str, Any]] = []
    for kernel in _KERNELS:
        field = _compile(kernel)
        pool = _pool(kernel, rows)
        shares = SHARES if kernel.bad is not None else SHARES[:1]
        columns = {share: _columns(kernel, pool, rows, share) for share in shares}
        seconds: dict[float, list[float]] = {share: [] for share in columns}
        for number in range(rounds + 1):
            for share, chunks in columns.items():
                took = _run(kernel, field, chunks, share)
                if number:  # the first warms up what a kernel remembers, as the offsets of a time zone
                    seconds[share].append(took)
        for share, chunks in columns.items():
            took = statistics.median(seconds[share])
            size = sum(chunk["cells"].nbytes - 4 * len(chunk["cells"]) for chunk in chunks)
            found.append(
                {
                    "what": f"kernel {kernel.name}",
                    "share": share,
                    "cpu_ns_per_row": took / rows * 1e9,
                    "mb_s": size / took / 1e6,
                }
            )
    return found


def _compile(kernel: _Kernel) -> FieldPlan:
    field = {"name": "field", "from": "cells", **kernel.field}
    document = {"version": 1, "id": "kernel", "fields": [field]}
    (plan,) = Plan.compile(validate_mapping(document, kernel.name), Limits()).fields
    return plan


def _pool(kernel: _Kernel, rows: int) -> list[bytes | None]:
    """Cells to draw from, more than a chunk has; empty ones are null."""
    random = Random(f"kernel {kernel.name}")
    return [kernel.maker(random).encode() or None for _ in range(min(rows, 4 * _CHUNK_ROWS))]


def _columns(kernel: _Kernel, pool: list[bytes | None], rows: int, share: float) -> list[dict[str, pa.Array]]:
    """The cells by label, chunk by chunk."""
    random = Random(f"kernel {kernel.name} {share}")
    bad = kernel.bad.encode() if kernel.bad is not None else None
    chunks = []
    for first in range(0, rows, _CHUNK_ROWS):
        count = min(_CHUNK_ROWS, rows - first)
        at = int(random.random() * (len(pool) - count + 1))
        cells = [bad if share and random.random() < share else cell for cell in pool[at : at + count]]
        column = pa.array(cells, pa.binary()).view(pa.string())
        chunks.append({"cells": column, "others": column})
    return chunks


def _run(kernel: _Kernel, field: FieldPlan, chunks: list[dict[str, pa.Array]], share: float) -> float:
    """Seconds for all chunks; checks that bad cells, and no others, were refused."""
    refused = 0
    start = time.thread_time()
    for chunk in chunks:
        refused += len(field.convert(chunk, len(chunk["cells"]), Memo()).faults)
    took = time.thread_time() - start
    if (refused > 0) != (share > 0):
        raise SystemExit(f"the kernel {kernel.name} refused {refused} cells of a column with {share:.0%} bad ones")
    return took
