"""What the cells of activity data look like, and pools of them to draw from.

Only :meth:`random.Random.random` and what is built on it alone is used, because Python promises its sequence: pools
of one seed are the same on every build and version.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

__all__ = ["BLOCK_ROWS", "Pools", "as_cell", "pick", "random_bytes"]

BLOCK_ROWS = 4096
"""How many rows are drawn at once, at most; every pool has as many cells."""


@dataclass(frozen=True, slots=True)
class Pools:
    """Encoded cells, a pool a column, each twice over so that any turn of it is one slice; and odd cells."""

    columns: tuple[list[bytes], ...]
    multiline: list[bytes]

    @staticmethod
    def make(seed: int) -> Pools:
        """All cells that a seed's files are made of, but the ids and the minutes, which count up."""
        random = Random(f"pools {seed}")
        makers = (_uuid, _seconds, _amount, _bot, _payload, _token, _user_agent, _comment, _country)
        return Pools(
            columns=tuple([make(random) for _ in range(BLOCK_ROWS)] * 2 for make in makers),
            multiline=[as_cell(f"{_phrases(random)}\n\n{_phrases(random)}\n") for _ in range(BLOCK_ROWS // 16)],
        )

    def draw(self, random: Random, first_id: int, count: int, minute: int) -> list[list[bytes]]:
        """The columns of ``count`` good rows, all of one minute: each pool from a place of its own on."""
        ids = list(map(b"%d".__mod__, range(first_id, first_id + count)))
        day, minute = divmod(minute, 24 * 60)
        stamp = b"2026-%02d-%02dT%02d:%02d" % (day // 28 % 12 + 1, day % 28 + 1, minute // 60, minute % 60)
        places = [int(random.random() * BLOCK_ROWS) for _ in self.columns]
        user_ids, seconds, *others = (pool[at : at + count] for pool, at in zip(self.columns, places, strict=True))
        return [ids, user_ids, list(map(stamp.__add__, seconds)), *others]


def pick[T](random: Random, options: Sequence[T]) -> T:
    return options[int(random.random() * len(options))]


def random_bytes(random: Random, count: int) -> bytes:
    return bytes(int(random.random() * 256) for _ in range(count))


def as_cell(text: str) -> bytes:
    """A text as a CSV cell: quoted only where it must be."""
    if any(mark in text for mark in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()


def _uuid(random: Random) -> bytes:
    digits = random_bytes(random, 16).hex()
    text = "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "a" + digits[17:20], digits[20:]))
    return pick(random, (text,) * 18 + (text.upper(), text.replace("-", ""))).encode()


def _seconds(random: Random) -> bytes:
    """The end of a time stamp, from the seconds on: mostly ``Z``, some with fractions, offsets or no zone."""
    zone = pick(random, ("Z",) * 12 + ("+00:00", "+02:00", "-0530", "+09", ""))
    digits = int(random.random() * 10)
    fraction = f".{int(random.random() * 10**digits):0{digits}d}" if digits and random.random() < 0.5 else ""
    return f":{int(random.random() * 60):02d}{fraction}{zone}".encode()


def _amount(random: Random) -> bytes:
    value = int(random.random() ** 3 * 100_000)
    text = f"{value // 100}.{value % 100:02d}"
    return pick(random, (text,) * 12 + ("0", "", "-" + text, f"{value}e-2", f"+{value}")).encode()


def _bot(random: Random) -> bytes:
    return pick(random, ("false",) * 40 + ("true", "true", "False", "TRUE", "0", "1", "no", "Y")).encode()


def _payload(random: Random) -> bytes:
    event = {
        "ev": pick(random, ("click", "view", "buy", "scroll")),
        "page": f"/{pick(random, _PAGES)}/{int(random.random() * 9999)}",
        "ms": int(random.random() * 5000),
    }
    more = random.random()
    if more < 0.15:
        event["tags"] = [pick(random, _PAGES) for _ in range(1 + int(random.random() * 3))]
    elif more < 0.25:
        event["geo"] = {
            "lat": int(random.random() * 9000) / 100,
            "city": pick(random, ("Kraków", "São Paulo", "大阪")),
        }
    elif more < 0.3:
        event |= {"ref": None, "ok": random.random() < 0.5}
    return as_cell(json.dumps(event, separators=(",", ":"), ensure_ascii=random.random() < 0.2))


def _token(random: Random) -> bytes:
    return b64encode(random_bytes(random, 9 + int(random.random() * 8)))


def _user_agent(random: Random) -> bytes:
    major = 100 + int(random.random() * 45)
    return as_cell(pick(random, _AGENTS).format(v=major, w=major % 10))


def _comment(random: Random) -> bytes:
    return as_cell("" if random.random() < 0.2 else _phrases(random))


def _phrases(random: Random) -> str:
    return " ".join(pick(random, _PHRASES) for _ in range(1 + int(random.random() * 3)))


def _country(random: Random) -> bytes:
    return pick(random, _COUNTRIES).encode()


_COUNTRIES = ("US", "US", "US", "GB", "CA", "AU", "DE", "FR", "PL", "NL", "SE", "BR", "IN", "JP", "KR", "MX", "ZA")
_PAGES = ("product", "cart", "search", "account", "help", "sale")
_PHRASES = (
    "great value",
    "would buy again",
    'says "fragile" on the box',
    "late, but fine",
    "très bien",
    "schöne Größe",
    "とても良い",
    "👍",
    "5 of 5",
    "returned it",
    "n/a",
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{w} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "shop-app/{w}.4 (Android 14; Pixel {w}) okhttp/4.{w}.0",
    "curl/8.{w}.0",
    "python-requests/2.3{w}.0",
)
