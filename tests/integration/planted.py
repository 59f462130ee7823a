"""A file with errors of every row-level code in it, and where they are: made row by row, nothing parsed to know it.

A pure function of its seed. Rows end in LF or CRLF as it falls; cells hold quoted newlines of every kind, quotes, bare
quotes, separators, and text of several scripts; some bad rows have several errors.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.oracle import Reject

__all__ = ["CELL_BYTES", "CODES", "MAPPING", "Planted", "plant"]

CELL_BYTES = 2000
"""The limit that the ``too-long`` cells are over, and some good cells just reach."""

CODES = frozenset(
    {
        "type-error", "constraint-error", "missing-value", "missing-cell", "extra-cell", "blank-row", "encoding-error",
        "quote-error", "too-long", "step-error",
    }
)  # fmt: skip
"""Every row-level code of the contract."""

MAPPING: dict[str, Any] = {
    "version": 1,
    "id": "planted",
    "csv": {"null_values": ["", "NULL"], "blank_rows": "error"},
    "fields": [
        {"name": "id", "type": "int", "required": True, "min": 1},
        {"name": "amount", "from": "Amount", "type": "decimal(10,2)", "min": "0"},
        {"name": "rate", "type": "float", "max": 1e9},
        {"name": "at", "type": "timestamp", "formats": ["iso8601", "epoch_ms"], "timezone": "Europe/Berlin"},
        {"name": "day", "type": "date", "formats": ["%d/%m/%Y", "iso8601"], "min": "1900-01-01"},
        {"name": "flag", "type": "bool", "required": True},
        {"name": "ref", "type": "uuid", "required": True},
        {"name": "payload", "type": "json"},
        {"name": "event", "from": "token", "type": "string", "enum": ["click", "view", "buy"],
         "steps": ["base64", {"json": {"path": "$.ev"}}]},
        {"name": "at_page", "from": "token", "type": "int", "steps": ["base64", {"json": {"path": "$.page"}}]},
        {"name": "raw", "from": "token", "type": "bytes"},
        {"name": "who", "from": ["first", "last"], "type": "string", "max_length": 40,
         "steps": [{"join": " "}, "trim"]},
        {"name": "major", "from": "agent", "type": "int",
         "steps": [{"regex": {"pattern": "(?<=Chrome/)(?P<v>\\w+)", "group": "v", "no_match": "error"}}]},
        {"name": "note", "type": "string", "pattern": "(?s)[^!].*|"},
    ],
}  # fmt: skip
LABELS = ["id", "Amount", "rate", "at", "unused", "day", "flag", "ref", "payload", "token", "first", "last", "agent",
          "note"]  # fmt: skip


def _token(value: object) -> str:
    return b64encode(value.encode() if isinstance(value, str) else json.dumps(value).encode()).decode()


_TOKENS = [_token({"ev": ev, "page": page}) for ev in ("click", "view", "buy") for page in (1, -7, None)]
_PAYLOADS = [
    "1",
    "null",
    "[]",
    '{"a":"b,\\n\\"c\\""}',
    '{"é":[1.50,-2,"\u2028"],"b":{"c":null}}',
    "[[[]]]",
    '"1,[2"',
    "",
]
_NOTES = [
    "", "plain", "NULL", "naïve café", "漢字 かな", "\U0001f600 \u2028 \x00 \ufeff", 'she said "no"', "a,b;c",
    "two\nlines", "two\r\nlines", "a lone\rreturn", '"\n\n",\r\n"', "é" * (CELL_BYTES // 2), '"",""\n', "-",
    "\u00a0 x \u2003",
]  # fmt: skip
_UNUSED = ["", "x", "x" * (2 * CELL_BYTES), "not, a\nnumber", '"', "!"]

# Bad cells by column, each with the errors it must give, field by field in the mapping's order.
_BAD: dict[str, list[tuple[str, list[tuple[str, str]]]]] = {
    "id": [
        ("12x", [("id", "type-error")]),
        ("", [("id", "missing-value")]),
        ("9223372036854775808", [("id", "type-error")]),
        ("0", [("id", "constraint-error")]),
    ],
    "Amount": [
        ("1,5", [("amount", "type-error")]),
        ("1.234", [("amount", "constraint-error")]),
        ("-0.01", [("amount", "constraint-error")]),
        ("123456789", [("amount", "constraint-error")]),
    ],
    "rate": [
        ("nan", [("rate", "type-error")]),
        ("1e999", [("rate", "type-error")]),
        ("1_0", [("rate", "type-error")]),
        ("1e10", [("rate", "constraint-error")]),
    ],
    "at": [
        ("2026-11-22T24:00", [("at", "type-error")]),
        ("soon\nenough", [("at", "type-error")]),
        ("2026-03-29T02:30", [("at", "constraint-error")]),
        ("2026-10-25 02:30:00", [("at", "constraint-error")]),
    ],
    "day": [("31/02/2026", [("day", "type-error")]), ("31/12/1899", [("day", "constraint-error")])],
    "flag": [("perhaps", [("flag", "type-error")]), ("NULL", [("flag", "missing-value")])],
    "ref": [("f" * 31, [("ref", "type-error")]), ("", [("ref", "missing-value")])],
    "payload": [
        ("1,[2", [("payload", "type-error")]),
        ("3]", [("payload", "type-error")]),
        ('{"a":\r\nNaN}', [("payload", "type-error")]),
        ("[" * 65 + "]" * 65, [("payload", "type-error")]),
    ],
    "token": [
        ("***", [("event", "step-error"), ("at_page", "step-error"), ("raw", "type-error")]),
        (_token("{"), [("event", "step-error"), ("at_page", "step-error")]),
        (_token({"ev": "jump", "page": 1}), [("event", "constraint-error")]),
        (_token({"ev": "buy", "page": 1.5}), [("at_page", "type-error")]),
        (_token("x" * CELL_BYTES), [("event", "too-long"), ("at_page", "too-long"), ("raw", "too-long")]),
    ],
    "first": [("é" * 41, [("who", "constraint-error")]), ("x" * (CELL_BYTES + 1), [("who", "too-long")])],
    "agent": [("Firefox/1", [("major", "step-error")]), ("Chrome/x1", [("major", "type-error")])],
    "note": [
        ("!", [("note", "constraint-error")]),
        ("é" * (CELL_BYTES // 2) + ".", [("note", "too-long")]),
        ("long,\r\n" * CELL_BYTES, [("note", "too-long")]),
    ],
}
_UNDECODABLE = [b"caf\xe9", b'"\xff\n"', b'"\xe2\x82\r\n"', b"\xed\xa0\x80", b"\xc3"]


@dataclass(frozen=True, slots=True)
class Planted:
    """The file, how many data rows it has, and what must be rejected."""

    data: bytes
    rows: int
    rejects: list[Reject]


def plant(rows: int, share: float, seed: int) -> Planted:
    """Makes a file of ``rows`` rows, of which ``share`` is bad; the only ``quote-error`` stands near its end."""
    random = Random(seed)
    kinds = _kinds(random)
    pieces = [",".join(LABELS).encode() + b"\r\n"]
    line = 2
    rejects: list[Reject] = []
    tail = rows - 20  # from here on there are no quotes: the one that is never closed must not find another
    for row in range(1, rows + 1):
        errors: list[tuple[str, str]] = []
        if row == tail:
            raw, errors = _join(_good(random, row)[:-1]) + b',"never closed', [("", "quote-error")]
        elif row > tail:
            raw = f"{row},1.5,2,1700000000000,,1/2/2026,y,{row:032x},7,,Ada,,Chrome/9,open".encode()
        elif random.random() < share:
            raw, errors = next(kinds)(random, row)
        else:
            raw = _join(_good(random, row))
        if errors:
            rejects.append(Reject(row, line, tuple(errors), raw.decode("utf-8", "surrogateescape")))
        end = random.choice([b"\n", b"\r\n"])
        pieces += (raw, end)
        line += len(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    return Planted(b"".join(pieces), rows, rejects)


def _good(random: Random, row: int) -> list[str]:
    """The cells of a row in which nothing is wrong."""
    day = f"{1 + row % 28:02}/{1 + row % 12}/{1900 + row % 200}"
    return [
        random.choice([str(row), f"+{row}", f"00{row}"]),
        random.choice(["", f"{random.randrange(10**9) / 100:.2f}", f"{random.randrange(1000)}", ".5"]),
        random.choice(["", repr(random.uniform(-1e6, 1e6)), "1e-7", "-0.0"]),
        random.choice([f"2026-11-22T10:11:12.{row:07}+01:00", str(row * 977), "2026-07-01 00:00", "0001-01-02", ""]),
        random.choice(_UNUSED[:2]) if random.random() < 0.99 else random.choice(_UNUSED),
        random.choice([day, "2024-02-29", "NULL"]),
        random.choice(["true", "F", "yes", "N", "0"]),
        random.choice([f"{row:032x}", f"{row:032X}", f"00000000-0000-0000-0000-{row:012x}"]),
        random.choice(_PAYLOADS),
        random.choice(_TOKENS),
        random.choice(["Ada", " Zoë", ""]),
        random.choice(["Lovelace", "Ünlü ", ""]),
        f"Mozilla/5.0 Chrome/{row % 200}.0",
        random.choice(_NOTES[:4]) if random.random() < 0.8 else random.choice(_NOTES),
    ]


def _join(cells: list[str]) -> bytes:
    """Cells quoted where they must be; one that has a quote inside, but does not start with one, may stay bare."""
    quoted = [
        '"' + cell.replace('"', '""') + '"'
        if any(mark in cell for mark in '",\r\n') and cell != 'she said "no"'
        else cell
        for cell in cells
    ]
    return ",".join(quoted).encode()


type _Bad = tuple[bytes, list[tuple[str, str]]]


def _kinds(random: Random) -> Iterator[Any]:
    """Ways of being bad, each as often as the others, in no order."""
    every = [_one_cell, _one_cell, _one_cell, _several_cells, _missing_cell, _extra_cell, _blank, _undecodable]
    while True:
        yield from random.sample(every, len(every))


def _one_cell(random: Random, row: int) -> _Bad:
    return _spoilt(random, row, [random.choice(list(_BAD))])


def _several_cells(random: Random, row: int) -> _Bad:
    return _spoilt(random, row, random.sample(list(_BAD), random.randrange(2, 5)))


def _spoilt(random: Random, row: int, columns: list[str]) -> _Bad:
    cells = _good(random, row)
    found: dict[str, str] = {}
    for column in columns:
        cells[LABELS.index(column)], errors = random.choice(_BAD[column])
        found.update(errors)
    return _join(cells), [(rule["name"], found[rule["name"]]) for rule in MAPPING["fields"] if rule["name"] in found]


def _missing_cell(random: Random, row: int) -> _Bad:
    cells = _good(random, row)[: random.randrange(1, len(LABELS))]
    return _join(cells), [("", "missing-cell")]


def _extra_cell(random: Random, row: int) -> _Bad:
    return _join([*_good(random, row), *random.choice([[""], ["two\nlines", "x"]])]), [("", "extra-cell")]


def _blank(_: Random, __: int) -> _Bad:
    return b"", [("", "blank-row")]


def _undecodable(random: Random, row: int) -> _Bad:
    cells = [_join([cell]) for cell in _good(random, row)]
    cells[random.randrange(len(cells))] = random.choice(_UNDECODABLE)
    return b",".join(cells), [("", "encoding-error")]
