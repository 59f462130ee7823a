"""Makers of cells: each draws one text of its kind, as clients' files have it.

Only :meth:`random.Random.random` and what is built on it alone is used, because Python promises its sequence.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from bench.cells import pick, random_bytes

__all__ = [
    "WORDS",
    "Maker",
    "date",
    "decimal",
    "log_line",
    "message",
    "number",
    "one_of",
    "payload",
    "seldom",
    "sku",
    "timestamp",
    "token",
    "url",
    "uuid",
]

type Maker = Callable[[Random], str]

WORDS = ("product", "cart", "search", "account", "help", "sale", "summer", "partner")
_PHRASES = ("order received", "très bien", "please call back", "大阪", 'said "no"', "paid, not shipped", "refund")


def number(below: int, first: int = 0) -> Maker:
    return lambda random: str(first + int(random.random() * below))


def decimal(below: int, places: int) -> Maker:
    """Mostly small ones."""
    return lambda random: f"{random.random() ** 3 * below:.{places}f}"


def one_of(options: Sequence[str]) -> Maker:
    return lambda random: pick(random, options)


def seldom(maker: Maker) -> Maker:
    """A tenth of the cells is empty."""
    return lambda random: "" if random.random() < 0.1 else maker(random)


def date(random: Random) -> str:
    return f"20{16 + int(random.random() * 10)}-{1 + int(random.random() * 12):02}-{1 + int(random.random() * 28):02}"


def timestamp(random: Random) -> str:
    seconds = int(random.random() * 86_400)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{date(random)}T{time}{pick(random, ('Z', 'Z', '.123Z', '.004507Z', '+02:00'))}"


def sku(random: Random) -> str:
    return f"{pick(random, 'ABCDEFGH')}{int(random.random() * 10**6):06}-{pick(random, ('S', 'M', 'L', 'XL'))}"


def uuid(random: Random) -> str:
    digits = f"{int(random.random() * 2**64):016x}{int(random.random() * 2**64):016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def payload(random: Random) -> str:
    """An event as a JSON object with an object and an array in it, 150 bytes or so."""
    event: dict[str, Any] = {
        "ev": pick(random, ("click", "view", "buy", "scroll")),
        "ms": int(random.random() * 5000),
        "user": {"id": uuid(random), "plan": pick(random, ("free", "pro", "größer"))},
        "items": [
            {"sku": sku(random), "price": int(random.random() * 10_000) / 100} for _ in range(int(random.random() * 3))
        ],
        "page": f"/{pick(random, WORDS)}/{int(random.random() * 9999)}",
    }
    if random.random() < 0.6:
        event["tags"] = [pick(random, WORDS) for _ in range(1 + int(random.random() * 3))]
    return json.dumps(event, separators=(",", ":"), ensure_ascii=random.random() < 0.2)


def log_line(random: Random) -> str:
    took = f" took {random.random() * 900:.1f} ms" if random.random() < 0.7 else " queued"
    return (
        f"2026-03-{1 + int(random.random() * 28):02}T10:{int(random.random() * 60):02}"
        f" {pick(random, ('INFO', 'INFO', 'WARN', 'ERROR'))} [{pick(random, WORDS)}-{int(random.random() * 20)}]"
        f" request {int(random.random() * 10**8):08x} from 10.0.{int(random.random() * 256)}.7{took}"
    )


def url(random: Random) -> str:
    """Four fifths are of an item, half come from a campaign."""
    item = f"item/{int(random.random() * 10**6)}" if random.random() < 0.8 else "search"
    query = [f"page={int(random.random() * 30)}", "lang=de"]
    if random.random() < 0.5:
        query.append(f"utm_campaign={pick(random, WORDS)}-{int(random.random() * 50)}")
    return f"https://shop.example/{pick(random, WORDS)}/{item}?{'&'.join(query)}#top"


def token(random: Random) -> str:
    """16 to 31 bytes as base64."""
    return b64encode(random_bytes(random, 16 + int(random.random() * 16))).decode()


def message(random: Random) -> str:
    """A phrase or four as base64."""
    text = " ".join(pick(random, _PHRASES) for _ in range(1 + int(random.random() * 4)))
    return b64encode(text.encode()).decode()
